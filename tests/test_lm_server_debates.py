"""Whole debates over HTTP with a server that fails three times in ten: every one ends, as on a sound server."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from faulty_server import FAULTS, RECOVERABLE, Body, FaultyServer, Schedule, mixed, never
from test_debate import CRUST, PIZZA, no_dev, planted

from agents.debate import debate
from agents.debater import SearchDebater
from agents.lm import Constraint, Free, Grammar, Labels, Message, Request
from agents.lm_debater import LMDebater
from agents.lm_judge import LMJudge
from agents.scripted_debating import answer_as_debater
from agents.transcript import Transcript
from autointerp.lms.retrying import Limits
from autointerp.lms.server import ServerLM

DEBATES = 6
LIMITS = Limits(reply=1.0)


def answer(body: Body) -> str:
    """What the scripted debater and a judge without a mind of its own say: nothing depends on the wire's seed."""
    messages = tuple(Message(message["role"], message["content"]) for message in body["messages"])
    number = sum(map(ord, messages[-1].text))
    return answer_as_debater(Request(messages, _constraint(body), body["max_tokens"], seed=number))


def _constraint(body: Body) -> Constraint:
    match body.get("structured_outputs"):
        case {"grammar": str(lark)}:
            return Grammar(lark)
        case {"choice": list(choice)}:
            return Labels(tuple(choice))
        case _:
            return Free()


def held(lm: ServerLM, seed: int) -> Transcript:
    debaters = [LMDebater(lm, None), SearchDebater("context", None, 300), LMDebater(lm, None)]
    return debate(planted((PIZZA, CRUST)[seed % 2], seed), debaters, LMJudge(lm), no_dev, random.Random(seed))


def all_held(schedule: Schedule) -> tuple[list[Transcript], ServerLM, Counter[Any]]:
    async def no_sleep(seconds: float) -> None:
        del seconds
        await asyncio.sleep(0)

    with FaultyServer(answer, schedule, max_model_len=16_384) as server:
        lm = ServerLM("small", server.url, limits=LIMITS, sleep=no_sleep)
        with ThreadPoolExecutor(DEBATES) as threads:
            transcripts = list(threads.map(lambda seed: held(lm, seed), range(DEBATES)))
        lm.close()
        return transcripts, lm, server.faults


def told(transcript: Transcript) -> str:
    """All of it but the server's port, which is another each time."""
    return re.sub(r"127\.0\.0\.1:\d+", "the server", repr(transcript))


@pytest.mark.parametrize("seed", range(2))
def test_debates_with_three_in_ten_calls_failing_are_those_of_a_sound_server(seed: int) -> None:
    sound, _, none = all_held(never)
    assert not none
    assert any(transcript.votes for transcript in sound)  # and the model has its say in both roles
    assert any(0 in side.seats or 2 in side.seats for transcript in sound for side in transcript.sides)
    faults = tuple(fault for fault in FAULTS if fault != "truncated")  # what is cut off is an outcome, tested below
    shaken, lm, met = all_held(mixed(0.3, seed, faults))
    assert sum(met.values()) > 20
    assert sum(count for _, count in lm.counts.retries) >= sum(met[fault] for fault in RECOVERABLE)
    spent = [" texts outside" in told(one) or "after 10 retries" in told(one) for one in shaken]
    assert sum(spent) <= 1  # by the schedule's chance one call may meet the same fault until its bound is reached
    for one, same, bound_was_hit in zip(shaken, sound, spent, strict=True):
        assert bound_was_hit or told(one) == told(same)
    assert lm.counts.in_flight == 0


@pytest.mark.parametrize("seed", range(2))
def test_debates_with_replies_cut_off_too_all_end_in_recorded_outcomes(seed: int) -> None:
    shaken, _, met = all_held(mixed(0.3, seed, ("truncated", "outside", "500", "cut", "malformed")))
    assert met["truncated"]
    for transcript in shaken:
        seats = {seat for side in transcript.sides for seat in side.seats}
        forfeited = {forfeit.seat for forfeit in transcript.forfeits}
        assert seats | forfeited == {0, 1, 2}
        assert not seats & forfeited
        assert all(forfeit.reason for forfeit in transcript.forfeits)
        assert transcript.outcome


def test_debates_with_a_server_that_is_down_end_without_what_was_not_said() -> None:
    transcripts, lm, _ = all_held(mixed(1.0, 0, ("hang up",)))
    for transcript in transcripts:
        assert {side.seats for side in transcript.sides} == {(1,)}  # search needs no server
        assert {forfeit.seat for forfeit in transcript.forfeits} == {0, 2}
        assert all("127.0.0.1" in forfeit.reason for forfeit in transcript.forfeits)
    assert not any(usage for usage in [lm.regenerations, lm.discarded_tokens])
