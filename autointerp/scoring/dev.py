"""One number on the dev sample, for what has to be decided before held-out text is touched."""

from __future__ import annotations

import numpy as np

from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Dev


def dev_score(explanation: Explanation, dev: Dev) -> float:
    """Token F1 on the dev sample, reweighted to the corpus's prevalence where `dev.density` is known; 0 to 1.

    A sample holds about as many activating contexts as others, so plain F1 would forgive explanations that are too
    broad. Each position of a context in which the feature never fires therefore counts `w` times,

        w = max(1, (firing / density - positions in activating contexts) / positions in the other contexts)

    (times what the context stands for, where some were drawn from more of the corpus than others)
    so that firing positions make up `density` of the total weight, as they do in the corpus. Never below 1: a sample in
    which firing is already as rare stays as it is. Without `density` the examples stand for themselves: plain F1. A
    feature that never fires in the sample scores 0.

    One activating context of 10 tokens that fires at 1, one other of 10, density 0.01: w = (100 - 10) / 10 = 9, so one
    false alarm in the other context costs as much as nine, and F1 falls from 2/3 to 2 / (1 + 1 + 9) = 0.18.
    """
    batch, mask = dev.batch, dev.batch.mask
    fires = (dev.activations >= dev.thresholds.high) & mask
    predicted = (evaluate(explanation, batch) >= PREDICTED) & mask
    weights = np.where(fires.any(axis=1), 1.0, _weights_of_silent(fires, mask, dev))
    firing = float(fires.sum())
    if not firing:
        return 0.0
    hits = float((predicted & fires).sum())
    return 2 * hits / (firing + float(weights @ predicted.sum(axis=1)))


def _weights_of_silent(fires: np.ndarray, mask: np.ndarray, dev: Dev) -> np.ndarray:
    activating = fires.any(axis=1)
    stands_for = np.array(dev.stands_for or (1.0,) * len(dev.examples))
    silent = float(stands_for[~activating] @ mask[~activating].sum(axis=1))
    if not dev.density or not silent:
        return np.ones(len(fires))
    rest = float(fires.sum()) / dev.density - float(mask[activating].sum())
    return stands_for * max(1.0, rest / silent)
