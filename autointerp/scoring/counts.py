"""F1, precision and recall over positions, at the corpus's own prevalence."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from autointerp.scoring.bootstrap import Statistic
from autointerp.scoring.positions import Positions

Counts = Float[np.ndarray, "documents 3"]
"""Hits, predictions and firing positions of each document."""


def count(predicted: Bool[np.ndarray, " positions"], positions: Positions) -> Counts:
    """Add up each document: the sums that F1, precision and recall are made of."""
    starts = np.searchsorted(positions.documents, np.arange(positions.document_count))
    columns = (predicted & positions.fires, predicted, positions.fires)
    sums = [np.add.reduceat(column, starts, dtype=np.int64) for column in columns]
    return np.stack(sums, axis=1).astype(np.float64)


def token_f1(counts: Counts) -> Statistic:
    """Harmonic mean of precision and recall: 2 hits / (predicted + firing)."""

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, predictions, firing = (weights @ counts).T
        return np.where(firing > 0, _ratio(2 * hits, predictions + firing), np.nan)

    return statistic


def precision(counts: Counts) -> Statistic:
    """The share of predicted positions that fire; NaN where nothing is predicted."""

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, predictions, _ = (weights @ counts).T
        return _ratio(hits, predictions)

    return statistic


def recall(counts: Counts) -> Statistic:
    """The share of firing positions that are predicted; NaN where nothing fires."""

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, _, firing = (weights @ counts).T
        return _ratio(hits, firing)

    return statistic


def _ratio(part: Float[np.ndarray, " n"], of: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    ratio = np.full_like(of, np.nan)
    np.divide(part, of, out=ratio, where=of > 0)
    return ratio
