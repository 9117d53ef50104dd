"""The proposer that needs no language model: program synthesis over the grammar, guided by counts alone.

Clauses are grown from what the evidence suggests (`constructs`, `atoms`), one at a time by what they are worth
(`stakes`, `growth`), and cover positions level by level while they pay (`cover`): first what is to be predicted, by the
utility that F1 implies, then what of it is strong, then what else is weak or faint. The first pass aims at a middling
F1, the second at what the first reached. The best is polished by edits in the language at large (`polish`). The
additive strategy covers what an additive model of the evidence says instead (`distil`). Given an explanation to start
from, search mends that and grows nothing anew.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from agents.atoms import Pool
from agents.constructs import make_pool
from agents.cover import Cover
from agents.distil import distil
from agents.growth import Budget, Prices, Stopped
from agents.polish import Polisher
from agents.rules import Rule, expression, together
from agents.stakes import FAINT, MODERATE, NAMES, STRONG, WEAK, Stakes
from agents.strategies import STRATEGIES, lean
from agents.table import Labelled, Table, tabulate
from dsl.complexity import bits
from dsl.errors import InputError
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import PREDICTED, AnyToken, Explanation, Tokens
from dsl.records import Evidence
from dsl.render import render, render_expression
from dsl.simplify import simplify

__all__ = ["STRATEGIES", "Candidate", "Labelled", "SearchResult", "search"]

PREDICTING = Prices(per_bit=0.13)
RANKING = Prices(per_bit=0.08, longest_list=24)
"""Prices of clauses that predict, and of those that rank what is not predicted and what is."""

TAUGHT = Prices(per_bit=0.03, error=0.25, least_gain=0.2, longest_list=24)
TAUGHT_RANKING = Prices(per_bit=0.02, error=0.25, least_gain=0.2, longest_list=48)
"""The same where a model's answers are covered: they hold no noise of small numbers, only detail."""

MENDING = Prices(per_bit=0.13, error=0.3, longest_list=4)
"""For an explanation that was shown to be wrong somewhere: a bit costs what it cost when the explanation was found, so
that only what was shown can pay for more, and a clause names little."""

MOST_PREDICTING, MOST_RANKING = 8, 4

FIRST_AIM, LEAST_AIM, HIGHEST_AIM = 0.4, 0.1, 0.9
OPTIMISM = 1.2
"""The aim of the second pass against what the first reached: higher costs hardly any F1 and is worth more precision."""

PLENTY, LEAST_SHARE = 40, 0.25
"""Firing positions from which prices are full, and the least share of them that fewer positions bring."""

SCORE_PER_BIT = 2e-5


