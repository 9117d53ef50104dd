"""Which tokens of a shrunk counterexample matter: every one is varied, and what may be anything is a wildcard.

After the explain phase of Hypothesis (MacIver and Donaldson, "Test-Case Reduction via Test-Case Generation", 2020, and
`shrinker.explain` in its source): what can be any value that was tried, the others as they are, had no part in it.
Of a pair each side of an edit is varied alone, which tells the token that silences from the one that is missed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from probes.edits import Column
from probes.subject import TokenIds
from probes.trial import Trial
from probes.verify import Candidate, stands

Side = Literal["both", "edited", "original"]

REPLACEMENTS, JOINTLY = 8, 4
"""Tokens that are tried in each slot, and texts in which all slots that seem free are filled at once."""

MOST_SLOTS = 12
"""Columns of one text that are varied: the token in question, and those nearest to it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A column of a candidate, the side that was varied, and the tokens with which it still stood or no longer did.

    `free`: whatever was tried there stood, alone and together with everything in the other free slots.
    """

    column: int
    side: Side
    held: TokenIds
    lost: TokenIds
    free: bool


def vary(candidates: Sequence[Candidate], trial: Trial, pool: Sequence[int], rng: random.Random) -> list[list[Slot]]:
    """Vary every slot of every candidate with tokens of the pool, as two batches of the subject.

    >>> vary([shrunk.smallest], trial, pool, random.Random(0))  # doctest: +SKIP
    [[Slot(column=0, side='both', held=(7, 12, 31), lost=(), free=True), ...]]
    """
    questions = [list(_variations(one, trial, pool, rng)) for one in candidates]
    trial.read([text for asked in questions for _, _, _, varied in asked for text in varied.texts])
    found: list[list[Slot]] = []
    for asked in questions:
        tried: dict[tuple[int, Side], tuple[list[int], list[int]]] = {}
        for column, side, token, varied in asked:
            held, lost = tried.setdefault((column, side), ([], []))
            (held if _stands(varied, trial) else lost).append(token)
        found.append([Slot(*key, tuple(held), tuple(lost), not lost) for key, (held, lost) in tried.items()])
    return _together(candidates, found, trial, rng)


def vary_cost(one: Candidate, trial: Trial) -> int:
    """Subject tokens that varying may take at most."""
    length = sum(len(text) + len(trial.subject.prefix) for text in one.texts)
    edits = sum(one.columns[column].is_edit for column in _nearest(one)) if one.paired else 0
    return length * (REPLACEMENTS * (len(_nearest(one)) + edits) + 4 * JOINTLY)


def filled(one: Candidate, column: int, side: Side, token: int) -> Candidate:
    """The candidate with one token in place of a column, on one side of it or on both."""
    old = one.columns[column]
    new = Column(
        (token,) if side != "edited" and one.paired else old.original, (token,) if side != "original" else old.edited
    )
    offset = 0 if column == one.column and side != "original" else one.offset
    return replace(one, columns=(*one.columns[:column], new, *one.columns[column + 1 :]), offset=offset)


def _variations(
    one: Candidate, trial: Trial, pool: Sequence[int], rng: random.Random
) -> list[tuple[int, Side, int, Candidate]]:
    found: list[tuple[int, Side, int, Candidate]] = []
    for column in _nearest(one):
        old = one.columns[column]
        sides: tuple[Side, ...] = ("edited", "original") if one.paired and old.is_edit else ("both",)
        for side in sides:
            there = old.original if side == "original" else old.edited
            if there:  # what is not there is not varied
                tokens = _drawn(there, trial, pool, rng)
                found += [(column, side, token, filled(one, column, side, token)) for token in tokens]
    return found


def _drawn(there: TokenIds, trial: Trial, pool: Sequence[int], rng: random.Random) -> list[int]:
    """Tokens to put there, first of all those that begin a word as it does: they leave the rest of the text alone."""
    strings = trial.subject.vocabulary.strings
    begins = strings[there[0]][:1].isspace()
    others = [token for token in pool if (token,) != there and strings[token][:1].isspace() == begins]
    return rng.sample(others, min(REPLACEMENTS, len(others)))


def _together(
    candidates: Sequence[Candidate], found: list[list[Slot]], trial: Trial, rng: random.Random
) -> list[list[Slot]]:
    """Slots that are free one by one need not be so together: then half of them, the furthest, are tried, and so on."""
    result: list[list[Slot]] = []
    drawn = [[[rng.choice(slot.held) for slot in slots if slot.free] for _ in range(JOINTLY)] for slots in found]
    whole = [
        _all_filled(one, [slot for slot in slots if slot.free], draw)
        for one, slots, draws in zip(candidates, found, drawn, strict=True)
        for draw in draws
    ]
    trial.read([text for each in whole for text in each.texts])
    for one, slots, draws in zip(candidates, found, drawn, strict=True):
        free = [slot for slot in slots if slot.free]
        while len(free) > 1 and not all(_stands(_all_filled(one, free, draw), trial) for draw in draws):
            free = free[: len(free) // 2]
        result.append([replace(slot, free=slot in free) for slot in slots])
    return result


def _all_filled(one: Candidate, slots: Sequence[Slot], tokens: Sequence[int]) -> Candidate:
    for slot, token in zip(slots, tokens, strict=False):  # fewer slots than were drawn for, where not all are free
        one = filled(one, slot.column, slot.side, token)
    return one


def _nearest(one: Candidate) -> list[int]:
    order = sorted(range(len(one.columns)), key=lambda column: abs(column - one.column))
    return sorted(order[:MOST_SLOTS])


def _stands(one: Candidate, trial: Trial) -> bool:
    return stands(one, trial.read(one.texts), trial.thresholds)
