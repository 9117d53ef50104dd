"""Small edits on which an explanation and others say different things: what mutants and rivals are tried by.

Edits near the token of interest drop a token, put another in its place, move it further off, begin a sentence or a
quotation before it, put in what an explanation names. Which of these tell two explanations apart, and on which side of
the line they fall, is found by evaluating both; only those are run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dsl.evaluate import evaluate
from dsl.nodes import (
    PREDICTED,
    Class,
    ClassName,
    Explanation,
    FollowedBefore,
    FormsOf,
    Phrase,
    Tokens,
    TokensWith,
    Words,
    WordsLike,
)
from probes.edits import Edit, Replacement
from probes.question import Question, atoms_of, by_salience, focuses, in_turn, looked_at
from probes.spelling import respelt, spelt
from probes.subject import TokenIds
from probes.trial import batch_of

FILLERS = (" the", " it", " and", ".")
"""What stands in for a token that is taken away, and what is put between two to move them apart."""

OPENINGS = (".", ' "', " (", "\n")
"""What, put before the token of interest, begins a sentence, a quotation, brackets or a line."""

MEMBERS: Mapping[ClassName, str] = {
    "digits": "7", "capitalised words": "Big", "upper-case words": "BIG", "punctuation": ",", "newlines": "\n",
    "names": "Tom", "pronouns": "they", "articles": "an", "prepositions": "under", "conjunctions": "because",
    "auxiliary verbs": "could", "number words": "seven", "question words": "why", "negations": "never",
    "quotation marks": '"', "brackets": "(",
}  # fmt: skip
"""One of each class, for a text that lacks any."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Edits `parents` texts at a time, at up to `places` tokens of each, with `named` of the words that are named."""

    parents: int = 8
    places: int = 8
    named: int = 8

    def edits(
        self, question: Question, others: Sequence[tuple[str, Explanation]], rng: random.Random, generator: str
    ) -> Iterator[Edit]:
        """Edits that tell the explanation from one of the others (each with a word for it), the others by turns."""
        names = _names([question.explanation, *(other for _, other in others)])
        looked = looked_at(question)
        chosen = focuses(question)
        rng.shuffle(chosen)
        seen: set[TokenIds] = set()
        for first in range(0, len(chosen), self.parents):
            drafts: dict[TokenIds, Edit] = {}
            for parent, focus in chosen[first : first + self.parents]:
                before = by_salience(focus, looked[parent], range(focus + 1), rng)[: self.places]
                some = rng.sample(names, min(self.named, len(names)))
                for edit in _drafts(question, parent, focus, before, some, generator):
                    if 0 < len(edit.token_ids) <= question.subject.max_tokens and edit.token_ids not in seen:
                        drafts.setdefault(edit.token_ids, edit)
            seen.update(drafts)
            if drafts:
                yield from telling(question, others, list(drafts.values()), rng)


TELLING = Telling()


def telling(
    question: Question, others: Sequence[tuple[str, Explanation]], drafts: Sequence[Edit], rng: random.Random
) -> Iterator[Edit]:
    """Drafts that tell some other explanation from this one, each other in turn, on either side of the line by turns.

    A draft whose token of interest is where the two differ goes before one on which they differ elsewhere.
    """
    batch = batch_of([draft.token_ids for draft in drafts], question.subject.vocabulary)
    ours = evaluate(question.explanation, batch) >= PREDICTED
    rows = np.arange(len(drafts))
    at = np.array([-1 if draft.position is None else draft.position for draft in drafts])
    queues: list[Iterator[tuple[int, str]]] = []
    for word, other in others:
        theirs = evaluate(other, batch) >= PREDICTED
        for side, apart in (("predicted", ours & ~theirs), ("not predicted", theirs & ~ours)):
            here = apart[rows, at] & (at >= 0)
            found = [int(row) for row in np.flatnonzero(apart.any(axis=1))]
            rng.shuffle(found)
            found.sort(key=lambda row: not here[row])
            queues.append(iter([(row, f"{word}: {side}") for row in found]))
    told: set[int] = set()
    for row, note in in_turn(queues):
        if row not in told:
            told.add(row)
            yield replace(drafts[row], note=f"{drafts[row].note} ({note})" if drafts[row].note else note)


def _drafts(
    question: Question, parent: int, focus: int, places: Sequence[int], names: Sequence[str], generator: str
) -> Iterator[Edit]:
    """Every small edit that might cross a line; most are never run."""
    text = question.parents[parent].token_ids
    strings = spelt(question.subject, text)

    def edit(found: Replacement | None, note: str) -> Iterator[Edit]:
        if found is not None:
            yield Edit.of(text, [found], parent=parent, generator=generator, position=focus, note=note)

    filler = next((f for f in FILLERS if len(question.subject.tokenize(f)) == 1), " ")
    for place in places:
        yield from edit(respelt(question.subject, text, place, place + 1, filler), f"{strings[place]} -> {filler}")
        if place != focus:
            yield from edit(respelt(question.subject, text, place, place + 1, ""), f"without {strings[place]}")
            for count in (1, 4, 32):
                put = respelt(question.subject, text, place + 1, place + 1, filler * count)
                yield from edit(put, f"{count} tokens further from {strings[place]}")
    for gone in sorted({1, focus // 2, focus} & set(range(1, focus + 1))):
        yield from edit(respelt(question.subject, text, 0, gone, ""), f"without the first {gone} tokens")
    for opening in OPENINGS:
        yield from edit(respelt(question.subject, text, focus, focus, opening), f"{opening} put in before")
    lead = " " if strings[focus].startswith(" ") else ""
    for name in names:
        there = name if name[:1].isspace() else lead + name
        yield from edit(respelt(question.subject, text, focus, focus + 1, there), f"{strings[focus]} -> {there}")
        for place in sorted({0, max(0, focus - 8), focus}):
            put = respelt(question.subject, text, place, place, name if name[:1].isspace() else f" {name}")
            yield from edit(put, f"{name} put in before")
    for place in sorted({0, max(0, focus - 8)}):
        yield from edit(
            respelt(question.subject, text, place, place, strings[focus]), f"{strings[focus]} put in before"
        )
    # A dict, not a set: the order of a set of strings differs from one process to the next.
    for variant in dict.fromkeys((strings[focus].lower(), strings[focus].upper(), strings[focus].title())):
        yield from edit(respelt(question.subject, text, focus, focus + 1, variant), f"-> {variant}")


def _names(explanations: Sequence[Explanation]) -> list[str]:
    """Words and tokens that the explanations name, in a fixed order; two words of a list together are a topic."""
    named: dict[str, None] = {}
    for explanation in explanations:
        for atom in atoms_of(explanation):
            match atom:
                case Tokens(strings):
                    found = strings
                case Words(words) | FormsOf(_, words) | WordsLike(_, words):
                    found = (*words, " ".join(words[:2]))
                case Phrase(words):
                    found = (" ".join(words),)
                case TokensWith(_, text) | FollowedBefore(text):
                    found = (text,)
                case Class(name):
                    found = (MEMBERS[name],)
                case _:
                    found = ()
            named.update(dict.fromkeys(found))
    return list(named)