@dataclass(frozen=True, slots=True)
class Candidate:
    """An explanation and its score on the evidence: the mean of F1, average precision and correlation, less a trifle a
    bit."""

    explanation: Explanation
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best explanation, all that were considered whole (best first), notes on what was tried, a line each, and what
    ended the search."""

    explanation: Explanation
    candidates: tuple[Candidate, ...]
    scratchpad: tuple[str, ...]
    stopped: Stopped = "done"


def search(
    evidence: Evidence,
    *,
    strategy: str,
    lexicon: Lexicon | None,
    budget: int,
    rng: random.Random,
    must_hold: Sequence[Labelled] = (),
    start: Explanation | None = None,
    time_limit: float | None = None,
) -> SearchResult:
    """Find an explanation of the evidence; the same arguments give the same result.

    `budget` counts candidates evaluated (conditions, clauses and whole explanations). `must_hold` are texts on which it
    should come out right, each worth several firing positions of the evidence; `start` is an explanation to mend, and
    then the best candidate is one that grew out of it. Raises InputError for an unknown strategy, and where the
    feature fires nowhere in the evidence.

    With a `time_limit` in seconds it ends there with the best so far, and `stopped` says so: then, and only then, the
    result depends on the machine.

    >>> found = search(evidence, strategy="context", lexicon=None, budget=20_000, rng=random.Random(0))
    ... # doctest: +SKIP
    """
    if strategy not in STRATEGIES:
        raise InputError(f"no search strategy is called {strategy!r}; there are: {', '.join(STRATEGIES)}")
    table = tabulate(evidence, must_hold)
    left = Budget(budget, None if time_limit is None else time.monotonic() + time_limit)
    pool = lean(make_pool(table, lexicon), strategy)
    cover = Cover(table, pool, left)
    evaluator = Evaluator(table.batch)
    polisher = Polisher(table, pool, cover, evaluator, lexicon, left)
    found: dict[Explanation, Candidate] = {}

    def consider(*explanations: Explanation) -> None:
        for explanation in map(simplify, explanations):
            if explanation not in found:
                predicted = table.take(evaluator.evaluate(explanation))
                found[explanation] = Candidate(explanation, _score(table, predicted, explanation))
                left.left -= 1

    def f1(explanation: Explanation) -> float:
        return table.f1(table.take(evaluator.evaluate(explanation)) >= PREDICTED)

    def unmended(explanation: Explanation) -> int:
        predicted = table.take(evaluator.evaluate(explanation)) >= PREDICTED
        return int((predicted != table.fires)[table.must].sum())

    consider(_plainest(table))
    answer: Explanation | None = None
    if start is not None:
        path = polisher.polish(start, Stakes(table, _aim(f1(start))), MENDING, mending=True)
        consider(*path)
        # The first step that mends as much as any: what comes after it only fits the examples better.
        answer = simplify(min(path, key=unmended))
    elif strategy == "additive":
        lesson = distil(table, pool, np.random.default_rng(rng.getrandbits(32)))
        cover = Cover(lesson.table, lesson.pool, left)
        learnt = _levels(cover, lesson.pool, lesson.table, lesson.stakes, TAUGHT, TAUGHT_RANKING)
        consider(*learnt)
        # What covers the model's answers is not chosen, nor polished, by its fit to the examples.
        answer = simplify(learnt[-1]) if learnt else None
    else:
        aim, predicting, ranking = FIRST_AIM, _affordable(PREDICTING, table), _affordable(RANKING, table)
        for _ in range(2):
            whole = _levels(cover, pool, table, Stakes(table, aim), predicting, ranking)
            consider(*whole)
            aim = _aim(f1(whole[0])) if whole else LEAST_AIM
        best = max(found.values(), key=lambda each: each.score).explanation
        consider(*polisher.polish(best, Stakes(table, _aim(f1(best))), predicting))
    ranked = sorted(found.values(), key=lambda each: (-each.score, bits(each.explanation), render(each.explanation)))
    if answer is not None:
        ranked.sort(key=lambda each: each.explanation != answer)
    notes = [f"clause, {gain:+.1f}: {render_expression(expression(rule, pool))}" for gain, rule in cover.tried]
    notes += [f"whole, {each.score:.3f}: {render(each.explanation)}" for each in ranked]
    if left.stopped != "done":
        notes.append(f"stopped early: out of {left.stopped}")
    return SearchResult(ranked[0].explanation, tuple(ranked), tuple(notes), left.stopped)


def _aim(reached: float) -> float:
    return min(HIGHEST_AIM, max(LEAST_AIM, OPTIMISM * reached))


def _levels(
    cover: Cover, pool: Pool, table: Table, stakes: Stakes, predicting: Prices, ranking: Prices
) -> list[Explanation]:
    """What is to be predicted, alone and with its stronger part told apart, and then with what ranks below it."""
    now = np.zeros(len(table.fires), dtype=np.int64)
    core = cover.rules(stakes, MODERATE, now, predicting, MOST_PREDICTING)
    if not core:
        return []
    found = [Explanation(together(core, pool))]
    now[cover.held(core)] = MODERATE
    raised = stakes.utility(STRONG, now)
    by_level: dict[int, list[Rule]] = {
        STRONG: [rule for rule in core if float(raised[cover.held([rule])].sum()) > 0],
        MODERATE: [rule for rule in core if float(raised[cover.held([rule])].sum()) <= 0],
    }
    now[cover.held(by_level[STRONG])] = STRONG
    by_level[STRONG] += cover.rules(stakes, STRONG, now, ranking, MOST_RANKING) if by_level[MODERATE] else []
    now[cover.held(by_level[STRONG])] = STRONG
    found.append(_explanation(by_level, pool))
    for level in (WEAK, FAINT):
        by_level[level] = cover.rules(stakes, level, now, ranking, MOST_RANKING)
        now = np.maximum(now, np.where(cover.held(by_level[level]), level, 0))
        found.append(_explanation(by_level, pool))
    return found


def _explanation(by_level: Mapping[int, list[Rule]], pool: Pool) -> Explanation:
    if not by_level[STRONG]:  # then what is predicted is all there is to be strong about
        by_level = {**by_level, STRONG: by_level[MODERATE], MODERATE: []}
    return Explanation.of({NAMES[level - 1]: together(rules, pool) for level, rules in by_level.items() if rules})


def _affordable(prices: Prices, table: Table) -> Prices:
    """Prices in proportion to what there is to gain: few examples must still be able to buy a word or two."""
    share = min(1.0, max(LEAST_SHARE, int(table.fires.sum()) / PLENTY))
    return replace(
        prices, per_bit=share * prices.per_bit, error=share * prices.error, least_gain=share * prices.least_gain
    )


def _plainest(table: Table) -> Explanation:
    """The token that fires most often: what stands where nothing better pays."""
    strings = table.batch.vocabulary.strings
    tokens, counts = np.unique(table.take(table.batch.ids)[table.fires], return_counts=True)
    named = [strings[token] for token in tokens[np.argsort(-counts, kind="stable")].tolist() if strings[token]]
    return Explanation(Tokens(tuple(named[:1])) if named else AnyToken())


def _score(table: Table, predicted: Float[np.ndarray, " n"], explanation: Explanation) -> float:
    quality = table.f1(predicted >= PREDICTED) + table.average_precision(predicted) + table.correlation(predicted)
    return quality / 3 - SCORE_PER_BIT * bits(explanation)
