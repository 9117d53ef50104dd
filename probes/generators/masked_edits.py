"""Masked-LM edits of the left context: tokens that a masked language model finds likely, in place of those there.

Fluent edits of the context show what an explanation should have looked at and did not. Several places at once are
tried first: one run then tests them all, and shrinking finds the one that mattered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question, by_salience, focuses, in_turn, looked_at
from probes.spelling import respelt_all
from probes.subject import Infiller

GROUPS = (8, 3, 1)
"""How many places change at once, turn by turn."""


@dataclass(frozen=True, slots=True)
class MaskedEdits:
    """Edits of `parents` texts at a time by an infiller, at `places` of each, with `per_place` answers at every one."""

    infiller: Infiller | None
    per_place: int = 4
    places: int = 12
    parents: int = 8
    name: str = "masked_edits"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no masked language model" if self.infiller is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.infiller is None:
            return
        looked = looked_at(question)
        chosen = focuses(question)
        rng.shuffle(chosen)
        places = {
            (parent, focus): by_salience(focus, looked[parent], range(focus or 1), rng)[: self.places]
            for parent, focus in chosen
        }
        answers: dict[tuple[int, int], list[list[int]]] = {}
        # The likeliest tokens for every text first; a few texts at a time, since each costs a run of the infiller.
        for choice in range(self.per_place):
            for first in range(0, len(chosen), self.parents):
                some = chosen[first : first + self.parents]
                if choice == 0:
                    answers |= self._answers(question, {key: places[key] for key in some})
                yield from in_turn([self._of_parent(question, *key, places[key], answers[key], choice) for key in some])

    def _answers(
        self, question: Question, places: dict[tuple[int, int], list[int]]
    ) -> dict[tuple[int, int], list[list[int]]]:
        """For every place of every text, in one batch: tokens that are likely there, other than the one there."""
        assert self.infiller is not None
        texts = [question.parents[parent].token_ids for (parent, _), order in places.items() for _ in order]
        positions = [position for order in places.values() for position in order]
        found = iter(zip(texts, positions, self.infiller.infill(texts, positions, self.per_place + 1), strict=True))
        return {
            key: [
                [token for token, _ in answer if token != text[position]][: self.per_place]
                for _, (text, position, answer) in zip(order, found, strict=False)
            ]
            for key, order in places.items()
        }

    def _of_parent(
        self, question: Question, parent: int, focus: int, order: list[int], answers: list[list[int]], choice: int
    ) -> Iterator[Edit]:
        puts = [(place, tokens[choice]) for place, tokens in zip(order, answers, strict=True) if choice < len(tokens)]
        for group in GROUPS:
            for first in range(0, len(puts) - group + 1, group):
                edit = self._edit(question, parent, focus, puts[first : first + group])
                if edit is not None:
                    yield edit

    def _edit(self, question: Question, parent: int, focus: int, puts: list[tuple[int, int]]) -> Edit | None:
        text = question.parents[parent].token_ids
        strings = question.subject.vocabulary.strings
        changes = [(position, position + 1, strings[token]) for position, token in puts]
        found = respelt_all(question.subject, text, changes)
        if found is None:
            return None
        note = ", ".join(f"{strings[text[place]]} -> {strings[token]}" for place, token in sorted(puts))
        return Edit.of(text, found, parent=parent, generator=self.name, position=focus, note=note)
