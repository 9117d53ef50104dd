"""What every explanation has to beat: token lookup above, shuffled activations below."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from autointerp.scoring.bootstrap import RESAMPLES
from autointerp.scoring.execution import score_predictions
from autointerp.scoring.positions import Positions
from autointerp.scoring.score import Scores
from dsl.batch import Batch, Vocabulary
from dsl.records import HeldOut, Thresholds


@dataclass(frozen=True, eq=False)
class TokenLookup:
    """A table of tokens: how often each was seen, how often it fired, and its activations' sum.

    It predicts a token's mean activation (AUPRC, Pearson), and the tokens that fire at least half of the time (F1,
    precision, recall); tokens it never saw predict 0. As `token_lookup` it is fitted on the evidence as it stands,
    which holds more firing contexts than the corpus: it sees what debaters see, no less and no more. As
    `token_lookup_full` it is fitted on all training documents.
    """

    vocabulary: Vocabulary
    seen: Int[np.ndarray, " vocabulary"]
    fired: Int[np.ndarray, " vocabulary"]
    total: Float[np.ndarray, " vocabulary"]

    @classmethod
    def fit(cls, batch: Batch, activations: Float[np.ndarray, "batch ctx"], thresholds: Thresholds) -> TokenLookup:
        """Count the tokens of some contexts, for example of `evidence.batch` with `evidence.activations`."""
        ids, values = batch.ids[batch.mask], activations[batch.mask]
        size = len(batch.vocabulary)
        return cls(
            vocabulary=batch.vocabulary,
            seen=np.bincount(ids, minlength=size),
            fired=np.bincount(ids[values >= thresholds.high], minlength=size),
            total=np.bincount(ids, values, minlength=size).astype(np.float64),
        )

    def score(self, held_out: HeldOut, *, seed: int, resamples: int = RESAMPLES) -> Scores:
        """Its scores on held-out documents, from the same resamples as an explanation's with this seed."""
        predicted, graded = self.predict(held_out.batch)
        return score_predictions(predicted, graded, held_out, seed=seed, resamples=resamples)

    def predict(self, batch: Batch) -> tuple[Bool[np.ndarray, "batch ctx"], Float[np.ndarray, "batch ctx"]]:
        """Whether each position fires, and its mean activation; arbitrary in the padding."""
        mean = np.divide(self.total, self.seen, out=np.zeros(len(self.seen)), where=self.seen > 0)
        often = (self.seen > 0) & (2 * self.fired >= self.seen)
        ids = batch.ids
        if batch.vocabulary is not self.vocabulary:
            # Records of strings make a vocabulary for each sample: the same token has another id there.
            index = {string: number for number, string in enumerate(self.vocabulary.strings)}
            unseen = len(index)
            ids = np.array([index.get(string, unseen) for string in batch.vocabulary.strings], dtype=np.int64)[ids]
            mean, often = np.append(mean, 0.0), np.append(often, False)
        return often[ids], mean[ids]


def shifted(held_out: HeldOut, rng: np.random.Generator) -> HeldOut:
    """The same texts with each document's activations moved along it in a circle, by a random non-zero shift.

    Scores of an explanation on these are its floor: what its prevalence and its clustering alone would earn. A
    document of one token stays as it is. Only how the activations lie against the text changes, neither their values
    nor their order within a document.
    """
    positions = Positions.of(held_out)
    lengths = np.bincount(positions.documents, minlength=positions.document_count)
    starts = np.cumsum(lengths) - lengths
    shifts = 1 + rng.integers(0, np.maximum(lengths - 1, 1))
    start, length = starts[positions.documents], lengths[positions.documents]
    source = start + (np.arange(len(positions)) - start + shifts[positions.documents]) % length
    moved = positions.put(positions.activations[source])
    return replace(held_out, activations=moved.astype(held_out.activations.dtype))
