"""Damaged explanations through parse and check: `python benchmarks/fuzz_parse.py [--strings 1000000] [--workers 4]`.

Each string (of those that `tests/mangled.py` makes: by grammar, by byte, nested, long, regexes, odd characters) is read
as `autointerp check` reads it. It must come out as an explanation whose canonical text reads the same, or as an
ExplanationError that prints and whose suggestion parses. Anything else, and any string that takes longer than
`--hang` seconds, is a finding: printed with its number, from which `mangled(seed, number)` makes the string again.
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
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from mangled import is_valid, mangled

CHUNK = 250
SHOWN = 5


class HangError(BaseException):
    """A string took too long: no `except Exception` on the way may swallow it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    number: int
    kind: str
    length: int
    seconds: float
    valid: bool
    finding: str


def run(work: tuple[int, int, int, float]) -> list[Outcome]:
    """The strings of one chunk, read one after another."""
    seed, first, last, hang = work
    signal.signal(signal.SIGALRM, _interrupt)
    outcomes = []
    for number in range(first, last):
        kind, text = mangled(seed, number)
        valid, finding = False, ""
        began = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, hang)
        try:
            valid = is_valid(text)
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
    parser.add_argument("--strings", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hang", type=float, default=20.0, help="seconds after which a string is a finding")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.strings:,} strings, seed {options.seed}, {options.workers} processes", flush=True)
    began = time.perf_counter()
    outcomes = []
    for chunk in _chunks(options):
        outcomes.extend(chunk)
        for outcome in chunk:
            if outcome.finding:
                print(f"  number {outcome.number} ({outcome.kind}): {outcome.finding}", flush=True)
    _report(outcomes, time.perf_counter() - began)
    raise SystemExit(any(outcome.finding for outcome in outcomes))


def _chunks(options: argparse.Namespace) -> Iterator[list[Outcome]]:
    work = [
        (options.seed, first, min(first + CHUNK, options.strings), options.hang)
        for first in range(0, options.strings, CHUNK)
    ]
    if options.workers < 2:
        yield from map(run, work)
        return
    with multiprocessing.Pool(options.workers) as pool:
        yield from pool.imap_unordered(run, work)


def _report(outcomes: Sequence[Outcome], seconds: float) -> None:
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda each: each.number):
        by_kind[outcome.kind].append(outcome)
    print(f"{'kind':<10}{'strings':>10}{'valid':>10}{'findings':>10}{'median ms':>11}{'p99 ms':>9}{'worst ms':>10}")
    for kind, some in sorted(by_kind.items()):
        times = 1000 * np.array([outcome.seconds for outcome in some])
        counts = Counter(valid=sum(each.valid for each in some), found=sum(bool(each.finding) for each in some))
        median, p99 = np.quantile(times, [0.5, 0.99])
        print(
            f"{kind:<10}{len(some):>10,}{counts['valid']:>10,}{counts['found']:>10,}"
            f"{median:>11.2f}{p99:>9.1f}{times.max():>10.1f}"
        )
    found = sum(bool(outcome.finding) for outcome in outcomes)
    print(f"{len(outcomes):,} strings in {seconds:,.0f} s: {found} findings; the slowest:")
    for outcome in sorted(outcomes, key=lambda each: -each.seconds)[:SHOWN]:
        what = f"{outcome.kind}, {outcome.length:,} characters, number {outcome.number}"
        print(f"  {1000 * outcome.seconds:9.1f} ms  {what}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise HangError


if __name__ == "__main__":
    main()
