"""What every level would be worth at every position, so that the best explanation is the one of the largest sum.

A set of positions with precision p raises F1 exactly if p > F/2, where F is the F1 reached in the end (Lipton, Elkan &
Narayanaswamy 2014). So a search for the best F1 is a search for the largest sum of a *utility*: 2 - F at each firing
position that is predicted, -F at each other (Dinkelbach 1967, for fractional programmes).

The other levels are bought in the same way: stepping up to a level pays where the share of firing is above its
*boundary*, and the steps of a position add up. Weak and faint levels rank what is not predicted, which average
precision counts; the strong level tells high activations from middling ones, which correlation counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from agents.table import Table
from dsl.nodes import LEVELS, LevelName

NAMES: tuple[LevelName, ...] = tuple(reversed(LEVELS))
"""The levels from the faintest up; level 0 is none, level k is `NAMES[k - 1]`."""

FAINT, WEAK, MODERATE, STRONG = range(1, len(NAMES) + 1)

OF_SCORE = 2.0
"""The scale of every step where a score stands in place of the truth."""

Utility = Float[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Step:
    """The step up to a level: worth `scale * (x - boundary)` of a position's weight, with x from 0 to 1 there."""

    scale: float
    boundary: float


def steps(aim: float) -> tuple[Step, ...]:
    """The steps to `NAMES`, for an F1 aimed at; boundaries rise from level to level."""
    return (
        Step(0.8, max(0.01, 0.04 * aim)),
        Step(1.2, max(0.015, 0.125 * aim)),
        Step(2.0, 0.5 * aim),
        Step(1.0, min(0.9, max(0.62, 0.5 * aim + 0.1))),
    )


class Stakes:
    """Utilities on one table, for an F1 aimed at; `utility` and `value` are in firing positions."""

    def __init__(self, table: Table, aim: float) -> None:
        fires = table.fires.astype(np.float64)
        found = zip(steps(aim), (fires, fires, fires, table.strength), strict=True)
        self._gains = [step.scale * x * table.weight for step, x in found]
        self._losses = [step.scale * step.boundary * table.weight for step in steps(aim)]

    @classmethod
    def of_score(cls, score: Utility, weight: Utility, boundaries: Sequence[float]) -> Stakes:
        """Stakes for a score in place of the truth: stepping up pays as far as it is above the level's boundary.

        A score holds no noise of small numbers, so all levels are worth the same detail.
        """
        stakes = cls.__new__(cls)
        stakes._gains = [OF_SCORE * np.clip(score / boundary, 0, 2) * weight for boundary in boundaries]
        stakes._losses = [OF_SCORE * weight for _ in boundaries]
        return stakes

    def utility(self, level: int, now: Int[np.ndarray, " n"], lenience: float = 1.0) -> Utility:
        """What raising each position from the level it has `now` to `level` is worth; 0 where that is no rise.

        `lenience` scales the boundaries: below 1 for what is not finished and will be narrowed.
        """
        total = np.zeros(len(now))
        for number in range(1, level + 1):
            worth = self._gains[number - 1] - lenience * self._losses[number - 1]
            total += np.where(now < number, worth, 0.0)
        return total

    def value(self, levels: Int[np.ndarray, " n"]) -> float:
        """What an assignment of levels is worth."""
        total = 0.0
        for number, (gain, loss) in enumerate(zip(self._gains, self._losses, strict=True), start=1):
            at = levels >= number
            total += float((gain[at] - loss[at]).sum())
        return total
