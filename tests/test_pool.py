"""Features over processes and threads: every outcome in order, whoever did it, and what happens when one dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from threadpoolctl import threadpool_info

from autointerp.floor import elsewhere, floor
from autointerp.pool import ONE_THREAD, Failed, Finished, work_through
from autointerp.remote import GoneError, Remote, Served
from autointerp.report.view import FeatureView
from dsl.errors import InputError


@dataclass(frozen=True)
class Doing:
    """Work on numbers: 13 is refused, 14 kills its process, 15 is a bug; `open_fails` where nothing can be loaded."""

    open_fails: bool = False

    def open(self) -> Callable[[int], Finished]:
        if self.open_fails:
            raise InputError("the model is not there; name another")
        inside: list[int] = []

        def explain(item: int) -> Finished:
            inside.append(item)
            assert len(inside) == 1, "two features compute at once"
            if item == 13:
                inside.clear()
                raise InputError("13 never fires")
            if item == 14:
                os.kill(os.getpid(), signal.SIGKILL)
            if item == 15:
                inside.clear()
                raise ZeroDivisionError("a bug")
            inside.clear()
            with elsewhere():
                time.sleep(0.01 * (item % 3))
            inside.append(item)
            inside.clear()
            return Finished({"feature": item, "process": os.getpid()}, view())

        return explain

    def name(self, item: int) -> str:
        return f"number {item}"


def view() -> FeatureView:
    return FeatureView("1", "activates on any token", "consensus", False, {}, 1.0, 2.0)


WAYS = [(1, 1), (1, 4), (2, 1), (2, 3)]


@pytest.mark.parametrize(("workers", "abreast"), WAYS)
def test_every_item_has_its_outcome_in_its_order(workers: int, abreast: int) -> None:
    outcomes = list(work_through(Doing(), [*range(10), 13, 11], workers, abreast=abreast))
    assert [outcome.line["feature"] for outcome in outcomes] == [*range(10), "number 13", 11]
    assert isinstance(outcomes[10], Failed)
    assert outcomes[10].reason == "13 never fires"
    processes = {outcome.line["process"] for outcome in outcomes if isinstance(outcome, Finished)}
    assert len(processes) <= workers
    assert (os.getpid() in processes) == (workers == 1)


@pytest.mark.parametrize(("workers", "abreast"), WAYS)
def test_work_that_cannot_be_opened_says_so_as_the_user_s_error(workers: int, abreast: int) -> None:
    with pytest.raises(InputError, match="name another"):
        list(work_through(Doing(open_fails=True), [1, 2, 3], workers, abreast=abreast))


@pytest.mark.parametrize(("workers", "abreast"), WAYS)
def test_a_bug_is_raised_as_what_it_is(workers: int, abreast: int) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(work_through(Doing(), [1, 15, 2], workers, abreast=abreast))


@dataclass(frozen=True)
class CountingThreads:
    """Work that says how many threads torch would use, where the work is done."""

    def open(self) -> Callable[[int], Finished]:
        import torch

        def explain(item: int) -> Finished:
            torch.ones(256, 256) @ torch.ones(256, 256)  # what torch asks OpenMP, it asks at its first use in a thread
            pools = [pool["num_threads"] for pool in threadpool_info()]
            return Finished({"feature": item, "threads": [torch.get_num_threads(), *pools]}, view())

        return explain

    def name(self, item: int) -> str:
        return f"number {item}"


@pytest.mark.parametrize(("workers", "abreast"), WAYS)
def test_a_feature_is_computed_by_one_thread_whatever_the_machine_has(
    workers: int, abreast: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    outcomes = list(work_through(CountingThreads(), range(4), workers, abreast=abreast))
    for outcome in outcomes:
        threads = outcome.line["threads"]
        assert isinstance(threads, list)
        assert set(threads) == {1}
    assert not set(ONE_THREAD) & set(os.environ)


def test_a_killed_process_ends_the_run_and_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"killed \(exit code -9\).*fewer --workers"):
        list(work_through(Doing(), [1, 14, 2, 3], 2))


def test_outcomes_that_nobody_takes_do_not_hold_the_caller_up() -> None:
    running = work_through(Doing(), range(1, 9), 2, abreast=2)
    assert isinstance(next(running), Finished)
    running.close()  # type: ignore[attr-defined]  # a generator


class TestServed:
    def test_threads_call_at_once_and_each_gets_its_own_answer(self) -> None:
        met = threading.Barrier(8, timeout=20)

        def answer(number: int) -> int:
            met.wait()
            return number * number

        with Served(answer) as served:
            remote, answers = Remote(*served.where), dict[int, int]()
            threads = [threading.Thread(target=lambda n=n: answers.update({n: remote(n)})) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert answers == {number: number * number for number in range(8)}

    def test_what_it_raises_is_raised_there(self) -> None:
        with Served(int) as served, pytest.raises(ValueError, match="invalid literal"):
            Remote(*served.where)("x")

    def test_an_error_that_does_not_pickle_comes_as_its_traceback(self) -> None:
        class OddError(Exception):
            pass

        def fail() -> None:
            raise OddError("local to a function")

        with Served(fail) as served, pytest.raises(RuntimeError, match="local to a function"):
            Remote(*served.where)()

    def test_a_closed_one_answers_nobody(self) -> None:
        served = Served(len)
        remote = Remote(*served.where)
        assert remote("four") == 4
        served.close()
        served.close()
        with pytest.raises(GoneError):
            remote("four")

    def test_without_the_key_nobody_is_answered(self) -> None:
        with Served(len) as served:
            address, _ = served.where
            with pytest.raises(Exception, match="digest"):
                Remote(address, b"another key")("four")
            assert Remote(*served.where)("four") == 4


class TestFloor:
    def test_who_has_the_floor_may_ask_for_it_again(self) -> None:
        with floor(), floor():
            assert True

    def test_others_have_it_while_one_is_elsewhere(self) -> None:
        order: list[str] = []
        gone, back = threading.Event(), threading.Event()

        def other() -> None:
            gone.wait(10)
            with floor():
                order.append("other")
            back.set()

        thread = threading.Thread(target=other)
        thread.start()
        with floor():
            order.append("before")
            with elsewhere():
                gone.set()
                assert back.wait(10)
            order.append("after")
        thread.join()
        assert order == ["before", "other", "after"]

    def test_without_the_floor_elsewhere_changes_nothing(self) -> None:
        with elsewhere(), floor():
            assert True
