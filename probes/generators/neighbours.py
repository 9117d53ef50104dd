"""Natural texts that only look like the feature's: windows where a decoder neighbour fires and the feature is silent.

They come from whoever holds the corpus, and from its training documents only. Those on which the explanation predicts
nothing cannot be false positives and are passed over without a run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED
from probes.edits import Edit
from probes.question import Question
from probes.subject import Neighbours, TokenIds
from probes.trial import batch_of

Windows = Callable[[int, int, int], Sequence[tuple[TokenIds, int]]]
"""(feature, neighbour, count) -> texts where the neighbour fires, at the position given, and the feature is silent."""


@dataclass(frozen=True, slots=True)
class NeighbourWindows:
    """`count` neighbours and at most `per_neighbour` windows of each."""

    windows: Windows | None
    count: int = 8
    per_neighbour: int = 64
    name: str = "neighbours"

    def lacks(self, question: Question) -> str | None:
        if self.windows is None:
            return "no corpus to take windows from"
        if not isinstance(question.subject, Neighbours):
            return "no decoder to take neighbours from"
        return None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.windows is None or not isinstance(question.subject, Neighbours):
            return
        for neighbour, cosine in question.subject.neighbours(question.feature, self.count):
            found = list(self.windows(question.feature, neighbour, self.per_neighbour))
            if not found:
                continue
            batch = batch_of([text for text, _ in found], question.subject.vocabulary)
            predicted = evaluate(question.explanation, batch) >= PREDICTED
            hopeful = [window for row, window in enumerate(found) if predicted[row].any()]
            rng.shuffle(hopeful)
            for text, position in hopeful:
                note = f"feature {neighbour} (cosine {cosine:.2f}) fires here"
                yield Edit(text, self.name, position=position, note=note)
