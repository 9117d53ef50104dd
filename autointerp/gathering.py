"""Threads in step: what they ask of the model between two steps is run as one.

An attack asks the model for some dozens of texts, looks at the answers, and asks again. Several attacks, each in a
thread, ask for many more at once: duplicates run once, texts of a length go into one batch, and texts that begin alike
into one tree, whoever asked for them.

What is merged must not depend on timing, or the same seed would not give the same bytes: a number's last bit depends on
what it was run with. So threads take turns like coroutines. In every step each one runs, in its order, until it asks,
goes outside or ends; then all that was asked is answered at once, and the next step begins. Nothing but what goes on
`outside` (a call to a language model: `floor.elsewhere` is outside too) runs beside anything else, so what the threads
share need not be safe for threads; a step ends when all who are outside have come back, and their calls do run side by
side.

A thread that raises has ended: the others go on, and `run` raises once all have ended. What the answering itself raises
is nobody's alone and ends them all: whoever asks checks before what can be wrong with his own question. A thread that
waits for anything without saying so holds up the others for as long, and for ever where it waits for one of them: such
waits belong in `outside`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from autointerp.floor import floor, leave_by, one_thread, released

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
T = TypeVar("T")

IN_STEP = {"cpu": 1, "cuda": 16}
"""How many features a process does well to attack in step, by the kind of device.

On a CPU it gains nothing: edits of different features' texts have nothing in common to run once, and the batches of one
attack keep a core busy (`benchmarks/gathering.py`, 8 features: 1% more tokens, as many seconds). A GPU is idle on such
batches. How many fill it has not been measured.
"""


class Abandoned(Exception):  # noqa: N818 no error of its own: why `run` was broken off, `run` raises
    """Raised in the threads that are left when `run` was broken off: there is nobody to answer any more."""


@dataclass(eq=False, slots=True)
class _Member(Generic[Asked, Answer]):
    """One thread. `go` is released when it is its turn, `back` when it has come back from outside."""

    state: Literal["running", "asking", "outside", "ended"] = "running"
    asked: Asked | None = None
    answer: Answer | None = None
    abandoned: bool = False
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    back: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class Gathering(Generic[Asked, Answer]):
    """Runs tasks in step and hands what they ask to `answers`, all at once and in the order of the tasks.

    >>> gathering = Gathering(lambda asked: [number + len(asked) for number in asked])
    >>> gathering.run([lambda: gathering.ask(10), lambda: gathering.ask(20)])
    [12, 22]
    """

    def __init__(self, answers: Callable[[Sequence[Asked]], Sequence[Answer]]) -> None:
        self._answers = answers
        self._here = threading.local()
        self._moved = threading.Semaphore(0)
        self._running = threading.Lock()

    def run(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """What each task returns, in order, each run in a thread of its own.

        Where tasks raise, the first of these exceptions, in their order, is raised when all have ended. RuntimeError
        where another run of the same gathering is under way. What breaks it off (Ctrl-C, or an exception of `answers`)
        ends the threads at what they ask next.
        """
        if not tasks:
            return []
        if not self._running.acquire(blocking=False):
            raise RuntimeError("a gathering runs one set of tasks at a time; give each thread that runs tasks its own")
        try:
            members = [_Member[Asked, Answer]() for _ in tasks]
            with released(), ThreadPoolExecutor(len(tasks), "feature", one_thread) as pool:
                try:
                    results = [pool.submit(self._live, one, task) for one, task in zip(members, tasks, strict=True)]
                    while any(member.state != "ended" for member in members):
                        self._step(members)
                except BaseException:
                    for member in members:
                        member.abandoned = True
                        member.go.release()
                    raise
            return [result.result() for result in results]
        finally:
            self._running.release()

    @property
    def includes_me(self) -> bool:
        """Whether the thread that calls is one that takes turns."""
        return getattr(self._here, "member", None) is not None

    def ask(self, asked: Asked) -> Answer:
        """The answer, once all the others have asked too, gone outside or ended."""
        member: _Member[Asked, Answer] = self._here.member
        if member.state == "outside":
            raise RuntimeError("what goes on outside a gathering cannot ask; come back first")
        member.state, member.asked = "asking", asked
        self._moved.release()
        self._wait(member)
        answer, member.asked, member.answer = member.answer, None, None
        return answer  # type: ignore[return-value]

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Let the others go on while this thread waits for something else; it is its turn again in the next step.

        For a thread that takes no turns, or is outside already, this does nothing.
        """
        member: _Member[Asked, Answer] | None = getattr(self._here, "member", None)
        if member is None or member.state == "outside":
            yield
            return
        member.state = "outside"
        self._moved.release()
        try:
            yield
        finally:
            member.back.release()
            self._wait(member)

    def _step(self, members: Sequence[_Member[Asked, Answer]]) -> None:
        for member in members:
            if member.state != "ended":
                member.go.release()
                self._moved.acquire()
        asking = [member for member in members if member.state == "asking"]
        if asking:
            asked: list[Asked] = [member.asked for member in asking]  # type: ignore[misc]
            with floor():
                answers = self._answers(asked)
            for member, answer in zip(asking, answers, strict=True):
                member.answer = answer
        for member in members:
            if member.state == "outside":
                member.back.acquire()

    def _live(self, member: _Member[Asked, Answer], task: Callable[[], T]) -> T:
        self._here.member = member
        leave_by(self.outside)
        try:
            self._wait(member)
            return task()
        finally:
            member.state = "ended"
            self._moved.release()

    def _wait(self, member: _Member[Asked, Answer]) -> None:
        with released():
            member.go.acquire()
        if member.abandoned:
            raise Abandoned("broken off")
        member.state = "running"
