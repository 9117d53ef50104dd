"""F1, precision and recall over positions, at the corpus's own prevalence."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from autointerp.scoring.bootstrap import Statistic
from autointerp.scoring.positions import Positions


def token_f1(predicted: Bool[np.ndarray, " positions"], positions: Positions) -> Statistic:
    """Harmonic mean of precision and recall: 2 hits / (predicted + firing)."""
    sums = _sums(predicted, positions)

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, predictions, firing = (weights @ sums).T
        return np.where(firing > 0, _ratio(2 * hits, predictions + firing), np.nan)

    return statistic


def precision(predicted: Bool[np.ndarray, " positions"], positions: Positions) -> Statistic:
    """The share of predicted positions that fire; NaN where nothing is predicted."""
    sums = _sums(predicted, positions)

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, predictions, _ = (weights @ sums).T
        return _ratio(hits, predictions)

    return statistic


def recall(predicted: Bool[np.ndarray, " positions"], positions: Positions) -> Statistic:
    """The share of firing positions that are predicted; NaN where nothing fires."""
    sums = _sums(predicted, positions)

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits, _, firing = (weights @ sums).T
        return _ratio(hits, firing)

    return statistic


def _sums(predicted: Bool[np.ndarray, " positions"], positions: Positions) -> Float[np.ndarray, "documents 3"]:
    """Hits, predictions and firing positions of each document."""
    columns = (predicted & positions.fires, predicted, positions.fires)
    counts = [np.bincount(positions.documents, column, positions.document_count) for column in columns]
    return np.stack(counts, axis=1).astype(np.float64)


def _ratio(part: Float[np.ndarray, " n"], of: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    ratio = np.full_like(of, np.nan)
    np.divide(part, of, out=ratio, where=of > 0)
    return ratio
