"""What is proven of two explanations without running them: that they are the same, that one predicts what another does.

A True is a proof for every text; a False is none. See `implication.py` for the rules.
"""

from __future__ import annotations

from dataclasses import replace

from dsl.implication import NOWHERE, Prover
from dsl.nodes import Explanation, union
from dsl.simplify import simplify


def equivalent(one: Explanation, other: Explanation) -> bool:
    """Whether it is proven that both predict the same on every text, and promote the same tokens.

    >>> from dsl.parse import parse
    >>> equivalent(parse("activates on digits or digits and names"), parse("activates on not not digits"))
    True
    """
    return one == other or (one.promotes == other.promotes and same_predictions(one, other))


def same_predictions(one: Explanation, other: Explanation) -> bool:
    """Whether it is proven that both predict the same on every text, whatever they promote."""
    one, other = _predicting(one), _predicting(other)
    return one == other or (at_least(one, other) and at_least(other, one))


def subsumes(one: Explanation, other: Explanation) -> bool:
    """Whether it is proven that `one` predicts wherever `other` does, at least as strongly, on every text.

    >>> from dsl.parse import parse
    >>> subsumes(parse("activates on digits"), parse('activates on digits right after the token "$"'))
    True
    """
    return one == other or at_least(_predicting(one), _predicting(other))


def at_least(one: Explanation, other: Explanation, prover: Prover | None = None) -> bool:
    """As `subsumes`, of both as they are written; a prover of one's own remembers over many questions."""
    prover = prover or Prover()
    for _, value, expression in other.levels:
        if prover.implies(expression, NOWHERE):
            continue
        enough = [broader for _, level, broader in one.levels if level >= value]
        if not enough or not prover.implies(expression, union(*enough)):
            return False
    return True


def _predicting(explanation: Explanation) -> Explanation:
    """Its simplest form, without what it promotes."""
    return simplify(replace(explanation, promotes=()))
