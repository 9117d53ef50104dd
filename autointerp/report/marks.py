"""Tokens as spans to draw: two tracks, what the feature did and what the explanation says, and where they part."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from autointerp.report.numbers import short
from autointerp.report.view import ExampleView
from dsl.nodes import PREDICTED

LEVELS = 10
SHORT_STRING = 24  # kept on one line: the leading space of a token must not hide at a line's end
MAX_TOKENS = 160
"""Longer texts are cut to a window of so many tokens around what matters in them."""

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PARTS_OF_TEXT = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*") | (?P<regex>(?<=matching\ )/(?:[^/\\]|\\.)*/) | (?P<number>\b\d+\b)
    | (?P<level>\b(?:activates|strongly|moderately|weakly|faintly|on|promotes)\b)
    | (?P<logic>\b(?:or|and|not|except|right\ after|within|tokens?\ after|in\ the\ context\ of|in\ text\ about
        |inside)\b)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style. `classes` are CSS classes; without any the text is silent and unpredicted on both tracks."""

    text: str
    classes: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class MarkedText:
    """An example to draw, and what a reader who cannot see it is told."""

    spans: tuple[Span, ...]
    hits: int
    missed: int
    false_alarms: int
    source: str
    cut_before: bool
    cut_after: bool


def visible(text: str) -> str:
    """The text as a page can hold it: line ends, lone bytes, control and direction characters become visible signs.

    >>> visible("a\\n\\udce2\\x07")
    'a↵⟨e2⟩␇'
    """
    return "".join(map(_visible_character, text))


def marked(
    example: ExampleView,
    high: float,
    maximum: float,
    *,
    quoted: Collection[range] = (),
    position: int | None = None,
    limit: int = MAX_TOKENS,
) -> MarkedText:
    """Both tracks of an example: activation as a background in ten steps of `maximum`, prediction as an underline.

    `quoted` ranges of tokens and the token at `position` are outlined. A false alarm is predicted and below `high`, a
    miss fires and is not predicted.
    """
    outlined = {token for span in quoted for token in span}
    matter = outlined | ({position} if position is not None else set())
    first, last = _window(example, high, matter, limit)
    spans: list[Span] = []
    hits = missed = false_alarms = 0
    for token in range(first, last):
        activation, predicted = example.activations[token], example.predicted[token]
        fires, says = activation >= high, predicted >= PREDICTED
        hits, missed, false_alarms = (
            hits + (fires and says),
            missed + (fires and not says),
            false_alarms + (says and not fires),
        )
        classes = _classes(activation / maximum if maximum else 0.0, predicted, fires, says)
        classes += ["q"] if token in outlined else []
        classes += ["at"] if token == position else []
        text = visible(example.tokens[token])
        blank = not text.strip()
        if not classes:
            spans.append(Span("·" * len(text) if blank and token else text))
        else:
            title = f"activation {short(activation)}, predicted {short(predicted)}"
            spans.append(Span("·" * len(text) if blank else text, " ".join(classes), title))
    return MarkedText(
        tuple(_joined(spans)), hits, missed, false_alarms, example.source, first > 0, last < len(example.tokens)
    )


def quoted(example: ExampleView, start: int, stop: int, high: float, maximum: float) -> tuple[Span, ...]:
    """A quote as the judge saw it: the tokens that fire are marked, predictions are not."""
    part = slice(start, stop)
    alone = ExampleView(example.tokens[part], example.activations[part], (0.0,) * len(example.tokens[part]))
    spans = marked(alone, high, maximum).spans
    return tuple(
        Span(span.text, " ".join(name for name in span.classes.split() if name != "mi"), span.title) for span in spans
    )


def highlighted(explanation: str) -> tuple[Span, ...]:
    """A canonical text in the colours of its syntax."""
    spans: list[Span] = []
    end = 0
    for match in _PARTS_OF_TEXT.finditer(explanation):
        if match.start() > end:
            spans.append(Span(visible(explanation[end : match.start()])))
        whole = " whole" if match.lastgroup == "string" and len(match[0]) <= SHORT_STRING else ""
        spans.append(Span(visible(match[0]), f"s-{match.lastgroup}{whole}"))
        end = match.end()
    if end < len(explanation):
        spans.append(Span(visible(explanation[end:])))
    return tuple(spans)


def _classes(share: float, predicted: float, fires: bool, says: bool) -> list[str]:
    classes = [f"a{min(LEVELS, max(1, round(share * LEVELS)))}"] if share > 0 else []
    if says:
        classes.append("p" if fires else "fa")
    elif fires:
        classes.append("mi")
    elif predicted > 0:
        classes.append("pw")
    return classes


def _window(example: ExampleView, high: float, matter: Collection[int], limit: int) -> tuple[int, int]:
    """Which tokens to show: all, or `limit` of them around what matters, else around the first disagreement or peak."""
    count = len(example.tokens)
    if count <= limit:
        return 0, count
    apart = [
        token
        for token, (activation, predicted) in enumerate(zip(example.activations, example.predicted, strict=True))
        if (activation >= high) != (predicted >= PREDICTED)
    ]
    peak = max(range(count), key=lambda token: (example.activations[token], example.predicted[token], -token))
    middle = (min(matter) + max(matter)) // 2 if matter else apart[0] if apart else peak
    first = min(max(0, middle - limit // 2), count - limit)
    return first, first + limit


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Neighbouring spans of plain text as one: most tokens are silent, and pages of many features stay small."""
    plain: list[str] = []
    for span in spans:
        if not span.classes:
            plain.append(span.text)
            continue
        if plain:
            yield Span("".join(plain))
            plain.clear()
        yield span
    if plain:
        yield Span("".join(plain))


def _visible_character(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return "↵"
    if character == "\t":
        return "⇥"
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02x}⟩"
    if code < 0x20:
        return chr(0x2400 + code)
    if character in _BIDIRECTIONAL or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return f"⟨U+{code:04X}⟩" if not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return character
