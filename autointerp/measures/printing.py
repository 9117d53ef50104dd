"""The protocol report as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autointerp.measures.biases import FEWEST, LengthBias, Shares
from autointerp.measures.controls import Control, Controls
from autointerp.measures.judging import Judging, Pick
from autointerp.measures.lines import Spent
from autointerp.measures.report import ProtocolReport
from autointerp.measures.tallies import VERIFIED, DebaterTally
from autointerp.scoring import Score


def print_report(report: ProtocolReport, out: Console) -> None:
    """Every measure, the finding last; a bias is in red where its interval excludes none."""
    failed = f", {len(report.failed)} not explained" if report.failed else ""
    judges = "; ".join(f"{count} judged by {name}" for name, count in report.judges.items() if name)
    out.print(Text(f"Protocol report: {report.features} features{failed}", style="bold"))
    if judges:
        out.print(judges)
    out.print(f"{counted(report.outcomes)}; {report.fallbacks} fell back on the best by dev score")
    if report.abstentions:
        out.print(f"abstained because: {counted(report.abstentions)}")
    _print_judging(report.judging, out)
    _print_shares("place", report.slots, out)
    _print_shares("letter", report.letters, out)
    _print_length(report.length, out)
    _print_controls(report.controls, out)
    _print_debaters(report, out)
    for name, counts in (("quotes", report.quotes), ("forfeits", report.forfeits), ("failures", report.failures)):
        if counts:
            out.print(f"{name}: {counted(counts)}")
    for flag in report.flags:
        out.print(Text(f"biased {flag}", style="red"))
    out.print(Text(report.finding, style="bold"))


def counted(counts: Mapping[str, int]) -> str:
    """`3 exact, 1 absent`."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def spent_in_words(spent: Spent) -> str:
    """`12 calls (1 failed), 3,400 + 210 tokens`: read and written."""
    failed = f" ({spent.failures} failed)" if spent.failures else ""
    calls = "call" if spent.calls == 1 else "calls"
    return f"{spent.calls} {calls}{failed}, {spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens"


def _print_judging(judging: Judging, out: Console) -> None:
    table = _table("Picking the best side, held-out F1", "", "best side picked", "F1 lost", "features")
    for name, pick in (
        ("the judge, where it chose", judging.judge),
        ("its choice, or the fallback", judging.reported),
        ("best by dev", judging.best_by_dev),
        ("a random side", judging.random),
    ):
        table.add_row(name, *_cells(pick))
    out.print(table)
    if judging.left_out:
        out.print(f"left out: {counted(judging.left_out)}")
    rate = "none could be" if judging.flips is None else f"{_interval(judging.flips)} of a feature's votes"
    out.print(f"flipped by the order: {rate}; {judging.flipped} features have a flip, {judging.answered} answers")
    if judging.unanswered:
        out.print(f"views not answered: {counted(judging.unanswered)}")


def _cells(pick: Pick | None) -> tuple[str, str, str]:
    if pick is None:
        return "", "", "0"
    return _interval(pick.accuracy), _interval(pick.regret), str(pick.accuracy.n)


def _print_shares(kind: str, shares: Shares, out: Console) -> None:
    if not shares.shares:
        out.print(f"votes by {kind}: too few")
        return
    table = _table(
        f"Votes by {kind}, if only the sides mattered, and the difference", kind, "share", "expected", "more"
    )
    for share in shares.shares:
        style = "red" if share.flagged else None
        more = f"{_signed(share.difference)}{'  biased' if share.flagged else ''}"
        table.add_row(share.name, f"{share.share:.3f}", f"{share.expected:.3f}", more, style=style)
    out.print(table)
    few = f"; fewer than {FEWEST} flag nothing" if shares.features < FEWEST else ""
    out.print(f"over {shares.features} features, {shares.left_out} without two votes for a side{few}")


def _print_length(length: LengthBias | None, out: Console) -> None:
    if length is None:
        out.print("length: no votes on sides that differ in length and score")
        return
    out.print(
        f"the longer of two sides gets {length.chosen:.3f} of their votes and is the better one in {length.better:.3f} "
        f"of {length.pairs} pairs ({length.features} features), {_signed(length.excess)} too often"
    )
    if length.bias is None:
        out.print(f"bias by length: unknown, fewer than {FEWEST} features where the longer is better, or worse")
    else:
        out.print(Text(f"bias by length: {_signed(length.bias)}", style="red" if length.flagged else ""))


def _print_controls(controls: Controls, out: Console) -> None:
    table = _table("The debate beside its controls, held-out F1", "control", "its F1", "debate's F1", "debate leads by")
    for heading in ("ahead", "level", "behind", "missing"):
        table.add_column(heading, justify="right")
    for control in (*controls.before_repair, *([controls.after_repair] if controls.after_repair else [])):
        table.add_row(*_control(control))
    out.print(table)
    if controls.unscored:
        out.print(f"{controls.unscored} features fire nowhere in the held-out documents: unscored")


def _control(control: Control) -> list[str]:
    counts = [str(count) for count in (control.ahead, control.level, control.behind, control.missing)]
    return [control.name, f"{control.f1.value:.3f}", f"{control.debate.value:.3f}", _signed(control.lead), *counts]


def _print_debaters(report: ProtocolReport, out: Console) -> None:
    headings = ("debater", "features", "stood", "judged", "chosen", "fallback", "shared", "attempts", "forfeits")
    table = _table("Who proposed what came of it", *headings, "quotes verified")
    for tally in report.debaters:
        table.add_row(*_debater(tally))
    out.print(table)
    for tally in report.debaters:
        parts = {"debates": tally.spent, "repairs": tally.repairs, "repairs of the control": tally.control}
        if said := [f"{spent_in_words(spent)} for {name}" for name, spent in parts.items() if spent.calls]:
            out.print(f"{tally.name}: {'; '.join(said)}")
    if report.judge_spent.calls:
        out.print(f"the judge: {spent_in_words(report.judge_spent)}")


def _debater(tally: DebaterTally) -> list[str]:
    counts = (tally.features, tally.stood, tally.judged, tally.chosen, tally.fallback, tally.shared, tally.attempts)
    verified = sum(count for status, count in tally.quotes.items() if status in VERIFIED)
    asked = sum(tally.quotes.values())
    return [tally.name, *map(str, counts), str(sum(tally.forfeits.values())), f"{verified} of {asked}"]


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _interval(score: Score) -> str:
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _signed(score: Score) -> str:
    return f"{score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"
