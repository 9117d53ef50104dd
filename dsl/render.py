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

_EXCEPT, _OR, _AND, _NOT, _CLAUSE, _PHRASE = range(6)
"""How tightly a construct binds; where a tighter one is called for, a looser one takes parentheses."""


_ADVERBS: dict[LevelName, str] = {
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
        levels = "; ".join(f"{_ADVERBS[name]} on {render_expression(part)}" for name, _, part in explanation.levels)
    promotes = f"; promotes {_listed(explanation.promotes)}" if explanation.promotes else ""
    return f"activates {levels}{promotes}"


def render_expression(expression: Expression) -> str:
    """The canonical text of a part of an explanation.

    >>> render_expression(Clause(Class("digits"), (RightAfter(Tokens(("$",))),)))
    'digits right after the token "$"'
    """
    return _render(expression, _EXCEPT)


def _render(expression: Expression, tightness: int) -> str:
    text, own = _spelt(expression)
    return f"({text})" if own < tightness else text


def _spelt(expression: Expression) -> tuple[str, int]:
    match expression:
        case Except(kept, removed):
            return f"{_render(kept, _OR)} except {_render(removed, _OR)}", _EXCEPT
        case Or(operands):
            return " or ".join(_render(operand, _AND) for operand in operands), _OR
        case And(operands):
            return " and ".join(_render(operand, _NOT) for operand in operands), _AND
        case Not(operand):
            return f"not {_render(operand, _NOT)}", _NOT
        case Clause(phrase, modifiers):
            return _render(phrase, _PHRASE) + "".join(map(_modifier, modifiers)), _CLAUSE
        case Tokens(strings):
            return _list_of("token", strings), _PHRASE
        case Words(words):
            return _list_of("word", words), _PHRASE
        case Phrase(words):
            return f"the phrase {quoted(' '.join(words))}", _PHRASE
        case FormsOf(word, forms):
            return f"any form of {quoted(word)} [{_listed(forms)}]", _PHRASE
        case WordsLike(word, words):
            return f"words like {quoted(word)} [{_listed(words)}]", _PHRASE
        case TokensWith(part, text):
            return f"tokens {part} {quoted(text)}", _PHRASE
        case TokensMatching(pattern):
            return f"tokens matching {slashed(pattern)}", _PHRASE
        case Class(name) | Boundary(name):
            return name, _PHRASE
        case AnyToken():
            return "any token", _PHRASE
        case Positions(first, last):
            return "the first token" if first == last == 1 else f"tokens {first} to {last}", _PHRASE
        case RepeatedToken():
            return "a repeated token", _PHRASE
        case FollowedBefore(token):
            return f"a token that followed {quoted(token)} before", _PHRASE
        case _:
            assert_never(expression)


def _modifier(modifier: Modifier) -> str:
    match modifier:
        case RightAfter(anchor):
            return f" right after {_render(anchor, _PHRASE)}"
        case Within(anchor, distance):
            if distance == CONTEXT_WINDOW:
                return f" in the context of {_render(anchor, _PHRASE)}"
            tokens = "token" if distance == 1 else "tokens"
            return f" within {distance} {tokens} after {_render(anchor, _PHRASE)}"
        case About(topic, words):
            return f" in text about {quoted(topic)} [{_listed(words)}]"
        case Inside(enclosure):
            return f" inside {enclosure}"
        case _:
            assert_never(modifier)


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
    return f"the {noun}{'s' if len(strings) > 1 else ''} {_listed(strings)}"


def _listed(strings: Iterable[str]) -> str:
    return ", ".join(map(quoted, strings))
