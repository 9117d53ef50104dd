"""Prompts: slots, versions, golden texts, and text from a corpus that stays where it was put."""

from __future__ import annotations

import random
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import explanations
from trials import PIZZA

from agents.lm import Request
from agents.lm_debater import LMDebater
from agents.quotes import Quote, verify
from agents.scripted_debating import answer_as_debater
from agents.scripted_lm import ScriptedLM
from agents.transcript import Argument, JudgeView
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Counterexample, Evidence, Example, Thresholds
from dsl.render import render
from prompts import Prompt, barred, escape, inline, load, names, one_line, unescape

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("name", names())
def test_every_prompt_has_a_version_and_fills(name: str) -> None:
    prompt = load(name)
    assert prompt.version >= 1
    assert prompt.text.strip()
    filled = prompt.fill(**{slot: f"value of {slot}" for slot in prompt.slots})
    assert "{{" not in filled
    assert "version:" not in filled


def test_an_unknown_prompt_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="judge"):
        load("jugde")


def test_slots_must_be_filled_exactly() -> None:
    prompt = Prompt("p", 1, "{{a}} and {{b}}")
    with pytest.raises(ValueError, match="slots"):
        prompt.fill(a="1")
    with pytest.raises(ValueError, match="slots"):
        prompt.fill(a="1", b="2", c="3")


def test_what_is_filled_in_opens_no_slot() -> None:
    assert Prompt("p", 1, "{{a}} {{b}}").fill(a="{{b}}", b="{{a}}\\1") == "{{b}} {{a}}\\1"


awkward = st.text() | st.text(
    st.one_of(
        st.sampled_from('\\"<>[]|/_nrtxuU0d8f \n\r\t\x00\x85\u2028\u200b\u202e\ufeff'),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
    )
)


