"""What the parser answers to damaged explanations; `benchmarks/fuzz_parse.py` does the same at full size."""

from __future__ import annotations

import random

import pytest
from mangled import KINDS, explanation, is_plainly_valid, is_valid, mangled


def test_some_dozens_of_damaged_texts_are_read_or_answered() -> None:
    texts = [mangled(1, number)[1] for number in range(60)]
    answers = [is_valid(text) for text in texts]
    assert sum(answers) > 5
    assert answers == [is_plainly_valid(text) for text in texts]


def test_hundreds_of_damaged_texts_are_read_or_stop_the_parser_at_a_place() -> None:
    assert sum(is_plainly_valid(mangled(1, number)[1]) for number in range(60, 1_000)) > 80


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 4_000, 500))
def test_thousands_of_damaged_texts_are_read_or_answered(first: int) -> None:
    assert sum(is_valid(mangled(1, number)[1]) for number in range(first, first + 500)) > 40


def test_half_a_character_is_an_error_wherever_a_string_may_stand() -> None:
    assert not is_valid('activates on digits; promotes "\ud83d"')
    assert not is_valid('activates on the tokens "a", "\ud83d"')


def test_what_the_fuzzer_damages_is_valid_before() -> None:
    for number in range(200):
        assert is_valid(explanation(random.Random(number)))


def test_a_damaged_text_is_the_same_for_the_same_number() -> None:
    forth, back = ([mangled(0, number) for number in order] for order in (range(400), reversed(range(400))))
    assert forth == back[::-1]
    assert {kind for kind, _ in forth} == set(KINDS)
