"""A debater's turns: whatever their grammar allows is short enough, reads back, and llguidance and Lark agree on it."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer, grammar_from
from test_language_decoding import written_at_random

from agents.moves import (
    EndMove,
    QuoteMove,
    TryMove,
    TurnBounds,
    Verb,
    choices,
    handles,
    handles_grammar,
    longest_turn,
    read_turn,
    turn_grammar,
    written,
)
from agents.scripted_lm import allows

OFFERED: list[tuple[Verb, ...]] = [
    (),
    ("EXPLAIN",),
    ("QUOTE",),
    ("QUOTE", "EXPLAIN"),
    ("TRY", "EXPLAIN"),
    ("QUOTE", "TRY", "EXPLAIN"),
    ("QUOTE", "DONE"),
]
TOKENIZER = LLTokenizer("byte")
SMALL = TurnBounds(note=8, text=6)


def matcher(grammar: str) -> LLMatcher:
    return fresh(grammar).deep_copy()


@cache
def fresh(grammar: str) -> LLMatcher:
    made = LLMatcher(TOKENIZER, grammar_from("lark", grammar))
    assert not made.is_error(), made.get_error()
    return made


@pytest.mark.parametrize("verbs", OFFERED, ids=lambda verbs: "+".join(verbs) or "notes")
def test_every_turn_written_under_the_mask_reads_back_and_is_short_enough(verbs: tuple[Verb, ...]) -> None:
    rng = random.Random(5)
    for bounds in (TurnBounds(), SMALL):
        grammar = turn_grammar(verbs, bounds)
        for _ in range(25):
            text = written_at_random(matcher(grammar), rng)
            assert len(text.encode()) <= longest_turn(verbs, bounds)
            assert allows(grammar, text)
            note, move = read_turn(text)
            assert 1 <= len(note) <= bounds.note
            match move:
                case QuoteMove(text=quoted) | TryMove(text=quoted):
                    assert len(quoted) <= bounds.text
                case EndMove():
                    assert not verbs or text.endswith(verbs[-1])


@given(st.integers(0, 9999), st.text(min_size=1, max_size=12))  # each may be written out as ten characters
@settings(deadline=None)
def test_a_move_is_told_again_as_a_turn_that_says_the_same(number: int, text: str) -> None:
    for move in (QuoteMove(number, text), TryMove(text)):
        turn = f"THINK hm\n{written(move)}"
        assert allows(turn_grammar(("QUOTE", "TRY")), turn)
        _, again = read_turn(turn)
        assert written(again) == written(move)


def test_what_is_no_turn_is_said_to_be_none() -> None:
    for text in ("THINK a\nDANCE", 'THINK a\nQUOTE "x"', "THINK a\nTRY x", 'THINK a\nQUOTE 3 ""'):
        with pytest.raises(ValueError, match="is no turn"):
            read_turn(text)


@given(st.integers(0, 8), st.sets(st.integers(1, 8)), st.integers(1, 4))
@settings(deadline=None)
def test_choices_of_quotes_are_all_different_and_hold_one_that_fires(count: int, firing: set[int], most: int) -> None:
    some = sorted(number for number in firing if number <= count)
    ways = choices(count, some, most)
    assert len(set(ways)) == len(ways) >= 1
    for way in ways:
        assert len(set(way)) == len(way) == min(count, most)
        assert all(1 <= number <= count for number in way)
        assert not some or set(way) & set(some)
    if count:
        grammar = handles_grammar(ways)
        assert all(allows(grammar, handles(way)) for way in ways)
        assert not allows(grammar, "Q1 Q1")
        assert LLMatcher.validate_grammar(grammar_from("lark", grammar)) == ""
