"""Damaged explanations through the parser: `python benchmarks/fuzz_parse.py [--plain 1000000] [--strings 20000]`.

Each string (of those that `tests/mangled.py` makes: by grammar, by byte, nested, long, regexes, odd characters) must
come out as an explanation whose canonical text reads the same, or as an error. `--strings` of them are read as
`autointerp check` reads them: the error prints, and what it suggests parses. Finding that suggestion is most of the
work, so the `--plain` strings that follow go through the parser alone. Anything else, and any string that takes longer
than `--hang` seconds, is a finding: printed with its number, from which `mangled(seed, number)` makes the string again.
The exit code is 1 where there is a finding. Prints how many of each kind parsed, the time they took, and the slowest.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import signal
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from mangled import is_plainly_valid, is_valid, mangled

CHUNK = 250
SHOWN = 5


class HangError(BaseException):
    """A string took too long: no `except Exception` on the way may swallow it."""


Work = tuple[int, bool, int, int, float]
"""Seed, whether errors are diagnosed, the first number and the one after the last, and what is too long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    number: int
    kind: str
    length: int
    seconds: float
    valid: bool
    finding: str


@dataclass(slots=True)
class Tally:
    """What is kept of the strings of one kind."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    valid: int = 0
    findings: int = 0
    slowest: list[Outcome] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.seconds)

    def add(self, outcome: Outcome) -> None:
        self.seconds.append(outcome.seconds)
        self.valid += outcome.valid
        self.findings += bool(outcome.finding)
        self.slowest = sorted([*self.slowest, outcome], key=lambda each: -each.seconds)[:SHOWN]


def run(work: Work) -> list[Outcome]:
    """The strings of one chunk, read one after another."""
    seed, diagnosed, first, last, hang = work
    read = is_valid if diagnosed else is_plainly_valid
    signal.signal(signal.SIGALRM, _interrupt)
    outcomes = []
    for number in range(first, last):
        kind, text = mangled(seed, number)
        valid, finding = False, ""
        began = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, hang)
        try:
            valid = read(text)
        except HangError:
            finding = f"still at work after {hang:g} s"
        except Exception as error:  # whatever comes is what is looked for
            finding = f"{type(error).__name__}: {error}"[:200]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        outcomes.append(Outcome(number, kind, len(text), time.perf_counter() - began, valid, finding))
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=20_000, help="strings whose errors are diagnosed")
    parser.add_argument("--plain", type=int, default=1_000_000, help="further strings that only the parser reads")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hang", type=float, default=20.0, help="seconds after which a string is a finding")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"seed {options.seed}, {options.workers} processes", flush=True)
    total = options.strings + options.plain
    found = _read("diagnosed", 0, options.strings, options) + _read("plain", options.strings, total, options)
    raise SystemExit(found > 0)


def _read(how: str, first: int, last: int, options: argparse.Namespace) -> int:
    """Read the strings of these numbers and print what came of them; how many findings there were."""
    began = time.perf_counter()
    tallies: dict[str, Tally] = defaultdict(Tally)
    for outcome in _outcomes(how == "diagnosed", first, last, options):
        tallies[outcome.kind].add(outcome)
        if outcome.finding:
            print(f"  number {outcome.number} ({outcome.kind}): {outcome.finding}", flush=True)
    if tallies:
        _report(how, tallies, time.perf_counter() - began)
    return sum(tally.findings for tally in tallies.values())


def _outcomes(diagnosed: bool, first: int, last: int, options: argparse.Namespace) -> Iterator[Outcome]:
    work: list[Work] = [
        (options.seed, diagnosed, begin, min(begin + CHUNK, last), options.hang) for begin in range(first, last, CHUNK)
    ]
    if options.workers < 2:
        for chunk in map(run, work):
            yield from chunk
        return
    with multiprocessing.Pool(options.workers) as pool:
        for chunk in pool.imap_unordered(run, work):
            yield from chunk


def _report(how: str, tallies: dict[str, Tally], seconds: float) -> None:
    print(f"{how:<10}{'strings':>10}{'valid':>10}{'findings':>10}{'median ms':>11}{'p99 ms':>9}{'worst ms':>10}")
    for kind, tally in sorted(tallies.items()):
        times = 1000 * np.array(tally.seconds)
        median, p99 = np.quantile(times, [0.5, 0.99])
        print(
            f"{kind:<10}{tally.count:>10,}{tally.valid:>10,}{tally.findings:>10,}"
            f"{median:>11.2f}{p99:>9.1f}{times.max():>10.1f}"
        )
    count, found = (
        sum(values) for values in zip(*((len(t.seconds), t.findings) for t in tallies.values()), strict=True)
    )
    print(f"{count:,} strings {how} in {seconds:,.0f} s: {found} findings; the slowest:")
    slowest = [outcome for tally in tallies.values() for outcome in tally.slowest]
    for outcome in sorted(slowest, key=lambda each: -each.seconds)[:SHOWN]:
        what = f"{outcome.kind}, {outcome.length:,} characters, number {outcome.number}"
        print(f"  {1000 * outcome.seconds:9.1f} ms  {what}", flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise HangError


if __name__ == "__main__":
    main()
