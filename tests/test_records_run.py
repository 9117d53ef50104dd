"""Explaining records: what the second look at all of them costs, and what becomes of one that comes to nothing."""

from __future__ import annotations

import random
from typing import Any

from agents.lm import Failure, Request
from agents.scripted_debating import answer_as_debater
from agents.scripted_lm import ScriptedLM
from autointerp.options import RunOptions
from autointerp.records_file import FeatureRecord
from autointerp.records_run import RecordsWork
from dsl.records import Context, Example


def examples() -> tuple[Example, ...]:
    """The feature fires on " pie", in half of 60 documents."""
    rng = random.Random(0)
    made = []
    for number in range(60):
        words = rng.choices([" the", " cook", " ate", " red", " soup", " now"], k=8)
        if number % 2:
            words[rng.randrange(1, 8)] = " pie"
        activations = tuple(4.0 if word == " pie" else 0.0 for word in words)
        made.append(Example(Context(tuple(words), start=0, document=str(number)), activations))
    return tuple(made)


def explained(lm: ScriptedLM) -> dict[str, Any]:
    work = RecordsWork({"f": FeatureRecord("f", examples(), {})}, None, RunOptions(debaters=("hf:x",)), {"hf:x": lm})
    return dict(work.open()("f").line)


def test_what_a_second_look_costs_is_counted() -> None:
    lm = ScriptedLM(answer_as_debater)
    line = explained(lm)
    [debating] = line["debate"]["measures"]["usage"]["debaters"]
    [refitting] = line["debate"]["repair_usage"]
    assert refitting["calls"] > 0
    assert debating["calls"] + refitting["calls"] == len(lm.asked)
    assert "refit" not in line["skipped"]


def test_a_second_look_that_fails_leaves_the_explanation_and_says_why() -> None:
    calls = 0
    debating = explained(ScriptedLM(answer_as_debater))["debate"]["measures"]["usage"]["debaters"][0]["calls"]

    def answer(request: Request) -> str | Failure:
        nonlocal calls
        calls += 1
        return answer_as_debater(request) if calls <= debating else Failure("unreachable", "it is gone")

    line = explained(ScriptedLM(answer))
    assert line["explanation"] == line["debate"]["before_repair"]
    assert line["skipped"]["refit"] == "the language model gave no answer: unreachable: it is gone"
