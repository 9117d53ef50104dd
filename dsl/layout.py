"""An explanation over several indented lines, for people; spacing outside literals means nothing, so it parses back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from dsl.nodes import (
    About,
    And,
    Clause,
    Except,
    Explanation,
    Expression,
    FormsOf,
    Inside,
    Modifier,
    Not,
    Or,
    RightAfter,
    Tokens,
    Within,
    Words,
    WordsLike,
)
from dsl.render import ADVERBS, AND, EXCEPT, NOT, OR, PHRASE, grouped, quoted, relation, render, spelt

INDENT = "    "


def layout(explanation: Explanation, width: int = 88) -> str:
    """The canonical text where it fits into `width` columns, or else the same broken into indented lines.

    Only the first line begins at the margin, so a file of several explanations can be told apart. A line exceeds the
    width only where a single literal does. `parse(layout(e)) == e`, and laying out again changes nothing.

    >>> pizza = Clause(Tokens((" pizza",)), (Within(Words(("crust", "dough"))),))
    >>> print(layout(Explanation(pizza, promotes=(" slice",)), width=40))
    activates on the token " pizza"
            in the context of
                the words "crust", "dough";
        promotes " slice"
    """
    text = render(explanation)
    if len(text) <= width:
        return text
    marked = len(explanation.levels) > 1 or explanation.strong is None
    parts = []
    for place, (name, _, expression) in enumerate(explanation.levels):
        words = f"{ADVERBS[name]} on " if marked else "on "
        lines = _after(
            words if place else f"activates {words}", expression, EXCEPT, width - 1 - (len(INDENT) if place else 0)
        )
        parts.append(lines if place == 0 else [INDENT + line for line in lines])
    if explanation.promotes:
        parts.append([INDENT + line for line in _wrapped("promotes ", explanation.promotes, "", width - len(INDENT))])
    return ";\n".join("\n".join(lines) for lines in parts)


def _block(expression: Expression, tightness: int, room: int) -> list[str]:
    """The lines of an expression, the first at the margin; `room` columns, where words can be broken so."""
    text = grouped(expression, tightness)
    if len(text) <= room:
        return [text]
    if spelt(expression)[1] < tightness:
        lines = _block(expression, EXCEPT, room - 2)
        return [f"({lines[0]}", *(f" {line}" for line in lines[1:-1]), f" {lines[-1]})"] if lines[1:] else [text]
    match expression:
        case Except(kept, removed):
            return [*_block(kept, OR, room), *_after("except ", removed, OR, room)]
        case Or(operands):
            return _joined("or ", operands, AND, room)
        case And(operands):
            return _joined("and ", operands, NOT, room)
        case Not(operand):
            return _after("not ", operand, NOT, room)
        case Clause(phrase, modifiers):
            below = [INDENT + line for modifier in modifiers for line in _modifier(modifier, room - len(INDENT))]
            return [*_block(phrase, PHRASE, room), *below]
        case Tokens(strings):
            return _wrapped("the tokens ", strings, "", room) if len(strings) > 1 else [text]
        case Words(words):
            return _wrapped("the words ", words, "", room) if len(words) > 1 else [text]
        case FormsOf(word, words):
            return _wrapped(f"any form of {quoted(word)} [", words, "]", room)
        case WordsLike(word, words):
            return _wrapped(f"words like {quoted(word)} [", words, "]", room)
        case _:
            return [text]


def _modifier(modifier: Modifier, room: int) -> list[str]:
    match modifier:
        case RightAfter(anchor) | Within(anchor):
            return _after(f"{relation(modifier)} ", anchor, PHRASE, room)
        case About(topic, words):
            return _wrapped(f"in text about {quoted(topic)} [", words, "]", room)
        case Inside(enclosure):
            return [f"inside {enclosure}"]
        case _:
            assert_never(modifier)


def _joined(word: str, operands: Sequence[Expression], tightness: int, room: int) -> list[str]:
    """Each operand on lines of its own, all but the first after the word."""
    lines = _block(operands[0], tightness, room)
    for operand in operands[1:]:
        lines.extend(_after(word, operand, tightness, room))
    return lines


def _after(words: str, expression: Expression, tightness: int, room: int) -> list[str]:
    """An expression behind some words: on their line where it fits there, or begun there, or else below them."""
    if len(words) + len(grouped(expression, tightness)) <= room:
        return [words + grouped(expression, tightness)]
    first, *rest = _block(expression, tightness, room - len(INDENT))
    if len(words) + len(first) <= room:
        return [words + first, *(INDENT + line for line in rest)]
    return [words.rstrip(), *(INDENT + line for line in (first, *rest))]


def _wrapped(opening: str, strings: Iterable[str], closing: str, room: int) -> list[str]:
    """A list of strings, as many on a line as fit."""
    *literals, last = [quoted(text) for text in strings]
    lines = [opening]
    for literal in [f"{literal}, " for literal in literals] + [f"{last}{closing}"]:
        if len(lines[-1]) + len(literal.rstrip()) > room and lines[-1] not in (opening, INDENT):
            lines.append(INDENT)
        lines[-1] += literal
    return [line.rstrip() for line in lines]
