"""Explanations to canonical text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import law
from strategies import COMMON_STRINGS, COMMON_WORDS, awkward_strings, explanations, expressions

from dsl.errors import ExplanationError
from dsl.nodes import Explanation, Expression, FollowedBefore, Tokens, TokensMatching, TokensWith
from dsl.parse import parse
from dsl.render import quoted, render, render_expression


@law(explanations(), everyday=100, full=2_000)
def test_canonical_text_parses_back_to_an_equal_explanation(explanation: Explanation) -> None:
    assert parse(render(explanation)) == explanation


@law(explanations(max_leaves=25), everyday=40, full=500)
def test_large_explanations_parse_back_too(explanation: Explanation) -> None:
    assert parse(render(explanation)) == explanation


@settings(deadline=None)
@given(explanations())
def test_canonical_text_is_one_printable_line(explanation: Explanation) -> None:
    text = render(explanation)
    assert text.splitlines() == [text]
    assert text.encode("utf-8").decode("utf-8") == text
    assert text == text.strip()


@settings(deadline=None)
@given(explanations(), st.data())
def test_what_parses_renders_to_a_fixed_point(explanation: Explanation, data: st.DataObject) -> None:
    text = render(explanation)
    loose = data.draw(st.sampled_from([text, f" {text} ", f"A{text[1:]}.", text.replace("strongly on", "on", 1)]))
    once = render(parse(loose))
    assert once == text
    assert render(parse(once)) == once


@settings(deadline=None)
@given(expressions())
def test_a_part_renders_as_it_stands_in_the_whole(expression: Expression) -> None:
    assert render(Explanation(expression)) == f"activates on {render_expression(expression)}"


@settings(deadline=None)
@given(explanations())
def test_equal_explanations_and_no_others_share_a_canonical_text(explanation: Explanation) -> None:
    again = parse(render(explanation))
    assert (hash(again), again) == (hash(explanation), explanation)


@pytest.mark.parametrize(
    "text",
    [
        'activates on the token " pizza" in the context of the word "crust"',
        'activates on the tokens " a", " b" within 5 tokens after digits',
        'activates strongly on names right after (digits or pronouns); weakly on names; promotes " the"',
        "activates weakly on not (digits and names)",
        'activates on (digits except names) in text about "food" ["bread", "oven"] inside brackets',
        r'activates on the tokens "\t", "\n", "\"", "\\", "\xff"',
        r"activates on tokens matching /^ \/[A-Z]+$/",
        "activates on digits within 1 token after names",
        "activates on the first token or tokens 2 to 9",
        "activates on digits except (names except pronouns)",
    ],
)
def test_examples_of_canonical_text_are_byte_identical_after_a_round_trip(text: str) -> None:
    assert render(parse(text)) == text


def test_order_repeats_and_case_do_not_survive_but_grouping_does() -> None:
    first = parse('activates on (the words "B", "a", "b") or (digits or (names)) in the context of any token')
    second = parse('activates on (names or digits) in the context of any token or the words "a", "b"')
    assert first == second
    assert render(first) == render(second)
    assert first != parse('activates on names or digits in the context of any token or the words "a", "b"')


@settings(deadline=None)
@given(awkward_strings)
def test_any_token_text_can_be_quoted(text: str) -> None:
    for make in (lambda value: Tokens((value,)), FollowedBefore, lambda value: TokensWith("containing", value)):
        explanation = Explanation(make(text))
        assert parse(render(explanation)) == explanation


def test_bytes_that_are_characters_together_are_that_character() -> None:
    assert Tokens(("\udcc3\udca9",)) == Tokens(("é",))
    assert quoted("\u2028") == r'"\xe2\x80\xa8"'
    with pytest.raises(ValueError, match="half a character"):
        Tokens(("\ud83d",))


@pytest.mark.parametrize("pattern", ["/", r"\/", r"\\/", "a/b//", "\n", "\\\n", "\x00", "\u2028", r"[/\]]", r"\.", '"'])
def test_any_regex_can_be_written(pattern: str) -> None:
    explanation = Explanation(TokensMatching(pattern))
    assert parse(render(explanation)) == explanation
    assert len(render(explanation).splitlines()) == 1


@pytest.mark.parametrize("pattern", ["", "a(", "(?=x)", r"\1", "x**", "\\", r"\Qa\E", "\udc80", "a{5000}"])
def test_a_regex_that_re2_refuses_is_no_node(pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        TokensMatching(pattern)
    assert capfd.readouterr().err == ""


def test_the_common_strings_of_the_strategies_are_writable() -> None:
    words = ", ".join(map(quoted, COMMON_WORDS))
    strings = ", ".join(map(quoted, COMMON_STRINGS))
    assert parse(f"activates on the words {words} or the tokens {strings}")
    with pytest.raises(ExplanationError):
        parse(f"activates on the words {strings}")
