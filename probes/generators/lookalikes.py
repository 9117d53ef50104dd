"""Hard negatives by embedding: natural texts in which the feature is silent, most like those in which it fires.

They come from whoever holds the corpus, and from its training documents only. Of windows that hold a token on which
the feature fires elsewhere those are kept on which the explanation predicts anything (no others can disagree), and
tried in the order of their likeness to the text about the feature's firing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from probes.edits import Edit
from probes.generators.neighbours import hopeful
from probes.question import Question
from probes.spelling import spelt
from probes.subject import Embedder, TokenIds

QuietWindows = Callable[[int, Sequence[int], int], Sequence[tuple[TokenIds, int]]]
"""(feature, tokens, count) -> texts with one of the tokens at the position given, and the feature silent about it."""

AROUND = 24
"""Tokens before the firing one that are taken for what the text is about there."""

FIRING = 16
"""Activating texts that likeness is taken to: a few say what a feature is about, and each has to be embedded."""


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """The `count` windows, of up to `pool`, that are most like an activating text."""

    windows: QuietWindows | None
    embedder: Embedder | None
    pool: int = 128
    count: int = 64
    name: str = "lookalikes"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        if self.windows is None:
            return "no corpus to take windows from"
        return "no embedder" if self.embedder is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.windows is None or self.embedder is None:
            return
        firing = _firing(question)
        tokens = list(dict.fromkeys(text[-1] for text in firing))
        kept = hopeful(question, self.windows(question.feature, tokens, self.pool), rng) if firing else []
        if not kept:
            return

        def embedded(texts: Sequence[TokenIds]) -> np.ndarray:
            assert self.embedder is not None
            return self.embedder(["".join(spelt(question.subject, text)) for text in texts])

        about = embedded([text[max(0, at + 1 - AROUND) : at + 1] for text, at in kept])
        some = rng.sample(firing, min(FIRING, len(firing)))
        likeness = (about @ embedded(some).T).max(axis=1)
        # Rounded: what is as alike as another on one machine is so on all.
        order = np.argsort(-np.round(likeness, 4), kind="stable")[: self.count]
        for row in order.tolist():
            text, position = kept[row]
            note = f"likeness {likeness[row]:.2f} to a text where the feature fires"
            yield Edit(text, self.name, position=position, note=note)


def _firing(question: Question) -> list[TokenIds]:
    """The text up to the firing token that is highest, of every parent that has one."""
    found = []
    for reading in question.parents:
        peak = int(np.argmax(reading.activations)) if len(reading.activations) else 0
        if len(reading.activations) and reading.activations[peak] >= question.thresholds.high:
            found.append(reading.token_ids[max(0, peak + 1 - AROUND) : peak + 1])
    return found
