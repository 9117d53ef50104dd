"""Threads in step: what they ask is answered as one, whatever each of them does in between."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from at_hand import demo_subject, stories
from hypothesis import given, settings
from hypothesis import strategies as st

from autointerp.activation_cache import ActivationCache
from autointerp.floor import elsewhere, floor
from autointerp.forward import TOLERANCE
from autointerp.gathering import Abandoned, Gathering
from autointerp.models import TransformerSubject
from dsl.errors import InputError
from dsl.parse import parse
from dsl.records import Counterexample, Dev, Thresholds
from probes.attack import Attack, attack
from probes.generators import Ablations, GradientSwaps, Mutants
from probes.question import Generator
from probes.subject import TokenIds
from probes.trial import Budget, Trial

WAIT = 30.0
"""Seconds after which a test gives up waiting for what should have come long before."""

TEXTS: list[list[TokenIds]] = [
    [(5, 6, 7, 8, 9), (5, 6, 7, 1, 9), (5, 6, 7, 8), ()],
    [(5, 6, 7, 8, 9), (5, 6, 2, 1, 9), (700, 3)],
    [],
    [(5, 6, 7, 8, 9, 10, 11), (5, 6, 7, 8)],
]
FEATURES = [[17], [3, 17], [4], [1060]]


class Noted:
    """Answers with what it was asked, and notes what came together."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []

    def __call__(self, asked: Sequence[object]) -> Sequence[object]:
        self.batches.append(list(asked))
        return list(asked)


def asks(gathering: Gathering[object, object], *asked: object) -> Callable[[], list[object]]:
    return lambda: [gathering.ask(one) for one in asked]


@given(st.lists(st.integers(0, 5), max_size=6))
@settings(deadline=None)  # threads wait for a processor, which others may have
def test_each_step_answers_one_question_of_every_thread_that_has_any_left_in_their_order(counts: list[int]) -> None:
    noted = Noted()
    gathering = Gathering(noted)
    found = gathering.run(
        [asks(gathering, *((number, step) for step in range(count))) for number, count in enumerate(counts)]
    )
    assert found == [[(number, step) for step in range(count)] for number, count in enumerate(counts)]
    steps = range(max(counts, default=0))
    assert noted.batches == [[(number, step) for number, count in enumerate(counts) if step < count] for step in steps]


def test_one_thread_alone_is_answered_at_once() -> None:
    noted = Noted()
    gathering = Gathering(noted)
    assert gathering.run([asks(gathering, 1, 2)]) == [[1, 2]]
    assert noted.batches == [[1], [2]]


def test_one_thread_runs_at_a_time() -> None:
    gathering = Gathering(Noted())
    running: list[int] = []
    most: list[int] = []

    def task() -> None:
        for step in range(20):
            running.append(step)
            most.append(len(running))
            running.pop()
            gathering.ask(step)

    gathering.run([task] * 8)
    assert max(most) == 1


def test_a_thread_that_fails_leaves_the_others_to_finish_and_its_exception_is_raised() -> None:
    noted = Noted()
    gathering = Gathering(noted)
    done: list[object] = []

    def fails() -> None:
        gathering.ask("before")
        raise InputError("of this thread")

    def goes_on() -> None:
        done.extend(asks(gathering, 1, 2, 3)())

    with pytest.raises(InputError, match="of this thread"):
        gathering.run([goes_on, fails, goes_on])
    assert done == [1, 2, 3, 1, 2, 3]
    assert noted.batches == [[1, "before", 1], [2, 2], [3, 3]]
    assert gathering.run([asks(gathering, 4)]) == [[4]], "it can be run again"


def test_of_several_that_fail_the_first_in_order_is_raised() -> None:
    gathering = Gathering(Noted())

    def fails(name: str, after: int) -> Callable[[], None]:
        def task() -> None:
            for step in range(after):
                gathering.ask(step)
            raise InputError(name)

        return task

    with pytest.raises(InputError, match="first"):
        gathering.run([fails("first", 3), fails("second", 0)])


def test_what_answering_raises_breaks_all_off() -> None:
    seen: list[str] = []

    def breaks(asked: Sequence[object]) -> Sequence[object]:
        raise MemoryError(f"{len(asked)} at once")

    gathering: Gathering[object, object] = Gathering(breaks)

    def task() -> None:
        try:
            gathering.ask(0)
        except Abandoned:
            seen.append("abandoned")
            raise

    with pytest.raises(MemoryError, match="2 at once"):
        gathering.run([task, task])
    assert seen == ["abandoned", "abandoned"]


