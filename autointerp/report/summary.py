"""What the features come to together: counts, means with intervals, and the paired comparison with token lookup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from autointerp.report import charts
from autointerp.report.numbers import signed
from autointerp.report.view import FeatureView, ScoreTable
from autointerp.scoring import Score, features_interval

SCORE_NAMES = {"token_f1": "F1", "precision": "precision", "recall": "recall", "auprc": "AUPRC", "pearson": "Pearson"}
SERIES_NAMES = {
    "explanation": "explanation",
    "best_by_dev": "best by dev",
    "token_lookup": "token lookup",
    "token_lookup_full": "token lookup, full",
    "shuffled": "shuffled",
}
_SIGNS = {"explanation": "●", "best_by_dev": "◆", "token_lookup": "■", "token_lookup_full": "▲", "shuffled": "✕"}
_IN_CHART = ("token_f1", "auprc", "pearson")


@dataclass(frozen=True, slots=True)
class Series:
    """An entry of a chart's key."""

    key: str
    name: str
    sign: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of scores, in the order of SCORE_NAMES."""

    name: str
    scores: tuple[Score | None, ...]
    main: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """The top of the page."""

    chosen: int
    consensus: int
    abstained: int
    f1: float | None
    auprc: float | None
    counterexamples: int
    repaired: int
    table: tuple[Row, ...]
    series: tuple[Series, ...]
    lines: tuple[str, ...]
    chart: Markup
    scatter: Markup


def summarise(views: Sequence[FeatureView]) -> Summary:
    """Means are over the features that have the score; how many those are is said where it is not all.

    Of a single feature nothing is compared: resampling one feature gives an interval of no width.
    """
    outcomes = Counter(view.outcome for view in views)
    means = {
        key: {name: _mean(value(table_of(view, key), name) for view in views) for name in SCORE_NAMES}
        for key in SERIES_NAMES
    }
    several = len(views) > 1
    present = [key for key in SERIES_NAMES if several and any(means[key].values())]
    pairs = [
        (mine, theirs)
        for view in views
        if several
        and (mine := value(view.scores, "auprc")) is not None
        and (theirs := value(table_of(view, "token_lookup"), "auprc")) is not None
    ]
    f1, auprc = means["explanation"]["token_f1"], means["explanation"]["auprc"]
    chart = scatter = ""
    if present:
        dots = {key: [dot(means[key][name]) for name in _IN_CHART] for key in present}
        chart = charts.intervals([SCORE_NAMES[name] for name in _IN_CHART], dots, "summary")
    if pairs:
        scatter = charts.scatter(
            [theirs for _, theirs in pairs], [mine for mine, _ in pairs], ("token lookup", "explanation"), "scatter"
        )
    return Summary(
        chosen=outcomes["chosen"],
        consensus=outcomes["consensus"],
        abstained=outcomes["abstained"],
        f1=f1.value if f1 else None,
        auprc=auprc.value if auprc else None,
        counterexamples=sum(len(view.counterexamples) for view in views),
        repaired=sum(any(repair.accepted for repair in view.repairs) for view in views),
        table=tuple(
            Row(SERIES_NAMES[key], tuple(means[key][name] for name in SCORE_NAMES), main=True) for key in present
        ),
        series=series(present),
        lines=tuple(_sentences(views, auprc, pairs)),
        chart=Markup(chart),
        scatter=Markup(scatter),
    )


def series(keys: Iterable[str]) -> tuple[Series, ...]:
    return tuple(Series(key, SERIES_NAMES[key], _SIGNS[key]) for key in keys)


def table_of(view: FeatureView, key: str) -> ScoreTable:
    """The scores of the explanation or of a baseline; of one that was not run, none."""
    return view.scores if key == "explanation" else view.baselines.get(key) or {}


def score(table: ScoreTable, name: str) -> Score | None:
    row = table.get(name)
    return Score(row["value"], row["low"], row["high"], int(row["n"])) if row else None


def value(table: ScoreTable, name: str) -> float | None:
    row = table.get(name)
    return row["value"] if row else None


def dot(one: Score | None) -> charts.Dot | None:
    return charts.Dot(one.value, one.low, one.high) if one else None


def _mean(values: Iterable[float | None]) -> Score | None:
    numbers = [number for number in values if number is not None]
    return features_interval(numbers, np.random.default_rng(0)) if numbers else None


def _sentences(
    views: Sequence[FeatureView], auprc: Score | None, pairs: Sequence[tuple[float, float]]
) -> Iterable[str]:
    if pairs:
        gain = features_interval([mine - theirs for mine, theirs in pairs], np.random.default_rng(0))
        better = sum(mine > theirs for mine, theirs in pairs)
        yield (
            f"AUPRC over token lookup fitted on the same evidence, paired: {signed(gain.value)}"
            f" [{signed(gain.low)}, {signed(gain.high)}] over {gain.n} features; higher on {better}."
        )
    unscored = len(views) - (auprc.n if auprc else 0)
    if unscored:
        yield f"{unscored} of {len(views)} features have no AUPRC on held-out text and are left out of the means."
    reasons = Counter(view.unscored.get("auprc", "") for view in views if value(view.scores, "auprc") is None)
    yield from (f"Unscored, {count}: {reason}." for reason, count in sorted(reasons.items()) if reason)
