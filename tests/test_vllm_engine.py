"""vLLM's engine in this process, for real. `make test-vllm` runs this in an environment of its own."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_llama import build_small_llama
from vllm_running import (
    AB,
    BOUNDS,
    ENVIRONMENT,
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
)

from agents.lm import Free, Grammar, LanguageModel, Message, Request
from autointerp.lms.batching import Batching
from autointerp.lms.vllm_offline import OfflineVLLM
from dsl.decoding import longest_output
from dsl.errors import SubjectError
from dsl.parse import parse
from dsl.render import render

pytestmark = NEEDS_VLLM
smoke = pytest.mark.smoke


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small_llama(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def lm(model: Path) -> Iterator[OfflineVLLM]:
    os.environ.update(ENVIRONMENT)
    lm = OfflineVLLM.load(model)
    yield lm
    lm.close()


@smoke
def test_it_is_a_language_model_that_counts_tokens_exactly(lm: OfflineVLLM, model: Path) -> None:
    assert isinstance(lm, LanguageModel)
    assert lm.name == f"vllm:{model}"
    assert "vllm" in lm.revision
    assert lm.context_tokens == 4096
    assert completed(one(lm, Request(HELLO, max_tokens=4))).prompt_tokens == lm.count_tokens(HELLO)


@smoke
def test_one_batch_of_every_kind_of_request_keeps_their_parameters_apart(lm: OfflineVLLM) -> None:
    budget = longest_output(BOUNDS)
    requests = [
        Request(HELLO, AB, 8, seed=1),
        Request(HELLO, EXPLANATION, budget, temperature=1.5, seed=2),
        Request(HELLO, Free(("e",)), 30, seed=3),
        Request(HELLO, Free(), 1, temperature=0.0),
        Request(HELLO, Grammar("start: nowhere")),
        Request(HELLO, Grammar('start: "a"~1..3'), 20),  # llguidance 1.7 does not take it, Lark does
        Request(HELLO, Grammar("start: /[a-z]{200}/"), 5),
        Request((Message("user", "Hello there " * 3000),), max_tokens=5),
        Request(HELLO, temperature=-1.0),
        Request(HELLO, EXPLANATION, budget, temperature=0.5, seed=4),
    ]
    label, explained, stopped, cut, no_grammar, bad, cut_off, too_long, cold, last = lm.complete(requests)
    assert completed(label).text in AB.labels
    assert sum(math.exp(logprob) for _, logprob in completed(label).logprobs) == pytest.approx(1.0)
    assert render(parse(completed(explained).text))
    assert render(parse(completed(last).text))
    assert "e" not in completed(stopped).text
    assert completed(cut).cut
    assert completed(cut).completion_tokens == 1
    kinds = [failed(reply).kind for reply in (no_grammar, bad, cut_off, too_long, cold)]
    assert kinds == ["refused", "refused", "cut off", "too long", "refused"]
    assert "Grammar error" in failed(bad).reason


@smoke
def test_the_same_seed_gets_the_same_text(lm: OfflineVLLM) -> None:
    requests = [Request(HELLO, max_tokens=24, seed=seed, sample=sample) for seed in (0, 1) for sample in (0, 1)]
    first, again = lm.complete(requests), [one(lm, request) for request in requests]
    assert [completed(reply).text for reply in first] == [completed(reply).text for reply in again]
    assert len({completed(reply).text for reply in first}) == 4


@smoke
def test_three_debaters_and_a_judge_hold_a_whole_debate_in_the_engine(lm: OfflineVLLM) -> None:
    assert_ended(held(lm, 0))


def test_debates_side_by_side_share_batches(lm: OfflineVLLM) -> None:
    with Batching(lm) as batching, ThreadPoolExecutor(4) as threads:
        for transcript in threads.map(lambda seed: held(batching, seed), range(4)):
            assert_ended(transcript)
        assert max(batching.batches) > 1


def test_explanations_finish_and_parse_at_every_temperature(lm: OfflineVLLM) -> None:
    budget = longest_output(BOUNDS)
    requests = [
        Request(HELLO, EXPLANATION, budget, temperature=temperature, seed=seed)
        for temperature in (0.3, 1.0, 1.5)
        for seed in range(40)
    ]
    texts = [completed(reply).text for reply in lm.complete(requests)]
    assert all(render(parse(text)) for text in texts)


def test_an_engine_that_does_not_start_says_so(model: Path) -> None:
    with pytest.raises(SubjectError, match="does not start"):
        OfflineVLLM.load(model, max_model_len=10**9)


@smoke
def test_a_judge_votes_in_all_orders_in_the_engine(lm: OfflineVLLM) -> None:
    assert_voted(judged(lm, 0))
