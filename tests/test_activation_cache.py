"""What was answered is kept between runs: the same bytes cold and warm, whatever happens to the file."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from at_hand import ROOT, demo_folders
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autointerp.activation_cache import ActivationCache, Request, keys_of
from autointerp.models import TransformerSubject
from dsl.parse import parse
from dsl.records import Thresholds
from probes.subject import TokenIds
from probes.trial import Budget, Trial

contexts = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple), max_size=5)
ANSWER = np.array([[0.0, 1.5], [0.25, 0.0]], dtype=np.float32)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 4))))
def test_an_answer_comes_back_bit_for_bit(answer: np.ndarray) -> None:
    cache = ActivationCache(Path(":memory:"))
    cache.put(b"key", answer)
    found = cache.get(b"key")
    assert found is not None
    assert found.tobytes() == answer.tobytes()
    assert found.shape == answer.shape
    assert cache.get(b"other") is None
    assert not cache.failures
    cache.close()


requests = st.builds(Request, contexts.map(tuple), st.lists(st.integers(0, 3), max_size=2).map(tuple))
batches = st.lists(requests, max_size=3)


@given(batches, batches)
def test_keys_are_the_same_for_the_same_batch_alone(one: list[Request], other: list[Request]) -> None:
    assert not one or (keys_of({}, one) == keys_of({}, other)) == (one == other)
    assert len(set(keys_of({}, one))) == len(one)
    assert not set(keys_of({}, one)) & set(keys_of({"precision": "bfloat16"}, one))


def test_results_are_the_same_bytes_cold_warm_and_without(tmp_path: Path) -> None:
    texts: list[TokenIds] = [(5, 6, 7, 8, 9), (5, 6, 7, 1, 9), (5, 6, 7, 8), (), (5, 6, 7, 8)]
    without = TransformerSubject.load(*demo_folders()).activations(texts, [17, 3])
    for asked in ("cold", "warm"):
        subject = TransformerSubject.load(*demo_folders())
        subject.cache = ActivationCache(tmp_path / "cache.sqlite3")
        found = subject.activations(texts, [17, 3])
        for one, other in zip(found, without, strict=True):
            assert one.tobytes() == other.tobytes()
            assert one.shape == other.shape
            assert one.flags.writeable
        assert (subject.work.run == 0) == (asked == "warm")
        assert (subject.work.cached == subject.work.asked) == (asked == "warm")
        subject.activations(texts, [17, 3], batch_size=1)
        subject.cache.close()
    with sqlite3.connect(tmp_path / "cache.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1,), "verdicts are never kept"
    connection.close()


def test_a_trial_spends_the_same_whether_it_was_answered_from_the_cache_or_not(tmp_path: Path) -> None:
    spent = []
    for _ in range(2):
        subject = TransformerSubject.load(*demo_folders())
        subject.cache = ActivationCache(tmp_path / "cache.sqlite3")
        trial = Trial(parse("activates on any token"), 17, subject, Thresholds(1.0, 0.0, 2.0), Budget(1000))
        trial.read([(5, 6, 7), (5, 6, 8)])
        trial.read_alone([(5, 6, 7)])
        spent.append(trial.spent)
        subject.cache.close()
    assert spent == [12, 12]
    assert subject.work.cached == 8


def test_damaged_answers_are_asked_again(tmp_path: Path) -> None:
    cache = ActivationCache(tmp_path / "cache.sqlite3")
    cache.put(b"key", ANSWER)
    connection = sqlite3.connect(cache.path)
    connection.execute("UPDATE answers SET answer = substr(answer, 1, length(answer) - 1) || x'00'")
    connection.commit()
    connection.close()
    assert cache.get(b"key") is None
    assert cache.failures == 1
    cache.put(b"key", ANSWER)
    np.testing.assert_array_equal(cache.get(b"key"), ANSWER)
    cache.close()


@pytest.mark.parametrize("damage", ["no database", "a hole", "cut short"])
def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "cache.sqlite3"
    cache = ActivationCache(path)
    for number in range(200):
        cache.put(b"%d" % number, np.random.default_rng(number).random((50, 4)).astype(np.float32))
    cache.close()
    whole = path.read_bytes()
    match damage:
        case "no database":
            path.write_bytes(b"not a database at all" * 1000)
        case "a hole":
            path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
        case "cut short":
            path.write_bytes(whole[:5000])
    again = ActivationCache(path)
    assert again.get(b"1") is None
    again.put(b"1", ANSWER)
    again.put(b"1", ANSWER)
    np.testing.assert_array_equal(again.get(b"1"), ANSWER)
    assert again.remade == 1
    again.close()


def test_where_nothing_can_be_written_there_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ActivationCache(tmp_path / "file" / "cache.sqlite3")
    cache.put(b"key", ANSWER)
    assert cache.get(b"key") is None
    assert cache.failures == 2
    assert not cache.remade


def test_the_oldest_go_when_the_file_would_grow_too_large(tmp_path: Path) -> None:
    limit = 400_000
    cache = ActivationCache(tmp_path / "cache.sqlite3", limit=limit)
    answers = np.random.default_rng(0).random((640, 1000, 1)).astype(np.float32)
    for number, answer in enumerate(answers):
        cache.put(b"%d" % number, answer)
    assert cache.get(b"0") is None
    np.testing.assert_array_equal(cache.get(b"639"), answers[639])
    cache.close()
    assert cache.path.stat().st_size < 2 * limit
    assert not cache.failures


WRITER = """
import sys, numpy as np
from pathlib import Path
from autointerp.activation_cache import ActivationCache
cache = ActivationCache(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    cache.put(b"%d" % number, np.full((100, 2), number, np.float32))
    print(number, flush=True)
assert not cache.failures
"""


def writer(path: Path, first: int, stop: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(stop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    writers = [writer(path, first, first + 100) for first in (0, 100, 200)]
    for one in writers:
        one.communicate(timeout=120)
        assert one.returncode == 0
    assert_kept(path, range(300))


def test_a_killed_process_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite3"
    one = writer(path, 0, 10**9)
    assert one.stdout is not None
    written = [int(one.stdout.readline()) for _ in range(50)]
    one.send_signal(signal.SIGKILL)
    one.communicate(timeout=60)
    assert_kept(path, written)


def assert_kept(path: Path, numbers: object) -> None:
    assert isinstance(numbers, list | range)
    cache = ActivationCache(path)
    for number in numbers:
        np.testing.assert_array_equal(cache.get(b"%d" % number), np.full((100, 2), number, np.float32))
    assert not cache.failures
    cache.close()
