"""Pearson's correlation of graded predictions with activations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from autointerp.scoring.bootstrap import Statistic
from autointerp.scoring.positions import Positions


def pearson(graded: Float[np.ndarray, " positions"], positions: Positions) -> Statistic:
    """Linear correlation over all positions, in [-1, 1], never its absolute value; NaN where either side is constant.

    This is the correlation score of Bills et al. (2023), "Language models can explain neurons in language models",
    computed over all held-out positions rather than sampled ones.
    """
    # Sums of squares of centred values do not cancel; the correlation does not depend on where the centre is.
    x = graded - graded.mean()
    y = positions.activations - positions.activations.mean()
    columns = (np.ones_like(x), x, y, x * x, y * y, x * y)
    sums = np.stack([np.bincount(positions.documents, column, positions.document_count) for column in columns], axis=1)

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        n, sx, sy, sxx, syy, sxy = (weights @ sums).T
        spread_x, spread_y = _spread(sxx, sx, n), _spread(syy, sy, n)
        both = (spread_x > 0) & (spread_y > 0)
        covariance = sxy - sx * sy / n
        norm = np.sqrt(spread_x) * np.sqrt(spread_y)
        correlation = np.full_like(norm, np.nan)
        np.divide(covariance, norm, out=correlation, where=both)
        clipped: np.ndarray = np.clip(correlation, -1.0, 1.0)
        return clipped

    return statistic


def _spread(squares: Float[np.ndarray, " n"], total: Float[np.ndarray, " n"], n: Float[np.ndarray, " n"]) -> np.ndarray:
    """Sum of squares about the mean, 0 where it is nothing but rounding."""
    spread = squares - total * total / n
    return np.where(spread > 1e-12 * squares, spread, 0.0)
