"""Gradient-guided token swaps, towards firing and towards silence.

The gradient of the feature's pre-activation with respect to the input embeddings says, to first order, what every
token would do at every place (HotFlip: Ebrahimi, Rao, Lowd and Dou, "HotFlip: White-Box Adversarial Examples for Text
Classification", 2018). The best few are made at once, and each alone: the estimate is rough, and shrinking finds which
of them mattered. Tokens that the tokeniser would join otherwise are made on the text and tokenised again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question, focuses, in_turn
from probes.spelling import respelt_all
from probes.subject import Gradient, Swap

GROUPS = (1, 2, 4)
"""How many of the best swaps are made at once."""

FORWARDS = 3
"""A run forwards and back costs about as much as so many runs forwards, and is counted so."""


@dataclass(frozen=True, slots=True)
class GradientSwaps:
    """`count` swaps of each text, asked for `parents` texts at a time.

    Where the feature fires the swaps are towards silence, where it does not towards firing: the explanation, right
    about both before, has to follow.
    """

    count: int = 8
    parents: int = 16
    name: str = "gradient_swaps"

    def lacks(self, question: Question) -> str | None:
        return None if isinstance(question.subject, Gradient) else "no gradients of this subject"

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        chosen = [*focuses(question), *_quiet_places(question, rng)]
        rng.shuffle(chosen)
        for first in range(0, len(chosen), self.parents):
            some = chosen[first : first + self.parents]
            streams = []
            for towards_firing in (False, True):
                kept = [place for place in some if _is_silent(question, *place) == towards_firing]
                streams += self._of_parents(question, kept, towards_firing)
            yield from in_turn(streams)

    def _of_parents(
        self, question: Question, chosen: Sequence[tuple[int, int]], towards_firing: bool
    ) -> list[Iterator[Edit]]:
        if not chosen or not isinstance(question.subject, Gradient):
            return []
        # Nothing after the token of interest has a say in it.
        texts = [question.parents[parent].token_ids[: focus + 1] for parent, focus in chosen]
        if not question.spend(FORWARDS * sum(len(text) + len(question.subject.prefix) for text in texts)):
            return []
        found = question.subject.swaps(
            texts, question.feature, [focus for _, focus in chosen], self.count, towards_firing=towards_firing
        )
        return [self._edits(question, *place, swaps) for place, swaps in zip(chosen, found, strict=True)]

    def _edits(self, question: Question, parent: int, focus: int, swaps: Sequence[Swap]) -> Iterator[Edit]:
        text = question.parents[parent].token_ids
        strings = question.subject.vocabulary.strings
        groups = [swaps[:size] for size in GROUPS if size <= len(swaps)] + [[swap] for swap in swaps[1:]]
        for group in groups:
            changes = [(swap.place, swap.place + 1, strings[swap.token]) for swap in group]
            found = respelt_all(question.subject, text, changes)
            if found is not None:
                put = sorted(group, key=lambda swap: swap.place)
                note = ", ".join(f"{strings[text[swap.place]]} -> {strings[swap.token]}" for swap in put)
                yield Edit.of(text, found, parent=parent, generator=self.name, position=focus, note=note)


def _is_silent(question: Question, parent: int, focus: int) -> bool:
    return bool(question.parents[parent].activations[focus] <= question.thresholds.silent)


def _quiet_places(question: Question, rng: random.Random) -> list[tuple[int, int]]:
    """One place of each text where the feature is silent and nothing is predicted: what else might it fire on?"""
    found = []
    for index, reading in enumerate(question.parents):
        quiet = (reading.activations <= question.thresholds.silent) & (reading.predicted == 0)
        places = [int(place) for place in quiet.nonzero()[0] if 0 < place < len(reading.token_ids) - 1]
        if places:
            found.append((index, rng.choice(places)))
    return found
