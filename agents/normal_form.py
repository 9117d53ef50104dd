"""The normal form in which quotes are compared with the evidence, and which tokens each of its characters lies in.

In the normal form characters that print nothing are dropped, what is left is in NFC, curly quotes, dashes, ellipses and
spaces of any width are folded to their plain forms, white space is collapsed, two or three dashes are one, and case is
kept. A character whose bytes are split over tokens belongs to all of them; so does one of which some bytes are missing.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ELLIPSIS = "..."
REPLACEMENT = "\ufffd"

_BROKEN = "agents.normal_form.broken"

_FOLDED = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\u02bc\u0060\u00b4\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\u301f\uff02", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2026\u22ef", ELLIPSIS),
}
_TYPED_DASH = re.compile("(?<!-)-{2,3}(?!-)")  # four and more are a rule

# Soft hyphen, joiners, zero-width spaces, marks of direction, invisible operators and variation selectors: what a
# writer copies or leaves out without seeing it.
_DROPPED = frozenset(
    chr(code)
    for first, last in (
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180B, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E),
        (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    )
    for code in range(first, last + 1)
)  # fmt: skip


class Character(NamedTuple):
    """One character of the normal form, and the first and last token that hold a byte of what it stands for."""

    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class NormalForm:
    """The characters of some tokens, white space not stripped.

    `whole[n]` says whether the text may be cut before token n (after the last one, for n their number): it may not
    inside a character, nor between a letter and its marks.
    """

    characters: list[Character]
    whole: list[bool]


def normalise(text: str) -> str:
    """The normal form of a text, white space at its ends stripped.

    >>> normalise(" the\\u00a0\\u201cpizza\\u201d\\u2026 ")
    'the "pizza"...'
    """
    return "".join(character.text for character in normal_form([text]).characters).strip()


def normal_form(tokens: Sequence[str]) -> NormalForm:
    """The normal form of some tokens read one after the other."""
    whole = [True] * (len(tokens) + 1)
    characters: list[Character] = []
    for text, first, last in _composed(_decoded(tokens, whole)):
        whole[first + 1 : last + 1] = [False] * (last - first)
        for piece in text:
            folded = " " if piece.isspace() else _FOLDED.get(piece, piece)
            if folded == " " and characters and characters[-1].text == folded:
                characters[-1] = characters[-1]._replace(last=last)
            else:
                characters.extend(Character(part, first, last) for part in folded)
    for dash in reversed([*_TYPED_DASH.finditer("".join(character.text for character in characters))]):
        first, last = characters[dash.start()].first, characters[dash.end() - 1].last
        whole[first + 1 : last + 1] = [False] * (last - first)
        characters[dash.start() : dash.end()] = [Character("-", first, last)]
    return NormalForm(characters, whole)


def one_dash(text: str) -> str:
    """A part of a normal form with each two or three dashes as one: the part may have been cut out of a rule."""
    return _TYPED_DASH.sub("-", text)


def shown(tokens: Sequence[str]) -> str:
    """The text of some tokens as a reader sees it: bytes that make no character are U+FFFD."""
    return utf8("".join(tokens)).decode("utf-8", "replace")


def utf8(text: str) -> bytes:
    """UTF-8, with surrogates that stand for bytes turned back into them and any others into U+FFFD."""
    return re.sub("[\ud800-\udc7f\udd00-\udfff]", REPLACEMENT, text).encode("utf-8", "surrogateescape")


def _decoded(tokens: Sequence[str], whole: list[bool]) -> list[Character]:
    """Characters as written, bytes that tokens split joined again, what prints nothing left out; fills in `whole`."""
    pieces = [utf8(token) for token in tokens]
    owner = [number for number, piece in enumerate(pieces) for _ in piece]
    decoded: list[Character] = []
    offset = 0
    for character in b"".join(pieces).decode("utf-8", _BROKEN):
        broken = "\udc80" < character <= "\udc83"
        width = ord(character) - 0xDC80 if broken else len(character.encode())
        first, last = owner[offset], owner[offset + width - 1]
        whole[first + 1 : last + 1] = [False] * (last - first)
        if character not in _DROPPED:
            decoded.append(Character(REPLACEMENT if broken else character, first, last))
        offset += width
    return decoded


def _broken(error: UnicodeError) -> tuple[str, int]:
    """For bytes that begin a character and do not end it, one lone surrogate, which says how many there are."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(0xDC80 + error.end - error.start), error.end


codecs.register_error(_BROKEN, _broken)


def _composed(characters: list[Character]) -> list[Character]:
    """NFC, stretch by stretch: marks, and what else composes with what is before, share one stretch and its tokens.

    A stretch is composed when the next character asks whether it belongs to it, not at each of its marks: a letter
    under a thousand marks takes no longer than a thousand letters.
    """
    text = "".join(character.text for character in characters)
    if text.isascii() or (unicodedata.is_normalized("NFC", text) and not any(map(unicodedata.combining, text))):
        return characters
    stretches: list[Character] = []
    marks: list[str] = []  # of the last stretch, not yet composed with it
    for character in characters:
        if stretches and unicodedata.combining(character.text):
            marks.append(character.text)
            stretches[-1] = stretches[-1]._replace(last=character.last)
            continue
        alone = unicodedata.normalize("NFC", character.text)
        if stretches:
            before = _with_marks(stretches[-1], marks)
            joined = unicodedata.normalize("NFC", before.text + character.text)
            if joined != before.text + alone:
                stretches[-1] = Character(joined, before.first, character.last)
                continue
            stretches[-1] = before
        stretches.append(character._replace(text=alone))
    if stretches:
        stretches[-1] = _with_marks(stretches[-1], marks)
    return stretches


def _with_marks(stretch: Character, marks: list[str]) -> Character:
    """The stretch composed with its marks, which are used up."""
    if not marks:
        return stretch
    text = unicodedata.normalize("NFC", stretch.text + "".join(marks))
    marks.clear()
    return stretch._replace(text=text)