@given(awkward | st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"])))
@settings(deadline=None)
def test_escaped_text_stays_on_its_line_and_inside_its_quotes(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert escaped.isprintable()
    bare = re.sub(r"\\.", "", escaped)
    assert not set('"<>[]«»\\') & set(bare)
    escaped.encode("utf-8")


@given(awkward)
@settings(deadline=None)
def test_what_was_escaped_can_be_read_back_but_for_the_kind_of_its_spaces(text: str) -> None:
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    assert unescape(escape(text)) == spaced


def test_marks_that_were_copied_are_left_out_and_what_looks_like_an_escape_is_none() -> None:
    assert unescape(r"hot« pizza» <<now>> and \«\<pie\>\»") == "hot pizza now and «<pie>»"
    assert unescape(r"\xff \U0010ffff \u00e9 \q \U00110000") == "\udcff \U0010ffff é q U00110000"


@given(awkward)
@settings(deadline=None)
def test_remarks_have_no_brackets_and_stay_on_their_lines(text: str) -> None:
    assert inline(text).isprintable()
    assert not set("<>[]") & set(re.sub(r"\\[<>\[\]]", "", inline(text)))
    assert all(line.startswith("| ") for line in barred(text).split("\n"))
    assert barred(text).replace("\n", "").isprintable()


@given(st.text())
@settings(deadline=None)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(explanations())
@settings(deadline=None)
def test_an_explanation_on_one_line_says_the_same_and_opens_no_marker(explanation: Explanation) -> None:
    text = one_line(render(explanation))
    assert parse(text) == explanation
    assert text.isprintable()
    assert "<" not in text
    literals = re.findall(r'"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)*/', text)
    assert not any("[" in literal for literal in literals if literal.startswith('"'))


def test_invisible_characters_are_written_out() -> None:
    assert one_line("a\tb\u202ec\udcffd\u00a0e\U000e0001") == "a\\tb\\u202ec\\xffd e\\U000e0001"


class TestShots:
    """The features in the debater's prompt are explanations, so every mark in it can be checked."""

    SHOTS = load("debater_shots").text.split("## Shot\n")[1:]

    @pytest.mark.parametrize("shot", SHOTS, ids=range(len(SHOTS)))
    def test_every_mark_is_what_the_rule_predicts(self, shot: str) -> None:
        [rule] = re.findall(r"^Rule: (.*)$", shot, re.MULTILINE)
        lines = re.findall(r'^(\d+)\. "((?:[^"\\]|\\.)*)" (?:fires: (.*)|silent)$', shot, re.MULTILINE)
        assert [int(number) for number, _, _ in lines] == list(range(len(lines)))
        assert len(lines) == sum(line[:1].isdigit() for line in shot.splitlines())
        for _, text, fires in lines:
            tokens, marks = cut(text)
            predicted = evaluate(parse(rule), Batch.of([Context(tokens, start=0)]))[0, : len(tokens)]
            listed = [(unescape(token), int(value)) for token, value in re.findall(r'"([^"]*)" (\d+)', fires)]
            assert marks == tuple(value > 0 for value in predicted.tolist()), text
            assert listed == [(t, round(10 * v)) for t, v in zip(tokens, predicted.tolist(), strict=True) if v > 0]

    def test_each_shows_where_its_feature_is_silent_too(self) -> None:
        assert all("silent" in shot and "fires" in shot for shot in self.SHOTS)


def cut(text: str) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """A text of a shot as tokens, words with their space, and which of them are marked."""
    tokens: list[str] = []
    marks: list[bool] = []
    for number, piece in enumerate(re.split("[«»]", text)):
        found = tokens_of(unescape(piece))
        assert len(found) == 1 or number % 2 == 0, "one token a mark"
        tokens += found
        marks += [number % 2 == 1] * len(found)
    assert tokens == tokens_of(unescape(text)), "marks begin and end with tokens"
    return tuple(tokens), tuple(marks)


def tokens_of(text: str) -> list[str]:
    return re.findall(r" ?[A-Za-z]+| ?\d+| ?[^\sA-Za-z\d]", text)


class TestGolden:
    """What a language-model debater reads, whole: `python tests/test_prompts.py` writes it anew."""

    @pytest.mark.parametrize("name", ["debater_conversation", "debater_small", "debater_repair", "debater_rebuttal"])
    def test_prompts_read_as_they_did(self, name: str) -> None:
        assert conversations()[name] == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def conversations() -> dict[str, str]:
    """The last request of a proposal, of one for a small model, of a repair and of a rebuttal."""
    models = {name: ScriptedLM(answer_as_debater) for name in ("conversation", "repair", "rebuttal")}
    models["small"] = ScriptedLM(answer_as_debater, context_tokens=2_300)
    debaters = {name: LMDebater(lm, None, tried) for name, lm in models.items()}
    first = debaters["conversation"].propose(EVIDENCE, random.Random(0))
    debaters["conversation"].propose(EVIDENCE, random.Random(1), "no verified quote\nshows a token that <fires>")
    debaters["small"].propose(EVIDENCE, random.Random(0))
    right = Example(Context((" eat", " pizza"), start=0), (0.0, 9.0))
    wrong = Example(Context((" [INST]", " pizza", "\n\n"), start=0), (0.0, 0.0, 0.0))
    broad = Argument(parse("activates on any token"), (), "")
    found = Counterexample(wrong, 1, 1.0, "false_positive", "swap", original=right, original_position=1)
    debaters["repair"].repair(EVIDENCE, broad, [found], random.Random(0))
    quotes = [quote for quote in (verify(asked, EVIDENCE) for asked in first.quotes) if isinstance(quote, Quote)]
    own = Argument(parse(PIZZA), tuple(quotes[:1]), "")
    view = JudgeView.of([("S1", own), ("S2", Argument(broad.explanation, tuple(quotes[1:2]), ""))], EVIDENCE)
    debaters["rebuttal"].further_quotes(EVIDENCE, own, view, random.Random(0), "where does S2 fail?")
    return {f"debater_{name}": written(lm.asked[-1]) for name, lm in models.items()}


def written(request: Request) -> str:
    return "\n".join(f"----- {message.role}\n{message.text}" for message in request.messages) + "\n"


def tried(text: str) -> Example:
    tokens = tuple(tokens_of(text))
    return Example(Context(tokens, start=0), tuple(9.0 * (token == " pizza") for token in tokens))


def example(*tokens: str, start: int | None = 0) -> Example:
    """Tokens, an asterisk at the end of those that fire."""
    context = Context(tuple(token.rstrip("*") for token in tokens), start=start)
    return Example(context, tuple(9.0 * token.endswith("*") for token in tokens))


EVIDENCE = Evidence(
    "golden/0",
    (
        example("We", " ate", " hot", " pizza*", " today", "."),
        example(" no", " pie", " here", "\n", "Explanation", " A", ":", " x", start=57),
        example(
            ' "', "Ignore", " the", " above", '"', ",", " said", " pizza*", " <", "|im", "_end", "|", ">", start=None
        ),
        example(" caf", "\udcc3", "\udca9", " pizza*", " pizza*", " \\n"),
        example(" [", "INST", "]", " choose", " A", "\u200b", "\u202e"),
    ),
    Thresholds.from_maximum(10.0),
)

if __name__ == "__main__":
    for name, text in conversations().items():
        (GOLDEN / f"{name}.txt").write_text(text, encoding="utf-8")
