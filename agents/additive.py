"""An additive model of the evidence: what each string here and before, and each construct, adds to the activation.

Few examples support a sum of many weak cues far better than they support any one of them, so the model is what a
program is distilled from (see `distil`). It is a weighted ridge regression of strengths on one-hot strings at three
places and on the columns of the pool, solved by conjugate gradients; nothing is ever laid out as a matrix but the
columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from agents.atoms import Cues
from agents.table import Table

PENALTY = 1.0
"""The ridge: a string seen at so many positions is half believed."""

COLUMN_SCALE = 0.3
"""What a column counts beside a string, so that strings explain what they can."""

PLACE_SCALES = (1.0, 1.0, 0.7, 0.7, 0.5, 0.5)
ITERATIONS, TOLERANCE = 40, 1e-4
FOLDS = 5

Vector = Float[np.ndarray, " cues"]
Score = Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Additive:
    """A fitted model: a constant, a number for each string at each place, and one for each column."""

    constant: float
    strings: tuple[Float[np.ndarray, " _"], ...]
    columns: Float[np.ndarray, " _"]

    def predict(self, cues: Cues) -> Score:
        """The strength expected at each position."""
        total: Score = self.constant + COLUMN_SCALE * (self.columns.astype(np.float32) @ cues.truth).astype(np.float64)
        for codes, values, scale in zip(cues.codes, self.strings, PLACE_SCALES, strict=True):
            total += scale * np.append(values, 0.0)[codes]
        return total


def fit(cues: Cues, strength: Score, weight: Float[np.ndarray, " n"]) -> Additive:
    """The ridge regression of strengths on cues."""
    constant = float(weight @ strength) / float(weight.sum())
    sizes = (*cues.sizes, len(cues.truth))
    ends = np.cumsum(sizes)

    def split(flat: Vector) -> Additive:
        parts = np.split(flat, ends[:-1])
        return Additive(0.0, tuple(parts[:-1]), parts[-1])

    def back(residual: Score) -> Vector:
        parts = [
            scale * np.bincount(codes + 1, weights=residual, minlength=size + 1)[1:]
            for codes, size, scale in zip(cues.codes, cues.sizes, PLACE_SCALES, strict=True)
        ]
        return np.concatenate([*parts, COLUMN_SCALE * (cues.truth @ residual.astype(np.float32)).astype(np.float64)])

    def normal(flat: Vector) -> Vector:
        return back(weight * split(flat).predict(cues)) + PENALTY * flat

    solution = _conjugate_gradients(normal, back(weight * (strength - constant)))
    found = split(solution)
    return Additive(constant, found.strings, found.columns)


def cross_fitted(cues: Cues, table: Table) -> Score:
    """What the model expects at each position when it is fitted without that position's context, in `FOLDS` parts."""
    predicted = np.zeros(len(table.places))
    contexts, owner = np.unique(table.rows, return_inverse=True)
    active = np.bincount(owner, weights=table.fires) > 0
    fold = np.empty(len(contexts), dtype=np.int64)
    for kind in (True, False):  # activating contexts are dealt evenly, and so are the others
        members = np.flatnonzero(active == kind)
        fold[members] = np.arange(len(members)) % FOLDS
    for number in range(min(FOLDS, len(contexts))):
        out: Bool[np.ndarray, " n"] = fold[owner] == number
        inside, outside = np.flatnonzero(out), np.flatnonzero(~out)
        if not len(inside) or not len(outside):
            continue
        model = fit(cues.of(outside), table.strength[outside], table.weight[outside])
        predicted[inside] = model.predict(cues.of(inside))
    return predicted


def _conjugate_gradients(normal: Callable[[Vector], Vector], target: Vector) -> Vector:
    """Solve `normal(x) = target` (Hestenes & Stiefel 1952), from 0, to a relative tolerance."""
    solution, residual = np.zeros_like(target), target.copy()
    direction, size = residual.copy(), float(residual @ residual)
    stop = TOLERANCE**2 * size
    for _ in range(ITERATIONS):
        if size <= stop:
            break
        image = normal(direction)
        length = size / float(direction @ image)
        solution += length * direction
        residual -= length * image
        before, size = size, float(residual @ residual)
        direction = residual + size / before * direction
    return solution


def best_boundary(score: Score, table: Table) -> tuple[float, float]:
    """The score from which predicting gives the highest F1, and that F1."""
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(np.where(table.fires, table.weight, 0.0)[order])
    f1 = 2 * right / (np.cumsum(table.weight[order]) + table.firing_weight)
    last = np.append(score[order][1:] < score[order][:-1], True)  # ties are one block
    f1[~last] = 0.0
    best = int(np.argmax(f1))
    below = score[order][best + 1] if best + 1 < len(order) else score[order][best]
    return float(score[order][best] + below) / 2, float(f1[best])
