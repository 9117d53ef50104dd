"""Percentile bootstrap intervals: documents resampled within a feature, features across features (Efron 1979).

Positions of one document resemble each other, so positions are never resampled on their own. A statistic takes
weights, how often each document was drawn, and answers from sums it has kept for each document: no resample ever
touches a position again. All-ones weights give the statistic itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from autointerp.scoring.score import Score

RESAMPLES = 500
WEIGHTS_AT_ONCE = 2_000_000

Statistic = Callable[[np.ndarray], np.ndarray]
"""From weights [resamples, documents] to values [resamples]; NaN where a resample has no such value."""


def document_interval(
    statistic: Statistic, documents: int, seed: int, *, lowest: float, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95% interval of a statistic in [lowest, 1], documents resampled with replacement: the same for the same seed.

    Resamples in which the statistic does not exist (no firing position drawn) are left out. One document says nothing
    about how documents differ, so the interval is then the whole range. The interval is widened to hold the value.
    """
    value = whole(statistic, documents)
    if documents < 2:
        return lowest, 1.0
    values = np.concatenate([statistic(weights) for weights in _drawn(documents, resamples, seed)])
    values = values[~np.isnan(values)]
    if not len(values):
        return lowest, 1.0
    low, high = np.quantile(values, [0.025, 0.975])
    return min(float(low), value), max(float(high), value)


def whole(statistic: Statistic, documents: int) -> float:
    """The statistic over all documents, each once."""
    return float(statistic(np.ones((1, documents)))[0])


def features_interval(
    values: Sequence[float], rng: np.random.Generator, *, resamples: int = 10_000, level: float = 0.95
) -> Score:
    """The mean over features and its 95% interval, features resampled; `n` is the number of features.

    For "A beats B over 100 features" pass the paired differences: the claim holds where `low` is above 0. Raises
    ValueError on no value or one that is not a number: leave unscored features out first, and say how many.
    A single feature has an interval of no width, which says nothing.

    >>> features_interval([0.1, 0.2, 0.3], np.random.default_rng(0)).value
    0.2
    """
    array = np.asarray(values, dtype=np.float64)
    if not len(array) or not np.isfinite(array).all():
        raise ValueError("a mean over features needs at least one value, and numbers only")
    drawn = np.concatenate([weights @ array / len(array) for weights in _weights(len(array), resamples, rng)])
    return Score(float(array.mean()), *_middle(drawn, level), len(array))


def feature_statistic_interval(
    statistic: Statistic, features: int, rng: np.random.Generator, *, resamples: int = 10_000, level: float = 0.95
) -> Score | None:
    """Any statistic over features, such as a ratio of sums, and its interval; None where it does not exist.

    Resamples in which it does not exist are left out, and the interval is widened to hold the value.
    """
    value = whole(statistic, features) if features else math.nan
    if math.isnan(value):
        return None
    drawn = np.concatenate([statistic(weights) for weights in _weights(features, resamples, rng)])
    low, high = _middle(drawn[~np.isnan(drawn)], level)
    return Score(value, min(low, value), max(high, value), features)


def _middle(drawn: Float[np.ndarray, " resamples"], level: float) -> tuple[float, float]:
    """The ends of the middle of what was drawn; `level` is its share."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _drawn(documents: int, resamples: int, seed: int) -> Iterable[Float[np.ndarray, "resamples units"]]:
    """The weights that a seed draws. Every score of every feature asks for the same ones: kept where they are few."""
    if documents * resamples <= WEIGHTS_AT_ONCE:
        return _kept(documents, resamples, seed)
    return _weights(documents, resamples, np.random.default_rng(seed))


@lru_cache(maxsize=2)
def _kept(documents: int, resamples: int, seed: int) -> tuple[Float[np.ndarray, "resamples units"], ...]:
    kept = tuple(_weights(documents, resamples, np.random.default_rng(seed)))
    for weights in kept:
        weights.flags.writeable = False
    return kept


def _weights(units: int, resamples: int, rng: np.random.Generator) -> Iterator[Float[np.ndarray, "resamples units"]]:
    """How often each unit is drawn in each resample, some resamples at a time."""
    at_once = max(1, WEIGHTS_AT_ONCE // units)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn = rng.integers(0, units, size=(count, units)) + units * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units).astype(np.float64)
