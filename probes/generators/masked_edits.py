"""Masked-LM edits of the left context: tokens that a masked language model finds likely, in place of those there.

Fluent edits of the context show what an explanation should have looked at and did not. Several places at once are
tried first: one run then tests them all, and shrinking finds the one that mattered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.edits import Edit, Replacement
from probes.question import Question, by_salience, focuses, looked_at
from probes.spelling import respelt, spelt
from probes.subject import Infiller, TokenIds

GROUPS = (8, 3, 1)
"""How many places change at once, turn by turn."""


@dataclass(frozen=True, slots=True)
class MaskedEdits:
    """Edits by an infiller; `per_place` is how many of its answers are used at each place."""

    infiller: Infiller | None
    per_place: int = 4
    places: int = 12
    name: str = "masked_edits"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no masked language model" if self.infiller is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.infiller is None:
            return
        looked = looked_at(question)
        waiting: list[Iterator[Edit]] = []
        for parent, focus in focuses(question):
            before = list(range(focus)) or [0]
            order = by_salience(focus, looked[parent], before, rng)[: self.places]
            waiting.append(self._of_parent(question, parent, focus, order))
        rng.shuffle(waiting)
        # One edit of each text in turn: the first few hundred probes see every parent.
        while waiting:
            still = []
            for edits in waiting:
                edit = next(edits, None)
                if edit is not None:
                    still.append(edits)
                    yield edit
            waiting = still

    def _of_parent(self, question: Question, parent: int, focus: int, order: list[int]) -> Iterator[Edit]:
        if self.infiller is None:
            return
        text = question.parents[parent].token_ids
        answers = self.infiller.infill([text] * len(order), order, self.per_place + 1)
        choices = {
            position: [token for token, _ in answer if token != text[position]][: self.per_place]
            for position, answer in zip(order, answers, strict=True)
        }
        for group in GROUPS:
            for choice in range(self.per_place):
                for first in range(0, len(order), group):
                    together = [p for p in order[first : first + group] if choice < len(choices[p])]
                    if len(together) != group and (group > 1 or not together):
                        continue
                    edit = self._edit(question, parent, focus, [(p, choices[p][choice]) for p in together])
                    if edit is not None:
                        yield edit

    def _edit(self, question: Question, parent: int, focus: int, puts: list[tuple[int, int]]) -> Edit | None:
        text = question.parents[parent].token_ids
        strings = question.subject.vocabulary.strings
        replacements: list[Replacement] = []
        for position, token in sorted(puts):
            found = respelt(question.subject, text, position, position + 1, strings[token])
            if found is None or (replacements and found.start < replacements[-1].stop):
                return None
            replacements.append(found)
        note = ", ".join(f"{_shown(question, text[p : p + 1])} -> {strings[token]}" for p, token in sorted(puts))
        return Edit.of(text, replacements, parent=parent, generator=self.name, position=focus, note=note)


def _shown(question: Question, token_ids: TokenIds) -> str:
    return "".join(spelt(question.subject, token_ids))
