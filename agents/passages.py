"""Where a quote stands in a sample's texts: searched for in their normal form, on token boundaries."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from agents.normal_form import Character, NormalForm, normal_form, one_dash
from dsl.records import Context

_SEPARATOR = "\ud800"  # between examples; no normalised text holds a surrogate, so no match runs across
_DOTS = r"(?:\.{3,}|\[ ?\.{3,} ?\]|\( ?\.{3,} ?\))"
_THREE = _DOTS.replace(r"\.{3,}", r"\.{3}", 1)  # of four dots at an end one may be the full stop
_GAP = re.compile(rf" *{_DOTS} *")
_BEGINNINGS = (re.compile("^"), re.compile(rf"^{_THREE} *"), re.compile(rf"^(?:{_DOTS} *)+"))
_ENDINGS = (re.compile("$"), re.compile(rf" *{_THREE}$"), re.compile(rf"(?: *{_DOTS})+$"))
_ENDS_TRIED, _GAPS_TRIED, _LONGEST_NEAR, _ENOUGH = 16, 4, 400, 100  # bounds on the work that one request can cause

Codes = Int32[np.ndarray, " _length"]


class Place(NamedTuple):
    """A token span of an example: tokens start to stop - 1."""

    example: int
    start: int
    stop: int


class Passages:
    """The normal forms of a sample: one example's at a time by span, all joined for searches, each made once."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        self._contexts = contexts
        self._forms: dict[int, NormalForm] = {}

    def places(self, wanted: str) -> list[Place]:
        """Every token span whose normalised text is `wanted` (normalised, not empty), in order."""
        joined, found = self._joined, list[Place]()
        at = joined.text.find(wanted)
        while at >= 0:
            end = at + len(wanted) - 1
            if joined.opens[at] and joined.closes[end]:
                # The bytes of a space, or of what prints nothing, may reach into the next token.
                place = self.snapped(tight := joined.place(at, end))
                if place == tight or self.text(place) == wanted:
                    found.append(place)
            at = joined.text.find(wanted, at + 1)
        return found

    def elided_places(self, wanted: str, longest: int, asked_for: Callable[[Place], bool]) -> list[Place]:
        """The spans of at most `longest` tokens that hold the parts of `wanted` between its ellipses, in their order.

        They open with the first part and close with the last. Ellipses at the ends of `wanted` only say that the text
        goes on; each of the others may stand for words left out, or for itself. A hundred spans are enough.
        """
        cores = open_ended(wanted)
        for core in cores:
            if whole := [place for place in self.places(core) if asked_for(place)]:
                return whole
        found: set[Place] = set()
        standing = cache(self._by_example)
        for parts in _readings(cores[-1]) if cores else ():
            for place in _spans([standing(part) for part in parts], longest):
                if asked_for(place):
                    found.add(place)
                if len(found) >= _ENOUGH:
                    return sorted(found)
        return sorted(found)

    def stands_elided(self, wanted: str, asked_for: Callable[[Place], bool]) -> bool:
        """Whether the parts of `wanted` stand in one example in their order, however far apart."""
        standing = cache(self._by_example)
        for parts in _readings((open_ended(wanted) or [""])[-1]):
            for example, [first, *_] in standing(parts[0]).items():
                last = Place(example, 0, 0)
                for part in parts:
                    later = [place for place in standing(part).get(example, ()) if place.start >= last.stop]
                    if not later:
                        break
                    last = later[0]
                else:
                    if asked_for(Place(example, first.start, last.stop)):
                        return True
        return False

    def text(self, place: Place) -> str | None:
        """The normalised text of a token span; None where the span does not exist or cuts a character in two."""
        if not 0 <= place.example < len(self._contexts):
            return None
        if not 0 <= place.start < place.stop <= len(self._contexts[place.example].tokens):
            return None
        if not self._is_whole(place):
            return None
        row = self._form(place.example).characters
        return one_dash("".join(c.text for c in row if c.last >= place.start and c.first < place.stop)).strip()

    def snapped(self, place: Place) -> Place:
        """The smallest span around `place` that cuts no character in two."""
        whole = self._form(place.example).whole
        start, stop = place.start, place.stop
        while not whole[start]:
            start -= 1
        while not whole[stop]:
            stop += 1
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

    def _by_example(self, part: str) -> dict[int, list[Place]]:
        return {example: list(places) for example, places in itertools.groupby(self.places(part), key=_example)}

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

    def _is_whole(self, place: Place) -> bool:
        whole = self._form(place.example).whole
        return whole[place.start] and whole[place.stop]

    def _form(self, example: int) -> NormalForm:
        if example not in self._forms:
            self._forms[example] = normal_form(self._contexts[example].tokens)
        return self._forms[example]

    @cached_property
    def _joined(self) -> _Joined:
        return _Joined([self._form(example).characters for example in range(len(self._contexts))])


class _Joined:
    """All texts as one string, each closed by a separator, and what lies behind each of its characters."""

    def __init__(self, rows: Sequence[Sequence[Character]]) -> None:
        separator = Character(_SEPARATOR, -1, -1)
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


def open_ended(wanted: str) -> list[str]:
    """A text without none, one or all of the ellipses at either end, the longest first: some may be its own."""
    cores = {end.sub("", begin.sub("", wanted)) for begin in _BEGINNINGS for end in _ENDINGS}
    return sorted((core for core in cores if core), key=lambda core: (-len(core), core))


def distance(one: str, other: str) -> int:
    """Levenshtein distance, ignoring case."""
    return int(_sellers(_codes(one), _codes(other), anchored=True)[-1])


def _spans(parts: Sequence[dict[int, list[Place]]], longest: int) -> Iterator[Place]:
    """Spans of at most `longest` tokens that open with a place of the first part and close with one of the last.

    `parts` are the places of each, by example, in order.
    """
    heads, *later = parts
    for example, first_places in heads.items():
        following = [places.get(example, []) for places in later]
        starts = [[place.start for place in places] for places in following]
        for head in first_places if all(following) else ():
            ends = {head.stop}
            for places, at in zip(following, starts, strict=True):
                near = places[bisect_left(at, min(ends)) : bisect_left(at, head.start + longest)] if ends else []
                ends = {place.stop for place in near if place.stop <= head.start + longest}
            yield from (Place(example, head.start, end) for end in sorted(ends))


def _readings(core: str) -> Iterator[list[str]]:
    """The parts of a text, for every way to read its first few ellipses: as words left out, or as they stand.

    At least one is read as words left out.
    """
    gaps = list(itertools.islice(_GAP.finditer(core), _GAPS_TRIED))
    for cut in itertools.product((True, False), repeat=len(gaps)):
        parts, begin = list[str](), 0
        for gap in itertools.compress(gaps, cut):
            parts.append(core[begin : gap.start()])
            begin = gap.end()
        parts = [part for part in (*parts, core[begin:]) if part]
        if any(cut) and len(parts) > 1:
            yield parts


def _example(place: Place) -> int:
    return place.example


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


def _token_boundaries(characters: list[Character]) -> tuple[list[bool], list[bool]]:
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
