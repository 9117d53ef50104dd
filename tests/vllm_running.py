"""What the tests against vLLM share: a server that ends with its test, whatever happens, and whole debates."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_debate import CRUST, PIZZA, no_dev, planted

from agents.debate import debate, orders
from agents.debater import TextDebater
from agents.lm import Completion, Failure, Grammar, Labels, LanguageModel, Message, Reply, Request
from agents.lm_debater import Limits, LMDebater
from agents.lm_judge import LMJudge
from agents.transcript import Transcript
from dsl.decoding import Bounds, decoding_grammar

NEEDS_VLLM = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("default"),  # vLLM warns of itself
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make test-vllm"),
]

HELLO = (Message("system", "Be brief."), Message("user", "Hello there"))
AB = Labels(("A", "B", "NONE"))
BOUNDS = Bounds(constructs=3, nesting=1, entries=3)
EXPLANATION = Grammar(decoding_grammar(BOUNDS))

DEADLINE = 300.0
"""Seconds until the server answers, or it is given up: 15 to 60 are usual."""

ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


@contextmanager
def running_server(model: Path, log: Path, *options: str) -> Iterator[str]:
    """The address of a server for a model folder; what it says goes to `log`. The model is called `small`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "small", "--host", "127.0.0.1", "--port", str(port)]
    # A prompt that is read in pieces rewinds its seeded generator, which one of a CPU cannot: the engine dies.
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192"]
    command += ["--structured-outputs-config", '{"backend":"guidance"}', "--generation-config", "vllm", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | ENVIRONMENT,
            cwd=log.parent,  # away from the checkout, whose folders would be imported first
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _end(process)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"vLLM ended with {process.returncode}:\n{_tail(log)}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    raise RuntimeError(f"vLLM did not answer within {DEADLINE:.0f} s:\n{_tail(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its whole process group: the engine and its workers are processes of their own."""
    for ending, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 20.0)):
        try:
            os.killpg(process.pid, ending)
        except ProcessLookupError:
            break
        until = time.monotonic() + patience
        while time.monotonic() < until and _alive(process):
            time.sleep(0.1)
    process.wait(timeout=20)


def _alive(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # reaps the first of the group
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])


def one(lm: LanguageModel, request: Request) -> Reply:
    [reply] = lm.complete([request])
    return reply


def completed(reply: Reply) -> Completion:
    assert isinstance(reply, Completion), reply
    return reply


def failed(reply: Reply) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


def held(lm: LanguageModel, seed: int) -> Transcript:
    """A whole debate of one model with itself. It writes no sense: quotes are picked for it, for a judge to see."""
    limits = Limits(turns=2, again=1)
    debaters = [LMDebater(lm, None, limits=limits, picks=True) for _ in range(3)]
    return debate(planted(PIZZA), debaters, LMJudge(lm), no_dev, random.Random(seed))


def assert_ended(transcript: Transcript) -> None:
    """Every debater said something that counts or forfeited with a reason, and the outcome follows from that."""
    assert len({turn.seat for turn in transcript.turns}) == 3
    forfeited = {forfeit.seat for forfeit in transcript.forfeits}
    standing = {seat for side in transcript.sides for seat in side.seats}
    assert forfeited | standing == {0, 1, 2}
    assert not forfeited & standing
    assert all(forfeit.reason for forfeit in transcript.forfeits)
    assert transcript.outcome
    for turn in transcript.turns:
        assert turn.proposal.usage.calls > 0
    if len(transcript.sides) > 1:
        assert len(transcript.votes) == len(orders(len(transcript.sides)))
    for vote in transcript.votes:
        assert vote.label is not None or vote.scores


def judged(lm: LanguageModel, seed: int) -> Transcript:
    """A debate of three people's explanations, whose quotes verify, before a judge that is a language model."""
    texts = (PIZZA, CRUST, 'activates on the tokens " pizza", " dog"')
    return debate(planted(PIZZA), [TextDebater(text) for text in texts], LMJudge(lm), no_dev, random.Random(seed))


def assert_voted(transcript: Transcript) -> None:
    """The judge answered in all six orders, with log-probabilities that make it more than a count of answers."""
    assert len(transcript.sides) == 3
    assert len(transcript.votes) == 6
    for vote in transcript.votes:
        assert len(vote.scores) >= 3
        assert len({score for _, score in vote.scores}) > 1
