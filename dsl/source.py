"""What a person typed, brought to the spacing of the grammar, with the way back to where they typed it.

Outside literals the grammar wants single spaces, a lower-case beginning and no full stop. People break lines, indent,
start sentences with a capital and end them with a stop; all of that is undone here, before parsing. Literals are left
exactly as they are.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_PIECE = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"?          # a string; what is wrong with it is for the parser to say
  | /(?:[^/\\]|\\.)*/?          # a regular expression
  | (?P<space>\s+)
  | (?P<mark>[,;()\[\]])
  | [^\s"/,;()\[\]]+           # a word
  | .                          # a backslash at the very end
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_SPACE_BEFORE, _NO_SPACE_AFTER, _SPACE_AFTER = frozenset(",;)]"), frozenset("(["), frozenset(",;")


@dataclass(frozen=True, slots=True)
class Source:
    """`text` is what the parser reads; `at` maps an offset in it to an offset in `typed`."""

    typed: str
    text: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    def at(self, offset: int) -> int:
        """The offset in what was typed of an offset in `text`.

        >>> tidy("activates\\n    on digits").at(len("activates on "))
        17
        """
        piece = bisect_right(self.starts, offset) - 1
        if piece < 0:
            return min(offset, len(self.typed))
        return min(self.origins[piece] + offset - self.starts[piece], len(self.typed))


def tidy(typed: str) -> Source:
    """Spacing as the grammar has it, outside literals; leading capital and trailing full stop undone.

    >>> tidy('  Activates on  the tokens " a","b" . ').text
    'activates on the tokens " a", "b"'
    """
    out: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    length, space, before = 0, False, ""
    for found in _PIECE.finditer(typed):
        if found.lastgroup == "space":
            space = True
            continue
        piece, origin = found[0], found.start()
        wanted = space or before in _SPACE_AFTER or piece == "["
        if wanted and out and before not in _NO_SPACE_AFTER and piece not in _NO_SPACE_BEFORE:
            starts.append(length)
            origins.append(origin - 1 if space else origin)
            out.append(" ")
            length += 1
        starts.append(length)
        origins.append(origin)
        out.append(piece)
        length += len(piece)
        space, before = False, piece
    if out and out[-1].endswith(".") and out[-1][0] not in '"/':
        out[-1] = out[-1][:-1]
        if not out[-1]:
            del out[-1]
    text = "".join(out).rstrip()
    return Source(typed, text[:1].lower() + text[1:], tuple(starts), tuple(origins))


def nesting(text: str) -> tuple[int, int]:
    """How deep parentheses nest outside literals, and the offset at which that depth is reached.

    >>> nesting('activates on ((the token "("))')
    (2, 14)
    """
    depth = deepest = place = 0
    for found in _PIECE.finditer(text):
        depth += (found[0] == "(") - (found[0] == ")")
        if depth > deepest:
            deepest, place = depth, found.start()
    return deepest, place
