"""Features as the unit of work, over processes: results in the order asked for, the same for any number of workers."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from threadpoolctl import threadpool_limits

from autointerp import terminal
from autointerp.report.view import FeatureView
from dsl.errors import AutointerpError

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Finished:
    """A feature explained: its line of JSON, and what the page shows of it."""

    line: dict[str, object]
    view: FeatureView


@dataclass(frozen=True, slots=True)
class Failed:
    """A feature that could not be explained, and why; counted and shown, never dropped."""

    feature: str
    reason: str
    exit_code: int

    @property
    def line(self) -> dict[str, object]:
        return {"feature": self.feature, "error": self.reason}


Outcome = Finished | Failed


@runtime_checkable  # what checks types in the tests asks for it
class Work(Protocol[T_contra]):
    """What is done to every item. It travels to each worker process once, and is opened there before the first item."""

    def open(self) -> Callable[[T_contra], Finished]:
        """Load what the work needs; returns what explains one item, raising AutointerpError where it cannot."""
        ...

    def name(self, item: T_contra) -> str:
        """The feature's id, for an item that fails."""
        ...


def work_through(work: Work[T], items: Sequence[T], workers: int | None) -> Iterator[Outcome]:
    """Do the work on every item, in as many processes as asked for (None: one a core, at most one an item)."""
    count = min(workers or available_cores(), len(items))
    if count <= 1:
        job = _Job(work)
        for item in terminal.counted("features", items):
            yield job(item)
        return
    with (
        terminal.progress("features") as advance,
        ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _open, (work,)) as pool,
    ):
        advance(0, len(items))
        try:
            for number, outcome in enumerate(pool.map(_do, items), start=1):
                advance(number, len(items))
                yield outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def end(outcomes: Sequence[Outcome]) -> None:
    """Features that failed end the command with the first one's exit code, after everything else was done."""
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    for outcome in failed:
        terminal.complain(f"{outcome.feature}: {outcome.reason}")
    if failed:
        sys.exit(failed[0].exit_code)


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Job(Generic[T]):
    """Opened work; what a user can cause becomes a Failed, what only a bug can cause is raised."""

    def __init__(self, work: Work[T]) -> None:
        self.work, self.explain = work, work.open()

    def __call__(self, item: T) -> Outcome:
        # One thread each: features are what runs in parallel, and sums in one order give the same bits.
        with threadpool_limits(1):
            return self._explained(item)

    def _explained(self, item: T) -> Outcome:
        try:
            return self.explain(item)
        except AutointerpError as error:
            return Failed(self.work.name(item), str(error), error.exit_code)


_jobs: list[_Job[Any]] = []
"""In a worker process: the one job it opened when it started."""


def _open(work: Work[Any]) -> None:
    _jobs.append(_Job(work))


def _do(item: Any) -> Outcome:
    [job] = _jobs
    return job(item)
