"""How long explanations are: a code that charges for everything said, and for nothing twice."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import strategies as st
from laws import law
from strategies import explanations, expressions, strings, words

from dsl.complexity import bits, order, size
from dsl.nodes import (
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    FormsOf,
    Inside,
    Modifier,
    Not,
    Phrase,
    RightAfter,
    Tokens,
    Within,
    Words,
    conjunction,
    union,
)
from dsl.parse import parse

modifiers: st.SearchStrategy[Modifier] = st.one_of(
    st.builds(RightAfter, expressions(max_leaves=2)),
    st.builds(Within, expressions(max_leaves=2), st.integers(1, 99)),
    st.just(Inside("brackets")),
)


@law(expressions(), expressions(max_leaves=3), modifiers, everyday=50, full=1_000)
def test_adding_a_clause_never_makes_an_expression_shorter(
    expression: Expression, other: Expression, modifier: Modifier
) -> None:
    before = bits(expression)
    for longer in (
        conjunction(expression, other),
        union(expression, other),
        Except(expression, other),
        Not(expression),
        Clause(expression, (modifier,)),
    ):
        assert bits(longer) >= before
        assert size(longer) >= size(expression)


@law(expressions(), expressions(max_leaves=3), strings(), strings(), everyday=50, full=1_000)
def test_adding_a_level_or_a_promoted_token_never_makes_an_explanation_shorter(
    strong: Expression, weak: Expression, one: str, other: str
) -> None:
    plain = bits(Explanation(strong))
    assert bits(Explanation(strong, weak)) >= plain
    assert plain <= bits(Explanation(strong, None, (one,))) <= bits(Explanation(strong, None, (one, other)))


@law(st.lists(words(), min_size=2, max_size=40), words(), everyday=50, full=1_000)
def test_a_longer_list_never_costs_less(listed: list[str], word: str) -> None:
    for longer, shorter in itertools.pairwise(range(len(listed), 0, -1)):
        assert bits(Words(tuple(listed[:longer]))) >= bits(Words(tuple(listed[:shorter])))
        assert bits(FormsOf(word, tuple(listed[:longer]))) >= bits(FormsOf(word, tuple(listed[:shorter])))


def test_words_that_a_lexicon_lists_cost_less_than_words_spelt_out() -> None:
    forms = ("ran", "run", "running", "runs")
    assert bits(Words(("run",))) < bits(FormsOf("run", forms)) < bits(Words(forms))


@pytest.mark.parametrize(
    ("simpler", "richer"),
    [
        (Tokens((" the",)), Tokens((" nevertheless",))),
        (Class("digits"), Tokens(("7",))),
        (Words(("the",)), Words(("zyx",))),
        (Tokens(("cafe",)), Tokens(("café",))),
        (Within(Class("digits")), Within(Class("digits"), 4)),
        (Words(("once", "time")), Phrase(("once", "upon", "a", "time"))),
    ],
)
def test_what_is_common_and_short_costs_less(simpler: Expression | Modifier, richer: Expression | Modifier) -> None:
    def cost(part: Expression | Modifier) -> float:
        return bits(Clause(Class("digits"), (part,)) if isinstance(part, Within) else part)  # type: ignore[arg-type]

    assert cost(simpler) < cost(richer)


@law(st.lists(explanations(max_leaves=3), min_size=2, max_size=4), everyday=50, full=1_000)
def test_the_order_is_total_and_ties_only_equals(several: list[Explanation]) -> None:
    ranked, backwards = sorted(several, key=order), several[::-1]
    assert ranked == sorted(backwards, key=order)
    for one, other in itertools.combinations(several, 2):
        assert (order(one) == order(other)) == (one == other)
    assert bits(ranked[0]) == min(map(bits, several))


def test_size_counts_constructs_and_modifiers() -> None:
    text = "activates strongly on digits or (names except not pronouns) inside brackets right after any token"
    # or, digits, except, names, not, pronouns, inside, right after, any token; then digits and the output side
    assert size(parse(f'{text}; weakly on digits; promotes "a", "b"')) == 11
