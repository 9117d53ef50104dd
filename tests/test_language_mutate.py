"""One-step edits: all valid, all different, and each what its name says."""

from __future__ import annotations

import pytest
from laws import law
from strategies import explanations

from dsl.complexity import size
from dsl.mutate import mutants
from dsl.nodes import MAX_DEPTH, Class, Explanation, Expression, Not, depth
from dsl.parse import parse
from dsl.render import render


class TinyLexicon:
    version = "tiny"

    def forms(self, word: str) -> tuple[str, ...]:
        return (word, f"{word}s")

    def like(self, word: str) -> tuple[str, ...]:
        return (word, f"other{word}")

    def about(self, topic: str) -> tuple[str, ...]:
        return (topic,)


def edits(text: str) -> set[tuple[str, str]]:
    found = mutants(parse(f"activates on {text}"))
    return {(mutant.step, render(mutant.explanation).removeprefix("activates on ")) for mutant in found}


@law(explanations(), everyday=25, full=500)
def test_mutants_are_distinct_valid_and_never_the_original(explanation: Explanation) -> None:
    found = mutants(explanation)
    assert found
    assert len({mutant.explanation for mutant in found}) == len(found)
    for mutant in found:
        assert mutant.explanation != explanation
        assert mutant.explanation.promotes == explanation.promotes
        assert parse(render(mutant.explanation)) == mutant.explanation


@law(explanations(), everyday=20, full=500)
def test_mutants_come_in_an_order_that_only_the_value_decides(explanation: Explanation) -> None:
    assert mutants(explanation) == mutants(parse(render(explanation)))


@law(explanations(), everyday=25, full=500)
def test_dropping_makes_an_explanation_smaller(explanation: Explanation) -> None:
    for mutant in mutants(explanation):
        if mutant.step == "drop":
            assert size(mutant.explanation) < size(explanation)


@pytest.mark.parametrize(
    ("text", "step", "edited"),
    [
        ('the token " pizza"', "widen", 'the word "pizza"'),
        ('the token " pizza"', "widen", 'tokens containing "pizza"'),
        ('the word "pizza"', "narrow", 'the token " pizza"'),
        ('the tokens "a", "b"', "narrow", 'the token "b"'),
        ('any form of "run" ["ran", "run"]', "narrow", 'the word "run"'),
        ('words like "red" ["crimson", "red"]', "narrow", 'words like "red" ["red"]'),
        ('the phrase "once upon a"', "widen", 'the phrase "upon a"'),
        ("digits right after names", "widen", "digits within 4 tokens after names"),
        ("digits within 4 tokens after names", "widen", "digits in the context of names"),
        ("digits in the context of names", "narrow", "digits within 4 tokens after names"),
        ("digits within 4 tokens after names", "narrow", "digits right after names"),
        ("digits within 3 tokens after names", "widen", "digits within 4 tokens after names"),
        ("digits right after names", "drop", "digits"),
        ("digits right after names", "negate", "digits right after (not names)"),
        ("digits or names", "drop", "names"),
        ("digits and names", "negate", "digits and not names"),
        ("digits except names", "drop", "digits"),
        ("not digits", "negate", "digits"),
        ("digits", "narrow", "the start of a sentence and digits"),
        ('digits in text about "x" ["a", "b", "c"]', "narrow", 'digits in text about "x" ["a", "b"]'),
        ("digits except tokens 1 to 2", "narrow", "digits except tokens 1 to 4"),
        ("not tokens 1 to 2", "widen", "not the first token"),
    ],
)
def test_each_kind_of_edit_does_what_its_name_says(text: str, step: str, edited: str) -> None:
    assert (step, edited) in edits(text)


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("digits or names and digits", "digits"),
        ("digits right after any token", "digits within 4 tokens after any token"),
        ('any form of "run" ["run"]', 'the word "run"'),
        ("names and capitalised words", "names"),
    ],
)
def test_what_predicts_the_same_is_no_mutant(text: str, dead: str) -> None:
    assert dead not in {edited for _, edited in edits(text)}


def test_with_a_lexicon_a_word_widens_to_its_forms_and_its_field() -> None:
    found = {render(mutant.explanation) for mutant in mutants(parse('activates on the word "pig"'), TinyLexicon())}
    assert 'activates on any form of "pig" ["pig", "pigs"]' in found
    assert 'activates on words like "pig" ["otherpig", "pig"]' in found


def test_levels_can_be_dropped_and_joined() -> None:
    found = {render(m.explanation): m.step for m in mutants(parse("activates strongly on digits; weakly on names"))}
    assert found["activates on digits"] == "drop"
    assert found["activates weakly on names"] == "drop"
    assert found["activates on digits or names"] == "widen"


def test_mutants_of_the_deepest_explanation_are_no_deeper() -> None:
    expression: Expression = Class("digits")
    while depth(expression) < MAX_DEPTH:
        expression = Not(expression)
    deepest = Explanation(expression)
    assert all(parse(render(mutant.explanation)) for mutant in mutants(deepest))
