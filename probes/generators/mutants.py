"""Texts on either side of every line that the explanation draws: where it and a mutant of it say different things.

A mutant is the explanation after one step (drop, widen, narrow, negate). If one is the truth, a text on which the two
differ proves it. Such texts are written by small edits near the token of interest: dropping a token, putting another in
its place, moving it further off, putting in a word that the explanation or a mutant names. Which of these tell the two
apart is found by evaluating both; only those are run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dsl.evaluate import evaluate
from dsl.mutate import mutants
from dsl.nodes import PREDICTED, Explanation, FollowedBefore, FormsOf, Phrase, Tokens, TokensWith, Words, WordsLike
from probes.edits import Edit, Replacement
from probes.question import Question, atoms_of, by_salience, focuses, looked_at
from probes.spelling import respelt, spelt
from probes.subject import TokenIds
from probes.trial import batch_of

FILLERS = (" the", " it", " and", ".")
"""What stands in for a token that is taken away, and what is put between two to move them apart."""


@dataclass(frozen=True, slots=True)
class Mutants:
    """Edits `parents` texts at a time, at up to `places` tokens of each, with `named` words that mutants name."""

    parents: int = 8
    places: int = 8
    named: int = 8
    name: str = "mutants"

    def lacks(self, question: Question) -> str | None:
        return None if mutants(question.explanation) else "the explanation has no mutants"

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        variants = [mutant.explanation for mutant in mutants(question.explanation)]
        rng.shuffle(variants)
        names = _names(question, variants)
        looked = looked_at(question)
        chosen = focuses(question)
        rng.shuffle(chosen)
        seen: set[TokenIds] = set()
        for first in range(0, len(chosen), self.parents):
            drafts: dict[TokenIds, Edit] = {}
            for parent, focus in chosen[first : first + self.parents]:
                before = by_salience(focus, looked[parent], range(focus + 1), rng)[: self.places]
                some = rng.sample(names, min(self.named, len(names)))
                for edit in self._drafts(question, parent, focus, before, some):
                    if 0 < len(edit.token_ids) <= question.subject.max_tokens and edit.token_ids not in seen:
                        drafts.setdefault(edit.token_ids, edit)
            seen.update(drafts)
            if drafts:
                yield from _telling(question, variants, list(drafts.values()), rng)

    def _drafts(
        self, question: Question, parent: int, focus: int, places: Sequence[int], names: Sequence[str]
    ) -> Iterator[Edit]:
        """Every small edit that might cross a line; most are never run."""
        text = question.parents[parent].token_ids
        strings = spelt(question.subject, text)

        def edit(found: Replacement | None, note: str) -> Iterator[Edit]:
            if found is not None:
                yield Edit.of(text, [found], parent=parent, generator=self.name, position=focus, note=note)

        filler = next((f for f in FILLERS if len(question.subject.tokenize(f)) == 1), " ")
        for place in places:
            taken = respelt(question.subject, text, place, place + 1, filler)
            yield from edit(taken, f"{strings[place]} -> {filler}")
            if place != focus:
                yield from edit(respelt(question.subject, text, place, place + 1, ""), f"without {strings[place]}")
                for count in (1, 4, 32):
                    put = respelt(question.subject, text, place + 1, place + 1, filler * count)
                    yield from edit(put, f"{count} tokens further from {strings[place]}")
        lead = " " if strings[focus].startswith(" ") else ""
        for name in names:
            there = name if name[:1].isspace() else lead + name
            yield from edit(respelt(question.subject, text, focus, focus + 1, there), f"{strings[focus]} -> {there}")
            for place in sorted({0, max(0, focus - 8), focus}):
                put = respelt(question.subject, text, place, place, name if name[:1].isspace() else f" {name}")
                yield from edit(put, f"{name} put in before")
        # A dict, not a set: the order of a set of strings differs from one process to the next.
        for variant in dict.fromkeys((strings[focus].lower(), strings[focus].upper(), strings[focus].title())):
            yield from edit(respelt(question.subject, text, focus, focus + 1, variant), f"-> {variant}")


def _telling(
    question: Question, variants: Sequence[Explanation], drafts: Sequence[Edit], rng: random.Random
) -> Iterator[Edit]:
    """Drafts that tell some mutant from the explanation, mutant by mutant in turn, on either side by turns."""
    batch = batch_of([draft.token_ids for draft in drafts], question.subject.vocabulary)
    ours = evaluate(question.explanation, batch) >= PREDICTED
    at = np.array([-1 if draft.position is None else draft.position for draft in drafts])
    queues: list[list[int]] = []
    for variant in variants:
        theirs = evaluate(variant, batch) >= PREDICTED
        differs = (ours != theirs).any(axis=1)
        here = ours[np.arange(len(drafts)), at] & (at >= 0)
        sides = [[int(row) for row in np.flatnonzero(differs & side)] for side in (here, ~here)]
        for side in sides:
            rng.shuffle(side)
        queues += [side for side in sides if side]
    told: set[int] = set()
    while queues:
        for queue in queues:
            row = queue.pop()
            if row not in told:
                told.add(row)
                yield drafts[row]
        queues = [queue for queue in queues if queue]


def _names(question: Question, variants: Sequence[Explanation]) -> list[str]:
    """Words and tokens that the explanation or a mutant names, in a fixed order."""
    named: dict[str, None] = {}
    for explanation in (question.explanation, *variants):
        for atom in atoms_of(explanation):
            match atom:
                case Tokens(strings):
                    found = strings
                case Words(words) | FormsOf(_, words) | WordsLike(_, words):
                    found = words
                case Phrase(words):
                    found = (" ".join(words),)
                case TokensWith(_, text) | FollowedBefore(text):
                    found = (text,)
                case _:
                    found = ()
            named.update(dict.fromkeys(found))
    return list(named)
