"""An edit of a text: which tokens become which, so that every token of one side finds its counterpart on the other.

A text and its original are kept as columns, each with a piece of the original and the piece that stands in its place.
Alignment, going back part of the way, and deleting the same tokens on both sides are then all one walk over columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probes.subject import TokenIds


@dataclass(frozen=True, slots=True)
class Replacement:
    """`original[start:stop]` becomes `token_ids`."""

    start: int
    stop: int
    token_ids: TokenIds


@dataclass(frozen=True, slots=True)
class Column:
    """A piece of the original and what stands in its place; equal where nothing was edited."""

    original: TokenIds
    edited: TokenIds

    @property
    def is_edit(self) -> bool:
        return self.original != self.edited

    def counterpart(self, offset: int) -> int | None:
        """The offset in `original` of the token that `edited[offset]` stands for: one to one, else last to last.

        >>> Column((5, 6), (7,)).counterpart(0)
        1
        """
        if len(self.original) == len(self.edited):
            return offset
        return len(self.original) - 1 if self.original and offset == len(self.edited) - 1 else None


@dataclass(frozen=True, slots=True)
class Edit:
    """A text that a generator wrote, and where it comes from.

    `parent` is the index of the text that it edits, None for a text that stands alone; `replacements` say how, in
    order and apart. `position` is the token of interest, None where any will do; `note` says in a few words what was
    done.
    """

    token_ids: TokenIds
    generator: str
    parent: int | None = None
    replacements: tuple[Replacement, ...] = ()
    position: int | None = None
    note: str = ""

    @classmethod
    def of(
        cls,
        original: TokenIds,
        replacements: Iterable[Replacement],
        *,
        parent: int,
        generator: str,
        position: int | None = None,
        note: str = "",
    ) -> Edit:
        """Apply replacements to the original; `position` counts in the original and is carried over.

        >>> Edit.of((1, 2, 3), [Replacement(1, 2, (8, 9))], parent=0, generator="g", position=2)
        Edit(token_ids=(1, 8, 9, 3), generator='g', parent=0, replacements=(Replacement(start=1, stop=2, \
token_ids=(8, 9)),), position=3, note='')
        """
        ordered = tuple(sorted(replacements, key=lambda replacement: (replacement.start, replacement.stop)))
        columns = columns_of(original, ordered)
        return cls(edited(columns), generator, parent, ordered, _carried(columns, position), note)


def columns_of(original: TokenIds, replacements: Sequence[Replacement]) -> tuple[Column, ...]:
    """The original and its edited form, column by column: single tokens wherever only one side has any, or both agree.

    So shrinking can take part of an insertion or of a deletion back.
    """
    columns: list[Column] = []
    done = 0
    for replacement in replacements:
        if not done <= replacement.start <= replacement.stop <= len(original):
            raise ValueError("replacements must be in order, apart and within the text")
        columns += [Column((token,), (token,)) for token in original[done : replacement.start]]
        gone, put = original[replacement.start : replacement.stop], replacement.token_ids
        if gone and put:
            columns.append(Column(gone, put))
        else:
            columns += [Column((token,), ()) for token in gone] + [Column((), (token,)) for token in put]
        done = replacement.stop
    columns += [Column((token,), (token,)) for token in original[done:]]
    return tuple(columns)


def edited(columns: Iterable[Column]) -> TokenIds:
    return tuple(token for column in columns for token in column.edited)


def original(columns: Iterable[Column]) -> TokenIds:
    return tuple(token for column in columns for token in column.original)


def locate(columns: Sequence[Column], position: int) -> tuple[int, int]:
    """The column that holds token `position` of the edited text, and the offset in it."""
    for index, column in enumerate(columns):
        if position < len(column.edited):
            return index, position
        position -= len(column.edited)
    raise IndexError("no such token in the edited text")


def _carried(columns: Sequence[Column], position: int | None) -> int | None:
    if position is None:
        return None
    before = after = 0
    for column in columns:
        if position < before + len(column.original):
            offset = position - before
            same = len(column.original) == len(column.edited)
            if not column.edited:
                return None
            return after + (offset if same else len(column.edited) - 1)
        before += len(column.original)
        after += len(column.edited)
    return None
