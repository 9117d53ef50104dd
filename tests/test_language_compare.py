"""Two explanations against each other: proofs that hold on every text, and witnesses that show what they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import law
from strategies import explanations
from test_evaluate_laws import PIECES, WORDS, contexts

from dsl.batch import Batch
from dsl.compare import Differ, EqualOnSample, ProvenEquivalent, ProvenSubsumed, compare
from dsl.evaluate import evaluate
from dsl.mutate import mutants
from dsl.nodes import PREDICTED, Explanation
from dsl.parse import parse
from dsl.records import Context
from dsl.simplify import simplify
from dsl.subsumption import equivalent, subsumes

_related = explanations(PIECES[:8], WORDS[:4], max_leaves=5)


@st.composite
def some_explanation(draw: st.DrawFn) -> Explanation:
    return draw(_related)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Explanation, Explanation, Explanation]:
    """An explanation, one of its mutants, and one of that one's: often broader or narrower than each other."""
    first = draw(_related)
    second = draw(st.sampled_from(mutants(first))).explanation
    return first, second, draw(st.sampled_from(mutants(second))).explanation


@law(some_explanation(), everyday=40, full=1_000)
def test_an_explanation_subsumes_and_equals_itself_and_its_simple_form(explanation: Explanation) -> None:
    simple = simplify(explanation)
    assert subsumes(explanation, explanation)
    assert subsumes(simple, explanation)
    assert subsumes(explanation, simple)
    assert equivalent(explanation, simple)


Three = tuple[Explanation, Explanation, Explanation]


def keeps_the_laws(several: Three, texts: list[Context]) -> None:
    """What is proven holds on the texts, and follows from itself."""
    batch = Batch.of(texts)
    values = [evaluate(each, batch) for each in several]
    pairs = list(itertools.permutations(range(3), 2))
    broader = {(one, other) for one, other in pairs if subsumes(several[one], several[other])}
    for one, other in broader:
        assert (values[one] >= values[other]).all()
    for one, other in pairs:
        if equivalent(several[one], several[other]):
            assert np.array_equal(values[one], values[other])
    for one, two, three in itertools.permutations(range(3)):
        if {(one, two), (two, three)} <= broader:
            assert (one, three) in broader


@settings(max_examples=15, deadline=None)
@given(neighbours(), st.lists(contexts, max_size=3))
def test_subsumption_is_transitive_and_never_contradicted_by_evaluation(several: Three, texts: list[Context]) -> None:
    keeps_the_laws(several, texts)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(neighbours(), st.lists(contexts, max_size=4))
def test_subsumption_keeps_its_laws_at_full_size(several: Three, texts: list[Context]) -> None:
    keeps_the_laws(several, texts)


@pytest.mark.parametrize(
    ("broad", "narrow"),
    [
        ("on digits", "on digits right after names"),
        ("on digits or names", "on digits"),
        ("on digits", "on digits except names"),
        ("on digits except names", "on digits except capitalised words"),
        ("on not names", "on not capitalised words"),
        ('on the tokens "a", "b"', 'on the token "b"'),
        ('on the words "a", "b"', 'on any form of "a" ["a"]'),
        ('on words like "a" ["a", "b", "c"]', 'on the words "a", "c"'),
        ('on the word "upon"', 'on the phrase "once upon"'),
        ('on the phrase "upon a"', 'on the phrase "once upon a"'),
        ("on digits in the context of names", "on digits within 4 tokens after names"),
        ("on digits within 4 tokens after names", "on digits right after names"),
        ("on digits in the context of names", "on digits right after (any token within 9 tokens after names)"),
        ("on digits within 2 tokens after (names or articles)", "on digits right after articles"),
        ("on tokens 1 to 8", "on tokens 2 to 3"),
        ("on a repeated token", 'on a token that followed "x" before'),
        ('on tokens starting with "a"', 'on tokens starting with "ab"'),
        ("on tokens matching /a/", 'on the tokens "a", "cat"'),
        ('on digits in text about "x" ["a", "b", "c"]', 'on digits in text about "y" ["a", "b"]'),
        ("on digits", "weakly on digits"),
        ("moderately on digits or names", "moderately on digits; weakly on names"),
        ("strongly on digits; weakly on names", "strongly on digits; faintly on names or digits"),
        ("on digits", "on names and not names"),
    ],
)
def test_each_construct_has_its_rule(broad: str, narrow: str) -> None:
    one, other = parse(f"activates {broad}"), parse(f"activates {narrow}")
    assert subsumes(one, other)
    assert not subsumes(other, one)


