"""A feature's view with its texts marked and its charts drawn: what the template lays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from autointerp.report import charts
from autointerp.report.marks import MarkedText, Span, marked, quoted
from autointerp.report.numbers import short
from autointerp.report.summary import SCORE_NAMES, SERIES_NAMES, Row, Series, dot, score, series, table_of, value
from autointerp.report.view import (
    AnswerView,
    CounterexampleView,
    ExampleView,
    FeatureView,
    QuoteView,
    RoundView,
    SideView,
)

MAX_EXAMPLES = 12
"""Held-out texts and counterexamples shown of one feature: a page of hundreds of features stays a few megabytes."""

_CHARTED = ("explanation", "token_lookup", "shuffled")


@dataclass(frozen=True, slots=True)
class DrawnQuote:
    view: QuoteView
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class DrawnSide:
    view: SideView
    won: bool
    quotes: tuple[DrawnQuote, ...]


@dataclass(frozen=True, slots=True)
class DrawnAnswer:
    view: AnswerView
    quotes: tuple[DrawnQuote, ...]


@dataclass(frozen=True, slots=True)
class DrawnRound:
    view: RoundView
    answers: tuple[DrawnAnswer, ...]


@dataclass(frozen=True, slots=True)
class DrawnCounterexample:
    """The text and the one beside it (its original, or its contrast), each with activation and prediction in words."""

    view: CounterexampleView
    text: MarkedText
    reading: str
    beside: MarkedText | None
    beside_label: str


@dataclass(frozen=True, slots=True)
class DrawnFeature:
    """`id` is the feature's anchor on the page; `hookpoint` and `name` joined are what it is called."""

    id: str
    hookpoint: str
    name: str
    view: FeatureView
    f1: float | None
    auprc: float | None
    over_lookup: float | None
    table: tuple[Row, ...]
    chart: Markup
    series: tuple[Series, ...]
    histogram: Markup
    held_out: tuple[MarkedText, ...]
    sides: tuple[DrawnSide, ...]
    rounds: tuple[DrawnRound, ...]
    evidence: tuple[tuple[int, MarkedText], ...]
    counterexamples: tuple[DrawnCounterexample, ...]


def draw(view: FeatureView, number: int) -> DrawnFeature:
    """Mark the texts and draw the charts of the page's feature of this number."""
    anchor = f"f{number}"
    present = [key for key in SERIES_NAMES if table_of(view, key)]
    charted = [key for key in _CHARTED if any(table_of(view, key).values())]
    auprc, lookup = value(view.scores, "auprc"), value(table_of(view, "token_lookup"), "auprc")
    dots = {key: [dot(score(table_of(view, key), name)) for name in SCORE_NAMES] for key in charted}
    bars = view.histogram
    hookpoint, slash, name = view.feature.rpartition("/")
    return DrawnFeature(
        id=anchor,
        hookpoint=hookpoint + slash if name else "",
        name=name or view.feature,
        view=view,
        f1=value(view.scores, "token_f1"),
        auprc=auprc,
        over_lookup=None if auprc is None or lookup is None else auprc - lookup,
        table=tuple(
            Row(
                SERIES_NAMES[key],
                tuple(score(table_of(view, key), name) for name in SCORE_NAMES),
                main=key == "explanation",
            )
            for key in present
        ),
        chart=Markup(charts.intervals(list(SCORE_NAMES.values()), dots, f"{anchor}-scores") if charted else ""),
        series=series(charted),
        histogram=Markup(charts.histogram(bars.edges, bars.counts, view.high, f"{anchor}-histogram") if bars else ""),
        held_out=tuple(marked(one, view.high, view.maximum) for one in view.held_out[:MAX_EXAMPLES]),
        sides=tuple(DrawnSide(side, side.label == view.winner, _quotes(view, side.quotes)) for side in view.sides),
        rounds=tuple(
            DrawnRound(one, tuple(DrawnAnswer(answer, _quotes(view, answer.quotes)) for answer in one.answers))
            for one in view.rounds
        ),
        evidence=tuple(
            (index, marked(one, view.high, view.maximum, quoted=_quoted_in(view, index)))
            for index, one in sorted(view.evidence.items())
        ),
        counterexamples=tuple(_counterexample(view, one) for one in view.counterexamples[:MAX_EXAMPLES]),
    )


def _quotes(view: FeatureView, quotes: Sequence[QuoteView]) -> tuple[DrawnQuote, ...]:
    return tuple(
        DrawnQuote(quote, quoted(view.evidence[quote.example], quote.start, quote.stop, view.high, view.maximum))
        for quote in quotes
    )


def _quoted_in(view: FeatureView, example: int) -> list[range]:
    answers = [answer.quotes for one in view.rounds for answer in one.answers]
    found = [quote for quotes in (*(side.quotes for side in view.sides), *answers) for quote in quotes]
    return [range(quote.start, quote.stop) for quote in found if quote.example == example]


def _counterexample(view: FeatureView, one: CounterexampleView) -> DrawnCounterexample:
    beside, label = None, ""
    if one.original is not None and one.original_position is not None:
        beside = marked(one.original, view.high, view.maximum, position=one.original_position)
        label = f"Original: {_reading(one.original, one.original_position)}"
    elif one.contrast is not None:
        beside = marked(one.contrast, view.high, view.maximum, position=one.position)
        label = f"One token away: {_reading(one.contrast, one.position)}"
    return DrawnCounterexample(
        view=one,
        text=marked(one.example, view.high, view.maximum, position=one.position),
        reading=_reading(one.example, one.position),
        beside=beside,
        beside_label=label,
    )


def _reading(example: ExampleView, position: int) -> str:
    return f"activation {short(example.activations[position])}, predicted {short(example.predicted[position])}"
