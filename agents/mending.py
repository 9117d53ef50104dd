"""Mending an explanation that was shown to be wrong somewhere: a few edits, each of which pays for its bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from agents.atoms import Pool
from agents.cover import Cover
from agents.growth import Budget, Prices
from agents.rules import expression
from agents.table import Table
from dsl.complexity import bits
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.mutate import mutants
from dsl.nodes import MAX_DEPTH, PREDICTED, AnyToken, Clause, Except, Explanation, Expression, conjunction, depth, union

MOST_EDITS = 4
MOST_MUTANTS = 300
PER_BIT = 0.05
"""What a bit costs a mended explanation, in firing positions: half a clause for a counterexample is what may pay."""

_ADDING = Prices(per_bit=PER_BIT, error=0.3, conditions=3)


def mend(
    start: Explanation,
    table: Table,
    pool: Pool,
    cover: Cover,
    evaluator: Evaluator,
    lexicon: Lexicon | None,
    budget: Budget,
) -> tuple[Explanation, ...]:
    """The explanations on the way from `start`, each one edit from the last and better than it; the last is the best.

    An edit is a mutant of the explanation, a further clause, or an exception or condition grown for it.
    """

    def value(explanation: Explanation) -> float:
        budget.left -= 1
        predicted = evaluator.evaluate(explanation).reshape(-1)
        quality = table.f1(predicted >= PREDICTED) + table.average_precision(predicted)
        return quality * table.firing_weight / 2 - PER_BIT * bits(explanation)

    path = [start]
    best = value(start)
    while len(path) <= MOST_EDITS and not budget.spent:
        held = np.zeros(len(table.fires), dtype=np.bool_)
        if path[-1].predicted is not None:
            held = evaluator.matches(path[-1].predicted).reshape(-1)
        edits = [*_additions(path[-1], held, table, pool, cover)]
        edits += [mutant.explanation for mutant in mutants(path[-1], lexicon)[:MOST_MUTANTS]]
        values = [value(edit) for edit in edits]
        if not edits or max(values) <= best:
            break
        best = max(values)
        path.append(edits[int(np.argmax(values))])
    return tuple(path)


def _additions(
    explanation: Explanation, held: Bool[np.ndarray, " n"], table: Table, pool: Pool, cover: Cover
) -> list[Explanation]:
    """The explanation with the clause that adds most, with the exception that saves most, and narrowed."""
    aim = min(0.9, max(0.1, table.f1(held)))
    strong = explanation.strong
    edits: list[Expression] = []
    more = cover.more(aim, held, _ADDING)
    if more is not None:
        edits.append(expression(more, pool) if strong is None else union(strong, expression(more, pool)))
    if strong is not None and held.any():
        less = cover.less(aim, held, _ADDING)
        if less is not None:
            edits.append(_without(strong, expression(less, pool)))
        narrower = cover.within(aim, held, _ADDING)
        if narrower is not None:
            edits.append(_narrowed(strong, expression(narrower, pool)))
    return [replace(explanation, strong=edit) for edit in edits if depth(edit) <= MAX_DEPTH]


def _narrowed(strong: Expression, to: Expression) -> Expression:
    match to:
        case Clause(AnyToken(), modifiers):
            return Clause(strong, modifiers)
        case _:
            return conjunction(strong, to)


def _without(strong: Expression, less: Expression) -> Expression:
    match strong:
        case Except(kept, removed):
            return Except(kept, union(removed, less))
        case _:
            return Except(strong, less)
