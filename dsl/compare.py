"""Two explanations against each other: by proof, for every text there is, and by running both on a sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dsl.agreement import Agreement, Witness, agreement
from dsl.batch import Batch
from dsl.nodes import Explanation
from dsl.simplify import simplify
from dsl.subsumption import same_predictions, subsumes

Side = Literal["one", "other"]


@dataclass(frozen=True, slots=True)
class ProvenEquivalent:
    """Both predict the same at every token of every text."""


@dataclass(frozen=True, slots=True)
class ProvenSubsumed:
    """Wherever the narrower one predicts, so does the `broader`, at least as strongly, in every text."""

    broader: Side


@dataclass(frozen=True, slots=True)
class EqualOnSample:
    """Nothing is proven, and on so many tokens they predict the same."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Differ:
    """Neither is proven to subsume the other, and here is a text on which they differ."""

    witness: Witness


Verdict = ProvenEquivalent | ProvenSubsumed | EqualOnSample | Differ


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both explanations simplified, what is to be said of them, and how they agree on the sample."""

    one: Explanation
    other: Explanation
    verdict: Verdict
    sample: Agreement


def compare(one: Explanation, other: Explanation, batches: Iterable[Batch]) -> Comparison:
    """Compare what two explanations predict; what they promote is no part of it.

    >>> from dsl.parse import parse
    >>> from dsl.records import Context
    >>> sample = [Batch.of([Context(("Hot", " pizza", " crust"))])]
    >>> compare(parse('activates on the token " pizza"'), parse('activates on the word "pizza"'), sample).verdict
    ProvenSubsumed(broader='other')
    """
    one, other = simplify(one), simplify(other)
    sample = agreement(one, other, batches)
    verdict: Verdict
    if same_predictions(one, other):
        verdict = ProvenEquivalent()
    elif subsumes(other, one):
        verdict = ProvenSubsumed("other")
    elif subsumes(one, other):
        verdict = ProvenSubsumed("one")
    elif sample.witnesses:
        verdict = Differ(sample.witnesses[0])
    else:
        verdict = EqualOnSample(sample.tokens)
    return Comparison(one, other, verdict, sample)
