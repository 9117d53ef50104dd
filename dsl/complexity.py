"""How long an explanation is, in bits and in nodes; which of two is simpler.

`bits` is the length of a prefix code, so it is a proper description length (Rissanen 1978): shorter explanations are
likelier a priori, and a longer one has to earn its bits on the evidence. The code spends

- log2 of the number of choices on each choice: of construct, of modifier, of class, of the kind of string test;
- an Elias gamma code on each count and position, a uniform code on each distance;
- on each string its letters, by an order-0 model of English, and its end;
- `EXPANSION_BITS` on each further word of a list that a lexicon fills in: it says which of the lexicon's next few
  words is meant, as it does not have to be spelt.

Adding an operand, a modifier, a level, a string or a promoted token never makes an explanation shorter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import assert_never, get_args

from dsl.nodes import (
    CONTEXT_WINDOW,
    LEVELS,
    MAX_DISTANCE,
    About,
    And,
    AnyToken,
    Atom,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Enclosure,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Modifier,
    Not,
    Or,
    Part,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    children,
)
from dsl.render import render

EXPANSION_BITS = 3.0

_CONSTRUCT = math.log2(len(get_args(Atom)) + 5)  # atoms, clause, not, and, or, except
_MODIFIER = math.log2(5)  # right after, in the context of, within N tokens after, in text about, inside
_LEVELS = math.log2(2 ** len(LEVELS) - 1)  # which of them there are: not none


def bits(explanation: Explanation | Expression) -> float:
    """Description length in bits, of an explanation or of a part of one.

    >>> round(bits(Tokens((" the",))), 1), round(bits(Tokens((" the", " she"))), 1)
    (23.4, 44.1)
    """
    if not isinstance(explanation, Explanation):
        return _expression(explanation)
    levels = sum(_expression(expression) for _, _, expression in explanation.levels)
    promotes = _strings(explanation.promotes) if explanation.promotes else 0.0
    return _LEVELS + levels + 1 + promotes


def size(explanation: Explanation | Expression) -> int:
    """Number of nodes: each construct and each modifier counts one, whatever strings it lists, and `promotes` one.

    >>> size(Clause(Tokens((" pizza",)), (Within(Words(("crust",))),)))
    3
    """
    if isinstance(explanation, Explanation):
        return sum(size(level) for _, _, level in explanation.levels) + bool(explanation.promotes)
    own = len(explanation.modifiers) if isinstance(explanation, Clause) else 1
    return own + sum(map(size, children(explanation)))


def order(explanation: Explanation) -> tuple[float, str]:
    """A sort key, simplest first: by bits, then by canonical text, so that no two explanations tie."""
    return bits(explanation), render(explanation)


def _expression(expression: Expression) -> float:
    return _CONSTRUCT + _content(expression)


def _content(expression: Expression) -> float:
    match expression:
        case Tokens(strings) | Words(strings):
            return _strings(strings)
        case Phrase(words):
            return _count(len(words) - 1) + sum(map(_string, words))
        case FormsOf(word, words) | WordsLike(word, words):
            return _string(word) + _expansion(words)
        case TokensWith(_, text):
            return math.log2(len(get_args(Part))) + _string(text)
        case TokensMatching(pattern):
            return _string(pattern)
        case Class():
            return math.log2(len(get_args(ClassName)))
        case Boundary():
            return math.log2(len(get_args(BoundaryName)))
        case Positions(first, last):
            return _count(first) + _count(last - first + 1)
        case FollowedBefore(token):
            return _string(token)
        case AnyToken() | RepeatedToken():
            return 0.0
        case Clause(phrase, modifiers):
            return _expression(phrase) + _count(len(modifiers)) + sum(map(_modifier, modifiers))
        case Not(operand):
            return _expression(operand)
        case And(operands) | Or(operands):
            return _count(len(operands) - 1) + sum(map(_expression, operands))
        case Except(kept, removed):
            return _expression(kept) + _expression(removed)
        case _:
            assert_never(expression)


def _modifier(modifier: Modifier) -> float:
    match modifier:
        case RightAfter(anchor):
            return _MODIFIER + _expression(anchor)
        case Within(anchor, distance):
            return _MODIFIER + _expression(anchor) + (0.0 if distance == CONTEXT_WINDOW else math.log2(MAX_DISTANCE))
        case About(topic, words):
            return _MODIFIER + _string(topic) + _expansion(words)
        case Inside():
            return _MODIFIER + math.log2(len(get_args(Enclosure)))
        case _:
            assert_never(modifier)


def _count(number: int) -> float:
    """The Elias gamma code of a number of at least 1."""
    return 2.0 * (number.bit_length() - 1) + 1.0


def _strings(strings: Iterable[str]) -> float:
    spelt = [_string(text) for text in strings]
    return _count(len(spelt)) + sum(spelt)


def _expansion(words: tuple[str, ...]) -> float:
    return _count(len(words)) + EXPANSION_BITS * len(words)


def _string(text: str) -> float:
    return sum(_LETTERS.get(character, _OTHER) for character in text) + _END


# Shares of letters in English text in per cent (Lewand, Cryptological Mathematics, 2000), then the shares of mass that
# classes of characters have in token strings: together they are at most 1, as a prefix code needs.
_ENGLISH = {
    "a": 8.167, "b": 1.492, "c": 2.782, "d": 4.253, "e": 12.702, "f": 2.228, "g": 2.015, "h": 6.094, "i": 6.966,
    "j": 0.153, "k": 0.772, "l": 4.025, "m": 2.406, "n": 6.749, "o": 7.507, "p": 1.929, "q": 0.095, "r": 5.987,
    "s": 6.327, "t": 9.056, "u": 2.758, "v": 0.978, "w": 2.360, "x": 0.150, "y": 1.974, "z": 0.074,
}  # fmt: skip
_LOWER, _SPACE, _STOP, _PRINTABLE, _REST = 0.60, 0.12, 0.18, 0.09, 0.01
_END = -math.log2(_STOP)
_OTHER = -math.log2(_REST / 0x110000)
_LETTERS = {
    **{chr(code): -math.log2(_PRINTABLE / 95) for code in range(0x20, 0x7F)},
    **{letter: -math.log2(_LOWER * share / sum(_ENGLISH.values())) for letter, share in _ENGLISH.items()},
    " ": -math.log2(_SPACE),
    "\n": -math.log2(_PRINTABLE / 95),
}
