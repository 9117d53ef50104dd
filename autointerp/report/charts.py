"""Charts by matplotlib as inline SVG: the same bytes for the same data, in the page's own colours and type."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#010101", "#010102"
SERIES = {
    "explanation": "#010103", "best_by_dev": "#010104", "token_lookup": "#010105", "token_lookup_full": "#010106",
    "shuffled": "#010107",
}  # fmt: skip
"""Stand-ins, replaced in the SVG by the page's CSS variables, so that one chart suits light and dark."""
_VARIABLES = {INK: "var(--ink)", FAINT: "var(--rule)"} | {
    colour: f"var(--{name.replace('_', '-')})" for name, colour in SERIES.items()
}
MARKERS = {"explanation": "o", "best_by_dev": "D", "token_lookup": "s", "token_lookup_full": "^", "shuffled": "x"}


@dataclass(frozen=True, slots=True)
class Dot:
    """A value and its interval."""

    value: float
    low: float
    high: float


def intervals(rows: Sequence[str], series: Mapping[str, Sequence[Dot | None]], name: str, *, width: float = 4.6) -> str:
    """Dots with their 95% intervals: a row for each score, within it one dot for each series, top to bottom."""
    figure, axes = _figure(width, 0.42 + 0.15 * len(rows) * (len(series) + 0.9), left=0.62)
    step = 1.0 / (len(series) + 1)
    lowest = 0.0
    for number, (key, dots) in enumerate(series.items()):
        for row, dot in enumerate(dots):
            if dot is None:
                continue
            y = row + (number - (len(series) - 1) / 2) * step
            lowest = min(lowest, dot.low)
            axes.plot([dot.low, dot.high], [y, y], color=SERIES[key], linewidth=1.4, solid_capstyle="round")
            axes.plot([dot.value], [y], MARKERS[key], color=SERIES[key], markersize=4.6, markeredgewidth=1.4)
    for row in range(1, len(rows)):
        axes.axhline(row - 0.5, color=FAINT, linewidth=0.6)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(min(-0.02, 1.05 * lowest), 1.02)
    axes.tick_params(axis="y", length=0)
    return _svg(figure, name)


def scatter(x: Sequence[float], y: Sequence[float], labels: tuple[str, str], name: str) -> str:
    """One dot a feature in the unit square, with the diagonal on which both sides are equal."""
    figure, axes = _figure(3.3, 3.3, left=0.5, bottom=0.45)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    axes.plot(x, y, "o", color=SERIES["explanation"], markersize=4.2, alpha=0.6, markeredgewidth=0)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=labels[0], ylabel=labels[1], aspect="equal")
    axes.set_yticks(axes.get_xticks()[1:-1])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return _svg(figure, name)


def histogram(edges: Sequence[float], counts: Sequence[int], high: float, name: str) -> str:
    """How often the feature is how active, on a logarithmic scale; a line where it counts as firing."""
    figure, axes = _figure(3.3, 1.25, left=0.42, bottom=0.42)
    axes.stairs(counts, edges, fill=True, color=SERIES["explanation"], alpha=0.75, linewidth=0)
    axes.axvline(high, color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, max(10, 2 * max(counts, default=1)))
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel("activation")
    return _svg(figure, name)


def _figure(width: float, height: float, *, left: float, bottom: float = 0.24) -> tuple[Figure, Axes]:
    """Margins in inches: fixed ones cost a fraction of a layout that measures its texts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (left / width, bottom / height, (width - left - 0.12) / width, (height - bottom - 0.06) / height)
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=8, width=0.6, length=2.5)
    axes.xaxis.label.set(color=INK, fontsize=8)
    axes.yaxis.label.set(color=INK, fontsize=8)
    return figure, axes


def _svg(figure: Figure, name: str) -> str:
    """Without what only a file needs: declaration, date, fixed ids that several charts on a page would share."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify": True}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", text)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\s*<style type="text/css">.*?</style>', "", text, flags=re.DOTALL)
    text = re.sub(r" font-family: [^;\"]*;?", "", text)
    text = re.sub(r"(\d+\.\d{2})\d+", r"\1", text)
    text = re.sub(r"\n\s*", "\n", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return text.replace("<svg ", '<svg role="img" ', 1).rstrip()
