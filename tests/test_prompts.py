"""Prompts: slots, versions, and text from a corpus that stays where it was put."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts import Prompt, escape, load, names, one_line


@pytest.mark.parametrize("name", names())
def test_every_prompt_has_a_version_and_fills(name: str) -> None:
    prompt = load(name)
    assert prompt.version >= 1
    assert prompt.slots
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


@given(st.text() | st.text(st.characters(min_codepoint=0xDC00, max_codepoint=0xDFFF, categories=["Cs"])))
@settings(deadline=None)
def test_escaped_text_stays_on_its_line_and_inside_its_quotes(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert escaped.isprintable()
    bare = escaped.replace("\\\\", "").replace('\\"', "").replace("\\<", "").replace("\\>", "")
    assert not set('"<>') & set(bare)
    escaped.encode("utf-8")


@given(st.text())
@settings(deadline=None)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_invisible_characters_are_written_out() -> None:
    assert one_line("a\tb\u202ec\udcffd\u00a0e\U000e0001") == "a\\tb\\u202ec\\xffd e\\U000e0001"
