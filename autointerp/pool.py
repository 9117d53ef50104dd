"""Features as the unit of work, over processes: results in the order asked for, the same for any number of workers.

A process may have several features at hand at once (`abreast`): while one waits for a language model, another computes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from threadpoolctl import threadpool_limits

from autointerp import terminal
from autointerp.floor import floor, one_thread
from autointerp.remote import GoneError, Remote, Served
from autointerp.report.view import FeatureView
from dsl.errors import AutointerpError

ENDING = 10
"""Seconds that a worker process has to end by itself."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

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


def work_through(work: Work[T], items: Sequence[T], workers: int | None, *, abreast: int = 1) -> Iterator[Outcome]:
    """Do the work on every item, in as many processes as asked for (None: one a core, at most one an item).

    Each process has up to `abreast` items at hand; one of them computes at a time. RuntimeError where a process is
    killed, as by a machine that runs out of memory.
    """
    count = min(workers or available_cores(), len(items))
    if count <= 1:
        with _here(work, abreast) as jobs, threadpool_limits(1):  # of what opening the work has loaded
            yield from _through(jobs, items)
        return
    with ExitStack() as stack:
        started = [stack.enter_context(_process(work)) for _ in range(count)]
        yield from _through([job.wait() for job in started] * abreast, items)


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


Job = Callable[[T], Outcome]


def _through(jobs: Sequence[Job[T]], items: Sequence[T]) -> Iterator[Outcome]:
    """Every item by whichever job is free, with a progress bar of those finished; outcomes in the items' order."""
    with terminal.progress("features") as advance:
        advance(0, len(items))
        for number, outcome in enumerate(_outcomes(jobs, items), start=1):
            advance(number, len(items))
            yield outcome


def _outcomes(jobs: Sequence[Job[T]], items: Sequence[T]) -> Iterator[Outcome]:
    if len(jobs) == 1:  # in this thread, where ctrl-C ends it at once
        yield from map(jobs[0], items)
        return
    free: SimpleQueue[Job[T]] = SimpleQueue()
    for job in jobs:
        free.put(job)

    def do(item: T) -> Outcome:
        job = free.get()
        try:
            return job(item)
        finally:
            free.put(job)

    threads = ThreadPoolExecutor(len(jobs), "a feature", one_thread)
    try:
        yield from threads.map(do, items)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


class _Opened(Generic[T]):
    """Opened work; what a user can cause becomes a Failed, what only a bug can cause is raised."""

    def __init__(self, work: Work[T]) -> None:
        self.work, self.explain = work, work.open()

    def __call__(self, item: T) -> Outcome:
        with floor():
            try:
                return self.explain(item)
            except AutointerpError as error:
                return Failed(self.work.name(item), str(error), error.exit_code)


@contextmanager
def _here(work: Work[T], abreast: int) -> Iterator[list[Job[T]]]:
    yield [_Opened(work)] * abreast


@dataclass(frozen=True)
class _Started(Generic[T]):
    """A process that opens work; `wait` until it has."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection

    def wait(self) -> Job[T]:
        try:
            opened = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise self._died from None
        if isinstance(opened, Exception):
            raise opened
        remote = Remote(*opened)

        def job(item: T) -> Outcome:
            try:
                outcome: Outcome = remote(item)
            except GoneError:
                self.process.join(timeout=5)
                raise self._died from None
            return outcome

        return job

    @property
    def _died(self) -> RuntimeError:
        return RuntimeError(
            f"a worker process was killed (exit code {self.process.exitcode}), perhaps for want of memory: "
            "run the same command with fewer --workers"
        )


@contextmanager
def _process(work: Work[T]) -> Iterator[_Started[T]]:
    """A process that does the work; it ends with the block, and with this process however that ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    with _environment(ONE_THREAD):  # read by what the process loads, for all of its threads
        process.start()
    theirs.close()
    try:
        yield _Started(process, ours)
    finally:
        ours.close()  # it ends by itself when it reads that, unless it is in the middle of something
        process.join(ENDING if sys.exc_info()[0] is None else 0)
        process.terminate()
        process.join()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with these variables, for processes that are started in the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(work: Work[Any], pipe: Connection) -> None:
    """What runs in a worker process: says where it can be called, or why the work cannot be opened."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers ctrl-C, and ends us
    one_thread()
    try:
        job = _Opened(work)
    except AutointerpError as error:
        pipe.send(error)
        return
    with Served(job) as served:
        pipe.send(served.where)
        with suppress(EOFError):  # which comes when the parent is done with us, or gone
            pipe.recv()
