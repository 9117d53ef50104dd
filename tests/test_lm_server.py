"""The client of OpenAI-compatible servers, over real HTTP against a server whose faults are told beforehand."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from faulty_server import FAULTS, RECOVERABLE, Body, FaultyServer, first, mixed
from hypothesis import given
from hypothesis import strategies as st

from agents.lm import Completion, Failure, Free, Grammar, Labels, LanguageModel, Message, Reply, Request
from autointerp.lms.label_logprobs import label_logprobs
from autointerp.lms.opening import check_servers, open_models
from autointerp.lms.retrying import Limits
from autointerp.lms.server import ServerLM
from autointerp.lms.wire import ChatReply
from dsl.errors import InputError

LIMITS = Limits(reply=5.0)
IMPATIENT = Limits(reply=0.5)
COLOURS = Grammar('start: "my colour is " COLOUR\nCOLOUR: /[a-z]{3,6}/')
AB = Labels(("A", "B", "NONE"))
KEY = "sk-canary-4711"


def answer(body: Body) -> str:
    """What the model says: within the constraint where it was told of one."""
    said = body["messages"][-1]["content"]
    number = sum(map(ord, said))
    match body.get("structured_outputs"):
        case {"grammar": str()}:
            return f"my colour is {('red', 'green', 'blue')[number % 3]}"
        case {"choice": list(choice)}:
            return str(choice[number % len(choice)])
        case _:
            return f"free text number {number} about {said.split()[0]}"


def said(text: str) -> tuple[Message, ...]:
    return (Message("system", "Be brief."), Message("user", text))


class Client:
    """A `ServerLM` that does not sleep; `waits` are the waits it would have made, `noted` what it told the user."""

    def __init__(self, server: FaultyServer | str, **options: Any) -> None:
        self.waits: list[float] = []
        self.noted: list[str] = []
        url = server if isinstance(server, str) else server.url
        options = {"limits": LIMITS, "sleep": self._sleep, "note": self.noted.append} | options
        self.lm = ServerLM("small", url, **options)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def ask(self, *requests: Request) -> list[Reply]:
        return self.lm.complete(requests)

    def one(self, request: Request) -> Reply:
        [reply] = self.ask(request)
        return reply


@pytest.fixture
def opened() -> Iterator[list[Client]]:
    clients: list[Client] = []
    yield clients
    for client in clients:
        client.lm.close()


@pytest.fixture
def client(opened: list[Client]) -> Any:
    def make(server: FaultyServer | str, **options: Any) -> Client:
        opened.append(Client(server, **options))
        return opened[-1]

    return make


def completed(reply: Reply) -> Completion:
    assert isinstance(reply, Completion), reply
    return reply


def failed(reply: Reply) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def test_it_is_a_language_model_by_its_spec(client: Any) -> None:
    with FaultyServer(answer) as server:
        lm = client(server).lm
        assert isinstance(lm, LanguageModel)
        assert lm.name == f"openai:small@{server.url}"
        assert lm.context_tokens == 4096
        assert "weights/1" in lm.revision
        assert lm.count_tokens(said("one two three")) == 5


def test_free_text_comes_back_with_its_tokens(client: Any) -> None:
    with FaultyServer(answer) as server:
        reply = completed(client(server).one(Request(said("hello"), Free(("\n",)), max_tokens=77, temperature=0.5)))
        [body] = server.bodies
    assert reply == Completion("free text number 532 about hello", 3, 6)
    assert body["stop"] == ["\n"]
    assert (body["max_tokens"], body["temperature"]) == (77, 0.5)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_replies_stand_in_the_order_of_their_requests(client: Any) -> None:
    with FaultyServer(answer) as server:
        replies = client(server).ask(*(Request(said(f"{number} or so")) for number in range(30)))
    assert [completed(reply).text.split()[-1] for reply in replies] == [str(number) for number in range(30)]
    assert Client("http://127.0.0.1:9/v1").ask() == []


def test_seed_sample_and_regeneration_each_make_another_seed(client: Any) -> None:
    with FaultyServer(answer) as server:
        requests = [Request(said("x"), seed=seed, sample=sample) for seed in (0, 1) for sample in (0, 1)]
        client(server).ask(*requests, requests[0])
        seeds = [body["seed"] for body in server.bodies]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_grammar_and_labels_go_to_the_server_that_takes_them(client: Any) -> None:
    with FaultyServer(answer) as server:
        asked = client(server)
        colour, label = asked.ask(Request(said("a"), COLOURS), Request(said("b"), AB))
        sent = [body.get("structured_outputs") for body in server.bodies]
    assert completed(colour).text == "my colour is green"
    assert completed(label).text in AB.labels
    assert {"grammar": COLOURS.lark} in sent
    assert {"choice": ["A", "B", "NONE"]} in sent
    assert asked.noted == []


@pytest.mark.parametrize("support", ["ignores", "refuses"])
def test_a_server_without_grammars_is_named_once_and_told_the_format(support: Any, client: Any) -> None:
    def obliging(body: Body) -> str:
        asked = body["messages"][-1]["content"]
        if "exactly one of these (A, B, NONE)" in asked:
            return " B\n"
        return "my colour is red" if "COLOUR:" in asked else "Certainly!"

    with FaultyServer(obliging, grammar=support) as server:
        asked = client(server)
        label, colour = asked.ask(Request(said("a"), AB), Request(said("b"), COLOURS))
        asked.ask(Request(said("c"), AB))
        assert len(asked.noted) == 1
        assert server.url in asked.noted[0]
        assert support.removesuffix("s") in asked.noted[0]
        assert asked.lm.notes == tuple(asked.noted)
    assert completed(label).text == "B"
    assert completed(colour).text == "my colour is red"


@pytest.mark.parametrize("support", ["ignores", "refuses"])
def test_a_server_without_grammars_that_misses_the_format_is_asked_three_times_and_named(
    support: Any, client: Any
) -> None:
    with FaultyServer(answer, grammar=support) as server:
        asked = client(server)
        reply = failed(asked.one(Request(said("a"), AB)))
        tried = [body for body in server.bodies if "exactly one of" in body["messages"][-1]["content"]]
    assert reply.kind == "outside the constraint"
    assert server.url in reply.reason
    assert "labels" in reply.reason
    assert len({body["seed"] for body in tried}) == len(tried) == 3
    assert asked.lm.regenerations == 2
    assert asked.lm.discarded_tokens == 3 * 6


def test_a_server_that_refuses_every_request_is_not_blamed_for_grammars(client: Any) -> None:
    with FaultyServer(answer, refuses_all="the tokenizer has no chat template") as server:
        asked = client(server)
        for reply in asked.ask(Request(said("a"), AB), Request(said("a"))):
            assert (failed(reply).kind, failed(reply).retries) == ("refused", 0)
            assert "no chat template" in failed(reply).reason
        assert asked.noted == []
        server.refuses_all = ""
        assert completed(asked.one(Request(said("a"), AB))).text in AB.labels  # it was not taken for a verdict


def test_a_server_said_to_keep_grammars_that_ignores_them_is_found_out(client: Any) -> None:
    with FaultyServer(answer, grammar="ignores") as server:
        reply = failed(client(server, grammar="server").one(Request(said("a"), COLOURS)))
    assert reply.kind == "outside the constraint"
    assert f"openai:small@{server.url} ignores its grammar" in reply.reason


def test_whoever_asks_first_and_however_many_the_trial_runs_once(client: Any) -> None:
    with FaultyServer(answer) as server:
        asked = client(server)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: asked.one(Request(said(str(number)), AB)), range(40)))
        trials = [body for body in server.bodies if "quince" in json.dumps(body)]
    assert len(trials) == 1


def test_a_text_outside_the_grammar_is_asked_for_again_with_another_seed(client: Any) -> None:
    with FaultyServer(answer) as server:
        asked = client(server, grammar="server")
        fault_free = completed(asked.one(Request(said("a"), COLOURS)))
        server.schedule = lambda body, _: "outside" if body["seed"] == server.bodies[0]["seed"] else None
        assert completed(asked.one(Request(said("a"), COLOURS))) == fault_free
        seeds = [body["seed"] for body in server.bodies]
    assert len(seeds) == 3
    assert len(set(seeds)) == 2
    assert asked.lm.regenerations == 1
    assert asked.lm.counts.retries == ()


def test_a_constrained_text_that_is_cut_off_is_a_failure_and_free_text_is_marked(client: Any) -> None:
    with FaultyServer(answer, first(9, "truncated")) as server:
        grammar, free = client(server, grammar="server").ask(Request(said("a"), COLOURS), Request(said("a")))
    assert failed(grammar).kind == "cut off"
    assert server.url in failed(grammar).reason
    assert completed(free).cut


def test_chatter_that_is_cut_off_is_outside_the_constraint_and_not_half_of_an_answer(client: Any) -> None:
    chatter = "Certainly! Of the three I would " * 3
    with FaultyServer(lambda _: chatter, first(9, "truncated")) as server:
        label = failed(client(server, grammar="server").one(Request(said("a"), AB)))
        plain = failed(client(server, grammar="plain").one(Request(said("a"), COLOURS)))
    assert label.kind == plain.kind == "outside the constraint"
    with FaultyServer(lambda _: "NONE", first(9, "truncated")) as server:
        assert failed(client(server, grammar="server").one(Request(said("a"), AB))).kind == "cut off"


def test_what_is_complete_at_the_last_token_is_not_cut_off(client: Any) -> None:
    with FaultyServer(lambda _: "my colour is red" * 2, first(9, "truncated")) as server:
        assert completed(client(server, grammar="server").one(Request(said("a"), COLOURS))).text == "my colour is red"


def test_what_is_no_grammar_is_refused_before_anyone_is_asked(client: Any) -> None:
    with FaultyServer(answer) as server:
        reply = failed(client(server).one(Request(said("a"), Grammar("start: nowhere"))))
        assert server.bodies == []
    assert reply.kind == "refused"
    assert "nowhere" in reply.reason


# --- faults, each alone ---


@pytest.mark.parametrize("constraint", [Free(), COLOURS, AB], ids=["free", "grammar", "labels"])
@pytest.mark.parametrize("fault", RECOVERABLE)
def test_a_fault_of_transport_is_retried_and_changes_no_answer(fault: Any, constraint: Any, client: Any) -> None:
    request = Request(said("a question"), constraint)
    with FaultyServer(answer) as sound:
        expected = completed(client(sound).one(request))
    with FaultyServer(answer, first(2, fault)) as server:
        asked = client(server, limits=Limits(reply=1.0) if fault == "hang" else LIMITS)
        assert completed(asked.one(request)) == expected
        bodies = 1 if constraint == Free() else 2  # one more for the trial
        assert server.faults == {fault: 2 * bodies}
        assert sum(count for _, count in asked.lm.counts.retries) == 2 * bodies
        assert len(asked.waits) == 2 * bodies


KINDS = {
    "hang up": "unreachable",
    "cut": "unreachable",
    "hang": "timeout",
    "429": "overloaded",
    "429 with Retry-After": "overloaded",
    "500": "server error",
    "malformed": "malformed",
    "no choices": "empty",
    "no text": "empty",
}


@pytest.mark.parametrize("fault", RECOVERABLE)
def test_a_fault_that_stays_ends_in_a_failure_of_its_kind_after_ten_retries(fault: Any, client: Any) -> None:
    limits = Limits(reply=0.1) if fault == "hang" else LIMITS
    with FaultyServer(answer, first(99, fault)) as server:
        asked = client(server, limits=limits)
        reply = failed(asked.one(Request(said("a"))))
    assert (reply.kind, reply.retries) == (KINDS[fault], 10)
    assert server.url in reply.reason
    assert asked.lm.counts.attempts == 11
    assert len(asked.waits) == 10


def test_a_server_that_is_down_is_a_failure_and_its_model_has_stated_defaults(client: Any) -> None:
    asked = client(closed_port())
    for reply in asked.ask(Request(said("a")), Request(said("a"), AB)):
        assert (failed(reply).kind, failed(reply).retries) == ("unreachable", 10)
    assert asked.lm.context_tokens == 8192
    assert asked.lm.revision.startswith("unlisted")
    assert asked.lm.count_tokens(said("hello")) == 2 * 16 + 5 + 3


def test_a_server_that_cannot_be_reached_is_said_so_before_anything_is_opened() -> None:
    url = closed_port()
    with pytest.raises(InputError, match=r"openai:small@http\S+ does not answer: no connection.*; start it, or name"):
        check_servers(["search", f"openai:small@{url}"])
    with pytest.raises(InputError, match="does not answer"), open_models([f"openai:small@{url}"]):
        pass


def test_a_server_that_wants_another_key_is_said_so_before_anything_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FaultyServer(answer, key="another") as server, pytest.raises(InputError, match="OPENAI_API_KEY") as refused:
        check_servers([f"openai:small@{server.url}"])
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("options", [{}, {"lists_models": False}, {"max_model_len": None}])
def test_a_server_that_answers_at_all_is_opened(options: dict[str, Any]) -> None:
    with FaultyServer(answer, **options) as server:
        check_servers([f"openai:small@{server.url}"])
        with open_models([f"openai:small@{server.url}"]) as models:
            [model] = models.values()
            assert isinstance(model, LanguageModel)


def test_a_server_that_takes_calls_and_never_answers_is_not_waited_for(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autointerp.lms.server._PATIENCE", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        asked = client(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", limits=Limits())
        with pytest.raises(InputError, match="no answer in time"):
            asked.lm.check()
    assert len(asked.waits) == 1


def test_a_server_that_comes_up_later_is_asked_again_what_it_is(client: Any) -> None:
    url = closed_port()
    asked = client(url)
    assert asked.lm.context_tokens == 8192
    with FaultyServer(answer, max_model_len=2048) as server:
        asked.lm._client.base_url = server.url
        assert asked.lm.context_tokens == 2048


def test_the_wait_that_a_server_asks_for_is_honoured(client: Any) -> None:
    with FaultyServer(answer, first(3, "429 with Retry-After"), retry_after="7") as server:
        asked = client(server)
        completed(asked.one(Request(said("a"))))
    assert all(7.0 <= wait <= 8.75 for wait in asked.waits)


def test_a_date_to_come_back_at_is_understood_and_one_too_far_off_is_a_failure(client: Any) -> None:
    with FaultyServer(answer, first(1, "429 with Retry-After"), retry_after="Fri, 01 Jan 2100 00:00:00 GMT") as server:
        asked = client(server)
        reply = failed(asked.one(Request(said("a"))))
    assert (reply.kind, reply.retries) == ("overloaded", 0)
    assert "asks to wait" in reply.reason
    assert asked.waits == []
    with FaultyServer(answer, first(1, "429 with Retry-After"), retry_after="Thu, 01 Jan 1970 00:00:00 GMT") as server:
        asked = client(server)
        completed(asked.one(Request(said("a"))))
    assert asked.waits == [0.0]


def test_an_unknown_address_says_what_may_be_missing(client: Any) -> None:
    with FaultyServer(answer) as server:
        reply = failed(client(server.url.removesuffix("/v1")).one(Request(said("a"))))
    assert (reply.kind, reply.retries) == ("refused", 0)
    assert "/v1" in reply.reason


def test_a_server_that_lists_and_counts_nothing_leaves_estimates(client: Any) -> None:
    with FaultyServer(answer, lists_models=False, tokenizes=False) as server:
        lm = client(server).lm
        assert lm.context_tokens == 8192
        assert lm.revision.startswith("unlisted")
        assert lm.count_tokens([Message("user", "é" * 10)]) == 16 + 20
        assert client(server, context_tokens=512).lm.context_tokens == 512


def test_text_that_is_no_unicode_is_sent_written_out(client: Any) -> None:
    with FaultyServer(answer) as server:
        completed(client(server).one(Request(said("half a character: \udcc3"))))
        assert server.bodies[0]["messages"][1]["content"] == "half a character: \\udcc3"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host/v1", "http://", "http://user:pw@host/v1", "http://h/?k=1"]
)
def test_an_address_that_is_none_or_holds_a_password_is_refused(url: str) -> None:
    with pytest.raises(InputError) as refused:
        ServerLM("small", url)
    assert "pw" not in str(refused.value)


# --- log-probabilities ---


def test_labels_come_with_log_probabilities_that_sum_to_one(client: Any) -> None:
    listed = [("A", math.log(0.6)), ("B", math.log(0.3)), ("N", math.log(0.06)), ("NO", math.log(0.04)), ("x", -9999.0)]
    with FaultyServer(answer, logprobs=lambda _: listed) as server:
        reply = completed(client(server).one(Request(said("a"), AB)))
        assert server.bodies[-1]["top_logprobs"] == 20
    assert dict(reply.logprobs) == pytest.approx({"A": math.log(0.6), "B": math.log(0.3), "NONE": math.log(0.1)})


def test_a_server_that_refuses_log_probabilities_is_asked_without_and_named_once(client: Any) -> None:
    with FaultyServer(answer, refuses_logprobs=True) as server:
        asked = client(server)
        replies = asked.ask(*(Request(said(str(number)), AB) for number in range(12)))
    assert all(completed(reply).logprobs == () for reply in replies)
    assert len(asked.noted) == 1
    assert server.url in asked.noted[0]


def test_labels_that_begin_alike_have_no_log_probabilities_unless_that_is_unlikely() -> None:
    both = [("A", math.log(0.7)), ("B", math.log(0.3))]
    assert label_logprobs(("A", "A2", "B"), both) == ()
    whole = [("A2", math.log(0.7)), ("B", math.log(0.299)), ("A", math.log(0.001))]
    assert dict(label_logprobs(("A2", "B", "A3"), whole)).keys() == {"A2", "B", "A3"}


def test_a_label_that_is_not_listed_is_known_only_where_little_was_left_out() -> None:
    assert label_logprobs(("A", "B"), [("A", math.log(0.5)), ("The", math.log(0.2))]) == ()
    assert dict(label_logprobs(("A", "B"), [("A", math.log(0.995))]))["B"] == pytest.approx(math.log(0.005), rel=0.01)
    assert label_logprobs(("A", "B"), []) == ()
    assert label_logprobs(("A", "B"), [("The", -0.01)]) == ()


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "N", "NO", "NONE", " B", "", "x", "A2"]), st.floats(-50, 0))))
def test_log_probabilities_are_numbers_that_sum_to_one_or_none(first_tokens: list[tuple[str, float]]) -> None:
    found = label_logprobs(("A", "B", "NONE"), first_tokens)
    if found:
        assert [label for label, _ in found] == ["A", "B", "NONE"]
        assert all(math.isfinite(logprob) for _, logprob in found)
        assert sum(math.exp(logprob) for _, logprob in found) == pytest.approx(1.0)


# --- the key ---


def test_the_key_is_read_from_the_environment_and_sent(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FaultyServer(answer, key=KEY) as server:
        completed(client(server).one(Request(said("a"))))


def test_the_key_stands_in_no_error_no_repr_no_note_and_no_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def telling(body: Body) -> str:
        return answer(body)

    with FaultyServer(telling, mixed(0.5, 0), key="another") as server:
        wrong = client(server, key=KEY)
        refused = failed(wrong.one(Request(said("a"), AB)))
    with FaultyServer(telling, first(2, "500"), key=KEY, grammar="refuses") as server:
        right = client(server, key=KEY)
        replies = right.ask(Request(said("a"), AB), Request(said("b")))
    down = client(closed_port(), key=KEY)
    shown = [refused, repr(wrong.lm), wrong.lm.revision, right.lm, replies, right.noted, right.lm.name, right.lm.counts]
    shown += [down.one(Request(said("a"))), caplog.text, [record.__dict__ for record in caplog.records]]
    assert KEY not in repr(shown)
    assert refused.kind == "refused"
    assert "OPENAI_API_KEY" in refused.reason


def test_a_key_that_a_server_says_back_is_blotted_out() -> None:
    import httpx2
    import openai

    from autointerp.lms.wire import fault_of

    request = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
    for status in (400, 401, 404, 429, 500):
        response = httpx2.Response(status, request=request)
        error = openai.APIStatusError("said", response=response, body={"message": f"no access with {KEY}"})
        fault = fault_of(error, KEY)
        assert KEY not in f"{fault} {fault.reason} {fault!r}"


# --- many at once ---


def many(count: int) -> list[Request]:
    constraints = (Free(), COLOURS, AB)
    return [Request(said(f"question {number}"), constraints[number % 3], seed=number % 5) for number in range(count)]


@pytest.mark.parametrize("seed", range(3))
def test_with_three_in_ten_calls_failing_every_call_ends_and_the_answers_are_those_of_a_sound_server(
    seed: int, client: Any
) -> None:
    requests = many(300)
    with FaultyServer(answer) as sound:
        expected = client(sound).ask(*requests)
    assert all(isinstance(reply, Completion) for reply in expected)
    with FaultyServer(answer, mixed(0.3, seed)) as server:
        asked = client(server, limits=IMPATIENT)
        with ThreadPoolExecutor(6) as threads:  # any number of threads may ask
            parts = list(threads.map(lambda part: asked.ask(*requests[part::6]), range(6)))
        replies = [parts[number % 6][number // 6] for number in range(len(requests))]
        faults, truncated = server.faults, server.truncated
    assert set(faults) == set(FAULTS)
    for request, reply, sound_reply in zip(requests, replies, expected, strict=True):
        key = json.dumps([{"role": message.role, "content": message.text} for message in request.messages])
        if key not in truncated:  # half of what was said is all that came: it is told, not made up
            assert reply == sound_reply
        elif request.constraint == Free():
            assert completed(reply).cut
        else:
            assert reply == sound_reply or failed(reply).kind == "cut off"
    retried = sum(count for _, count in asked.lm.counts.retries)
    assert retried >= sum(faults[fault] for fault in RECOVERABLE)
    assert asked.lm.regenerations <= faults["outside"]
    assert asked.lm.counts.in_flight == 0


def test_calls_at_once_settle_where_the_server_bears_them(client: Any) -> None:
    with FaultyServer(answer, capacity=6, latency=0.01) as server:
        asked = client(server, limits=Limits(reply=5.0, start=8, most=64, retries=50))
        replies = asked.ask(*(Request(said(str(number))) for number in range(300)))
        assert all(isinstance(reply, Completion) for reply in replies)
        assert asked.lm.counts.limit <= 12
        assert asked.lm.counts.most_in_flight <= 16


def test_more_calls_run_at_once_than_threads_ask(client: Any) -> None:
    with FaultyServer(answer, latency=0.02) as server:
        asked = client(server)
        asked.ask(*(Request(said(str(number))) for number in range(64)))
        assert server.most_in_flight > 8
        assert asked.lm.counts.busy > 0
        assert asked.lm.counts.most_in_flight >= server.most_in_flight


def test_closing_breaks_off_what_runs_and_leaves_no_thread(client: Any) -> None:
    before = threading.active_count()
    with FaultyServer(answer, first(99, "hang")) as server:
        asked = client(server, limits=Limits(reply=60.0))
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(asked.one, Request(said("a")))
            while not server.bodies:
                threading.Event().wait(0.01)
            asked.lm.close()
            assert running.exception(timeout=10) is not None
    assert threading.active_count() == before


@pytest.mark.parametrize("usage", ["", ', "usage": null', ', "usage": {"prompt_tokens": null}'])
def test_a_reply_whose_tokens_nobody_counted_is_a_reply_all_the_same(usage: str) -> None:
    written = '{"choices": [{"message": {"content": "yes"}}]' + usage + "}"
    reply = ChatReply.read(written.encode())
    assert reply.choices[0].message.content == "yes"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (None, None)
