"""The shortcuts by which words are found fast: each against what it stands for."""

from __future__ import annotations

import re
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.batch import Batch, Vocabulary
from dsl.evaluate import evaluate, evaluate_chunks, matches
from dsl.nodes import Explanation, Phrase, Words, is_word_character
from dsl.pairs import NONE, PairTable
from dsl.wordtable import word_spans

numbers = st.integers(0, 2**62) | st.integers(0, 50)


@given(st.lists(st.dictionaries(numbers, st.integers(0, 1_000), max_size=60), max_size=8), st.lists(numbers))
@settings(deadline=None)
def test_a_pair_table_is_a_dictionary(parts: list[dict[int, int]], asked: list[int]) -> None:
    table, expected = PairTable(), dict[int, int]()
    for part in parts:
        new = {key: value for key, value in part.items() if key not in expected}
        table.add(np.array(list(new), dtype=np.int64), np.array(list(new.values()), dtype=np.int32))
        expected |= new
    keys = [*expected, *asked]
    found = table.find(np.array(keys, dtype=np.int64))
    assert found.tolist() == [expected.get(key, NONE) for key in keys]


def test_a_pair_table_grows() -> None:
    table, keys = PairTable(), np.arange(0, 7 * 5_000, 7)
    for some in np.array_split(keys, 13):
        table.add(some, some.astype(np.int32) // 7)
    assert np.array_equal(table.find(keys), np.arange(5_000))
    assert (table.find(keys + 1) == NONE).all()


def spans_by_definition(text: str) -> list[tuple[int, int]]:
    shape = "".join("w" if is_word_character(c) else "'" if c in "'\u2019" else "." for c in text)
    return [found.span() for found in re.finditer("w+(?:'w+)*", shape)]


def test_every_letter_and_number_is_a_word_character() -> None:
    """So that a text of nothing else is one word, whatever its script."""
    assert all(is_word_character(chr(code)) for code in range(sys.maxunicode + 1) if chr(code).isalnum())


@given(st.text() | st.text("ab'\u2019 .9_\u0301é字"))
@settings(max_examples=300, deadline=None)
def test_words_of_any_text_are_those_of_the_definition(text: str) -> None:
    assert word_spans(text) == spans_by_definition(text)


def test_text_without_spaces_is_read_chunk_by_chunk_as_in_one() -> None:
    """Where every beginning of a word is a new one, and what is known of a vocabulary is forgotten on the way."""
    rng = np.random.default_rng(0)
    strings = [chr(0x4E00 + number) for number in range(50)] + ["\u3002"]
    ids = rng.integers(0, 51, size=(40, 60)).astype(np.int32)
    lengths, starts = rng.integers(0, 61, size=40), np.zeros(40, dtype=np.int64)
    truth = Explanation(Words((strings[0], strings[1] + strings[2])), weak=Phrase((strings[3], strings[4])))
    whole = evaluate(truth, Batch(ids, lengths, starts, Vocabulary(strings)))
    chunks = evaluate_chunks(truth, ids, lengths, starts, Vocabulary(strings), chunk_tokens=200)
    assert np.array_equal(np.concatenate(list(chunks)), whole)
    assert whole.any()


def test_words_met_after_a_question_was_first_asked_are_found_too() -> None:
    vocabulary, length = Vocabulary([" do", "g", " Dog", " cat"]), np.array([2])
    first, later = (Batch(np.array([ids], dtype=np.int32), length, length * 0, vocabulary) for ids in ([0, 1], [2, 3]))
    assert matches(Words(("dog",)), first).tolist() == [[False, True]]
    assert matches(Words(("cat", "dog")), later).tolist() == [[True, True]]
