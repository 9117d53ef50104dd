"""Texts that a writer makes up from the explanation in plain words: some that it fits, some that only look so."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from dsl.plain import plain_words
from probes.edits import Edit
from probes.question import Question
from probes.subject import Writer


@dataclass(frozen=True, slots=True)
class WrittenTexts:
    """`count` texts of either kind, asked for when the first is drawn; each stands alone, with any token of interest.

    What the writer meant decides nothing: the explanation is evaluated on the text, and the subject run.
    """

    writer: Writer | None
    count: int = 16
    name: str = "written"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no writer" if self.writer is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:  # noqa: ARG002 the writer draws
        if self.writer is None:
            return
        meaning = plain_words(question.explanation)
        for fires in (True, False):
            asked = "written to fire" if fires else "written to look as if"
            for text in self.writer.write(meaning, self.count, fires=fires):
                yield Edit(tuple(question.subject.tokenize(text)), self.name, note=asked)
