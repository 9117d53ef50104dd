"""Texts of which the activations are known: what an explanation gets wrong on them, without another run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.batch import Batch, Vocabulary
from dsl.evaluate import Evaluator
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Thresholds
from probes.trial import Reading, batch_of
from probes.verify import disagreements


class Bench:
    """Texts of which the activations are known, on which any explanation is judged by the rules of verification."""

    def __init__(
        self,
        batch: Batch,
        activations: Float[np.ndarray, "texts ctx"],
        thresholds: Thresholds,
        weights: Sequence[float] = (),
    ) -> None:
        self._evaluator, self._activations, self._thresholds = Evaluator(batch), activations, thresholds
        self._weights = np.array(weights) if weights else np.ones(len(activations))

    @classmethod
    def of(cls, readings: Sequence[Reading], vocabulary: Vocabulary, thresholds: Thresholds) -> Bench:
        """Of texts as they were read."""
        batch = batch_of([reading.token_ids for reading in readings], vocabulary)
        activations = np.zeros(batch.ids.shape, dtype=np.float32)
        for row, reading in enumerate(readings):
            activations[row, : len(reading.activations)] = reading.activations
        return cls(batch, activations, thresholds)

    def texts_wrong(self, explanation: Explanation) -> int:
        """Texts with a counterexample of either kind."""
        return int(self._wrong(explanation).any(axis=1).sum())

    def positions_wrong(self, explanation: Explanation) -> float:
        """Counterexamples, those of each text times its weight."""
        return float(self._wrong(explanation).sum(axis=1) @ self._weights)

    def agrees(self, explanation: Explanation, places: Int[np.ndarray, "places 2"]) -> bool:
        """Whether it is plainly right at these places, as (text, position)."""
        predicted = self._evaluator.evaluate(explanation)[places[:, 0], places[:, 1]]
        activations = self._activations[places[:, 0], places[:, 1]]
        fires, silent = activations >= self._thresholds.high, activations <= self._thresholds.silent
        return bool(np.where(predicted >= PREDICTED, fires, (predicted == 0) & silent).all())

    def _wrong(self, explanation: Explanation) -> Bool[np.ndarray, "texts ctx"]:
        predicted = self._evaluator.evaluate(explanation)
        positives, negatives = disagreements(
            self._activations, predicted, self._evaluator.batch.lengths, self._thresholds
        )
        found: Bool[np.ndarray, "texts ctx"] = positives | negatives
        return found
