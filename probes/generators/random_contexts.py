"""The trigger alone: what stands before the token of interest gives way to random tokens.

A feature that is said to need its context, and fires after nonsense, does not; one that is said to need the token only,
and falls silent, does. Nineteen tokens of nonsense, and the trigger the twentieth.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question, focuses, in_turn
from probes.spelling import respelt, spelt, words_of
from probes.subject import SubjectModel

TRIES = 50
"""Draws for one ordinary token, before the vocabulary is taken to hold none."""


@dataclass(frozen=True, slots=True)
class RandomContexts:
    """Before each token of interest `tokens` random ones, `per_text` times over; what follows it stays."""

    tokens: int = 19
    per_text: int = 4
    name: str = "random_contexts"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        chosen = focuses(question)
        rng.shuffle(chosen)
        yield from in_turn([self._of_parent(question, parent, focus, rng) for parent, focus in chosen])

    def _of_parent(self, question: Question, parent: int, focus: int, rng: random.Random) -> Iterator[Edit]:
        text = question.parents[parent].token_ids
        strings = spelt(question.subject, text)
        # The whole word stays, where the token of interest is only a part of it.
        start = next((word.first for word in words_of(strings) if word.first <= focus <= word.last), focus)
        for _ in range(self.per_text):
            nonsense = "".join(ordinary_token(question.subject, rng) for _ in range(self.tokens))
            found = respelt(question.subject, text, 0, start, nonsense)
            if found is not None:
                note = f"{self.tokens} random tokens before {strings[focus]}"
                yield Edit.of(text, [found], parent=parent, generator=self.name, position=focus, note=note)


def is_text(string: str) -> bool:
    """Whether it is whole characters, and no lone byte of one."""
    return not any("\ud800" <= character <= "\udfff" for character in string)


def ordinary_token(subject: SubjectModel, rng: random.Random) -> str:
    """The text of a random token that the tokeniser itself would write: no special one, no piece of a character."""
    strings = subject.vocabulary.strings
    for _ in range(TRIES):
        text = strings[rng.randrange(len(strings))]
        if is_text(text) and len(subject.tokenize(text)) == 1:
            return text
    return " "
