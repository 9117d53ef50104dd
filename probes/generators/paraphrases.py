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
        runs = _runs(near)
        for number in range(self.per_text):
            changes: list[tuple[int, int, str]] = []
            for run in runs:
                start, stop = run[0].first, run[-1].last + 1
                # The token of interest stays in every other one: then only what is before it differs.
                may_change = (number % 2 or stop <= focus) and (not changes or changes[-1][1] <= start)
                if may_change and rng.random() < self.share:
                    options = _otherwise(run, lexicon)
                    if options:
                        put = in_case_of(run[0].text, rng.choice(options))
                        changes.append((start, stop, f"{run[0].before}{put}{run[-1].after}"))
            found = respelt_all(question.subject, text, changes) if changes else None
            if found is not None:
                note = f"{len(changes)} words said otherwise"
                yield Edit.of(text, found, parent=parent, generator=self.name, position=focus, note=note)


def _runs(words: Sequence[Word]) -> list[Sequence[Word]]:
    """The words one by one, but those together for which there is a rule."""
    runs: list[Sequence[Word]] = []
    done = 0
    for index in range(len(words)):
        if index >= done:
            length = next((n for n in range(_LONGEST, 1, -1) if _key(words[index : index + n], n) in _RULES), 1)
            runs.append(words[index : index + length])
            done = index + length
    return runs


def _otherwise(run: Sequence[Word], lexicon: Lexicon) -> list[str]:
    """What the words may become: by a rule where there is one, else the likest others in the lexicon."""
    word, rule = fold(run[0].text), _RULES.get(_key(run, len(run)))
    if rule is not None:
        return [rule]
    if word in _NO_SYNONYMS:
        return []
    opposites = lexicon.antonyms(word) if isinstance(lexicon, Contrasts) else ()
    return [other for other in lexicon.like(word) if fold(other) != word and other not in opposites][:ALIKE]


def _key(words: Sequence[Word], length: int) -> tuple[str, ...]:
    """The words as one looks them up; nothing where there are fewer, or punctuation between them."""
    run_on = all(not word.after.strip() for word in words[:-1]) and all(not w.before.strip() for w in words[1:])
    return tuple(fold(word.text) for word in words) if len(words) == length and run_on else ()
