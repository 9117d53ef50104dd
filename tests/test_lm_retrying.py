"""Asking again: bounds, waits, and how many calls run at once. Nothing here sleeps."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import strategies as st
from laws import law

from autointerp.lms.background import Background
from autointerp.lms.retrying import FaultError, Gate, GaveUpError, Limits, Retrying


class Sleeps:
    """Stands for the clock: remembers how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def failing(times: int, fault: FaultError) -> Callable[[], Awaitable[str]]:
    """An attempt that fails so many times and then comes right."""
    left = iter([fault] * times)

    async def attempt() -> str:
        if (fault := next(left, None)) is not None:
            raise fault
        return "said"

    return attempt


def retrying(limits: Limits, sleeps: Sleeps) -> Retrying:
    return Retrying(limits, sleep=sleeps, rng=random.Random(0))


UNREACHABLE = FaultError("unreachable", "no connection", again=True)


def test_what_fails_is_asked_again_until_it_comes_right() -> None:
    sleeps = Sleeps()
    tries = retrying(Limits(), sleeps)
    assert asyncio.run(tries.call(failing(3, UNREACHABLE))) == ("said", 3)
    assert len(sleeps.waits) == 3
    assert tries.counts.attempts == 4
    assert tries.counts.retries == (("unreachable", 3),)
    assert tries.counts.in_flight == 0


def test_retries_are_bounded_and_the_last_fault_is_told() -> None:
    sleeps = Sleeps()
    tries = retrying(Limits(retries=10), sleeps)
    with pytest.raises(GaveUpError, match="no connection") as gave_up:
        asyncio.run(tries.call(failing(11, UNREACHABLE)))
    assert gave_up.value.retries == 10
    assert gave_up.value.fault is UNREACHABLE
    assert len(sleeps.waits) == 10
    assert asyncio.run(retrying(Limits(), sleeps).call(failing(10, UNREACHABLE))) == ("said", 10)


def test_a_server_that_is_down_is_not_waited_for_again_and_again() -> None:
    sleeps = Sleeps()
    tries = retrying(Limits(retries=10, retries_when_down=1), sleeps)

    def given_up(fault: FaultError) -> int:
        with pytest.raises(GaveUpError) as gave_up:
            asyncio.run(tries.call(failing(99, fault)))
        return gave_up.value.retries

    assert [given_up(UNREACHABLE) for _ in range(4)] == [10, 1, 1, 1]
    assert asyncio.run(tries.call(failing(1, UNREACHABLE))) == ("said", 1)
    assert [given_up(UNREACHABLE) for _ in range(2)] == [10, 1]
    assert given_up(FaultError("server error", "HTTP 502", again=True)) == 1  # of a proxy before it
    assert given_up(OVERLOADED) == 1  # but something did come back
    assert given_up(OVERLOADED) == 10


def test_what_cannot_come_right_is_asked_once() -> None:
    sleeps = Sleeps()
    with pytest.raises(GaveUpError, match="no such model") as gave_up:
        asyncio.run(retrying(Limits(), sleeps).call(failing(1, FaultError("refused", "no such model", again=False))))
    assert gave_up.value.retries == 0
    assert sleeps.waits == []


@law(st.integers(0, 40), st.integers(0, 2**32), everyday=50, full=2_000)
def test_waits_grow_up_to_their_bound_and_are_drawn_below_it(made: int, seed: int) -> None:
    limits = Limits(first_wait=0.5, longest_wait=30.0)
    tries = Retrying(limits, sleep=Sleeps(), rng=random.Random(seed))
    assert 0.0 <= tries.wait(made, None) <= min(30.0, 0.5 * 2.0**made)


def test_waits_of_calls_that_failed_together_differ() -> None:
    tries = retrying(Limits(), Sleeps())
    assert len({tries.wait(5, None) for _ in range(20)}) == 20


def test_a_server_that_says_how_long_is_waited_for_that_long_and_little_more() -> None:
    sleeps = Sleeps()
    asyncio.run(retrying(Limits(), sleeps).call(failing(5, FaultError("overloaded", "wait", again=True, wait=7.0))))
    assert len(sleeps.waits) == 5
    assert all(7.0 <= wait <= 7.0 * 1.25 for wait in sleeps.waits)


def test_a_server_that_asks_to_wait_too_long_is_not_waited_for() -> None:
    sleeps = Sleeps()
    with pytest.raises(GaveUpError):
        asyncio.run(
            retrying(Limits(patience=60.0), sleeps).call(
                failing(1, FaultError("overloaded", "wait", again=True, wait=61.0))
            )
        )
    assert sleeps.waits == []


