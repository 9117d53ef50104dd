"""Simplification: never another meaning, never longer, and short where a person would see it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import law
from strategies import atoms, explanations, expressions
from test_evaluate_laws import PIECES, WORDS, contexts

from dsl.atomic import holds_at
from dsl.batch import Batch
from dsl.complexity import bits
from dsl.evaluate import evaluate, matches
from dsl.implication import Prover
from dsl.nodes import (
    MAX_DEPTH,
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    Not,
    Phrase,
    RightAfter,
    Tokens,
    TokensWith,
    Within,
    Words,
    conjunction,
    depth,
    union,
)
from dsl.parse import parse
from dsl.records import Context
from dsl.render import render
from dsl.simplify import ROUNDING, simplify, simplify_expression

TOKENS, WORD_LIST = PIECES[:10], WORDS[:4]
"""Few enough that parts of one explanation often have to do with each other."""

_close = explanations(TOKENS, WORD_LIST, max_leaves=10)
_wide = explanations(PIECES, WORDS, max_leaves=6)
_related = expressions(TOKENS, WORD_LIST, max_leaves=4)


def _woven_of(pool: list[Expression]) -> st.SearchStrategy[Expression]:
    """Expressions made of a few atoms over and over: what one part says decides what others may leave out."""

    def larger(smaller: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(smaller, min_size=2, max_size=3)
        windows = st.builds(RightAfter, smaller) | st.builds(Within, smaller, st.sampled_from((1, 2, 32)))
        return st.one_of(
            several.map(lambda operands: conjunction(*operands)),
            several.map(lambda operands: union(*operands)),
            st.builds(Except, smaller, smaller),
            st.builds(Except, smaller, smaller),
            st.builds(Not, smaller),
            st.builds(lambda phrase, window: Clause(phrase, (window,)), smaller, windows),
        )

    return st.recursive(st.sampled_from(pool), larger, max_leaves=8)


_woven = st.lists(atoms(TOKENS, WORD_LIST), min_size=2, max_size=5).flatmap(
    lambda pool: st.builds(Explanation, _woven_of(pool), st.none() | _woven_of(pool))
)


@st.composite
def some_explanation(draw: st.DrawFn) -> Explanation:
    return draw(_close | _wide | _woven | _woven)


@st.composite
def some_expression(draw: st.DrawFn) -> Expression:
    return draw(_related)


def keeps_the_law(explanation: Explanation, texts: list[Context]) -> None:
    simple = simplify(explanation)
    batch = Batch.of(texts)
    assert np.array_equal(evaluate(simple, batch), evaluate(explanation, batch))
    assert bits(simple) <= bits(explanation) + ROUNDING
    assert simplify(simple) == simple
    assert parse(render(simple)) == simple
    assert simple.promotes == explanation.promotes


@settings(max_examples=60, deadline=None)
@given(some_explanation(), st.lists(contexts, max_size=4))
def test_simplifying_keeps_the_meaning_and_never_lengthens(explanation: Explanation, texts: list[Context]) -> None:
    keeps_the_law(explanation, texts)


@pytest.mark.slow
@settings(max_examples=8_000, deadline=None)
@given(some_explanation(), st.lists(contexts, max_size=6))
def test_simplifying_keeps_the_meaning_at_full_size(explanation: Explanation, texts: list[Context]) -> None:
    keeps_the_law(explanation, texts)


@law(some_expression(), some_expression(), st.lists(contexts, min_size=1, max_size=4), everyday=60, full=2_000)
def test_what_is_proven_of_two_expressions_holds_on_every_text(
    one: Expression, other: Expression, texts: list[Context]
) -> None:
    batch, prover = Batch.of(texts), Prover()
    first, second = matches(one, batch), matches(other, batch)
    if prover.implies(one, other):
        assert not (first & ~second).any()
    if prover.disjoint(one, other):
        assert not (first & second).any()
    if prover.covers(one, other):
        assert (first | second)[batch.mask].all()


@law(some_expression(), st.lists(contexts, min_size=1, max_size=4), everyday=60, full=2_000)
def test_an_expression_is_proven_to_follow_from_its_simpler_form_and_back(
    expression: Expression, texts: list[Context]
) -> None:
    simple = simplify_expression(expression)
    batch, prover = Batch.of(texts), Prover()
    assert np.array_equal(matches(simple, batch), matches(expression, batch))
    assert prover.implies(conjunction(simple, expression), simple)
    assert prover.implies(simple, union(simple, expression))


@settings(max_examples=100, deadline=None)
@given(some_expression(), st.lists(contexts, min_size=1, max_size=4))
def test_what_is_certain_of_a_token_holds_wherever_it_stands(atom: Expression, texts: list[Context]) -> None:
    held = matches(atom, Batch.of(texts))
    for row, context in enumerate(texts):
        for column, token in enumerate(context.tokens):
            assert holds_at(token, atom) in (None, bool(held[row, column]))


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("not not digits", "digits"),
        ("digits or (digits and names)", "digits"),
        ("digits and (digits or names)", "digits"),
        ("digits and not names", "digits except names"),
        ("not names and digits", "digits except names"),
        ("names within 1 token after digits", "names right after digits"),
        ('the token "a" or the token "b"', 'the tokens "a", "b"'),
        ('the word "a" or the words "b", "c"', 'the words "a", "b", "c"'),
        ('the token "a" or the tokens "a", "b"', 'the tokens "a", "b"'),
        ("digits within 4 tokens after names or digits in the context of names", "digits in the context of names"),
        ("digits within 4 tokens after names in the context of names", "digits within 4 tokens after names"),
        ("tokens 1 to 4 or tokens 2 to 3", "tokens 1 to 4"),
        ("tokens 1 to 4 or tokens 5 to 8", "tokens 1 to 8"),
        ("tokens 1 to 8 and tokens 5 to 9", "tokens 5 to 8"),
        ("tokens 1 to 8 except tokens 1 to 3", "tokens 4 to 8"),
        ("digits and any token", "digits"),
        ("digits or any token", "any token"),
        ("not (not digits or not names)", "digits and names"),
        ("digits inside brackets or names inside brackets", "(digits or names) inside brackets"),
        (
            'digits right after the token "a" or digits right after the token "b"',
            'digits right after the tokens "a", "b"',
        ),
        ("digits and names or digits and pronouns", "digits and (names or pronouns)"),
        ("(digits or names) and (names or pronouns)", "digits and pronouns or names"),
        (
            "articles except ((articles except a repeated token) or newlines)",
            "articles and a repeated token except newlines",
        ),
        ("(digits or names) except names", "digits except names"),
        ("digits except (digits and names)", "digits except names"),
        ("digits or (names except digits)", "digits or names"),
        ("digits and (names or not digits)", "digits and names"),
        ('the token " pizza" or the word "pizza"', 'the word "pizza"'),
        ('the tokens " pizza", "pizza" and the word "crust"', 'the token "pizza" and the word "crust"'),
        ('the tokens " a", " b" and tokens starting with " a"', 'the token " a"'),
        ("names and capitalised words", "names"),
        ('the words "the", "a", "an"', "articles"),
        ('any form of "run" ["run"]', 'the word "run"'),
        ('any form of "run" ["ran", "run"] or the word "run"', 'any form of "run" ["ran", "run"]'),
        ('tokens containing "\\n"', "newlines"),
        ("digits and punctuation", "not any token"),
        ('digits in text about "x" ["x"]', "not any token"),
        ('the token "a" except the tokens "a", "b"', "not any token"),
        ("digits right after any token in the context of any token", "digits right after any token"),
        ('a repeated token or a token that followed "x" before', "a repeated token"),
        ("digits", "digits"),
        ("names inside quotation marks", "names inside quotation marks"),
    ],
)  # fmt: skip
def test_what_a_person_would_see_is_seen(text: str, simple: str) -> None:
    assert render(simplify(parse(f"activates on {text}"))) == f"activates on {simple}"


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("strongly on digits; weakly on digits or names", "strongly on digits; weakly on names"),
        ("strongly on digits; weakly on names except digits", "strongly on digits; weakly on names"),
        ("strongly on digits; weakly on digits and names", "on digits"),
        ("strongly on digits and not digits; weakly on names", "weakly on names"),
        ("strongly on any token; moderately on names; faintly on digits", "on any token"),
        ("weakly on digits and not digits", "on not any token"),
    ],
)
def test_a_level_says_nothing_that_a_stronger_one_has_said(text: str, simple: str) -> None:
    assert render(simplify(parse(f"activates {text}"))) == f"activates {simple}"


@pytest.mark.parametrize(
    "text",
    [
        'the word "a" and the word "b"',  # two words may end at one token
        'the token "pizza" or the word "pizza"',  # "la|pizza" is another word
        'the word "a" except the word "b"',
        "digits right after (not names)",  # nothing stands before the first token
        "upper-case words or capitalised words",  # "3AB"
        "tokens 1 to 999999",  # not where the start is unknown
    ],
)
def test_what_only_looks_the_same_is_left_alone(text: str) -> None:
    explanation = parse(f"activates on {text}")
    assert simplify(explanation) == explanation


def _atoms(rng: random.Random, count: int) -> list[Expression]:
    word = lambda: "".join(rng.choice("abcdefg") for _ in range(4))  # noqa: E731
    kinds = (
        lambda: Tokens((f" {word()}",)),
        lambda: Words((word(), word())),
        lambda: TokensWith("starting with", word()[:2]),
        lambda: Phrase((word(), word())),
        lambda: Class(rng.choice(("digits", "names", "articles", "pronouns"))),
    )
    return [rng.choice(kinds)() for _ in range(count)]


def test_two_hundred_operands_are_no_blow_up() -> None:
    plain = Explanation(union(*_atoms(random.Random(0), 200)))
    assert bits(simplify(plain)) < bits(plain)


@pytest.mark.slow
def test_two_hundred_exclusions_are_no_blow_up() -> None:
    rng = random.Random(0)
    pairs = zip(_atoms(rng, 200), _atoms(rng, 200), strict=True)
    explanation = Explanation(union(*(Except(kept, removed) for kept, removed in pairs)))
    simple = simplify(explanation)
    assert bits(simple) < bits(explanation)
    assert simplify(simple) == simple


def test_the_deepest_explanations_stay_within_the_limit() -> None:
    rng = random.Random(1)
    expression: Expression = Class("digits")
    for atom in _atoms(rng, 40):
        following = (
            conjunction(expression, atom),
            union(expression, atom),
            Except(atom, expression),
            Clause(atom, (Within(expression, 3),)),
            Clause(expression, (RightAfter(atom),)),
            Not(expression),
        )
        larger = rng.choice(following)
        expression = larger if depth(larger) <= MAX_DEPTH else expression
    assert depth(expression) == MAX_DEPTH
    simple = simplify(Explanation(expression))
    assert bits(simple) <= bits(expression) + bits(Explanation(Class("digits")))
    assert parse(render(simple)) == simple


def test_full_binary_trees_are_no_blow_up() -> None:
    rng = random.Random(2)
    layer: list[Expression] = _atoms(rng, 256)
    while len(layer) > 1:
        pairs = zip(layer[::2], layer[1::2], strict=True)
        layer = [rng.choice((conjunction(*pair), union(*pair), Except(*pair))) for pair in pairs]
    explanation = Explanation(layer[0])
    assert bits(simplify(explanation)) <= bits(explanation)
