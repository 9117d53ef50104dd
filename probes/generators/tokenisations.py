"""The same characters in other tokens, and the same words with other spaces.

An explanation of tokens draws a line that no reader sees: " bank" is one token, " b" and "ank" are two, and the text
is the same. A user never types such a text (the tokeniser would join it again), so what falls only to these is a fact
about tokens; edits say so in their note.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.edits import Edit, Replacement
from probes.question import Question, by_salience, focuses, in_turn, looked_at
from probes.spelling import Word, respelt, spelt, words_of
from probes.subject import TokenIds


@dataclass(frozen=True, slots=True)
class Tokenisations:
    """At up to `words` words of each text: `splits` other tokens of the same characters, and other spaces before it."""

    words: int = 4
    splits: int = 2
    name: str = "tokenisations"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        looked = looked_at(question)
        chosen = focuses(question)
        rng.shuffle(chosen)
        streams: list[Iterator[Edit]] = []
        for parent, focus in chosen:
            ending = {word.last: word for word in words_of(spelt(question.subject, question.parents[parent].token_ids))}
            order = by_salience(focus, looked[parent], list(ending), rng)[: self.words]
            streams.append(self._of_words(question, parent, focus, [ending[place] for place in order], rng))
        yield from in_turn(streams)

    def _of_words(
        self, question: Question, parent: int, focus: int, words: list[Word], rng: random.Random
    ) -> Iterator[Edit]:
        text = question.parents[parent].token_ids

        def edit(found: Replacement, note: str) -> Edit:
            return Edit.of(text, [found], parent=parent, generator=self.name, position=focus, note=note)

        for word in words:
            stop = word.last + 1
            others = _splits(question, text[word.first : stop])
            for other in rng.sample(others, min(self.splits, len(others))):
                shown = "|".join(spelt(question.subject, other))
                yield edit(Replacement(word.first, stop, other), f"the same text in the tokens {shown}")
            for before, note in (("", "without"), ("  ", "with two spaces before"), ("\n", "with a new line before")):
                if word.before in (" ", "") and word.first > 0 and word.before != before:
                    respaced = respelt(question.subject, text, word.first, stop, f"{before}{word.text}{word.after}")
                    if respaced is not None:
                        shown = note if before else "without the space before"
                        yield edit(respaced, f"{word.text} {shown}")


def _splits(question: Question, token_ids: TokenIds) -> list[TokenIds]:
    """Other tokens that spell the same: one where there is one, or any two."""
    vocabulary = question.subject.vocabulary
    text = "".join(vocabulary.strings[token] for token in token_ids)
    found: list[TokenIds] = [(token,) for token in vocabulary.ids.get(text, ())]
    for cut in range(1, len(text)):
        head, tail = vocabulary.ids.get(text[:cut], ()), vocabulary.ids.get(text[cut:], ())
        if head and tail:
            found.append((head[0], tail[0]))
    return [other for other in found if other != token_ids]
