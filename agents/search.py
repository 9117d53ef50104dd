"""The proposer that needs no language model: program synthesis over the grammar, guided by counts alone.

Clauses are grown from what the evidence suggests (`constructs`, `atoms`), one at a time by the utility that F1 implies
(`growth`), and cover the firing positions while they pay (`cover`). The first pass aims at a middling F1, the second at
what the first reached. What is then still uncovered gets a weak level at a lower aim: it leaves F1 as it is and raises
the average precision of graded predictions. Given an explanation to start from, search mends it first (`mending`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from agents.constructs import make_pool
from agents.cover import Cover
from agents.growth import Budget, Prices
from agents.mending import mend
from agents.rules import expression, together
from agents.strategies import STRATEGIES, lean
from agents.table import Labelled, Table, tabulate
from dsl.complexity import bits
from dsl.errors import InputError
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import PREDICTED, AnyToken, Explanation, Tokens
from dsl.records import Evidence
from dsl.render import render, render_expression

__all__ = ["STRATEGIES", "Candidate", "Labelled", "SearchResult", "search"]

STRONG = Prices(per_bit=0.13)
WEAK = Prices(per_bit=0.08, longest_list=24)
MOST_STRONG, MOST_WEAK = 8, 4

FIRST_AIM, LEAST_AIM, HIGHEST_AIM = 0.4, 0.1, 0.9
OPTIMISM = 1.2
"""The aim of the second pass against what the first reached: higher costs hardly any F1 and is worth more precision."""

WEAK_AIM, LEAST_WEAK_AIM = 0.25, 0.03
"""The aim of the weak level, as a share of the aim of the strong one, and at least."""

PLENTY, LEAST_SHARE = 40, 0.25
"""Firing positions from which prices are full, and the least share of them that fewer positions bring."""

SCORE_PER_BIT = 2e-5


@dataclass(frozen=True, slots=True)
class Candidate:
    """An explanation and its score on the evidence: the mean of F1 and average precision, less a trifle a bit."""

    explanation: Explanation
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best explanation, all that were considered whole (best first), and notes on what was tried, a line each."""

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
    """Find an explanation of the evidence; the same arguments give the same result.

    `budget` counts candidates evaluated (conditions, clauses and whole explanations). `must_hold` are texts on which it
    should come out right, each worth several firing positions of the evidence; `start` is an explanation to mend, and
    then the best candidate is one that grew out of it. Raises InputError for an unknown strategy, and where the
    feature fires nowhere in the evidence.

    >>> found = search(evidence, strategy="context", lexicon=None, budget=20_000, rng=random.Random(0))
    ... # doctest: +SKIP
    """
    del rng  # every choice follows from counts; ties go to what comes first in a fixed order
    if strategy not in STRATEGIES:
        raise InputError(f"no search strategy is called {strategy!r}; there are: {', '.join(STRATEGIES)}")
    table = tabulate(evidence, must_hold)
    left = Budget(budget)
    pool = lean(make_pool(table, lexicon), strategy)
    cover = Cover(table, pool, left)
    evaluator = Evaluator(table.batch)
    strong_prices, weak_prices = _affordable(STRONG, table), _affordable(WEAK, table)
    found: dict[Explanation, Candidate] = {}

    def consider(explanation: Explanation) -> None:
        if explanation not in found:
            predicted = evaluator.evaluate(explanation).reshape(-1)
            found[explanation] = Candidate(explanation, _score(table, predicted, explanation))
            left.left -= 1

    grown: tuple[Explanation, ...] = ()
    if start is not None:
        grown = mend(start, table, pool, cover, evaluator, lexicon, left)
        for explanation in grown:
            consider(explanation)
    consider(_plainest(table))
    aim = FIRST_AIM
    for _ in range(2):
        strong = cover.rules(aim, np.zeros(len(table.fires), dtype=np.bool_), strong_prices, MOST_STRONG)
        if not strong:
            aim = LEAST_AIM
            continue
        held = cover.held(strong)
        alone = together(strong, pool)
        consider(Explanation(alone))
        weak = cover.rules(max(LEAST_WEAK_AIM, WEAK_AIM * aim), held, weak_prices, MOST_WEAK)
        if weak:
            consider(Explanation(alone, together(weak, pool)))
        aim = min(HIGHEST_AIM, max(LEAST_AIM, OPTIMISM * table.f1(held)))
    ranked = sorted(found.values(), key=lambda each: (-each.score, bits(each.explanation), render(each.explanation)))
    if grown:
        ranked.sort(key=lambda each: each.explanation != grown[-1])
    notes = [f"clause, {gain:+.1f}: {render_expression(expression(rule, pool))}" for gain, rule in cover.tried]
    notes += [f"whole, {each.score:.3f}: {render(each.explanation)}" for each in ranked]
    return SearchResult(ranked[0].explanation, tuple(ranked), tuple(notes))


def _affordable(prices: Prices, table: Table) -> Prices:
    """Prices in proportion to what there is to gain: few examples must still be able to buy a word or two."""
    share = min(1.0, max(LEAST_SHARE, int(table.fires.sum()) / PLENTY))
    return replace(
        prices, per_bit=share * prices.per_bit, error=share * prices.error, least_gain=share * prices.least_gain
    )


def _plainest(table: Table) -> Explanation:
    """The token that fires most often: what stands where nothing better pays."""
    strings = table.batch.vocabulary.strings
    tokens, counts = np.unique(table.batch.ids.reshape(-1)[table.fires], return_counts=True)
    named = [strings[token] for token in tokens[np.argsort(-counts, kind="stable")].tolist() if strings[token]]
    return Explanation(Tokens(tuple(named[:1])) if named else AnyToken())


def _score(table: Table, predicted: Float[np.ndarray, " n"], explanation: Explanation) -> float:
    quality = (table.f1(predicted >= PREDICTED) + table.average_precision(predicted)) / 2
    return quality - SCORE_PER_BIT * bits(explanation)