def test_the_others_go_on_while_one_is_outside_and_it_joins_them_in_the_next_step() -> None:
    noted = Noted()
    gathering = Gathering(noted)
    answered = threading.Event()

    def outside() -> object:
        with gathering.outside():
            # Nobody would answer the others if they waited for this one.
            assert answered.wait(WAIT)
        return gathering.ask("back")

    def inside() -> object:
        first = gathering.ask("one")
        answered.set()
        return [first, gathering.ask("two")]

    def noting(asked: Sequence[object]) -> Sequence[object]:
        answered.set()
        return noted(asked)

    gathering._answers = noting
    assert gathering.run([outside, inside]) == ["back", ["one", "two"]]
    assert noted.batches == [["one"], ["back", "two"]]


def test_those_who_are_outside_are_so_side_by_side() -> None:
    gathering = Gathering(Noted())
    meeting = threading.Barrier(4)

    def task() -> int:
        with gathering.outside(), gathering.outside():
            return meeting.wait(WAIT)

    assert sorted(gathering.run([task] * 4)) == [0, 1, 2, 3]


def test_what_is_merged_does_not_depend_on_who_is_outside_for_how_long() -> None:
    def batches(slow: int) -> list[list[object]]:
        noted = Noted()
        gathering = Gathering(noted)
        others = threading.Barrier(3)
        freed = threading.Event()

        def task(number: int) -> Callable[[], None]:
            def run() -> None:
                with gathering.outside():
                    if number == slow:
                        assert freed.wait(WAIT)
                    elif others.wait(WAIT) == 0:
                        freed.set()
                asks(gathering, (number, 0), (number, 1))()

            return run

        gathering.run([task(number) for number in range(4)])
        return noted.batches

    assert len({str(batches(slow)) for slow in range(4)}) == 1


def test_a_thread_that_fails_outside_ends_like_any_other() -> None:
    gathering = Gathering(Noted())

    def fails() -> None:
        with gathering.outside():
            raise InputError("outside")

    with pytest.raises(InputError, match="outside"):
        gathering.run([fails, asks(gathering, 1, 2)])


def test_who_is_outside_cannot_ask_and_who_takes_no_turns_is_never_outside() -> None:
    gathering = Gathering(Noted())

    def asks_outside() -> None:
        with gathering.outside():
            gathering.ask(1)

    with pytest.raises(RuntimeError, match="come back first"):
        gathering.run([asks_outside])
    with gathering.outside():
        assert not gathering.includes_me


def test_threads_in_step_take_the_floor_by_turns_and_leave_it_together() -> None:
    noted = Noted()
    gathering = Gathering(noted)
    meeting = threading.Barrier(3)

    def task(number: int) -> Callable[[], int]:
        def run() -> int:
            with floor():
                gathering.ask(number)
                with elsewhere():
                    meeting.wait(WAIT)
                gathering.ask(number)
                return number

        return run

    with floor():  # whoever runs them may have it, and has it again afterwards
        assert gathering.run([task(number) for number in range(3)]) == [0, 1, 2]
    assert noted.batches == [[0, 1, 2], [0, 1, 2]]


def test_what_breaks_all_off_leaves_the_floor_free() -> None:
    def breaks(asked: Sequence[object]) -> Sequence[object]:
        raise MemoryError(f"{len(asked)} at once")

    gathering: Gathering[object, object] = Gathering(breaks)

    def task() -> None:
        with floor():
            gathering.ask(0)

    with pytest.raises(MemoryError, match="3 at once"):
        gathering.run([task] * 3)
    taken = threading.Thread(target=take_the_floor, daemon=True)
    taken.start()
    taken.join(WAIT)
    assert not taken.is_alive()


def take_the_floor() -> None:
    with floor():
        pass


def test_one_set_of_tasks_at_a_time() -> None:
    gathering = Gathering(Noted())
    with pytest.raises(RuntimeError, match="one set of tasks"):
        gathering.run([lambda: gathering.run([asks(gathering, 1)])])
    assert gathering.run([]) == []


def fresh_subject() -> TransformerSubject:
    """With counts of its own."""
    subject = demo_subject()
    return TransformerSubject(
        subject._bridge,
        subject._tokenizer,
        subject._dictionary,
        model_name=subject.model_name,
        window=subject._window,
        files=subject._files,
    )


def reading(subject: TransformerSubject, number: int) -> Callable[[], list[np.ndarray]]:
    return lambda: subject.activations(TEXTS[number], FEATURES[number])


def test_activations_are_those_of_each_thread_alone_and_shared_texts_run_once() -> None:
    subject, alone = fresh_subject(), fresh_subject()
    together = subject.gathering.run([reading(subject, number) for number in range(len(TEXTS))])
    for number, found in enumerate(together):
        for one, other in zip(found, reading(alone, number)(), strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=TOLERANCE * max(1.0, float(other.max(initial=0))))
            assert one.flags.writeable
    assert subject.work.asked == alone.work.asked
    assert subject.work.run < alone.work.run


