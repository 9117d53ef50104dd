"""Texts on either side of every line that the explanation draws: where it and a mutant of it say different things.

A mutant is the explanation after one step (drop, widen, narrow, negate). If one is the truth, a text on which the two
differ proves it, and which of the two is right is seen on a text that only one of them predicts: so each step writes
texts that the explanation predicts and the mutant does not, and texts the other way round.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from dsl.lexicon import Lexicon
from dsl.mutate import mutants
from probes.edits import Edit
from probes.generators.telling import TELLING, Telling
from probes.question import Question


@dataclass(frozen=True, slots=True)
class Mutants:
    """With a lexicon, words are widened to their forms and to words like them, too."""

    lexicon: Lexicon | None = None
    telling: Telling = TELLING
    name: str = "mutants"

    def lacks(self, question: Question) -> str | None:
        return None if mutants(question.explanation) else "the explanation has no mutants"

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        variants = [(mutant.step, mutant.explanation) for mutant in mutants(question.explanation, self.lexicon)]
        rng.shuffle(variants)
        yield from self.telling.edits(question, variants, rng, self.name)
