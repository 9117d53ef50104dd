"""Scoring by running: no language model, every position of the held-out documents."""

from __future__ import annotations

from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from autointerp.scoring.bootstrap import RESAMPLES, Statistic, document_interval, whole
from autointerp.scoring.correlation import pearson
from autointerp.scoring.counts import count, precision, recall, token_f1
from autointerp.scoring.positions import Positions
from autointerp.scoring.ranking import auprc
from autointerp.scoring.score import Score, Scored, Scores, Unscored
from dsl.batch import Batch
from dsl.evaluate import evaluate, evaluate_chunks
from dsl.nodes import PREDICTED, Explanation
from dsl.records import HeldOut

KEPT_TOKENS = 2**22
"""Tokens of the largest batch whose words stay known from one explanation to the next; larger ones go in chunks."""


def score_explanation(explanation: Explanation, held_out: HeldOut, *, seed: int, resamples: int = RESAMPLES) -> Scores:
    """Run the explanation on all held-out contexts and score what it predicts against what the feature did.

    The same seed draws the same documents for every explanation, so scores of two explanations compare as pairs.
    """
    graded = graded_predictions(explanation, held_out.batch)
    return score_predictions(graded >= PREDICTED, graded, held_out, seed=seed, resamples=resamples)


def score_predictions(
    predicted: Bool[np.ndarray, "batch ctx"],
    graded: Float[np.ndarray, "batch ctx"],
    held_out: HeldOut,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Scores:
    """Score any predictions: `predicted` gives F1, precision and recall, `graded` (any scale) AUPRC and Pearson.

    What stands in the padding is not looked at. Raises ValueError where a graded prediction is not a number.
    """
    positions = Positions.of(held_out)
    yes, grades = positions.take(predicted), positions.take(graded).astype(np.float64)
    if not np.isfinite(grades).all():
        raise ValueError("a graded prediction is not a finite number")
    if not positions.fires.any():
        nothing = Unscored("no held-out position fires" if len(positions) else "there is no held-out position")
        return Scores(nothing, nothing, nothing, nothing, nothing)

    score = partial(_score, positions=positions, seed=seed, resamples=resamples)
    counts = count(yes, positions)
    return Scores(
        token_f1=score(token_f1(counts)),
        precision=score(precision(counts), missing="no held-out position is predicted"),
        recall=score(recall(counts)),
        auprc=score(auprc(grades, positions)),
        pearson=score(
            pearson(grades, positions), lowest=-1.0, missing="the prediction, or the activation, is the same everywhere"
        ),
    )


def graded_predictions(explanation: Explanation, batch: Batch) -> Float[np.ndarray, "batch ctx"]:
    """What the explanation predicts at every position: `evaluate`, in chunks where the batch is large."""
    if batch.ids.size <= KEPT_TOKENS:
        return evaluate(explanation, batch)
    graded, done = np.empty(batch.ids.shape, dtype=np.float32), 0
    for chunk in evaluate_chunks(explanation, batch.ids, batch.lengths, batch.starts, batch.vocabulary):
        graded[done : done + len(chunk)] = chunk
        done += len(chunk)
    return graded


def _score(
    statistic: Statistic, *, positions: Positions, seed: int, resamples: int, lowest: float = 0.0, missing: str = ""
) -> Scored:
    value = whole(statistic, positions.document_count)
    if np.isnan(value):
        return Unscored(missing)
    # The same seed for each score: all five resample the same documents.
    low, high = document_interval(statistic, positions.document_count, seed, lowest=lowest, resamples=resamples)
    return Score(value, low, high, len(positions))
