"""The normalised copy of a sample's texts that quotes are checked against, and where its characters lie in tokens.

Normalised: NFC; curly quotes, dashes, ellipses and no-break spaces folded to their plain forms; zero-width spaces
dropped; white space collapsed; case kept. A character whose bytes are split over tokens belongs to all of them.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from dsl.records import Context

ELLIPSIS = "..."

_SEPARATOR = "\ud800"  # between examples; no normalised text holds a surrogate, so no match runs across
_FOLDED = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    "\u2026": ELLIPSIS,
}
_DROPPED = frozenset("\u200b\u2060\ufeff")
_REPLACEMENT = "\ufffd"
_ENDS_TRIED, _GAPS_TRIED, _LONGEST_NEAR = 16, 4, 400  # bounds on the work that one request can cause

Codes = Int32[np.ndarray, " _length"]


class Place(NamedTuple):
    """A token span of an example: tokens start to stop - 1."""

    example: int
    start: int
    stop: int


class _Character(NamedTuple):
    """One character of the copy, and the first and last token that hold a byte of what it stands for."""

    text: str
    first: int
    last: int


def normalise(text: str) -> str:
    """The normalised form of a text, white space at its ends stripped.

    >>> normalise(" the\\u00a0\\u201cpizza\\u201d\\u2026 ")
    'the "pizza"...'
    """
    return "".join(character.text for character in _characters([text])).strip()


def shown(tokens: Sequence[str]) -> str:
    """The text of some tokens as a reader sees it: bytes that make no character are U+FFFD."""
    return utf8("".join(tokens)).decode("utf-8", "replace")


def utf8(text: str) -> bytes:
    """UTF-8, with surrogates that stand for bytes turned back into them and any others into U+FFFD."""
    return re.sub("[\ud800-\udc7f\udd00-\udfff]", _REPLACEMENT, text).encode("utf-8", "surrogateescape")


class Passages:
    """The normalised texts of a sample: one example's at a time by span, all joined for searches, each made once."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        self._contexts = contexts
        self._rows: dict[int, list[_Character]] = {}

    def places(self, wanted: str) -> list[Place]:
        """Every token span whose normalised text is `wanted` (normalised, not empty), in order."""
        joined, found = self._joined, list[Place]()
        at = joined.text.find(wanted)
        while at >= 0:
            end = at + len(wanted) - 1
            if joined.opens[at] and joined.closes[end]:
                found.append(joined.place(at, end))
            at = joined.text.find(wanted, at + 1)
        return found

    def elided_places(self, wanted: str) -> list[Place]:
        """Every span that opens with what stands before an ellipsis in `wanted` and closes with what stands after it.

        Ellipses at the ends of `wanted` only say that the text goes on.
        """
        core = re.sub(r" *\.{3,}$", "", re.sub(r"^\.{3,} *", "", wanted))
        if core and core != wanted and (whole := self.places(core)):
            return whole
        found: set[Place] = set()
        for gap in itertools.islice(re.finditer(r" *\.{3,} *", core), _GAPS_TRIED):
            head, tail = core[: gap.start()], core[gap.end() :]
            if head and tail:
                tails = self.places(tail)
                found.update(
                    Place(first.example, first.start, last.stop)
                    for first in self.places(head)
                    for last in tails
                    if first.example == last.example and first.stop <= last.start
                )
        return sorted(found)

    def text(self, place: Place) -> str | None:
        """The normalised text of a token span; None where the span does not exist or cuts a character in two."""
        if not 0 <= place.example < len(self._contexts):
            return None
        if not 0 <= place.start < place.stop <= len(self._contexts[place.example].tokens):
            return None
        if self.snapped(place) != place:
            return None
        inside = (c.text for c in self._row(place.example) if c.last >= place.start and c.first < place.stop)
        return "".join(inside).strip()

    def snapped(self, place: Place) -> Place:
        """The smallest span around `place` that cuts no character in two."""
        start, stop = place.start, place.stop
        row = [character for character in self._row(place.example) if character.text != " "]
        for character in reversed(row):
            if character.first < start <= character.last:
                start = character.first
        for character in row:
            if character.first < stop <= character.last:
                stop = character.last + 1
        return Place(place.example, start, stop)

    def nearest(self, wanted: str) -> Place | None:
        """The span whose text is a small edit distance from `wanted`, ignoring case; None where none is close.

        Sellers' algorithm (1980): edit distance to every substring, one row of the table per wanted character.
        """
        allowed, codes = edits_allowed(wanted), self._joined.codes
        query = _codes(wanted)
        if len(query) > _LONGEST_NEAR or len(codes) == 0:
            return None
        row = _sellers(query, codes)[1:]
        ends = np.flatnonzero(row <= allowed)
        for end in ends[np.argsort(row[ends], kind="stable")][:_ENDS_TRIED].tolist():
            window = codes[max(0, end + 1 - len(query) - allowed) : end + 1]
            length = int(np.argmin(_sellers(query[::-1], window[::-1], anchored=True)))
            if length and (place := self._snapped_near(end + 1 - length, end, wanted)):
                return place
        return None

    def _snapped_near(self, first: int, last: int, wanted: str) -> Place | None:
        text = self._joined.text
        if _SEPARATOR in text[first : last + 1]:
            return None
        while first < last and text[first] == " ":
            first += 1
        while first < last and text[last] == " ":
            last -= 1
        place = self.snapped(self._joined.place(first, last))
        found = self.text(place)
        return place if found and distance(wanted, found) <= edits_allowed(wanted) else None

    def _row(self, example: int) -> list[_Character]:
        if example not in self._rows:
            self._rows[example] = _characters(self._contexts[example].tokens)
        return self._rows[example]

    @cached_property
    def _joined(self) -> _Joined:
        return _Joined([self._row(example) for example in range(len(self._contexts))])


