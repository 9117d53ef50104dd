"""The scripted language model: held to each request as a real one is."""

from __future__ import annotations

import threading

import pytest

from agents.lm import Completion, Constraint, Failure, Free, Grammar, Labels, LanguageModel, Message, Request
from agents.scripted_lm import ScriptedLM
from dsl.decoding import Bounds, decoding_grammar, longest_output

HELLO = (Message("user", "Say something nice."),)
SMALL = Bounds(constructs=1, nesting=0)


def reply_to(text: str, constraint: Constraint, max_tokens: int = 100) -> Completion | Failure:
    [reply] = ScriptedLM(lambda _: text).complete([Request(HELLO, constraint, max_tokens)])
    return reply


def test_it_is_a_language_model() -> None:
    assert isinstance(ScriptedLM(lambda _: ""), LanguageModel)


def test_free_text_ends_at_a_stop_or_is_cut_at_max_tokens() -> None:
    assert reply_to("one two\nthree", Free(stop=("\n",))) == Completion("one two", 8, 2)
    assert reply_to("one, two, three", Free(), max_tokens=3) == Completion("one, two", 8, 3, cut=True)
    assert reply_to("one, two", Free(), max_tokens=3) == Completion("one, two", 8, 3)


def test_a_text_outside_its_grammar_is_a_failure() -> None:
    grammar = Grammar(decoding_grammar(SMALL))
    assert reply_to('activates on the token " pie"', grammar, longest_output(SMALL)) == Completion(
        'activates on the token " pie"', 8, 7
    )
    for outside in ("", "activates on", "I think that it activates on digits", "activates on digits or digits"):
        reply = reply_to(outside, grammar, longest_output(SMALL))
        assert isinstance(reply, Failure)
        assert reply.kind == "outside the constraint"


def test_what_is_longer_than_max_tokens_is_a_failure_under_a_grammar() -> None:
    reply = reply_to("activates on digits", Grammar(decoding_grammar(SMALL)), max_tokens=2)
    assert isinstance(reply, Failure)
    assert reply.kind == "cut off"


def test_a_label_comes_with_the_logprobs_that_were_given() -> None:
    lm = ScriptedLM(lambda _: "B", logprobs=lambda _: {"A": -2.0, "B": -0.1})
    assert lm.complete([Request(HELLO, Labels(("A", "B")))]) == [Completion("B", 8, 1, (("A", -2.0), ("B", -0.1)))]
    assert isinstance(reply_to("C", Labels(("A", "B"))), Failure)


def test_a_failure_is_passed_on_and_a_conversation_too_long_is_one() -> None:
    down = Failure("unreachable", "nobody there", retries=3)
    assert ScriptedLM(lambda _: down).complete([Request(HELLO)]) == [down]
    [reply] = ScriptedLM(lambda _: "", context_tokens=20).complete([Request(HELLO, max_tokens=13)])
    assert isinstance(reply, Failure)
    assert reply.kind == "too long"


@pytest.mark.parametrize("threads", [8])
def test_every_request_is_kept_whoever_asks(threads: int) -> None:
    lm = ScriptedLM(lambda request: str(request.seed))
    requests = [Request(HELLO, seed=number) for number in range(threads * 20)]

    def ask(first: int) -> None:
        for request in requests[first::threads]:
            assert lm.complete([request]) == [Completion(str(request.seed), 8, 1)]

    running = [threading.Thread(target=ask, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert sorted(request.seed for request in lm.asked) == [request.seed for request in requests]
