"""Turns go to those that find something new, and everyone keeps a few."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from riverside import dev, evidence, planted

from dsl.parse import parse
from probes.attack import attack
from probes.edits import Edit
from probes.question import Question
from probes.trial import Budget
from probes.turns import LEAST, TURN, Turns

NAMES = ("a", "b", "c", "d")


def test_everyone_begins_alike() -> None:
    assert Turns(NAMES).lengths(NAMES) == dict.fromkeys(NAMES, TURN)


def test_finding_the_same_again_is_worth_less_and_less() -> None:
    turns = Turns(NAMES)
    turns.learn("a", run=8, causes=["x"] * 8)
    turns.learn("b", run=8, causes=["y", "z", "w"])
    lengths = turns.lengths(NAMES)
    assert lengths["b"] > lengths["a"] > lengths["c"] == lengths["d"] >= LEAST
    for _ in range(6):
        turns.learn("a", run=8, causes=["x"] * 8)
        turns.learn("b", run=8, causes=[])
    # What finds nothing new for long has no more than what was never asked.
    lengths = turns.lengths(NAMES)
    assert max(lengths["a"], lengths["b"]) < lengths["c"] == lengths["d"]


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 40), st.lists(st.sampled_from("uvwxyz"), max_size=40)),
        max_size=30,
    ),
    st.sets(st.sampled_from(NAMES), min_size=1),
)
def test_turns_keep_their_floor_and_their_sum(past: list[tuple[str, int, list[str]]], waiting: set[str]) -> None:
    turns = Turns(NAMES)
    for name, run, causes in past:
        turns.learn(name, run=run, causes=causes)
    lengths = turns.lengths(sorted(waiting))
    assert min(lengths.values()) >= LEAST
    assert abs(sum(lengths.values()) - TURN * len(waiting)) <= len(waiting)


class Endless:
    """Writes edits for ever; some show that a bank alone does not fire, others nothing."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question, rng):  # type: ignore[no-untyped-def]
        while True:
            word = "".join(rng.choices("bcdfgh", k=6))
            yield Edit(question.subject.tokenize(f"{word} {self.text}"), self.name)


def test_one_that_finds_gets_more_of_the_budget_and_the_others_some() -> None:
    subject = planted('activates on the token " bank" in the context of the word "river"')
    idle = [Endless(f"idle {number}", "the dog and") for number in range(4)]
    found = attack(
        parse('activates on the token " bank"'), 0, subject, [evidence(subject), dev(subject)], subject.thresholds,
        [*idle, Endless("busy", "the bank and")], Budget(60_000, probes=400), random.Random(0),
    )  # fmt: skip
    run = {name: funnel.run for name, funnel in found.funnel.items()}
    assert run["busy"] > max(run[one.name] for one in idle)
    assert min(run.values()) >= LEAST / TURN * 400 / 5 * 0.8


def test_a_small_budget_asks_everyone_once() -> None:
    subject = planted('activates on the token " bank" in the context of the word "river"')
    some = [Endless(f"number {number}", "the dog and") for number in range(6)]
    found = attack(
        parse('activates on the token " bank"'), 0, subject, [evidence(subject)], subject.thresholds, some,
        Budget(60_000, probes=6), random.Random(0),
    )  # fmt: skip
    assert [funnel.run for funnel in found.funnel.values()] == [1] * 6
