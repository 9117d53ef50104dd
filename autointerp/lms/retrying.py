"""Asking again what may come right: bounded retries with jitter, and no more calls at once than a server bears.

An attempt that fails raises a `FaultError`, which says whether asking again can help. Waits grow exponentially and are
drawn at random up to their bound ("full jitter", M. Brooker, "Exponential Backoff And Jitter", 2015), so that calls
that failed together do not come back together. How many calls run at once grows by addition and shrinks by
multiplication (D.-M. Chiu and R. Jain, 1989), as a network's senders share a line.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from agents.lm import FailureKind

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

OVERLOAD: tuple[FailureKind, ...] = ("overloaded", "timeout")
"""The faults that say that a server has more to do than it can."""

ABSENCE: tuple[FailureKind, ...] = ("unreachable", "timeout")
"""The faults of a server that may not be there at all."""

DOWN: tuple[FailureKind, ...] = (*ABSENCE, "server error")
"""Those of one that is down, or behind a proxy that is not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, how often to ask again, how many calls at once; waits are in seconds.

    `connect` bounds the connection, `reply` a whole reply from the first byte asked to the last byte read. `retries`
    bounds the faults of one generation; once one was given up on with a fault of `DOWN` the server is taken to be down,
    and until something else comes back each call is sent `retries_when_down` times more. A wait is drawn from 0 to
    `first_wait`, twice that, ... up to `longest_wait`; where a server says how long, it is that and up to a quarter
    more, and one beyond `patience` is not waited for. Calls at once start at `start` and stay between `least` and
    `most`.
    """

    connect: float = 10.0
    reply: float = 600.0
    retries: int = 10
    retries_when_down: int = 1
    first_wait: float = 0.5
    longest_wait: float = 30.0
    patience: float = 120.0
    start: int = 8
    least: int = 1
    most: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.start <= self.most or self.retries < 0:
            raise ValueError(f"{self}: calls at once are 1 <= least <= start <= most, retries 0 or more")


class FaultError(Exception):
    """One attempt failed; `again` says whether another may not, `wait` how many seconds the server asks for."""

    def __init__(self, kind: FailureKind, reason: str, *, again: bool, wait: float | None = None) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.again, self.wait = kind, reason, again, wait


class GaveUpError(Exception):
    """No attempt came right: the last fault, and how many retries were made."""

    def __init__(self, fault: FaultError, retries: int) -> None:
        super().__init__(fault.reason)
        self.fault, self.retries = fault, retries


@dataclass(frozen=True, slots=True)
class Counts:
    """What the wire saw; none of it is part of a result.

    `attempts` counts every call sent, `retries` those sent again, by the kind of fault before. `in_flight` calls run
    now, at most `most_in_flight` ever did, `limit` may now. `busy` sums the seconds that calls took: its growth over
    a stretch of time, divided by that time, is the mean number in flight.
    """

    attempts: int = 0
    retries: tuple[tuple[FailureKind, int], ...] = ()
    in_flight: int = 0
    most_in_flight: int = 0
    limit: int = 0
    busy: float = 0.0


class Gate:
    """Lets so many calls through at once as the server has been seen to bear; used from one event loop.

    The limit grows by one a success until the first sign of overload, and from then on by one a full round of
    successes, in both cases only while it is what holds calls back. A sign of overload halves it, at most once for
    the calls that were sent before it was halved last.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._limit = float(limits.start)
        self._halved = 0
        self._starting = True
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.in_flight = self.most_in_flight = self.attempts = 0
        self._busy, self._since = 0.0, time.monotonic()

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def busy(self) -> float:
        return self._busy + self.in_flight * (time.monotonic() - self._since)

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """One call, once there is room for it; first come, first served."""
        await self._enter()
        sent = self.attempts = self.attempts + 1
        try:
            yield
        except FaultError as fault:
            if fault.kind in OVERLOAD or fault.wait is not None:
                self._shrink(sent)
            raise
        else:
            self._grow()
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self.in_flight < self.limit and not self._waiting:
            self._count(1)
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # was let in and cancelled at once: the room goes to the next
                self._leave()
            raise

    def _leave(self) -> None:
        self._count(-1)
        while self._waiting and self.in_flight < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self._count(1)
                place.set_result(None)

    def _count(self, change: int) -> None:
        now = time.monotonic()
        self._busy += self.in_flight * (now - self._since)
        self._since = now
        self.in_flight += change
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def _grow(self) -> None:
        if self.in_flight >= self.limit:
            self._limit = min(self._limits.most, self._limit + (1 if self._starting else 1 / self._limit))

    def _shrink(self, sent: int) -> None:
        self._starting = False
        if sent > self._halved:
            self._limit = max(self._limits.least, self._limit / 2)
            self._halved = self.attempts


class Retrying:
    """Runs attempts through a gate until one comes right or the bound is reached."""

    def __init__(self, limits: Limits, *, sleep: Sleep, rng: random.Random) -> None:
        self.limits, self._sleep, self._rng = limits, sleep, rng
        self._gate = Gate(limits)
        self._retries: Counter[FailureKind] = Counter()
        self._down = False

    @property
    def counts(self) -> Counts:
        gate = self._gate
        retries = tuple(sorted(self._retries.copy().items()))
        return Counts(gate.attempts, retries, gate.in_flight, gate.most_in_flight, gate.limit, gate.busy)

    async def call(self, attempt: Callable[[], Awaitable[T]], retries: int | None = None) -> tuple[T, int]:
        """What an attempt gave and how many retries that took; raises GaveUpError."""
        bound = self.limits.retries if retries is None else retries
        bound = min(bound, self.limits.retries_when_down) if self._down else bound
        made = 0
        while True:
            try:
                async with self._gate.passage():
                    found = await self._in_time(attempt)
                self._down = False
                return found, made
            except FaultError as fault:
                if fault.kind not in DOWN:
                    self._down = False
                elif made == self.limits.retries:
                    self._down = True
                if not fault.again or made == bound or (fault.wait or 0.0) > self.limits.patience:
                    raise GaveUpError(fault, made) from fault
                wait = self.wait(made, fault.wait)
                self._retries[fault.kind] += 1
            made += 1
            await self._sleep(wait)

    def wait(self, made: int, asked: float | None) -> float:
        """Seconds to wait after so many retries, when the server asked for so many, or did not say."""
        if asked is not None:
            return asked * self._rng.uniform(1.0, 1.25)
        return self._rng.uniform(0.0, min(self.limits.longest_wait, self.limits.first_wait * 2.0**made))

    async def _in_time(self, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self.limits.reply):
                return await attempt()
        except TimeoutError as late:
            raise FaultError("timeout", f"no whole reply in {self.limits.reply:g} s", again=True) from late