def test_a_question_that_cannot_be_answered_is_its_threads_alone() -> None:
    subject = fresh_subject()

    def asks_too_much() -> object:
        with pytest.raises(InputError, match="has features 0 to"):
            subject.activations([(1, 2)], [10**6])
        with pytest.raises(InputError, match="token ids of"):
            subject.activations([(10**6,)], [1])
        return "went on"

    failed, found = subject.gathering.run([asks_too_much, reading(subject, 0)])
    assert failed == "went on"
    assert isinstance(found, list)
    assert len(found) == len(TEXTS[0])


def test_results_of_threads_are_the_same_bytes_cold_warm_and_half_lost(tmp_path: Path) -> None:
    kept: list[bytes] = []
    for turn in ("without", "cold", "warm", "half lost"):
        subject = fresh_subject()
        if turn != "without":
            subject.cache = ActivationCache(tmp_path / "cache.sqlite3")
        if turn == "half lost":
            with sqlite3.connect(tmp_path / "cache.sqlite3") as connection:
                deleted = connection.execute("DELETE FROM answers WHERE number % 2").rowcount
            connection.close()
            assert deleted > 0
        found = subject.gathering.run([reading(subject, number) for number in range(len(TEXTS))])
        kept.append(b"".join(one.tobytes() for answers in found for one in answers))
        assert (subject.work.run == 0) == (turn == "warm")
        if subject.cache is not None:
            subject.cache.close()
    assert len(set(kept)) == 1


def test_threads_take_the_number_of_cores_of_the_one_that_runs_them() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert set(fresh_subject().gathering.run([torch.get_num_threads] * 3)) == {1}
    finally:
        torch.set_num_threads(before)


EXPLANATIONS = (
    'activates on the word "the"',
    'activates on the tokens ".", "," or the word "day"',
    "activates on capitalised words",
    'activates on any token right after the word "a"',
)


def attacks(subject: TransformerSubject, *, in_step: bool) -> list[Attack]:
    """On explanations, most of them wrong, of features that often fire."""
    texts = [subject.tokenize(story)[:60] for story in stories(12)]
    often = np.bincount(np.concatenate([features for _, features, _ in demo_subject().sparse(texts)]))
    features = np.argsort(-often, kind="stable")[10 : 10 + len(EXPLANATIONS)].tolist()

    def attacked(feature: int, text: str) -> Attack:
        explanation = parse(text)
        rough = Trial(explanation, feature, subject, Thresholds.from_maximum(1.0), Budget(10**6))
        examples = tuple(one.example(subject.vocabulary) for one in rough.read(texts))
        thresholds = Thresholds.from_maximum(max(one.peak for one in examples))
        generators: list[Generator] = [Mutants(), Ablations(), GradientSwaps()]
        dev = Dev("demo", examples, thresholds)
        rng = random.Random(f"seed {feature}")
        return attack(explanation, feature, subject, dev, thresholds, generators, Budget(3000), rng)

    tasks = [partial(attacked, *pair) for pair in zip(features, EXPLANATIONS, strict=True)]
    return subject.gathering.run(tasks) if in_step else [task() for task in tasks]


def test_attacks_in_step_find_what_they_find_one_after_another() -> None:
    apart, together = fresh_subject(), fresh_subject()
    expected, found = attacks(apart, in_step=False), attacks(together, in_step=True)
    assert any(one.counterexamples for one in expected)
    for one, other in zip(found, expected, strict=True):
        assert [shown(each) for each in one.counterexamples] == [shown(each) for each in other.counterexamples]
        assert [shown(each) for each in one.mates] == [shown(each) for each in other.mates]
        assert (one.probes, one.tokens, one.first, one.disagreeing) == (
            other.probes,
            other.tokens,
            other.first,
            other.disagreeing,
        )
        for mine, its in zip(one.counterexamples, other.counterexamples, strict=True):
            # What is on record was read alone, so not a bit of it depends on who else was there.
            assert mine.example == its.example
    assert together.work.asked == apart.work.asked
    assert together.work.run < apart.work.run


def shown(counterexample: Counterexample) -> tuple[object, ...]:
    example = counterexample.example
    return counterexample.kind, counterexample.position, example.context, counterexample.generator


def test_attacks_in_step_are_the_same_bytes_every_time() -> None:
    one, other = attacks(fresh_subject(), in_step=True), attacks(fresh_subject(), in_step=True)
    assert one == other
