"""Examples as a language model reads them: escaped, with marks round what fires and a scale from 0 to 10."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agents.normal_form import utf8
from dsl.records import Context, Counterexample, Example, Thresholds
from prompts import escape, mark

SCALE = 10


class Piece(NamedTuple):
    """Tokens that together make whole characters, most often one; `activation` is their highest, escaped the text."""

    text: str
    activation: float


def show_example(number: int, example: Example, thresholds: Thresholds) -> str:
    """One line: the number, the text with its marks, and the activations of what fires.

    >>> pie = Example(Context(("Hot", " pie"), start=0), (0.0, 8.1))
    >>> print(show_example(3, pie, Thresholds.from_maximum(10.0)))
    3. "Hot« pie»" fires: " pie" 8
    """
    start = example.context.start
    place = "(from ?) " if start is None else f"(from token {start + 1}) " if start else ""
    shown = list(pieces(example))
    fires = ", ".join(f'"{text}" {scaled(a, thresholds)}' for text, a in shown if a >= thresholds.high)
    return f'{number}. {place}"{marked(shown, thresholds)}" {f"fires: {fires}" if fires else "silent"}'


def excerpt(example: Example, focus: int, most: int) -> Example:
    """At most so many tokens of an example, three quarters of them before the token `focus`, where there are as many.

    >>> excerpt(Example(Context(tuple("abcdefgh"), start=0), (0.0,) * 8), 5, 4).context
    Context(tokens=('c', 'd', 'e', 'f'), token_ids=None, start=2, document='')
    """
    context = example.context
    first = max(0, min(focus - 3 * most // 4, len(context.tokens) - most))
    start = None if context.start is None else context.start + first
    cut = slice(first, first + most)
    return Example(Context(context.tokens[cut], start=start, document=context.document), example.activations[cut])


def show_tried(example: Example, thresholds: Thresholds) -> str:
    """A text that was tried, with the activation of every token of it.

    >>> pie = Example(Context(("Hot", " pie"), start=0), (0.0, 8.1))
    >>> print(show_tried(pie, Thresholds.from_maximum(10.0)))
    "Hot« pie»", token by token: "Hot" 0, " pie" 8
    """
    shown = list(pieces(example))
    each = ", ".join(f'"{text}" {scaled(activation, thresholds)}' for text, activation in shown)
    return f'"{marked(shown, thresholds)}", token by token: {each}'


def show_counterexample(number: int, found: Counterexample, thresholds: Thresholds) -> str:
    """What the rule predicted and the model did, and beside it the text about which the rule was right, if any."""
    shown = show_example(number, found.example, thresholds)
    token = escape(found.example.context.tokens[found.position])
    said, did = f"{scaled(found.predicted * thresholds.maximum, thresholds)}", scaled(found.activation, thresholds)
    lines = [f'{shown}. On "{token}", token {found.position + 1}, the rule says {said}; the model says {did}.']
    beside = found.original or found.contrast
    if beside is not None:
        lines.append(f"   Beside it, a text where the rule is right: {show_tried(beside, thresholds)}")
    return "\n".join(lines)


def scaled(activation: float, thresholds: Thresholds) -> int:
    """From 1 to 10 where the feature fires, in proportion to its maximum; 0 where it does not."""
    if activation < thresholds.high:
        return 0
    return min(SCALE, max(1, round(SCALE * activation / thresholds.maximum)))


def marked(shown: Sequence[Piece], thresholds: Thresholds) -> str:
    """The text, every piece that fires between marks of its own."""
    return "".join(mark(text) if activation >= thresholds.high else text for text, activation in shown)


def pieces(example: Example) -> Iterator[Piece]:
    """The example's tokens, escaped, joined where only together their bytes make characters."""
    tokens = example.context.tokens
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text, activation = "", 0.0
    for number, (token, value) in enumerate(zip(tokens, example.activations, strict=True), start=1):
        text += decoder.decode(utf8(token), final=number == len(tokens))
        activation = max(activation, value)
        if not decoder.getstate()[0] and text:
            yield Piece(escape(text), activation)
            text, activation = "", 0.0
