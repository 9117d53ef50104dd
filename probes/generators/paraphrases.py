"""Paraphrases by rule: several words at once become synonyms, and small words others that say the same.

A feature of what a text says goes on firing when it is said otherwise; one of its wording does not. No more than that
is claimed: no model checks that the meaning was kept. Synonyms come from the lexicon, which knows no senses and takes
words of one field together; only its opposites, and words that are grammar, names or numbers, are left alone. Each rule
below keeps the meaning in most sentences, not in all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dsl.classes import (
    ARTICLES,
    AUXILIARY_VERBS,
    CONJUNCTIONS,
    NAMES,
    NEGATIONS,
    NUMBER_WORDS,
    PREPOSITIONS,
    PRONOUNS,
    QUESTION_WORDS,
)
from dsl.lexicon import Contrasts, Lexicon
from dsl.nodes import fold
from probes.edits import Edit
from probes.question import REACH, Question, focuses, in_turn
from probes.spelling import Word, in_case_of, respelt_all, spelt, words_of

_SAID_OTHERWISE = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("is not", "isn't"), ("was not", "wasn't"),
    ("were not", "weren't"), ("can not", "can't"), ("could not", "couldn't"), ("will not", "won't"), ("it is", "it's"),
    ("he is", "he's"), ("she is", "she's"), ("they are", "they're"), ("i am", "i'm"), ("let us", "let's"),
    ("because", "since"), ("but", "yet"), ("until", "till"), ("toward", "towards"), ("onto", "on to"),
    ("very", "really"), ("also", "too"), ("maybe", "perhaps"), ("every", "each"), ("began to", "started to"),
    ("a lot of", "lots of"), ("all of a sudden", "suddenly"), ("each other", "one another"),
    ("mom", "mother"), ("dad", "father"), ("kids", "children"), ("okay", "all right"),
)  # fmt: skip
_RULES: dict[tuple[str, ...], str] = {
    tuple(one.split()): other for pair in _SAID_OTHERWISE for one, other in (pair, pair[::-1])
}
_LONGEST = max(map(len, _RULES))

_NO_SYNONYMS = (
    ARTICLES
    | AUXILIARY_VERBS
    | CONJUNCTIONS
    | NAMES
    | NEGATIONS
    | NUMBER_WORDS
    | PREPOSITIONS
    | PRONOUNS
    | QUESTION_WORDS
)
"""Of these a lexicon answers with others of their class, which say something else."""

ALIKE = 3
"""Synonyms of one word that are drawn from."""

Change = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Paraphrases:
    """Of each text `per_text`, each with about `share` of its words said otherwise, drawn anew."""

    lexicon: Lexicon | None
    share: float = 0.5
    per_text: int = 6
    name: str = "paraphrases"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return "no lexicon of words like a word" if self.lexicon is None else None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        if self.lexicon is None:
            return
        chosen = focuses(question)
        rng.shuffle(chosen)
        yield from in_turn([self._of_parent(question, self.lexicon, *place, rng) for place in chosen])

    def _of_parent(
        self, question: Question, lexicon: Lexicon, parent: int, focus: int, rng: random.Random
    ) -> Iterator[Edit]:
        text = question.parents[parent].token_ids
        words = words_of(spelt(question.subject, text))
        near = [word for word in words if word.last <= focus and focus - word.last <= REACH]
        otherwise = _said_otherwise(near, lexicon)
        for number in range(self.per_text):
            # The token of interest stays in every other one: then only what is before it differs.
            options = [option for option in otherwise if number % 2 or option[0].stop <= focus]
            drawn = [option for option in options if rng.random() < self.share]
            changes: list[Change] = []
            for option in drawn:
                if not changes or changes[-1][1] <= option[0].start:
                    changes.append((option[0].start, option[0].stop, rng.choice(option[1])))
            found = respelt_all(question.subject, text, changes) if changes else None
            if found is not None:
                note = f"{len(changes)} words said otherwise"
                yield Edit.of(text, found, parent=parent, generator=self.name, position=focus, note=note)


def _said_otherwise(words: Sequence[Word], lexicon: Lexicon) -> list[tuple[range, list[str]]]:
    """The tokens of a word or of a run of words, and what they may become; in order."""
    found: list[tuple[range, list[str]]] = []
    for index, word in enumerate(words):
        run = next((n for n in range(_LONGEST, 0, -1) if _key(words[index : index + n], n) in _RULES), 0)
        if run:
            last = words[index + run - 1]
            put = in_case_of(word.text, _RULES[_key(words[index : index + run], run)])
            found.append((range(word.first, last.last + 1), [f"{word.before}{put}{last.after}"]))
        else:
            options = [f"{word.before}{in_case_of(word.text, o)}{word.after}" for o in _alike(fold(word.text), lexicon)]
            if options:
                found.append((range(word.first, word.last + 1), options))
    return found


def _alike(word: str, lexicon: Lexicon) -> list[str]:
    if word in _NO_SYNONYMS:
        return []
    opposites = lexicon.antonyms(word) if isinstance(lexicon, Contrasts) else ()
    return [other for other in lexicon.like(word) if fold(other) != word and other not in opposites][:ALIKE]


def _key(words: Sequence[Word], length: int) -> tuple[str, ...]:
    """The words as one looks them up; nothing where there are fewer, or punctuation between them."""
    run_on = all(not word.after.strip() for word in words[:-1]) and all(not w.before.strip() for w in words[1:])
    return tuple(fold(word.text) for word in words) if len(words) == length and run_on else ()
