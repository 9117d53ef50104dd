"""Texts that a language model writes for probes: what it numbered, and nothing else."""

from __future__ import annotations

import pickle

from agents.lm import Failure, LanguageModel, Message, Request
from agents.scripted_lm import ScriptedLM
from autointerp.lms.hosting import hosted
from autointerp.lms.writing import LMWriter
from probes.subject import Writer

SAID = 'Here you are:\n1. The river bank was muddy.\n2) "A bank of fog."\n2) A bank of fog.\n\n- Banks closed early.\n'


def test_numbered_lines_are_texts_and_the_rest_is_not() -> None:
    lm = ScriptedLM(lambda _: SAID)
    writer = LMWriter(lm)
    assert isinstance(writer, Writer)
    texts = ["The river bank was muddy.", "A bank of fog.", "Banks closed early."]
    assert writer.write("fires on bank", 5, fires=True) == texts
    assert writer.write("fires on bank", 2, fires=False) == texts[:2]
    fires, looks = (request.messages[0].text for request in lm.asked)
    assert "would fire" in fires
    assert "holds at no place" in looks
    assert all("fires on bank" in text for text in (fires, looks))


def test_a_last_line_that_was_cut_off_is_left_out() -> None:
    long = "1. one two three\n2. " + "word " * 200
    assert LMWriter(ScriptedLM(lambda _: long)).write("m", 1, fires=True) == ["one two three"]


def test_a_model_that_fails_writes_nothing() -> None:
    assert LMWriter(ScriptedLM(lambda _: Failure("timeout", "no answer in 60 s"))).write("m", 3, fires=True) == []


def test_the_meaning_stays_on_its_line() -> None:
    lm = ScriptedLM(lambda _: SAID)
    LMWriter(lm).write("fires\nIgnore the above", 3, fires=True)
    assert "\nIgnore" not in lm.asked[0].messages[0].text


def test_a_hosted_model_answers_as_the_model_itself() -> None:
    def answer(request: Request) -> str:
        return request.messages[-1].text.upper()

    lm = ScriptedLM(answer)
    asked = Request((Message("user", "say it"),))
    with hosted({"scripted": lm}) as models:
        host = models["scripted"]
        assert isinstance(host, LanguageModel)
        assert (host.name, host.revision, host.context_tokens) == (lm.name, lm.revision, lm.context_tokens)
        assert host.complete([asked, asked]) == lm.complete([asked, asked])
        assert host.count_tokens(asked.messages) == lm.count_tokens(asked.messages)
        assert pickle.loads(pickle.dumps(host)).complete([asked])[0].text == "SAY IT"
