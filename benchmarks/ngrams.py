"""A baseline that knows tokens and what stands just before them: top-k tokens with context n-grams.

As N2G does (Foote et al. 2023, "Neuron to Graph"), it keeps sequences seen firing and looks for the longest that ends
at a position; unlike N2G it neither prunes nor augments them, and what it predicts is smoothed towards shorter ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.batch import Batch, Vocabulary
from dsl.records import Thresholds

LONGEST = 3
PRIOR = 1.0
"""Positions that the estimate from the next shorter sequence counts as; that of a token leans on the overall mean."""


@dataclass(frozen=True, eq=False)
class Ngrams:
    """Known sequences of 1 to 3 tokens: sorted keys, firing rates and mean activations, a table for each length."""

    vocabulary: Vocabulary
    tables: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]

    @classmethod
    def fit(
        cls, batch: Batch, activations: Float[np.ndarray, "batch ctx"], thresholds: Thresholds, *, top: int
    ) -> Ngrams:
        """The `top` tokens with the highest smoothed firing rate, and all longer sequences that were seen firing."""
        fires, values = (activations >= thresholds.high)[batch.mask], activations[batch.mask].astype(np.float64)
        rate = np.full(len(values), fires.mean())
        mean = np.full(len(values), values.mean())
        tables = []
        for length in range(1, LONGEST + 1):
            keys, first, of = np.unique(
                _keys(batch.ids, length, len(batch.vocabulary))[batch.mask], return_index=True, return_inverse=True
            )
            seen, fired, total = np.bincount(of), np.bincount(of, fires), np.bincount(of, values)
            key_rate = (fired + PRIOR * rate[first]) / (seen + PRIOR)
            key_mean = (total + PRIOR * mean[first]) / (seen + PRIOR)
            known = np.sort(np.argsort(-key_rate, kind="stable")[:top]) if length == 1 else np.flatnonzero(fired)
            tables.append((keys[known], key_rate[known], key_mean[known]))
            rate, mean = key_rate[of], key_mean[of]
        return cls(batch.vocabulary, tuple(tables))

    def predict(self, batch: Batch) -> tuple[Bool[np.ndarray, "batch ctx"], Float[np.ndarray, "batch ctx"]]:
        """Whether each position fires (a rate of at least one half) and its mean activation; 0 where none is known."""
        ids = batch.ids
        if batch.vocabulary is not self.vocabulary:
            index = {string: number for number, string in enumerate(self.vocabulary.strings)}
            unseen = len(index) + 1  # neither a token of the table nor the start
            ids = np.array([index.get(string, unseen) for string in batch.vocabulary.strings], dtype=np.int64)[ids]
        rate, mean = np.zeros(ids.shape), np.zeros(ids.shape)
        for length, (keys, rates, means) in enumerate(self.tables, start=1):
            if not len(keys):
                continue
            asked = _keys(ids, length, len(self.vocabulary))
            place = np.searchsorted(keys, asked).clip(max=len(keys) - 1)
            known = keys[place] == asked
            rate[known], mean[known] = rates[place[known]], means[place[known]]
        return rate >= 0.5, mean


def _keys(ids: Int[np.ndarray, "batch ctx"], length: int, vocabulary: int) -> Int[np.ndarray, "batch ctx"]:
    """One number for the sequence of `length` tokens that ends at each position; before the text stands its start."""
    start, base = vocabulary, vocabulary + 2
    keys = np.zeros(ids.shape, dtype=np.int64)
    for back in reversed(range(length)):
        before = np.full(ids.shape, start, dtype=np.int64)
        before[:, back:] = ids[:, : max(0, ids.shape[1] - back)]
        keys = keys * base + before
    return keys
