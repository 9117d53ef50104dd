"""Whether the judge picks the best side, what it loses where it does not, and how often the order changes its mind.

The best side is chosen on one half of the held-out documents and what another choice loses is measured on the other;
then the halves change places, and the two are averaged. Chosen and measured on the same documents, the best side would
look better than it is, and every judge worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autointerp.measures.lines import FeatureLine
from autointerp.measures.tallies import kind_of
from autointerp.scoring import Score, features_interval


@dataclass(frozen=True, slots=True)
class Pick:
    """How one way of picking a side did: how often it was the best one, and token F1 lost to the best one.

    A regret below zero is no mistake: the side that was best on one half need not be on the other.
    """

    accuracy: Score
    regret: Score


@dataclass(frozen=True, slots=True)
class Judging:
    """`judge` is over the features on which the judge chose, the other picks over all whose sides differ.

    `reported` is the judge's choice or, where it abstained, the fallback. `left_out` counts features by why nothing
    can be said of them. `flips` is the share of answered votes that differ from the commonest one of their feature,
    `flipped` the number of features that have any.
    """

    judge: Pick | None
    reported: Pick | None
    best_by_dev: Pick | None
    random: Pick | None
    left_out: dict[str, int]
    flips: Score | None
    flipped: int
    answered: int
    unanswered: dict[str, int]


Chooser = Callable[[FeatureLine], Sequence[str]]
"""The labels among which a way of picking is indifferent; none where it does not pick."""


def judging(lines: Sequence[FeatureLine], seed: int) -> Judging:
    """Measure the judge over the features of a run."""
    contested = list[FeatureLine]()
    left_out = Counter[str]()
    for line in lines:
        if why := _uncontested(line):
            left_out[why] += 1
        else:
            contested.append(line)

    flips = [_flips(line) for line in lines]
    shares = [share for share in flips if share is not None]
    votes = [vote for line in lines for vote in line.debate.votes]
    return Judging(
        judge=_pick([line for line in contested if line.debate.outcome == "chosen"], _winner, seed),
        reported=_pick(contested, _winner, seed),
        best_by_dev=_pick(contested, _best_by_dev, seed),
        random=_pick(contested, _anyone, seed),
        left_out=dict(sorted(left_out.items())),
        flips=features_interval(shares, np.random.default_rng(seed)) if shares else None,
        flipped=sum(share > 0 for share in shares),
        answered=sum(vote.answered for vote in votes),
        unanswered=dict(sorted(Counter(kind_of(vote.reason) for vote in votes if not vote.answered).items())),
    )


def _uncontested(line: FeatureLine) -> str:
    """Why nothing can be said of the judge's choice; empty where something can."""
    if len(line.debate.sides) < 2:
        return "fewer than two sides"
    if not line.half(0) or not line.half(1):
        return "it does not fire in both halves of the held-out documents"
    if not any(_differ(line.half(number)) for number in (0, 1)):
        return "its sides score the same"
    if not line.debate.answered:
        return "the judge answered nothing"
    return ""


def _pick(lines: Sequence[FeatureLine], chooser: Chooser, seed: int) -> Pick | None:
    """Over features: each one's average of the two ways of using its halves, or the one way where its sides differ."""
    if not lines:
        return None
    rows = [_accuracy_and_regret(line, chooser(line)) for line in lines]
    accuracy, regret = (features_interval(column, np.random.default_rng(seed)) for column in zip(*rows, strict=True))
    return Pick(accuracy, regret)


def _accuracy_and_regret(line: FeatureLine, picked: Sequence[str]) -> tuple[float, float]:
    hits, losses = list[float](), list[float]()
    for chosen_on, measured_on in ((line.half(0), line.half(1)), (line.half(1), line.half(0))):
        if _differ(chosen_on):
            top = max(chosen_on.values())
            best = [label for label, f1 in chosen_on.items() if f1 == top]
            hits.append(_mean([float(label in best) for label in picked]))
            losses.append(_mean([measured_on[label] for label in best]) - _mean([measured_on[one] for one in picked]))
    return _mean(hits), _mean(losses)


def _differ(scores: dict[str, float]) -> bool:
    return len(set(scores.values())) > 1


def _winner(line: FeatureLine) -> Sequence[str]:
    return [line.debate.winner] if line.debate.winner else []


def _best_by_dev(line: FeatureLine) -> Sequence[str]:
    return [line.debate.best_by_dev] if line.debate.best_by_dev else []


def _anyone(line: FeatureLine) -> Sequence[str]:
    return [side.label for side in line.debate.sides]


def _flips(line: FeatureLine) -> float | None:
    """The share of answered votes that differ from the commonest; None where fewer than two were answered."""
    votes = Counter(vote.label for vote in line.debate.compared)
    return 1 - max(votes.values()) / votes.total() if votes.total() > 1 else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
