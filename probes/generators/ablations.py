"""Ablations: tokens of the left context are deleted, or a neutral one put in their place, singly and in pairs.

A feature that fires after A or B, where a text holds both, goes on firing without either: only taking both away shows
that it asks for one. Pairs are tried in the order of their places, nearest and most looked-at first; and whole left
contexts are cut off, which finds what is spread over more than two places (shrinking puts back what did not matter).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question, by_salience, focuses, in_turn, looked_at
from probes.spelling import respelt_all, spelt
from probes.subject import SubjectModel

NEUTRAL = (" the", " it", " and", ".", "the")
"""What says least, plainest first: the first that is one token of the subject is put in place of others."""

KEPT = (8, 2)
"""How many tokens before the one of interest stay when all the others go."""


@dataclass(frozen=True, slots=True)
class Ablations:
    """At up to `places` tokens of each text, and all pairs of the first `paired` of them."""

    places: int = 12
    paired: int = 10
    name: str = "ablations"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        looked = looked_at(question)
        chosen = focuses(question)
        rng.shuffle(chosen)
        put = neutral(question.subject)
        yield from in_turn(
            [
                self._of_parent(question, parent, focus, order[: self.places], put)
                for parent, focus in chosen
                for order in [by_salience(focus, looked[parent], range(focus), rng)]
            ]
        )

    def _of_parent(self, question: Question, parent: int, focus: int, order: Sequence[int], put: str) -> Iterator[Edit]:
        strings = spelt(question.subject, question.parents[parent].token_ids)
        for kept in KEPT:
            if focus > kept:
                cut = 0, focus - kept, ""
                yield from self._edit(question, parent, focus, [cut], f"without the first {focus - kept} tokens")
        for number, place in enumerate(order):
            gone, other = (place, place + 1, ""), (place, place + 1, put)
            yield from self._edit(question, parent, focus, [gone], f"without {strings[place]}")
            yield from self._edit(question, parent, focus, [other], f"{strings[place]} -> {put}")
            # Each place as it comes with all before it: no pair waits for places that matter less than its own.
            for first in order[:number] if number < self.paired else ():
                pair = [(first, first + 1, put), other]
                yield from self._edit(question, parent, focus, pair, f"{strings[first]}, {strings[place]} -> {put}")

    def _edit(
        self, question: Question, parent: int, focus: int, changes: Sequence[tuple[int, int, str]], note: str
    ) -> Iterator[Edit]:
        text = question.parents[parent].token_ids
        found = respelt_all(question.subject, text, changes)
        if found is not None:
            yield Edit.of(text, found, parent=parent, generator=self.name, position=focus, note=note)


def neutral(subject: SubjectModel) -> str:
    """The plainest text that is one token of the subject."""
    return next((text for text in NEUTRAL if len(subject.tokenize(text)) == 1), " ")
