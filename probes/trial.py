"""One explanation of one feature on trial: every text that is read is run through the subject and predicted, once.

A budget is in subject tokens, prefix included: work, never time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dsl.batch import Batch, Vocabulary
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.records import Context, Example, Thresholds
from probes.subject import SubjectModel, TokenIds


@dataclass(frozen=True, slots=True)
class Budget:
    """How much an attack may do: tokens run through the subject, and probes (texts of generators) if limited."""

    tokens: int
    probes: int | None = None

    def __post_init__(self) -> None:
        if self.tokens < 0 or (self.probes is not None and self.probes < 0):
            raise ValueError("a budget is not negative")


@dataclass(frozen=True, eq=False)
class Reading:
    """A text as the subject read it: the feature's activation and the explanation's prediction at every token."""

    token_ids: TokenIds
    activations: Float[np.ndarray, " ctx"]
    predicted: Float[np.ndarray, " ctx"]

    def example(self, vocabulary: Vocabulary) -> Example:
        tokens = tuple(vocabulary.strings[token] for token in self.token_ids)
        return Example(Context(tokens, self.token_ids, start=0), tuple(float(value) for value in self.activations))


class Trial:
    """Runs texts for one explanation and counts what that costs.

    `read` may go over the budget by the texts of its last call: whoever calls asks `affordable` first.
    """

    def __init__(
        self, explanation: Explanation, feature: int, subject: SubjectModel, thresholds: Thresholds, budget: Budget
    ) -> None:
        self.explanation, self.feature, self.subject = explanation, feature, subject
        self.thresholds, self.budget = thresholds, budget
        self.spent = 0
        self._read: dict[TokenIds, Reading] = {}
        self._alone: dict[TokenIds, Reading] = {}

    @property
    def left(self) -> int:
        return max(0, self.budget.tokens - self.spent)

    def cost(self, texts: Sequence[TokenIds]) -> int:
        """Subject tokens that reading these would take; what was read before costs nothing."""
        prefix = len(self.subject.prefix)
        return sum(len(text) + prefix for text in dict.fromkeys(texts) if text not in self._read)

    def spend(self, tokens: int) -> None:
        """Count tokens run for this trial by other means."""
        self.spent += tokens

    def read(self, texts: Sequence[TokenIds]) -> list[Reading]:
        """Readings in the order given; each distinct text is run once in the life of the trial."""
        new = [text for text in dict.fromkeys(texts) if text not in self._read]
        if new:
            self.spent += self.cost(new)
            activations = self.subject.activations(new, [self.feature])
            self._read.update(zip(new, self._readings(new, activations), strict=True))
        return [self._read[text] for text in texts]

    def read_alone(self, texts: Sequence[TokenIds]) -> list[Reading]:
        """Readings at batch size 1: nothing shares the run with a text, so nothing can have changed its numbers."""
        new = [text for text in dict.fromkeys(texts) if text not in self._alone]
        if new:
            self.spent += sum(len(text) + len(self.subject.prefix) for text in new)
            activations = self.subject.activations(new, [self.feature], batch_size=1)
            self._alone.update(zip(new, self._readings(new, activations), strict=True))
        return [self._alone[text] for text in texts]

    def _readings(
        self, texts: Sequence[TokenIds], activations: Sequence[Float[np.ndarray, "_ features"]]
    ) -> list[Reading]:
        predicted = evaluate(self.explanation, batch_of(texts, self.subject.vocabulary))
        return [
            Reading(text, column[:, 0], predicted[row, : len(text)])
            for row, (text, column) in enumerate(zip(texts, activations, strict=True))
        ]


def batch_of(texts: Sequence[TokenIds], vocabulary: Vocabulary) -> Batch:
    """Whole texts, read from their first token, as a batch."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    ids = np.zeros((len(texts), int(lengths.max(initial=0))), dtype=np.int32)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
    return Batch(ids, lengths, np.zeros(len(texts), dtype=np.int64), vocabulary)
