"""What `benchmarks/flaws.py` prints of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def report(lines: Sequence[dict[str, Any]], *, small: int, alone: bool, show: bool) -> None:
    """By size, side, step and corpus; then generator by generator."""
    print(f"\n{'':44}{'features':>9}{'found':>9}{'visible':>9}{'of these':>10}{'first':>7}")
    for size in sorted({line["clauses"] for line in lines}):
        _row(f"{size} clause{'s' if size > 1 else ''}", [line for line in lines if line["clauses"] == size])
    for key in ("direction", "step", "corpus"):
        for value in dict.fromkeys(line[key] for line in lines):
            _row(f"  {value}", [line for line in lines if line[key] == value])
    _row("all", lines)
    every = [one for line in lines for one in line["shrunk"]]
    checked = [one for one in every if one["least"] is not None]
    least = sum(one["length"] == one["least"] for one in checked)
    best = [line["shrunk"][0] for line in lines if line["shrunk"] and line["shrunk"][0]["least"] is not None]
    print(
        f"\nshrunk texts: {len(every)}, of {np.median([one['length'] for one in every]):.0f} tokens at the median; "
        f"{len(checked)} of at most {small} tokens searched exhaustively, {least / max(1, len(checked)):.1%} "
        f"of the least length; the first of each feature: {len(best)}, "
        f"{sum(one['length'] == one['least'] for one in best) / max(1, len(best)):.1%}"
    )
    hidden = [line for line in lines if line["hidden"]]
    firsts = [line["edits_first"] for line in lines if line["edits"]]
    print(
        f"without reading the samples as they are: found {np.mean([line['edits'] for line in lines]):.1%}, the first "
        f"after {np.median(firsts):.0f} probes at the median; hidden from the samples: {len(hidden)}, found "
        f"{sum(line['found'] for line in hidden)}"
    )
    offered = [line["mended"] for line in lines if line["mended"] is not None]
    exact = sum(one["after"] == 0 for one in offered)
    better, worse = (sum(sign * one["after"] < sign * one["before"] for one in offered) for sign in (1, -1))
    print(
        f"suggestions: for {len(offered)} features; {exact} agree with the truth everywhere, {better} are nearer to it "
        f"than what was attacked, {worse} further from it"
    )
    print(
        f"against the truth: {sum(len(line['false']) for line in lines)} counterexamples, "
        f"{sum(line['false_disagreeing'] for line in lines)} disagreements, in "
        f"{sum(line['truth_probes'] for line in lines)} probes of {len(lines)} features"
    )
    _generators(lines, alone)
    took = np.array([line["seconds"] for line in lines])
    print(f"\nseconds an attack: median {np.median(took):.2f}, p95 {np.quantile(took, 0.95):.2f}")
    if show:
        _show(lines)


def _generators(lines: Sequence[dict[str, Any]], alone: bool) -> None:
    """The funnel of each, what it finds alone, and what none of the others does, `examples` aside."""
    names = list(lines[0]["funnel"])
    steps = ("generated", "valid", "run", "disagreeing", "confirmed", "shrunk", "unique")
    print("\n" + f"{'together':20}" + "".join(f"{step:>13}" for step in steps))
    for name in names:
        counts = [sum(line["funnel"][name][step] for line in lines) for step in steps]
        print(f"{name:20}" + "".join(f"{count:>13}" for count in counts))
    if alone:
        print(f"\n{'alone':20}{'ran':>9}{'found':>9}{'first':>7}{'only it':>9}{'hidden':>9}")
        for name in names:
            ran = [line for line in lines if line["alone"][name]["skipped"] is None]
            hit = [line for line in ran if line["alone"][name]["found"]]
            # What the samples show is found anyway: what counts is which of the others are needed.
            only = [
                line
                for line in hit
                if not any(one["found"] for other, one in line["alone"].items() if other not in (name, "examples"))
            ]
            first = np.median([line["alone"][name]["first"] for line in hit]) if hit else float("nan")
            print(
                f"{name:20}{len(ran):>9}{len(hit) / max(1, len(ran)):>9.1%}{first:>7.0f}{len(only):>9}"
                f"{sum(line['hidden'] for line in hit):>9}"
            )


def _show(lines: Sequence[dict[str, Any]]) -> None:
    """What was not found, and what was not minimal."""
    for line in lines:
        if not line["found"]:
            print(f"\nnot found ({line['step']}, {line['direction']}, {line['differs']:.2e}, {line['visible']})")
            print(f"  truth  {line['truth']}\n  flawed {line['flawed']}")
        for one in line["shrunk"]:
            if one["least"] not in (None, one["length"]):
                print(f"\nnot minimal: {one['text']!r}, but {one['shorter']!r}")
                print(f"  truth  {line['truth']}\n  flawed {line['flawed']}")


def _row(name: str, lines: Sequence[dict[str, Any]]) -> None:
    visible = [line for line in lines if line["visible"]]
    found = np.mean([line["found"] for line in lines])
    of_these = f"{np.mean([line['found'] for line in visible]):.1%}" if visible else "-"
    firsts = [line["first"] for line in lines if line["found"]]
    first = f"{np.median(firsts):.0f}" if firsts else "-"
    print(f"{name:<44}{len(lines):>9}{found:>9.1%}{len(visible):>9}{of_these:>10}{first:>7}")
