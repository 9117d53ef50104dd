"""Texts on which a rival explanation says something else: who is right, the subject decides.

Texts at hand come first, as they are; then small edits of them that tell the two apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsl.nodes import Explanation
from probes.edits import Edit
from probes.generators.telling import TELLING, Telling, telling
from probes.question import Question


@dataclass(frozen=True, slots=True)
class Rivals:
    """`rivals` are what others made of the same feature; the explanation itself among them is passed over."""

    rivals: Sequence[Explanation]
    telling: Telling = TELLING
    name: str = "rivals"

    def lacks(self, question: Question) -> str | None:
        return None if self._others(question) else "no rival explanation"

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        others = [("rival", rival) for rival in self._others(question)]
        as_they_are = [Edit(reading.token_ids, self.name) for reading in question.parents if reading.token_ids]
        if not others or not as_they_are:
            return
        yield from telling(question, others, as_they_are, rng)
        yield from self.telling.edits(question, others, rng, self.name)

    def _others(self, question: Question) -> list[Explanation]:
        return [rival for rival in dict.fromkeys(self.rivals) if rival != question.explanation]
