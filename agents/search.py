"""The proposer that needs no language model: program synthesis over the grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from agents.atoms import pool
from agents.cover import Budget, Cover, Prices, with_strategy
from agents.rules import expression, together, truth
from agents.table import Labelled, Table, tabulate
from dsl.complexity import bits
from dsl.errors import InputError
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.records import Evidence
from dsl.render import render, render_expression

__all__ = ["STRATEGIES", "Candidate", "Labelled", "SearchResult", "search"]

STRATEGIES = ("lexical", "context", "semantic")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An explanation and how well it does on the evidence, higher is better."""

    explanation: Explanation
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best explanation, all that were considered as wholes (best first), and notes on what was tried."""

    explanation: Explanation
    candidates: tuple[Candidate, ...]
    scratchpad: tuple[str, ...]


def search(
    evidence: Evidence,
    *,
    strategy: str,
    lexicon: Lexicon | None,
    budget: int,
    rng: random.Random,
    must_hold: Sequence[Labelled] = (),
    start: Explanation | None = None,
) -> SearchResult:
    """Find an explanation of the evidence by search; the same arguments give the same result."""
    if strategy not in STRATEGIES:
        raise InputError(f"no search strategy is called {strategy!r}; there are: {', '.join(STRATEGIES)}")
    del rng
    table = tabulate(evidence, must_hold)
    literals = pool(table, lexicon)
    prices = with_strategy(Prices(), strategy)
    cover = Cover(table, literals, prices, Budget(budget))
    evaluator = Evaluator(table.batch)
    found: dict[Explanation, Candidate] = {}

    def consider(explanation: Explanation) -> None:
        predicted = evaluator.evaluate(explanation).reshape(-1)
        found.setdefault(explanation, Candidate(explanation, _score(table, predicted, bits(explanation))))

    if start is not None:
        consider(start)
    notes: list[str] = []
    target = 0.4
    for _ in range(3):
        strong = cover.rules(target)
        if not strong:
            target /= 2
            continue
        held = np.logical_or.reduce([truth(rule, table, literals) for rule in strong])
        consider(Explanation(together(strong, literals)))
        weak = cover.rules(max(0.05, 0.3 * target), covered=held, most=4)
        if weak:
            consider(Explanation(together(strong, literals), together(weak, literals)))
        new = min(0.9, max(0.1, 0.8 * _f1(table, held)))
        if abs(new - target) < 0.05:
            break
        target = new
    ranked = tuple(sorted(found.values(), key=lambda each: (-each.score, bits(each.explanation))))
    for gain, rule in cover.tried:
        notes.append(f"gain {gain:.2f}: {render_expression(expression(rule, literals))}")
    notes.extend(f"score {each.score:.3f}: {render(each.explanation)}" for each in ranked)
    return SearchResult(ranked[0].explanation, ranked, tuple(notes))


def _f1(table: Table, held: Bool[np.ndarray, " n"]) -> float:
    right = float(table.weight[held & table.fires].sum())
    return 2 * right / (float(table.weight[held].sum()) + table.firing_weight)


def _score(table: Table, predicted: Float[np.ndarray, " n"], length: float) -> float:
    f1 = _f1(table, predicted >= 0.5)
    precision, total, right, average = 0.0, 0.0, 0.0, 0.0
    for level in (1.0, 0.3, 0.0):
        at = (np.abs(predicted - level) < 0.01) & table.known
        gained = float(table.weight[at & table.fires].sum())
        total += float(table.weight[at].sum())
        right += gained
        precision = right / total if total else 0.0
        average += precision * gained / table.firing_weight
    return (f1 + average) / 2 - 0.0001 * length
