"""Explanations in plain words: golden sentences, every construct, and no two that read the same."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import explanations, expressions

from dsl.nodes import Class, ClassName, Explanation, Expression, Not, conjunction, union
from dsl.parse import parse
from dsl.plain import CLASSES, describe, plain_words

GOLDEN = [
    (
        'activates on the token " pizza" in the context of the word "crust"',
        'The feature fires where the token is exactly " pizza", within 32 tokens after a place where the word "crust" '
        "ends.",
    ),
    (
        'activates strongly on names; moderately on (digits or newlines) right after the tokens "a", "b"; faintly on '
        'any token; promotes " x"',
        "The feature fires at its maximum where a capitalised word ends that is in a fixed list of first names. It "
        "fires moderately, at 0.6 of its maximum, where [the token is decimal digits only, but for white space around "
        'them, or the token holds a line break], right after a token where the token is exactly one of "a", "b". It '
        "fires faintly, at 0.1 of its maximum, where there is a token, whatever it is. Where several of these hold, "
        "the strongest counts. Below 0.5 of the maximum counts in graded scores only, not as predicted. When it fires, "
        'it makes it likelier that the next token is " x"; this is no part of what is predicted.',
    ),
    (
        'activates on (not a repeated token and tokens 2 to 4) in text about "food" ["bread", "oven"] inside brackets '
        "except the end of a sentence",
        "The feature fires where [[it is not so that the token occurred before in the text, and the token is one of "
        'numbers 2 to 4 of the text], in text about "food" (at least two of the words "bread", "oven" ended in the '
        "last 32 tokens) and inside brackets that are still open], except where a sentence ends, with a full stop, a "
        "question mark or the like.",
    ),
]


@pytest.mark.parametrize(("text", "words"), GOLDEN, ids=range(len(GOLDEN)))
def test_plain_words_read_like_this(text: str, words: str) -> None:
    assert plain_words(parse(text)) == words


@settings(max_examples=150, deadline=None)
@given(explanations())
def test_every_explanation_reads_as_one_line_of_full_sentences(explanation: Explanation) -> None:
    words = plain_words(explanation)
    assert words.splitlines() == [words]
    assert words.startswith("The feature fires")
    assert words.endswith(".")


FEW = expressions(("a", "b"), ("a", "b"), max_leaves=3)


@settings(max_examples=250, deadline=None)
@given(FEW, FEW)
def test_different_expressions_read_differently(one: Expression, other: Expression) -> None:
    assert (describe(one) == describe(other)) == (one == other)


@settings(deadline=None)
@given(FEW, FEW, FEW)
def test_how_parts_are_grouped_can_be_read(one: Expression, two: Expression, three: Expression) -> None:
    several = {
        union(one, conjunction(two, three)),
        conjunction(union(one, two), three),
        conjunction(one, union(two, three)),
        Not(union(one, two)),
        union(Not(one), two),
        union(one, two, three),
        conjunction(one, two, three),
    }
    assert len({describe(each) for each in several}) == len(several)


@settings(deadline=None)
@given(explanations(("a", "b"), ("a", "b"), max_leaves=2), explanations(("a", "b"), ("a", "b"), max_leaves=2))
def test_different_explanations_read_differently(one: Explanation, other: Explanation) -> None:
    assert (plain_words(one) == plain_words(other)) == (one == other)


def test_every_class_has_words_of_its_own() -> None:
    assert set(CLASSES) == set(get_args(ClassName))
    assert len(set(CLASSES.values())) == len(CLASSES)


@given(st.sampled_from(get_args(ClassName)))
def test_a_class_reads_as_a_statement_about_a_place(name: ClassName) -> None:
    assert CLASSES[name] in plain_words(Explanation(Class(name)))
