"""Natural texts that only look like the feature's: windows where a decoder neighbour fires and the feature is silent.

They come from whoever holds the corpus, and from its training documents only. Those on which the explanation predicts
nothing cannot be false positives and are passed over without a run.

Which neighbours are of use, their co-firing tells. One that fires (nearly) only where the feature does has no windows
to give: what few there are lie at thresholds. One that never fires where the feature does is near in the decoder and
not in the texts, so an explanation of the feature has nothing to do with it; it comes last. The neighbours that fire
with the feature at times and without it at others draw the line that an explanation must draw, also where they fire
wherever the feature does: the feature is the special case then, and an explanation too broad says the neighbour's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED
from probes.edits import Edit
from probes.question import Question, in_turn
from probes.subject import Neighbours, TokenIds
from probes.trial import batch_of

Windows = Callable[[int, int, int], Sequence[tuple[TokenIds, int]]]
"""(feature, neighbour, count) -> texts where the neighbour fires, at the position given, and the feature is silent."""


@dataclass(frozen=True, slots=True)
class Together:
    """At how many positions a neighbour fires, and at how many of these the feature fires too."""

    neighbour: int
    both: int

    @property
    def alone(self) -> float:
        """The share of the neighbour's firing that is without the feature."""
        return 1 - self.both / self.neighbour if self.neighbour else 0.0


CoFiring = Callable[[int, int], Together]
"""(feature, neighbour) -> how often they fire together, over a corpus."""

ALONE_AT_LEAST = 0.05
"""A neighbour less often without the feature has no windows worth a run."""


@dataclass(frozen=True, slots=True)
class NeighbourWindows:
    """`count` neighbours and at most `per_neighbour` windows of each, the neighbours by turns.

    Without `cofiring` all are asked, the nearest first: it is not counted on the texts at hand, which were chosen for
    the feature's firing and would say of many a neighbour that it fires nowhere else.
    """

    windows: Windows | None
    cofiring: CoFiring | None = None
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
        nearest = question.subject.neighbours(question.feature, self.count)
        useful = self._useful(question, nearest)
        yield from in_turn([self._of_neighbour(question, self.windows, *one, rng) for one in useful])

    def _useful(self, question: Question, nearest: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
        """Those that fire without the feature at times, the nearest first; those that never fire with it last."""
        if self.cofiring is None:
            return list(nearest)
        counted = {neighbour: self.cofiring(question.feature, neighbour) for neighbour, _ in nearest}
        kept = [one for one in nearest if counted[one[0]].alone >= ALONE_AT_LEAST]
        return sorted(kept, key=lambda one: counted[one[0]].both == 0)

    def _of_neighbour(
        self, question: Question, windows: Windows, neighbour: int, cosine: float, rng: random.Random
    ) -> Iterator[Edit]:
        found = list(windows(question.feature, neighbour, self.per_neighbour))
        note = f"feature {neighbour} (cosine {cosine:.2f}) fires here"
        for text, position in hopeful(question, found, rng):
            yield Edit(text, self.name, position=position, note=note)


def hopeful(
    question: Question, windows: Sequence[tuple[TokenIds, int]], rng: random.Random
) -> list[tuple[TokenIds, int]]:
    """The windows on which the explanation predicts anything: where the feature is silent, no others can disagree."""
    if not windows:
        return []
    batch = batch_of([text for text, _ in windows], question.subject.vocabulary)
    predicted = evaluate(question.explanation, batch) >= PREDICTED
    kept = [window for row, window in enumerate(windows) if predicted[row].any()]
    rng.shuffle(kept)
    return kept