def test_equivalence_sees_through_order_case_and_words_but_not_what_is_promoted() -> None:
    one = parse('activates on digits or the words "B", "a" inside brackets')
    assert equivalent(one, parse('activates on the words "a", "b" inside brackets or digits'))
    assert equivalent(one, parse('activates on digits or the word "a" inside brackets or the word "b" inside brackets'))
    assert equivalent(one, parse('activates on not (not digits and not words like "b" ["a", "b"] inside brackets)'))
    assert not equivalent(one, parse('activates on (digits or the words "a", "b") inside brackets'))
    assert not equivalent(parse("activates on digits"), parse('activates on digits; promotes "1"'))


def batches() -> list[Batch]:
    texts = [("Anna", " ate", " pizza", " crust"), ("a", " cat", " sat", " on", " pizza"), (" 42", " cats")]
    return [Batch.of([Context(text, start=0) for text in texts[:2]]), Batch.of([Context(texts[2], start=0)])]


def test_what_is_proven_comes_before_what_the_sample_shows() -> None:
    pizza = parse('activates on the token " pizza"')
    assert compare(pizza, parse('activates on not not the token " pizza"'), batches()).verdict == ProvenEquivalent()
    assert compare(pizza, parse('activates on the word "pizza"'), batches()).verdict == ProvenSubsumed("other")
    assert compare(parse("activates on any token"), pizza, batches()).verdict == ProvenSubsumed("one")
    assert compare(pizza, parse('activates on tokens containing "zz"'), batches()).verdict == ProvenSubsumed("other")
    assert compare(pizza, parse("activates on tokens matching /iz+a/"), batches()).verdict == ProvenSubsumed("other")
    one, other = parse('activates on tokens containing "zz"'), parse("activates on tokens matching /z{2}/")
    assert compare(one, other, batches()).verdict == EqualOnSample(11)


def test_the_sample_counts_what_both_one_and_neither_predict_level_by_level() -> None:
    one = parse('activates strongly on the token " pizza"; weakly on names')
    other = parse('activates moderately on the tokens " pizza", " cat"')
    sample = compare(one, other, batches()).sample
    assert (sample.tokens, sample.both, sample.only_one, sample.only_other, sample.neither) == (11, 2, 0, 1, 8)
    assert sample.levels == ((1.0, 0.6, 2), (0.3, 0.0, 1), (0.0, 0.6, 1), (0.0, 0.0, 7))
    assert sample.differing == 4


def test_a_witness_is_the_shortest_text_that_shows_the_difference() -> None:
    one = parse('activates on the token " pizza" right after the token " ate"')
    other = parse('activates on the token " pizza" within 4 tokens after the token "a"')
    found = compare(one, other, batches())
    assert isinstance(found.verdict, Differ)
    shown = {(witness.context.tokens, witness.one, witness.other) for witness in found.sample.witnesses}
    assert shown == {((" ate", " pizza"), 1.0, 0.0), (("a", " cat", " sat", " on", " pizza"), 0.0, 1.0)}


@law(neighbours(), st.lists(contexts, min_size=1, max_size=2), everyday=15, full=300)
def test_every_witness_shows_what_it_says(several: Three, texts: list[Context]) -> None:
    one, _, other = several
    found = compare(one, other, [Batch.of(texts)])
    assert bool(found.sample.differing) == bool(found.sample.witnesses)
    assert sum(count for _, _, count in found.sample.levels) == found.sample.tokens
    for witness in found.sample.witnesses:
        batch = Batch.of([Context(witness.context.tokens, start=witness.context.start)])
        values = [float(evaluate(each, batch)[0, witness.position]) for each in (one, other)]
        assert values == pytest.approx([witness.one, witness.other])
        assert witness.one != witness.other


def test_on_one_context_the_counts_are_those_of_evaluate() -> None:
    texts = [Context(("a", " Lily", " 42", ".")), Context((" Lily",))]
    one, other = parse("activates strongly on names; weakly on digits"), parse("activates on digits or names")
    batch = Batch.of(texts)
    values = [evaluate(each, batch)[batch.mask] >= PREDICTED for each in (one, other)]
    sample = compare(one, other, [batch]).sample
    assert sample.both == int((values[0] & values[1]).sum())
    assert sample.only_other == int((~values[0] & values[1]).sum())
