"""Word swaps: a word at or before the token of interest becomes another; which others there are is all that differs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question, by_salience, focuses, looked_at
from probes.spelling import Word, respelt, spelt, words_of

Others = Callable[[str, random.Random], Sequence[str]]
"""What may stand in the place of a word, aptest first; the word itself among them is passed over."""


@dataclass(frozen=True, slots=True)
class WordSwaps:
    """One word at a time; the first turn puts each place's aptest other, later turns the next ones.

    `others` is None where what it would ask is not at hand, and `missing` says what that is.

    >>> swaps = WordSwaps("shouts", lambda word, rng: [word.upper()], "")
    >>> swaps.edits(question, random.Random(0))  # doctest: +SKIP
    """

    name: str
    others: Others | None
    missing: str
    per_word: int = 6

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return self.missing if self.others is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.others is None:
            return
        places = _places(question, rng)
        known: dict[str, list[str]] = {}
        # Turn n puts at place p its other number n - p: near places meet many others before far ones meet any.
        for turn in range(max((len(words) for _, _, words in places), default=0) + self.per_word):
            for parent, focus, words in places:
                for place in range(max(0, turn - self.per_word + 1), min(turn + 1, len(words))):
                    word = words[place]
                    others = known.get(word.text)
                    if others is None:
                        asked = dict.fromkeys(self.others(word.text, rng))
                        others = known[word.text] = [other for other in asked if other != word.text][: self.per_word]
                    if turn - place < len(others):
                        yield from self._swap(question, parent, focus, word, others[turn - place])

    def _swap(self, question: Question, parent: int, focus: int, word: Word, other: str) -> Iterator[Edit]:
        original = question.parents[parent].token_ids
        text = f"{word.before}{other}{word.after}"
        replacement = respelt(question.subject, original, word.first, word.last + 1, text)
        if replacement is not None:
            note = f"{word.text} -> {other}"
            yield Edit.of(original, [replacement], parent=parent, generator=self.name, position=focus, note=note)


def _places(question: Question, rng: random.Random) -> list[tuple[int, int, list[Word]]]:
    """For every token of interest (parent, position) the words that end at or before it, most promising first."""
    looked = looked_at(question)
    places: list[tuple[int, int, list[Word]]] = []
    for parent, focus in focuses(question):
        ending = {word.last: word for word in words_of(spelt(question.subject, question.parents[parent].token_ids))}
        order = by_salience(focus, looked[parent], list(ending), rng)
        places.append((parent, focus, [ending[position] for position in order]))
    rng.shuffle(places)
    return places
