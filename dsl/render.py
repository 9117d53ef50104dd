"""An explanation's one canonical text: a single line that parses back to an equal value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import assert_never

from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    LevelName,
    Modifier,
    Not,
    Or,
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
)

EXCEPT, OR, AND, NOT, CLAUSE, PHRASE = range(6)
"""How tightly a construct binds; where a tighter one is called for, a looser one takes parentheses."""

ADVERBS: dict[LevelName, str] = {
    "strong": "strongly",
    "moderate": "moderately",
    "weak": "weakly",
    "faint": "faintly",
}


def render(explanation: Explanation) -> str:
    r"""The canonical text, on one line; `parse(render(e)) == e`.

    >>> render(Explanation(Tokens((" pizza",)), promotes=(" slice", "\n")))
    'activates on the token " pizza"; promotes "\\n", " slice"'
    """
    if len(explanation.levels) == 1 and explanation.strong is not None:
        levels = f"on {render_expression(explanation.strong)}"
    else:
        levels = "; ".join(f"{ADVERBS[name]} on {render_expression(part)}" for name, _, part in explanation.levels)
    promotes = f"; promotes {listed(explanation.promotes)}" if explanation.promotes else ""
    return f"activates {levels}{promotes}"


def render_expression(expression: Expression) -> str:
    """The canonical text of a part of an explanation.

    >>> render_expression(Clause(Class("digits"), (RightAfter(Tokens(("$",))),)))
    'digits right after the token "$"'
    """
    return grouped(expression, EXCEPT)


def grouped(expression: Expression, tightness: int) -> str:
    """The text of an expression where one that binds at least this tightly is called for.

    >>> grouped(Not(Class("digits")), PHRASE)
    '(not digits)'
    """
    text, own = spelt(expression)
    return f"({text})" if own < tightness else text


def spelt(expression: Expression) -> tuple[str, int]:
    """The text of an expression without parentheses of its own, and how tightly it binds."""
    match expression:
        case Except(kept, removed):
            return f"{grouped(kept, OR)} except {grouped(removed, OR)}", EXCEPT
        case Or(operands):
            return " or ".join(grouped(operand, AND) for operand in operands), OR
        case And(operands):
            return " and ".join(grouped(operand, NOT) for operand in operands), AND
        case Not(operand):
            return f"not {grouped(operand, NOT)}", NOT
        case Clause(phrase, modifiers):
            return grouped(phrase, PHRASE) + "".join(map(_modifier, modifiers)), CLAUSE
        case Tokens(strings):
            return _list_of("token", strings), PHRASE
        case Words(words):
            return _list_of("word", words), PHRASE
        case Phrase(words):
            return f"the phrase {quoted(' '.join(words))}", PHRASE
        case FormsOf(word, forms):
            return f"any form of {quoted(word)} [{listed(forms)}]", PHRASE
        case WordsLike(word, words):
            return f"words like {quoted(word)} [{listed(words)}]", PHRASE
        case TokensWith(part, text):
            return f"tokens {part} {quoted(text)}", PHRASE
        case TokensMatching(pattern):
            return f"tokens matching {slashed(pattern)}", PHRASE
        case Class(name) | Boundary(name):
            return name, PHRASE
        case AnyToken():
            return "any token", PHRASE
        case Positions(first, last):
            return "the first token" if first == last == 1 else f"tokens {first} to {last}", PHRASE
        case RepeatedToken():
            return "a repeated token", PHRASE
        case FollowedBefore(token):
            return f"a token that followed {quoted(token)} before", PHRASE
        case _:
            assert_never(expression)


def _modifier(modifier: Modifier) -> str:
    match modifier:
        case RightAfter(anchor) | Within(anchor):
            return f" {relation(modifier)} {grouped(anchor, PHRASE)}"
        case About(topic, words):
            return f" in text about {quoted(topic)} [{listed(words)}]"
        case Inside(enclosure):
            return f" inside {enclosure}"
        case _:
            assert_never(modifier)


def relation(modifier: RightAfter | Within) -> str:
    """The words between a phrase and its anchor.

    >>> relation(Within(Class("digits"), 5))
    'within 5 tokens after'
    """
    if isinstance(modifier, RightAfter):
        return "right after"
    if modifier.distance == CONTEXT_WINDOW:
        return "in the context of"
    return f"within {modifier.distance} token{'s' if modifier.distance > 1 else ''} after"


def quoted(text: str) -> str:
    r"""A string literal of the language; what would break a line or is not UTF-8 is spelt as `\xNN`, byte by byte.

    >>> print(quoted('say "hi"\n'), quoted("caf\udcc3"), quoted("\r"))
    "say \"hi\"\n" "caf\xc3" "\x0d"
    """
    return f'"{_ESCAPED.sub(_escape, text)}"' if not text.isalnum() else f'"{text}"'


def slashed(pattern: str) -> str:
    """A regular-expression literal of the language: `/` inside it is written with a backslash."""
    return "/" + re.sub(r"\\.|/", lambda found: r"\/" if found[0] == "/" else found[0], pattern) + "/"


_NAMED = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t"}
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\udc80-\udcff]')


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return _NAMED.get(character) or "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _list_of(noun: str, strings: tuple[str, ...]) -> str:
    return f"the {noun}{'s' if len(strings) > 1 else ''} {listed(strings)}"


def listed(strings: Iterable[str]) -> str:
    """String literals with commas between."""
    return ", ".join(map(quoted, strings))
