"""Calls are kept and asked in batches: the same answers cold, warm, killed and from many threads."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from at_hand import ROOT
from hypothesis import given
from hypothesis import strategies as st
from small_llama import small_llama

from agents.lm import (
    Completion,
    Failure,
    Free,
    Grammar,
    Labels,
    LanguageModel,
    Message,
    Reply,
    Request,
)
from agents.scripted_lm import ScriptedLM
from autointerp.kept import Kept
from autointerp.lms.batching import Batching
from autointerp.lms.call_cache import Cached, _read, _written, key_of
from autointerp.lms.local import LocalLM

texts = st.text(st.characters(), max_size=8)  # with halves of surrogate pairs
constraints = (
    st.builds(Free, st.lists(texts, max_size=2).map(tuple))
    | st.builds(Grammar, texts)
    | st.builds(Labels, st.lists(texts, max_size=2).map(tuple))
)
messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts)
requests = st.builds(
    Request,
    st.lists(messages, max_size=2).map(tuple),
    constraints,
    st.integers(0, 3),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 3),
    st.integers(0, 3),
)
completions = st.builds(
    Completion,
    texts,
    st.integers(0, 9),
    st.integers(0, 9),
    st.lists(st.tuples(texts, st.floats(allow_nan=False)), max_size=3).map(tuple),
    st.booleans(),
)


def ask(text: str = "Hello", **rest: object) -> Request:
    return replace(Request((Message("user", text),)), **rest)


def echo(request: Request) -> str | Failure:
    text = request.messages[-1].text
    return Failure("timeout", "no answer in time") if text == "fail" else f"You said {text}"


# What is kept


@given(requests, requests)
def test_keys_differ_where_anything_differs(one: Request, other: Request) -> None:
    assert (key_of("lm", "1", one) == key_of("lm", "1", other)) == (one == other)
    assert len({key_of(name, revision, one) for name in ("lm", "ml") for revision in ("1", "2")}) == 4


def test_each_field_of_a_request_makes_another_key() -> None:
    one = ask()
    others = [
        ask("Bye"),
        replace(one, messages=(Message("system", "Hello"),)),
        replace(one, messages=(*one.messages, *one.messages)),
        replace(one, constraint=Free(("x",))),
        replace(one, constraint=Grammar("x")),
        replace(one, constraint=Labels(("x",))),
        replace(one, max_tokens=1),
        replace(one, temperature=0.0),
        replace(one, seed=1),
        replace(one, sample=1),
    ]
    assert len({key_of("lm", "1", request) for request in [one, *others]}) == 11
    assert key_of("lm1", "", one) != key_of("lm", "1", one)


@given(completions)
def test_a_completion_comes_back_as_it_was(completion: Completion) -> None:
    assert _read(_written(completion)) == completion


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    wanted = [ask("a"), ask("b"), ask("a"), ask("a", sample=1)]
    runs = []
    for run in ("cold", "warm"):
        scripted = ScriptedLM(echo)
        cached = Cached(scripted, tmp_path / "calls.sqlite3")
        assert isinstance(cached, LanguageModel)
        runs.append(cached.complete(wanted))
        assert len(scripted.asked) == (3 if run == "cold" else 0), "equal requests are asked once"
        assert (cached.hits, cached.misses) == ((1, 3) if run == "cold" else (4, 0))
        assert not cached.failures
        cached.close()
    assert runs[0] == runs[1] == ScriptedLM(echo).complete(wanted)


def test_it_passes_on_what_the_model_is(tmp_path: Path) -> None:
    scripted = ScriptedLM(echo, name="small", revision="7", context_tokens=99)
    cached = Cached(scripted, tmp_path / "calls.sqlite3")
    assert (cached.name, cached.revision, cached.context_tokens) == ("small", "7", 99)
    assert cached.count_tokens(ask().messages) == scripted.count_tokens(ask().messages)
    assert cached.complete([]) == []


def test_another_revision_is_asked_anew(tmp_path: Path) -> None:
    for revision in ("1", "2"):
        scripted = ScriptedLM(echo, revision=revision)
        cached = Cached(scripted, tmp_path / "calls.sqlite3")
        cached.complete([ask()])
        assert len(scripted.asked) == 1
        cached.close()


def test_failures_are_never_kept(tmp_path: Path) -> None:
    scripted = ScriptedLM(echo)
    cached = Cached(scripted, tmp_path / "calls.sqlite3")
    for _ in range(2):
        failure, completion = cached.complete([ask("fail"), ask("a")])
        assert isinstance(failure, Failure)
        assert isinstance(completion, Completion)
    assert [request.messages[0].text for request in scripted.asked] == ["fail", "a", "fail"]
    cached.close()


@pytest.mark.parametrize(
    "entry", [b"", b"[]", b'["text", 1, 1, [], 0]', b'["text", 1, 1, [["a"]], false]', b"\xff", b"3"]
)
def test_entries_that_are_no_completion_are_asked_again_and_counted(tmp_path: Path, entry: bytes) -> None:
    scripted = ScriptedLM(echo)
    kept = Kept(tmp_path / "calls.sqlite3")
    kept.put(key_of(scripted.name, scripted.revision, ask()), entry)
    kept.close()
    cached = Cached(scripted, tmp_path / "calls.sqlite3")
    assert cached.complete([ask()]) == cached.complete([ask()]) == ScriptedLM(echo).complete([ask()])
    assert len(scripted.asked) == 1
    assert cached.failures == 1
    cached.close()


def test_damaged_entries_and_files_are_asked_again_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    expected = ScriptedLM(echo).complete([ask()])
    for damage in ("nothing", "an entry", "the file"):
        scripted = ScriptedLM(echo)
        if damage == "an entry":
            connection = sqlite3.connect(path)
            connection.execute("UPDATE answers SET answer = substr(answer, 1, 9)")
            connection.commit()
            connection.close()
        elif damage == "the file":
            path.write_bytes(b"no database" * 1000)
        cached = Cached(scripted, path)
        assert cached.complete([ask()]) == expected
        assert len(scripted.asked) == 1
        assert (cached.failures > 0) == (damage != "nothing")
        cached.close()


def test_where_nothing_can_be_written_every_call_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    scripted = ScriptedLM(echo)
    cached = Cached(scripted, tmp_path / "file" / "calls.sqlite3")
    assert cached.complete([ask()]) == cached.complete([ask()])
    assert len(scripted.asked) == 2
    assert cached.failures == 4


def test_who_asks_what_is_being_answered_waits_for_that_answer(tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()
    numbers = iter(range(9))

    def slow(_: Request) -> str:
        started.set()
        assert go_on.wait(30)
        return f"answer {next(numbers)}"

    scripted = ScriptedLM(slow)
    cached = Cached(scripted, tmp_path / "calls.sqlite3")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cached.complete, [ask("a")])
        assert started.wait(30)
        second = pool.submit(cached.complete, [ask("b"), ask("a"), ask("b")])
        go_on.set()
        assert first.result()[0] == second.result()[1]
    assert len(scripted.asked) == 2
    assert (cached.hits, cached.misses) == (2, 2)
    cached.close()


def test_what_the_model_raises_reaches_who_asked_and_is_not_kept(tmp_path: Path) -> None:
    def breaks(_: Request) -> str:
        raise ZeroDivisionError

    cached = Cached(ScriptedLM(breaks), tmp_path / "calls.sqlite3")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cached.complete([ask()])
    cached.close()


def test_a_cache_over_batches_gives_threads_what_one_call_gives(tmp_path: Path) -> None:
    wanted = [ask(str(number % 30)) for number in range(200)]
    expected = ScriptedLM(echo).complete(wanted)
    scripted = ScriptedLM(echo)
    with Batching(scripted) as batching:
        cached = Cached(batching, tmp_path / "calls.sqlite3")
        with ThreadPoolExecutor(16) as pool:
            assert [reply for [reply] in pool.map(lambda request: cached.complete([request]), wanted)] == expected
        assert not cached.failures
        cached.close()
    assert len(scripted.asked) == len(set(wanted)) == 30


WRITER = """
import sys
from pathlib import Path
from agents.lm import Message, Request
from agents.scripted_lm import ScriptedLM
from autointerp.lms.call_cache import Cached
cached = Cached(ScriptedLM(lambda request: "You said " + request.messages[-1].text), Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    cached.complete([Request((Message("user", str(number)),))])
    print(number, flush=True)
assert not cached.failures
"""


def writer(path: Path, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_processes_write_at_once_and_a_killed_one_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    whole, killed = writer(path, 0, 100), writer(path, 100, 10**9)
    assert killed.stdout is not None
    answered = [int(killed.stdout.readline()) for _ in range(50)]
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    scripted = ScriptedLM(echo)
    cached = Cached(scripted, path)
    for number in [*range(100), *answered]:
        assert cached.complete([ask(str(number))]) == ScriptedLM(echo).complete([ask(str(number))])
    assert len(scripted.asked) == cached.misses == 0
    assert not cached.failures
    cached.close()


def test_threads_share_what_is_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.sqlite3", limit=50_000)

    def work(number: int) -> bool:
        key = b"%d" % (number % 50)
        kept.put(key, key * 100)
        return kept.get(key) in (key * 100, None)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(800)))
    assert not kept.failures
    kept.close()


# Batches


class Slow:
    """Answers like a scripted one, and takes down what came together; waits for `go_on` the first time."""

    def __init__(self, answer: ScriptedLM, *, max_batch: int = 8) -> None:
        self.inner, self.max_batch = answer, max_batch
        self.batches: list[list[Request]] = []
        self.started, self.go_on = threading.Event(), threading.Event()
        self.name, self.revision, self.context_tokens = "slow", "1", 1000

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self.inner.count_tokens(messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        self.batches.append(list(requests))
        self.started.set()
        assert self.go_on.wait(30)
        return self.inner.complete(requests)


def waiting(batching: Batching, count: int) -> None:
    """Wait until so many requests wait."""
    for _ in range(3000):
        if len(batching._waiting) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{len(batching._waiting)} of {count} wait")


def test_what_comes_in_while_the_model_is_busy_goes_in_full_batches_of_one_kind() -> None:
    slow = Slow(ScriptedLM(lambda _: "yes"), max_batch=4)
    grammar, labels = Grammar('start: "yes"'), Labels(("yes", "no"))
    wanted = [ask("x" * (number % 5), constraint=(grammar, labels)[number % 2], seed=number) for number in range(16)]
    with Batching(slow) as batching, ThreadPoolExecutor(17) as pool:
        assert isinstance(batching, LanguageModel)
        first = pool.submit(batching.complete, [ask("first")])
        assert slow.started.wait(30)
        rest = [pool.submit(batching.complete, [request]) for request in wanted]
        waiting(batching, 16)
        slow.go_on.set()
        assert all(isinstance(one.result()[0], Completion) for one in [first, *rest])
        assert batching.batches == [1, 4, 4, 4, 4]
    for batch in slow.batches:
        assert len({type(request.constraint) for request in batch}) == 1
    assert sorted(request.seed for batch in slow.batches[1:] for request in batch) == list(range(16))


def test_many_requests_of_one_call_come_back_in_order_over_several_batches() -> None:
    slow = Slow(ScriptedLM(echo), max_batch=3)
    slow.go_on.set()
    wanted = [ask(str(number)) for number in range(10)]
    with Batching(slow) as batching:
        assert batching.complete(wanted) == ScriptedLM(echo).complete(wanted)
        assert batching.complete([]) == []
        assert sorted(batching.batches) == [1, 3, 3, 3]


def test_the_first_to_wait_is_in_the_next_batch() -> None:
    slow = Slow(ScriptedLM(lambda _: "yes"), max_batch=2)
    with Batching(slow) as batching, ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(batching.complete, [ask("busy")])]
        assert slow.started.wait(30)
        for number, text in enumerate(["long " * 50, *"abcdef"], start=1):
            asked.append(pool.submit(batching.complete, [ask(text)]))
            waiting(batching, number)
        slow.go_on.set()
        for one in asked:
            one.result()
    assert slow.batches[1][0].messages[0].text.startswith("long")


def test_what_the_model_raises_reaches_those_in_the_batch_and_the_next_goes_on() -> None:
    def breaks(request: Request) -> str:
        if request.messages[-1].text == "break":
            raise ZeroDivisionError
        return "fine"

    with Batching(ScriptedLM(breaks), max_batch=1) as batching:
        with pytest.raises(ZeroDivisionError):
            batching.complete([ask("break")])
        assert isinstance(batching.complete([ask("go on")])[0], Completion)


def test_failures_come_back_as_such() -> None:
    with Batching(ScriptedLM(echo)) as batching:
        assert [type(reply) for reply in batching.complete([ask("fail"), ask("a")])] == [Failure, Completion]


def test_after_it_is_closed_nobody_waits_and_no_thread_is_left() -> None:
    before = threading.active_count()
    slow = Slow(ScriptedLM(echo), max_batch=1)
    batching = Batching(slow)
    with ThreadPoolExecutor(3) as pool:
        in_hand = pool.submit(batching.complete, [ask("in hand")])
        assert slow.started.wait(30)
        left = pool.submit(batching.complete, [ask("waits")])
        waiting(batching, 1)
        closing = pool.submit(batching.close)
        with pytest.raises(RuntimeError, match="slow is closed"):
            left.result()
        slow.go_on.set()
        closing.result()
        assert isinstance(in_hand.result()[0], Completion)
    with pytest.raises(RuntimeError, match="slow is closed"):
        batching.complete([ask()])
    batching.close()
    assert threading.active_count() == before
    Batching(slow).close()


def test_threads_get_from_a_local_model_what_one_call_gets() -> None:
    lm = LocalLM.load(small_llama(), max_batch=8)
    constraints = [Free(), Grammar('start: ("a" | "b")~3'), Labels(("A", "A2", "NONE"))]
    wanted = [
        ask("word " * (number % 4), constraint=constraints[number % 3], max_tokens=9, seed=number)
        for number in range(48)
    ]
    expected = [lm.complete([request])[0] for request in wanted]
    with Batching(lm) as batching, ThreadPoolExecutor(12) as pool:
        found = [reply for [reply] in pool.map(lambda request: batching.complete([request]), wanted)]
        assert len(batching.batches) < 48
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Completion)
        assert isinstance(other, Completion)
        assert (one.text, one.completion_tokens) == (other.text, other.completion_tokens)
        assert [value for _, value in one.logprobs] == pytest.approx([value for _, value in other.logprobs], abs=1e-4)


def test_who_waits_for_an_answer_that_another_asked_for_gets_what_was_raised_for_it(tmp_path: Path) -> None:
    asked, waited = threading.Event(), threading.Event()

    class Failing(ScriptedLM):
        def complete(self, requests: Sequence[Request]) -> list[Reply]:
            asked.set()
            waited.wait(10)
            time.sleep(0.1)  # the other is on its way to wait
            raise RuntimeError(f"the engine is gone, with {len(requests)} requests")

    lm = Cached(Failing(lambda _: ""), tmp_path / "calls.sqlite3")
    request = Request((Message("user", "go on"),))

    def second() -> list[Reply]:
        asked.wait(10)
        waited.set()
        return lm.complete([request])

    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(lm.complete, [request]), pool.submit(second)]
        for answer in answers:
            with pytest.raises(RuntimeError, match="the engine is gone"):
                answer.result()
