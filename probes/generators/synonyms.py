"""Synonym swaps: words at and before the token of interest become words like them, in the same case."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from dsl.lexicon import Lexicon
from dsl.nodes import fold
from probes.edits import Edit
from probes.question import Question, by_salience, focuses, looked_at
from probes.spelling import Word, in_case_of, respelt, spelt, words_of


@dataclass(frozen=True, slots=True)
class Synonyms:
    """One word at a time, by the lexicon's `like`; the first turn takes each place's likest word, later turns others.

    >>> Synonyms(lexicon).edits(question, random.Random(0))  # doctest: +SKIP
    """

    lexicon: Lexicon | None
    per_word: int = 6
    name: str = "synonyms"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no lexicon of words like a word" if self.lexicon is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.lexicon is None:
            return
        looked = looked_at(question)
        places: list[tuple[int, int, list[Word]]] = []
        for parent, focus in focuses(question):
            ending = {word.last: word for word in words_of(spelt(question.subject, question.parents[parent].token_ids))}
            order = by_salience(focus, looked[parent], list(ending), rng)
            places.append((parent, focus, [ending[position] for position in order]))
        rng.shuffle(places)
        like: dict[str, list[str]] = {}
        # Turn n swaps the word at place p for its synonym n - p: near places meet many synonyms before far ones any.
        for turn in range(max((len(words) for _, _, words in places), default=0) + self.per_word):
            for parent, focus, words in places:
                for place in range(max(0, turn - self.per_word + 1), min(turn + 1, len(words))):
                    word = words[place]
                    alike = like.get(fold(word.text))
                    if alike is None:
                        alike = like[fold(word.text)] = self._alike(word.text)
                    if turn - place < len(alike):
                        edit = self._swap(question, parent, focus, word, alike[turn - place])
                        if edit is not None:
                            yield edit

    def _alike(self, word: str) -> list[str]:
        if self.lexicon is None:
            return []
        return [other for other in self.lexicon.like(fold(word)) if fold(other) != fold(word)][: self.per_word]

    def _swap(self, question: Question, parent: int, focus: int, word: Word, other: str) -> Edit | None:
        put = in_case_of(word.text, other)
        original = question.parents[parent].token_ids
        replacement = respelt(question.subject, original, word.first, word.last + 1, f"{word.before}{put}{word.after}")
        if replacement is None:
            return None
        note = f"{word.text} -> {put}"
        return Edit.of(original, [replacement], parent=parent, generator=self.name, position=focus, note=note)
