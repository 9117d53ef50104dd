"""What every side of a debate scores on held-out documents, on all of them and on each half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from agents.transcript import Transcript
from autointerp.scoring.counts import count, token_f1
from autointerp.scoring.execution import graded_predictions
from autointerp.scoring.positions import Positions
from dsl.nodes import PREDICTED
from dsl.records import HeldOut


@dataclass(frozen=True, slots=True)
class SideScore:
    """Token F1 of one side as the debate left it, before any repair; None where no position fires.

    `halves` are of two sets of documents, the same for all sides of a feature: the best side is chosen on one and what
    another choice loses is measured on the other, so that no choice is measured by the luck that made it.
    """

    label: str
    token_f1: float | None
    halves: tuple[float | None, float | None]

    def to_json(self) -> dict[str, object]:
        """Rounded to six decimals, as scores are."""
        return {
            "label": self.label,
            "token_f1": _rounded(self.token_f1),
            "halves": [_rounded(f1) for f1 in self.halves],
        }


def side_scores(transcript: Transcript, held_out: HeldOut, seed: int) -> tuple[SideScore, ...]:
    """Score every side of a debate, in order, on the held-out documents and on two halves of them.

    The halves are drawn by document under the seed; documents in which the feature fires are dealt out evenly, so that
    a feature that fires in two documents has one in each half.

    >>> side_scores(transcript, held_out, seed=0)[0]  # doctest: +SKIP
    SideScore(label='B', token_f1=0.61, halves=(0.58, 0.64))
    """
    positions = Positions.of(held_out)
    scores = list[SideScore]()
    weights = None
    for side in transcript.sides:
        graded = graded_predictions(side.argument.explanation, held_out.batch)
        counts = count(positions.take(graded >= PREDICTED), positions)
        if weights is None:
            weights = _whole_and_halves(counts[:, 2] > 0, seed)
        whole, one, other = (None if np.isnan(f1) else float(f1) for f1 in token_f1(counts)(weights))
        scores.append(SideScore(side.label, whole, (one, other)))
    return tuple(scores)


def _whole_and_halves(fires: np.ndarray, seed: int) -> Float[np.ndarray, "3 documents"]:
    """Which documents count: all, those of one half, those of the other."""
    order = np.random.default_rng(seed).permutation(len(fires))
    order = order[np.argsort(~fires[order], kind="stable")]
    weights = np.ones((3, len(fires)))
    weights[1, order[1::2]] = 0
    weights[2, order[::2]] = 0
    return weights


def _rounded(f1: float | None) -> float | None:
    return None if f1 is None else round(f1, 6)
