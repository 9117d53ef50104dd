"""Trigger tokens injected into unrelated natural text; see `probes.injection` for where the protocol comes from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from probes.edits import Edit
from probes.injection import INJECTED, STRATEGIES, inject, triggers
from probes.question import Question
from probes.subject import TokenIds

UnrelatedTexts = Callable[[int, int], Sequence[TokenIds]]
"""(feature, count) -> natural texts in which the feature is silent throughout."""


@dataclass(frozen=True, slots=True)
class Injections:
    """`count` texts, each with `tokens` of the feature's top ones put in, in the three ways by turns."""

    texts: UnrelatedTexts | None
    count: int = 24
    tokens: int = INJECTED
    name: str = "injections"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no unrelated texts" if self.texts is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        top = triggers(question.parents)
        if self.texts is None or not top:
            return
        strings = question.subject.vocabulary.strings
        for text in self.texts(question.feature, self.count):
            for strategy in STRATEGIES:
                drawn = rng.sample(top, min(self.tokens, len(top)))
                put = inject(question.subject, text, drawn, strategy, rng)
                if put is not None:
                    note = f"{strategy}: {', '.join(strings[token] for token in drawn)}"
                    yield Edit(put, self.name, note=note)
