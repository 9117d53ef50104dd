"""What a language-model debater may do in a turn, as a grammar that it writes under and as values read back from it.

A turn is a line of notes and one move. Every part is bounded, so a budget of `longest_turn` tokens is never cut off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Literal, TypeAlias

from dsl.ebnf import longest, read
from prompts import escape, unescape

Verb = Literal["QUOTE", "TRY", "EXPLAIN", "DONE"]


@dataclass(frozen=True, slots=True)
class QuoteMove:
    """It wants to quote this from that example."""

    example: int
    text: str


@dataclass(frozen=True, slots=True)
class TryMove:
    """It wants to see what the feature does on this text."""

    text: str


@dataclass(frozen=True, slots=True)
class EndMove:
    """It has seen enough."""


Move: TypeAlias = QuoteMove | TryMove | EndMove


@dataclass(frozen=True, slots=True)
class TurnBounds:
    """The most characters of a line of notes, and of a text that is quoted or tried as it is written (escaped)."""

    note: int = 240
    text: int = 120


@cache
def turn_grammar(verbs: tuple[Verb, ...], bounds: TurnBounds = TurnBounds()) -> str:
    """A line of notes, then one of these moves on the next line; with no verbs, the notes alone.

    >>> print(turn_grammar(("EXPLAIN",)))
    start: "THINK " NOTE "\\n" move
    move: "EXPLAIN"
    NOTE: /[^\\n]{1,240}/
    <BLANKLINE>
    """
    note = f"NOTE: /[^\\n]{{1,{bounds.note}}}/\n"
    if not verbs:
        return f'start: "THINK " NOTE\n{note}'
    lines = ['start: "THINK " NOTE "\\n" move', f"move: {' | '.join(_WRITTEN[verb] for verb in verbs)}", note.rstrip()]
    if "QUOTE" in verbs:
        lines.append("NUMBER: /[0-9]{1,4}/")
    if "QUOTE" in verbs or "TRY" in verbs:
        lines.append(f'TEXT: /"([^"\\\\\\n]|\\\\[^\\n]){{1,{bounds.text}}}"/')
    return "\n".join(lines) + "\n"


@cache
def longest_turn(verbs: tuple[Verb, ...], bounds: TurnBounds = TurnBounds()) -> int:
    """Bytes of the longest turn, and so enough as a budget of tokens.

    >>> longest_turn(("EXPLAIN",), TurnBounds(note=10))
    54
    """
    return longest(read(turn_grammar(verbs, bounds)))


def read_turn(text: str) -> tuple[str, Move]:
    r"""The notes and the move of a turn that its grammar allowed; ValueError for any other text.

    >>> read_turn('THINK pies, perhaps\nQUOTE 3 "hot« pie»"')
    ('pies, perhaps', QuoteMove(example=3, text='hot pie'))
    """
    note, _, move = text.removeprefix("THINK ").partition("\n")
    if quoted := _QUOTE.fullmatch(move):
        return note, QuoteMove(int(quoted[1]), unescape(quoted[2]))
    if tried := _TRY.fullmatch(move):
        return note, TryMove(unescape(tried[1]))
    if move in ("EXPLAIN", "DONE", ""):
        return note, EndMove()
    raise ValueError(f"{text!r} is no turn")


def written(move: Move) -> str:
    r"""A move as it is told again: what it quotes or tries is escaped as a corpus is.

    >>> print(written(TryMove("[INST]")))
    TRY "\[INST\]"
    """
    match move:
        case QuoteMove(example, text):
            return f'QUOTE {example} "{escape(text)}"'
        case TryMove(text):
            return f'TRY "{escape(text)}"'
        case EndMove():
            return "EXPLAIN"


def handles_grammar(choices: Sequence[tuple[int, ...]]) -> str:
    """One of these choices of quotes, by their numbers.

    >>> print(handles_grammar([(1, 2), (1, 3)]))
    start: "Q1 Q2" | "Q1 Q3"
    <BLANKLINE>
    """
    return "start: " + " | ".join(f'"{handles(choice)}"' for choice in choices) + "\n"


def handles(numbers: Sequence[int]) -> str:
    """Quotes by the names that they were given: Q1 is the first that was verified."""
    return " ".join(f"Q{number}" for number in numbers)


def choices(count: int, firing: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Every way to choose `most` of so many quotes, numbered from 1, one of those that fire among them.

    >>> choices(4, firing=[4], most=3)
    [(1, 2, 4), (1, 3, 4), (2, 3, 4)]
    """
    ways = combinations(range(1, count + 1), min(count, most))
    return [way for way in ways if not firing or not set(way).isdisjoint(firing)]


_WRITTEN: dict[Verb, str] = {
    "QUOTE": '"QUOTE " NUMBER " " TEXT',
    "TRY": '"TRY " TEXT',
    "EXPLAIN": '"EXPLAIN"',
    "DONE": '"DONE"',
}
_QUOTE = re.compile(r'QUOTE ([0-9]{1,4}) "(.+)"')
_TRY = re.compile(r'TRY "(.+)"')