def test_an_attempt_that_hangs_is_a_timeout_and_asked_again() -> None:
    async def call() -> tuple[str, int]:
        hung: list[int] = []

        async def attempt() -> str:
            if not hung:
                hung.append(1)
                await asyncio.sleep(3600)
            return "said"

        return await tries.call(attempt)

    tries = retrying(Limits(reply=0.05), Sleeps())
    assert asyncio.run(call()) == ("said", 1)
    assert tries.counts.retries == (("timeout", 1),)


async def pass_through(gate: Gate, fault: FaultError | None = None, until: asyncio.Event | None = None) -> None:
    try:
        async with gate.passage():
            if until is not None:
                await until.wait()
            if fault is not None:
                raise fault
    except FaultError:
        pass


def burst(gate: Gate, calls: int, fault: FaultError | None = None) -> None:
    """So many calls that all wait for each other, as far as the gate lets them."""

    async def run() -> None:
        go = asyncio.Event()
        tasks = [asyncio.create_task(pass_through(gate, fault, go)) for _ in range(calls)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_the_limit_grows_under_load_up_to_its_bound() -> None:
    gate = Gate(Limits(start=2, most=16))
    burst(gate, 200)
    assert gate.limit == gate.most_in_flight == 16


def test_the_limit_does_not_grow_where_it_holds_nothing_back() -> None:
    gate = Gate(Limits(start=4, most=16))
    for _ in range(50):
        burst(gate, 3)
    assert gate.limit == 4


OVERLOADED = FaultError("overloaded", "too many", again=True)


def test_one_burst_of_overload_halves_the_limit_once() -> None:
    gate = Gate(Limits(start=16, most=64))
    burst(gate, 16, OVERLOADED)
    assert gate.limit == 8
    burst(gate, 8, OVERLOADED)
    assert gate.limit == 4


def test_the_limit_never_falls_below_its_least() -> None:
    gate = Gate(Limits(start=4, least=2))
    for _ in range(10):
        burst(gate, 4, OVERLOADED)
    assert gate.limit == 2


def test_after_overload_the_limit_grows_by_one_a_round() -> None:
    gate = Gate(Limits(start=16, most=64))
    burst(gate, 16, OVERLOADED)
    burst(gate, 8)
    assert gate.limit in (8, 9)
    burst(gate, 27)
    assert 9 <= gate.limit <= 11


def test_faults_of_a_connection_leave_the_limit_as_it_is() -> None:
    gate = Gate(Limits(start=16))
    burst(gate, 16, UNREACHABLE)
    assert gate.limit == 16


@law(
    st.lists(st.tuples(st.sampled_from(["said", "overloaded", "unreachable", "cancelled"]), st.integers(0, 3))),
    st.integers(1, 5),
    everyday=50,
    full=2_000,
)
def test_no_more_calls_than_the_limit_pass_and_no_place_is_lost(calls: list[tuple[str, int]], most: int) -> None:
    gate = Gate(Limits(start=most, most=most))

    async def one(outcome: str, turns: int) -> None:
        async def work() -> None:
            async with gate.passage():
                assert gate.in_flight <= most
                for _ in range(turns):
                    await asyncio.sleep(0)
                if outcome == "unreachable":
                    raise UNREACHABLE
                if outcome == "overloaded":
                    raise OVERLOADED

        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        if outcome == "cancelled":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(*(one(*call) for call in calls)), timeout=60)

    asyncio.run(run())
    assert gate.in_flight == 0
    assert gate.most_in_flight <= most


def test_impossible_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="least <= start"):
        Limits(start=8, most=4)


async def nothing() -> None: ...


def test_work_in_the_background_raises_where_it_was_asked_for() -> None:
    async def wrong() -> int:
        raise ValueError("a bug")

    background = Background(nothing)
    with pytest.raises(ValueError, match="a bug"):
        background.run(wrong())
    background.close()


def test_the_background_closes_what_it_opened_in_its_own_thread_and_can_start_again() -> None:
    closed: list[str] = []

    async def closing() -> None:
        closed.append("closed")

    async def six() -> int:
        return 6

    background = Background(closing)
    assert background.run(six()) == 6
    background.close()
    background.close()
    assert closed == ["closed"]
    assert background.run(six()) == 6
    del background  # as good as closed
    assert closed == ["closed", "closed"]
