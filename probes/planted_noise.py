"""Activations for a planted program: what a dictionary's feature would show that means just that.

Where a level of the program holds, the activation is the level's value times a strength; elsewhere it is zero.
Strengths have the heavy tail of real features: lognormal in rank, part from the token and part from the position, in
units of the median. They are cut so that the thresholds that a corpus's quantiles give (`Thresholds.from_quantiles`)
fall between what is predicted to fire and what is not: without noise, `activation >= high` holds exactly where the
program predicts, for programs that fire at 20 positions or more and whose lower levels do not swamp what fires. The
cuts are derived beside the constants.

With noise, `Noise.labels` of the firing positions are silent and as many silent positions fire, mostly on look-alikes:
tokens at which the program holds elsewhere. Weak firings, below the threshold, are scattered over other positions, and
every value jitters.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.nodes import PREDICTED

SPREAD = 0.5
"""Standard deviation of the logarithm of strengths."""

FLOOR = float(np.exp(SPREAD * NormalDist().inv_cdf(0.2)))
"""The least strength, of a fifth of the firing positions: the 10th percentile is reached by all that fire. 0.66."""

CAP, TOP_SHARE, LEAST_TOP = 3.85, 0.002, 2
"""The greatest strength, and how many of all that are not zero have it: the 99.9th percentile, so high is 0.385 at
least. Two are enough where there are few: the percentile then lies between them."""

WEAK_CAP = 1.25
"""The greatest strength under a weak level: 0.3 times it is 0.375, below high."""

FAINT = (0.02, 0.3)
"""Activations of scattered weak firings, log-uniform."""

LOOK_ALIKE = 0.8
"""The share of false firings that are on look-alike tokens, where there are enough."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How far activations are from the truth; all zero is none.

    `labels` is the share of firing positions that are silenced, and of silent ones (counted in firing positions) that
    fire; `weak` counts scattered weak firings, in firing positions; `jitter` is the deviation of log values.
    """

    labels: float = 0.0
    weak: float = 0.0
    jitter: float = 0.0

    @classmethod
    def of(cls, labels: float) -> Noise:
        """Label noise at a rate, with as many weak firings as firings and a tenth of jitter; none at 0."""
        return cls(labels, 1.0, 0.1) if labels else cls()


def activations(
    predicted: Float[np.ndarray, " n"], ids: Int[np.ndarray, " n"], noise: Noise, rng: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """Activations at the positions of a corpus, from what a program predicts there (`evaluate`) and the tokens.

    >>> rng = np.random.default_rng(0)
    >>> activations(np.array([0.0, 1.0, 1.0]), np.array([4, 5, 6]), Noise(), rng)
    array([0.  , 3.85, 3.85], dtype=float32)
    """
    fires, below = predicted >= PREDICTED, (predicted > 0) & (predicted < PREDICTED)
    values = np.zeros(len(predicted), dtype=np.float32)
    count = int(fires.sum())
    flips = round(noise.labels * count)
    false = _false_firings(np.flatnonzero(predicted == 0), ids, fires, flips, rng)
    loud = fires.copy()
    loud[rng.choice(np.flatnonzero(fires), flips, replace=False)] = False
    loud[false] = True
    nonzero = int(loud.sum() + below.sum()) + round(noise.weak * count)
    levels = np.where(fires, predicted, 1.0)
    values[loud] = levels[loud] * _strengths(ids[loud], CAP, max(LEAST_TOP, int(np.ceil(TOP_SHARE * nonzero))), rng)
    values[below] = predicted[below] * _strengths(ids[below], WEAK_CAP, 0, rng)
    if noise.weak:
        quiet = np.flatnonzero(values == 0)
        where = rng.choice(quiet, min(len(quiet), round(noise.weak * count)), replace=False)
        values[where] = np.exp(rng.uniform(np.log(FAINT[0]), np.log(FAINT[1]), len(where)))
    if noise.jitter:
        shaken = values * np.exp(noise.jitter * rng.standard_normal(len(values)))
        values = np.where(loud, np.maximum(shaken, PREDICTED), np.minimum(shaken, WEAK_CAP * 0.3)).astype(np.float32)
    return values


def _strengths(ids: Int[np.ndarray, " n"], cap: float, top: int, rng: np.random.Generator) -> Float[np.ndarray, " n"]:
    """Lognormal by rank, between FLOOR and `cap`, which the `top` have; tokens differ, and so do positions of one."""
    count = len(ids)
    if not count:
        return np.zeros(0)
    by_token = rng.standard_normal(int(ids.max()) + 1)
    order = np.argsort(by_token[ids] + rng.standard_normal(count), kind="stable")
    ranks = np.empty(count)
    ranks[order] = (np.arange(count) + 0.5) / count
    strengths = np.exp(SPREAD * _normal_quantile(ranks)).clip(FLOOR, cap)
    strengths[order[max(0, count - top) :]] = cap
    return strengths


def _normal_quantile(share: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The normal distribution's quantile, read off a table."""
    grid = np.linspace(0.0005, 0.9995, 2000)
    table = np.array([NormalDist().inv_cdf(each) for each in grid.tolist()])
    quantiles: Float[np.ndarray, " n"] = np.interp(share, grid, table)
    return quantiles


def _false_firings(
    silent: Int[np.ndarray, " silent"],
    ids: Int[np.ndarray, " n"],
    fires: Bool[np.ndarray, " n"],
    count: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " chosen"]:
    """Silent positions to fire, most of them where a token stands that fires elsewhere."""
    alike = silent[np.isin(ids[silent], np.unique(ids[fires]))]
    chosen = rng.choice(alike, min(len(alike), round(LOOK_ALIKE * count)), replace=False)
    others = np.setdiff1d(silent, chosen, assume_unique=True)
    rest: Int[np.ndarray, " rest"] = rng.choice(others, min(len(others), count - len(chosen)), replace=False)
    return np.concatenate([chosen, rest])
