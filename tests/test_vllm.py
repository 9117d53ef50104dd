"""vLLM's server through our client, for real. `make test-vllm` runs this in an environment of its own."""

from __future__ import annotations

import json
import math
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_llama import build_small_llama
from vllm_running import (
    AB,
    BOUNDS,
    EXPLANATION,
    HELLO,
    NEEDS_VLLM,
    assert_ended,
    assert_voted,
    completed,
    failed,
    held,
    judged,
    one,
    running_server,
)

from agents.lm import Free, Grammar, Message, Request
from autointerp.lms.server import ServerLM
from dsl.decoding import longest_output
from dsl.parse import parse
from dsl.render import render

pytestmark = NEEDS_VLLM
smoke = pytest.mark.smoke


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_llama(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(model, tmp_path_factory.mktemp("vllm") / "server.log") as url:
        yield url


@pytest.fixture
def lm(url: str) -> Iterator[ServerLM]:
    lm = ServerLM("small", url, note=print)
    yield lm
    lm.close()


@smoke
def test_the_server_says_what_it_serves_and_how_long_a_text_is(lm: ServerLM) -> None:
    assert lm.context_tokens == 4096
    assert "4096 tokens" in lm.revision
    reply = completed(one(lm, Request(HELLO, max_tokens=8)))
    assert lm.count_tokens(HELLO) == reply.prompt_tokens
    assert reply.completion_tokens <= 8


@smoke
def test_explanations_from_the_server_finish_and_parse(lm: ServerLM) -> None:
    budget = longest_output(BOUNDS)
    requests = [
        Request(HELLO, EXPLANATION, budget, temperature=temperature, seed=seed)
        for temperature in (0.3, 1.0, 1.5)
        for seed in range(8)
    ]
    texts = [completed(reply).text for reply in lm.complete(requests)]
    assert all(render(parse(text)) for text in texts)
    assert len(set(texts)) > 12
    assert lm.notes == ()
    assert lm.regenerations == 0


@smoke
def test_labels_from_the_server_come_with_log_probabilities(lm: ServerLM) -> None:
    requests = [Request(HELLO, AB, 8, seed=seed) for seed in range(200)]
    replies = [completed(reply) for reply in lm.complete(requests)]
    shares = {label: sum(reply.text == label for reply in replies) / len(replies) for label in AB.labels}
    for reply in replies:
        assert [label for label, _ in reply.logprobs] == list(AB.labels)
        assert sum(math.exp(logprob) for _, logprob in reply.logprobs) == pytest.approx(1.0)
    for label, logprob in replies[0].logprobs:  # what it says it does: within four standard errors
        said = math.exp(logprob)
        assert shares[label] == pytest.approx(said, abs=4 * math.sqrt(said * (1 - said) / len(replies)) + 1e-6)


@smoke
def test_the_same_seed_gets_the_same_text_and_others_get_others(lm: ServerLM) -> None:
    requests = [Request(HELLO, max_tokens=24, seed=seed, sample=sample) for seed in (0, 1) for sample in (0, 1)]
    first, again = lm.complete(requests), [one(lm, request) for request in requests]
    assert [completed(reply).text for reply in first] == [completed(reply).text for reply in again]
    assert len({completed(reply).text for reply in first}) == 4


@smoke
def test_what_cannot_be_answered_is_a_failure_that_says_why(lm: ServerLM) -> None:
    lark_only = Grammar('start: "a"~1..3')  # llguidance 1.7 does not take it
    bad, cut, long_prompt, long_answer = lm.complete(
        [
            Request(HELLO, lark_only, 20),
            Request(HELLO, Grammar("start: /[a-z]{200}/"), 5),
            Request((Message("user", "Hello there " * 3000),), max_tokens=5),
            Request(HELLO, max_tokens=5000),
        ]
    )
    assert failed(bad).kind == "refused"
    assert "Grammar error" in failed(bad).reason
    assert failed(cut).kind == "cut off"
    assert failed(long_prompt).kind == failed(long_answer).kind == "too long"
    wrong = ServerLM("larger", lm._address, grammar="server")
    missing = failed(one(wrong, Request(HELLO, AB)))
    assert (missing.kind, missing.retries) == ("refused", 0)
    assert "larger" in missing.reason
    wrong.close()


def test_a_server_whose_grammars_are_switched_off_is_found_out(url: str) -> None:
    # The key of older releases: today's server takes any key that it does not know, and ignores it.
    asked = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps(
            {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "guided_grammar": 'start: "x"'}
            | {"max_tokens": 8, "seed": 1}
        ).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as reply:
        assert json.load(reply)["choices"][0]["message"]["content"] != "x"
    plain = ServerLM("small", url, grammar="plain")
    failure = failed(one(plain, Request(HELLO, AB, 16)))
    assert failure.kind == "outside the constraint"
    assert url in failure.reason
    assert plain.regenerations == 2
    plain.close()


def test_free_text_ends_at_a_stop_or_is_marked_as_cut(lm: ServerLM) -> None:
    stopped = completed(one(lm, Request(HELLO, Free(("e",)), 200)))
    assert "e" not in stopped.text
    assert not stopped.cut
    assert completed(one(lm, Request(HELLO, Free(), 1, temperature=0.0))).cut


@smoke
def test_three_debaters_and_a_judge_hold_a_whole_debate_on_the_server(lm: ServerLM) -> None:
    transcript = held(lm, 0)
    assert_ended(transcript)
    assert lm.notes == ()
    assert lm.counts.in_flight == 0


def test_debates_side_by_side_end_too(lm: ServerLM) -> None:
    with ThreadPoolExecutor(4) as threads:
        transcripts = list(threads.map(lambda seed: held(lm, seed), range(4)))
    for transcript in transcripts:
        assert_ended(transcript)
    assert lm.counts.most_in_flight > 1


@smoke
def test_a_judge_votes_in_all_orders_on_the_server(lm: ServerLM) -> None:
    assert_voted(judged(lm, 0))
