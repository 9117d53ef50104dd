"""Decoys: strings that a program does not name and that stand near most of its firing positions, though not all.

In real text what a feature means comes with what usually goes with it ("once" with "upon", "said" with a name). A
proposer that stops at the correlate explains most of what fires, and is wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.batch import Batch
from dsl.nodes import CONTEXT_WINDOW, Explanation
from dsl.render import render

LEAST_SHARE, MOST_SHARE = 0.5, 0.98
"""A decoy stands at so many of the firing positions."""

LEAST_LIFT = 2.0
"""And so many times as often as it stands anywhere."""

POSITIONS = 1000
"""Firing positions looked at."""

_PLACES = (1, 2)


class Decoy(NamedTuple):
    """A token that stands `back` tokens before firing positions (-1: in their context), at a share of them."""

    token: str
    back: int
    share: float


class Decoys:
    """Finds the strongest decoy of programs over one batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._size = len(batch.vocabulary)
        places = np.flatnonzero(batch.mask.reshape(-1))
        self._places = places[:: max(1, len(places) // (4 * POSITIONS))]
        self._base = {back: self._shares(self._places, back) for back in (-1, *_PLACES)}

    def find(self, explanation: Explanation, held: Bool[np.ndarray, "batch ctx"]) -> Decoy | None:
        """The decoy at most of the firing positions, or None."""
        firing = np.flatnonzero(held.reshape(-1))
        firing = firing[:: max(1, len(firing) // POSITIONS)]
        said = render(explanation).casefold()
        best: Decoy | None = None
        for back, base in self._base.items():
            shares = self._shares(firing, back)
            shares[(shares < LEAST_SHARE) | (shares > MOST_SHARE) | (shares < LEAST_LIFT * base)] = 0.0
            for token in np.argsort(-shares, kind="stable")[:5].tolist():
                text = self._batch.vocabulary.strings[token]
                if (
                    shares[token] > (best.share if best else 0.0)
                    and text.strip()
                    and text.strip().casefold() not in said
                ):
                    best = Decoy(text, back, float(shares[token]))
        return best

    def _shares(self, places: Int[np.ndarray, " places"], back: int) -> Float[np.ndarray, " vocabulary"]:
        """At what share of the places each token stands so many tokens before; for -1 in the context, once a place."""
        width = self._batch.ids.shape[1]
        rows, columns = np.divmod(places, width)
        steps = np.arange(1, CONTEXT_WINDOW + 1) if back < 0 else np.array([back])
        before = columns[:, None] - steps
        ids = self._batch.ids[rows[:, None], before.clip(0)].astype(np.int64)
        pairs = (np.arange(len(places))[:, None] * self._size + ids)[before >= 0]
        counts = np.bincount(np.unique(pairs) % self._size, minlength=self._size)
        return counts / max(1, len(places))