class _Joined:
    """All texts as one string, each closed by a separator, and what lies behind each of its characters."""

    def __init__(self, rows: Sequence[Sequence[_Character]]) -> None:
        separator = _Character(_SEPARATOR, -1, -1)
        self._characters = [character for row in rows for character in (*row, separator)]
        self._example = [number for number, row in enumerate(rows) for _ in range(len(row) + 1)]
        self.text = "".join(character.text for character in self._characters)
        self.opens, self.closes = _token_boundaries(self._characters)
        self.codes = _codes(self.text)

    def place(self, first: int, last: int) -> Place:
        return Place(self._example[first], self._characters[first].first, self._characters[last].last + 1)


def edits_allowed(wanted: str) -> int:
    """How many edits still count as a near miss: none below four characters, then about one in six."""
    return (len(wanted) + 2) // 6


def distance(one: str, other: str) -> int:
    """Levenshtein distance, ignoring case."""
    return int(_sellers(_codes(one), _codes(other), anchored=True)[-1])


def _sellers(query: Codes, text: Codes, anchored: bool = False) -> Codes:
    """Edit distance of the query to the best substring that ends at each of len(text) + 1 places.

    Anchored: to the whole prefix that ends there, instead.
    """
    columns = np.arange(len(text) + 1, dtype=np.int32)
    row = columns.copy() if anchored else np.zeros_like(columns)
    for number, code in enumerate(query, start=1):
        following = np.empty_like(row)
        following[0] = number
        np.minimum(row[1:] + 1, row[:-1] + (text != code), out=following[1:])
        row = np.minimum.accumulate(following - columns) + columns  # insertions: best so far, one more each step
    return row


def _characters(tokens: Sequence[str]) -> list[_Character]:
    """The normalised characters of some tokens, white space collapsed but not stripped."""
    characters: list[_Character] = []
    for text, first, last in _composed(_decoded(tokens)):
        for piece in text:
            folded = " " if piece.isspace() else _FOLDED.get(piece, piece)
            if folded in (" ", _REPLACEMENT) and characters and characters[-1].text == folded:
                characters[-1] = characters[-1]._replace(last=last)
            else:
                characters.extend(_Character(part, first, last) for part in folded)
    return characters


def _decoded(tokens: Sequence[str]) -> list[_Character]:
    """Characters as written, bytes that tokens split joined again, zero-width spaces left out."""
    pieces = [utf8(token) for token in tokens]
    owner = [number for number, piece in enumerate(pieces) for _ in piece]
    decoded: list[_Character] = []
    offset = 0
    for character in b"".join(pieces).decode("utf-8", "surrogateescape"):
        width = len(character.encode("utf-8", "surrogateescape"))
        if character not in _DROPPED:
            text = _REPLACEMENT if "\udc80" <= character <= "\udcff" else character
            decoded.append(_Character(text, owner[offset], owner[offset + width - 1]))
        offset += width
    return decoded


def _composed(characters: list[_Character]) -> list[_Character]:
    """NFC, stretch by stretch: characters that compose with what is before them share one stretch and its tokens."""
    text = "".join(character.text for character in characters)
    if unicodedata.is_normalized("NFC", text):
        return characters
    stretches: list[_Character] = []
    for character in characters:
        if stretches:
            before = stretches[-1]
            joined = unicodedata.normalize("NFC", before.text + character.text)
            apart = before.text + unicodedata.normalize("NFC", character.text)
            if unicodedata.combining(character.text) or joined != apart:
                stretches[-1] = _Character(joined, before.first, character.last)
                continue
        stretches.append(character._replace(text=unicodedata.normalize("NFC", character.text)))
    return stretches


def _token_boundaries(characters: list[_Character]) -> tuple[list[bool], list[bool]]:
    """Whether each character is the first, and the last, of its token that is not white space."""
    opens, closes = [False] * len(characters), [False] * len(characters)
    before = -1
    for number, character in enumerate(characters):
        if character.text == _SEPARATOR:
            before = -1
        elif character.text != " ":
            opens[number] = character.first > before
            before = character.last
    after = -1
    for number in range(len(characters) - 1, -1, -1):
        character = characters[number]
        if character.text == _SEPARATOR:
            after = -1
        elif character.text != " ":
            closes[number] = after < 0 or character.last < after
            after = character.first
    return opens, closes


def _codes(text: str) -> Codes:
    """Code points, of small letters where that changes no lengths."""
    small = ((character.lower(), character) for character in text)
    return np.array([ord(lowered if len(lowered) == 1 else plain) for lowered, plain in small], dtype=np.int32)
