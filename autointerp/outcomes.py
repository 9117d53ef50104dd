"""What came of every feature, printed as it comes, and the summary at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autointerp import printing, terminal
from autointerp.measures import report
from autointerp.measures.printing import print_report
from autointerp.pool import Finished, Outcome


def print_outcomes(outcomes: Iterable[Outcome], *, as_json: bool) -> list[Outcome]:
    """Print each as it comes, a line of JSON or a few lines for a reader; returns all of them."""
    seen: list[Outcome] = []
    for outcome in outcomes:
        seen.append(outcome)
        if as_json:
            terminal.print_line(outcome.line)
        else:
            printing.print_outcome(outcome)
    return seen


def print_ending(outcomes: Sequence[Outcome], seed: int, *, reported: bool, as_json: bool) -> None:
    """The summary over all features and, where it is asked for, the protocol report (in JSON, a last line)."""
    if not as_json:
        printing.print_summary([outcome.line for outcome in outcomes if isinstance(outcome, Finished)], seed)
    if not reported:
        return
    protocol = report([outcome.line for outcome in outcomes], seed)
    if as_json:
        terminal.print_line({"report": protocol.to_json()})
    else:
        print_report(protocol, printing.out)
