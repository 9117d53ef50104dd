"""Clauses that say what the fixed tokens of a text say, from the letter of it to the loosest reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from dsl.atomic import holds_at
from dsl.nodes import (
    CONTEXT_WINDOW,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    Clause,
    Expression,
    Modifier,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    Within,
    Words,
    fold,
    is_word,
)
from probes.slots import Slot
from probes.verify import Candidate

NEAR = 4
"""A distance between `right after` and `in the context of`, as in `dsl.mutate`."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A token that matters, how far before the token in question it stands (0: it is that token), and what it took."""

    text: str
    distance: int
    held: tuple[str, ...]
    lost: tuple[str, ...]


def fixed_tokens(one: Candidate, slots: Sequence[Slot], side: str, strings: Sequence[str]) -> list[Fixed]:
    """The tokens of one side that most of what was tried could not replace."""
    found = []
    here = one.position if side == "edited" else one.original_position
    assert here is not None
    for slot in slots:
        if slot.side not in ("both", side) or len(slot.lost) <= len(slot.held) or slot.column > one.column:
            continue
        pieces = [column.edited if side == "edited" else column.original for column in one.columns]
        last = here if slot.column == one.column else sum(map(len, pieces[: slot.column + 1])) - 1
        text = strings[[token for piece in pieces for token in piece][last]]
        held, lost = (tuple(strings[token] for token in tokens) for tokens in (slot.held, slot.lost))
        found.append(Fixed(text, here - last, held, lost))
    return [each for each in found if each.distance <= CONTEXT_WINDOW]


def clauses(own: str, fixed: Sequence[Fixed], free: bool, begins: bool) -> Iterator[Expression]:
    """What the fixed tokens say, from the nearest to the letter to the loosest."""
    here = next((each for each in fixed if each.distance == 0), Fixed(own, 0, (), ()))
    phrases: list[Expression] = [AnyToken()] if free else list(_atoms(here))
    if free and begins:
        phrases = [Positions(1, 1), Boundary("the start of a sentence"), *phrases]
    before = [each for each in fixed if each.distance > 0]
    if any(each.text == own for each in before):
        phrases.append(RepeatedToken())
    together = [list(each) for each in _modifiers(before)]
    alone = [list(each) for fixed_one in before for each in _modifiers([fixed_one])] if len(before) > 1 else []
    for modifiers in [[]] if not before else [*together, *alone, []]:
        for phrase in phrases:
            yield Clause(phrase, tuple(modifiers)) if modifiers else phrase


def requirements(own: str | None, fixed: Sequence[Fixed]) -> Iterator[Expression]:
    """What only the original has: the token that stood in the place of the one in question, or what came before."""
    if own is not None:
        yield from _atoms(Fixed(own, 0, (), ()))
    before = [each for each in fixed if each.distance > 0]
    for modifiers in _modifiers(before):
        yield Clause(AnyToken(), modifiers)
    if len(before) > 1:
        for each in before:
            for modifiers in _modifiers([each]):
                yield Clause(AnyToken(), modifiers)


def _modifiers(before: Sequence[Fixed]) -> Iterator[tuple[Modifier, ...]]:
    """All of these before, at their own distance, near, or anywhere in the context; by token, word and class."""
    if not before:
        return
    spellings = [list(_atoms(each)) for each in before]
    for turn in range(max(map(len, spellings))):
        anchors = [atoms[min(turn, len(atoms) - 1)] for atoms in spellings]
        for reach in (0, NEAR, CONTEXT_WINDOW):
            if reach and max(each.distance for each in before) > reach:
                continue
            yield tuple(
                RightAfter(anchor) if max(reach, each.distance) == 1 else Within(anchor, max(reach, each.distance))
                for each, anchor in zip(before, anchors, strict=True)
            )


def _atoms(fixed: Fixed) -> Iterator[Expression]:
    """The token, the word, and the classes that hold it and all that did as well, and none that did not."""
    yield Tokens((fixed.text,))
    if is_word(fixed.text.strip()):
        yield Words((fold(fixed.text.strip()),))
    for name in get_args(ClassName):
        alike = all(holds_at(text, Class(name)) is True for text in (fixed.text, *fixed.held))
        if alike and all(holds_at(text, Class(name)) is False for text in fixed.lost):
            yield Class(name)
