"""What each construct means, one sentence and one small text at a time."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

from dsl.batch import Batch, Vocabulary
from dsl.classes import NAMES, token_class, word_class
from dsl.evaluate import Evaluator, evaluate, matches
from dsl.nodes import (
    About,
    AnyToken,
    Boundary,
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Not,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    union,
)
from dsl.records import Context
from dsl.wordtable import word_spans

ANY = AnyToken()


def held(expression: Expression, *tokens: str, start: int | None = None) -> list[int]:
    """The positions at which an expression holds."""
    return np.flatnonzero(matches(expression, Batch.of([Context(tokens, start=start)]))[0]).tolist()


def test_tokens_are_compared_exactly_with_their_leading_space() -> None:
    assert held(Tokens((" pizza",)), " pizza", "pizza", " Pizza", " pizzas") == [0]


def test_a_word_is_found_whatever_its_case_and_its_tokens() -> None:
    assert held(Words(("pizza",)), " pizza", " Piz", "za", " PIZZA!", "pizza pie") == [0, 2, 3, 4]


def test_a_word_is_not_found_inside_another() -> None:
    assert held(Words(("art",)), " start", "ed", " party") == []


def test_a_word_ends_where_the_text_so_far_ends_even_when_letters_follow_in_the_next_token() -> None:
    assert held(Words(("pizza",)), " pizza", "s") == [0]
    assert held(Words(("pizzas",)), " pizza", "s") == [1]


def test_apostrophes_belong_to_a_word_only_between_letters() -> None:
    assert held(Words(("don't",)), " don", "'", "t", " don\u2019t", "'") == [2, 3]
    assert held(Words(("don",)), " don", "'", " don", "''", "t") == [0, 2]


def test_a_letter_spread_over_byte_tokens_is_part_of_its_word() -> None:
    assert held(Words(("café",)), " caf", "\udcc3", "\udca9", " caf\udcc3", "\udca9s") == [2]


def test_an_emoji_spread_over_byte_tokens_ends_the_word_before_it() -> None:
    assert held(Phrase(("hot", "pizza")), "hot", "\udcf0\udc9f", "\udc8d\udc95", "pizza") == [3]


def test_forms_and_fields_are_the_words_in_brackets_and_no_others() -> None:
    assert held(FormsOf("run", ("ran", "runs")), " run", " runs", " ran") == [1, 2]
    assert held(WordsLike("red", ("crimson",)), " red", " crimson") == [1]


def test_a_phrase_skips_punctuation_but_no_word() -> None:
    phrase = Phrase(("new", "york"))
    assert held(phrase, "New", " York", " new", "-y", "ork", " new", " big", " york") == [1, 4]
    assert held(phrase, "in New York", " now") == [0]


def test_a_phrase_does_not_begin_in_another_context() -> None:
    batch = Batch.of([Context(("a", " new")), Context((" york",))])
    assert not matches(Phrase(("new", "york")), batch).any()


def test_token_texts_are_searched_by_their_parts() -> None:
    tokens = (" pizza", "za", " z")
    assert held(TokensWith("starting with", " "), *tokens) == [0, 2]
    assert held(TokensWith("ending with", "za"), *tokens) == [0, 1]
    assert held(TokensWith("containing", "iz"), *tokens) == [0]


def test_a_regular_expression_is_searched_for_in_linear_time() -> None:
    assert held(TokensMatching(r"^ [A-Z]"), " Anna", "Anna", " anna") == [0]
    assert held(TokensMatching(r"(a+)+$"), "a" * 5000 + "b", "a") == [1]
    assert held(TokensMatching("\ufffd"), "\udcc3", "é") == [0]


@pytest.mark.parametrize(
    ("name", "true", "false"),
    [
        ("digits", [" 42", "٣", "7\n"], [" a1", " ", "²"]),
        ("punctuation", [" --", "?!", "$", "…"], ["a.", " "]),
        ("newlines", ["\n", " .\n "], [" "]),
        ("quotation marks", [' "', "”", "''"], ['."', " "]),
        ("brackets", ["(", " ])"], ["(a)", " "]),
        ("capitalised words", [" Anna", "É", " I'm"], [" anna", "1A"]),
        ("upper-case words", [" NASA", " A1B"], [" A", " Nasa", "漢字"]),
        ("names", [" Lily", "TIM", " Timmy"], [" lily", " Table"]),
        ("pronouns", [" she", "They"], [" the"]),
        ("articles", [" a", "The"], [" this"]),
        ("prepositions", [" of", "Under"], [" and"]),
        ("conjunctions", [" and", "But"], [" of"]),
        ("auxiliary verbs", [" was", "Will"], [" went"]),
        ("number words", [" seven", "First"], [" 7"]),
        ("question words", [" why", "Who"], [" because"]),
        ("negations", [" not", "Don't", " wasn\u2019t"], [" don", " knot"]),
    ],
)
def test_classes_hold_what_they_say(name: str, true: list[str], false: list[str]) -> None:
    found = matches(Class(name), Batch.of([Context((token,)) for token in (*true, *false)]))  # type: ignore[arg-type]
    assert found[:, 0].tolist() == [True] * len(true) + [False] * len(false)
    assert (token_class(name) is None) != (word_class(name) is None)  # type: ignore[arg-type]


def test_a_name_is_found_when_its_tokens_are_pieces() -> None:
    assert held(Class("names"), " Ti", "mm", "y", " said") == [2]


def test_some_hundreds_of_names_are_known() -> None:
    assert len(NAMES) > 500
    assert {"lily", "tom", "tim", "ben", "sue", "max", "anna", "mia", "timmy"} <= NAMES


def test_positions_count_from_the_beginning_of_the_document_and_only_where_it_is_known() -> None:
    assert held(Positions(1, 2), "a", "b", "c", start=0) == [0, 1]
    assert held(Positions(4, 4), "a", "b", "c", start=2) == [1]
    assert held(Positions(1, 2), "a", "b", "c", start=None) == []


def test_sentences_start_after_an_end_and_a_space() -> None:
    starts = Boundary("the start of a sentence")
    tokens = ("One", " dog", ".", " Two", "!", ' "', "Three", "?", '"', " he", "\n", "pi", " 3", ".", "14")
    assert held(starts, *tokens, start=0) == [0, 3, 6, 9, 11]
    assert held(starts, *tokens, start=5) == [3, 6, 9, 11]
    assert held(starts, *tokens, start=None) == [3, 6, 9, 11]


def test_a_stray_byte_begins_a_sentence_and_so_nothing_after_it_does() -> None:
    assert held(Boundary("the start of a sentence"), "\udce2", "ly", start=0) == [0]


def test_sentences_end_at_each_of_their_marks() -> None:
    assert held(Boundary("the end of a sentence"), " a", ".", ".", " b!", " c", "\udce2\udc80", "\udca6") == [
        1,
        2,
        3,
        6,
    ]


def test_a_repeated_token_stands_earlier_in_its_own_context() -> None:
    batch = Batch.of([Context(("a", "b", "a", "a")), Context(("b", "a"))])
    assert matches(RepeatedToken(), batch).tolist() == [[False, False, True, True], [False] * 4]


def test_induction_asks_for_the_same_token_after_the_same_trigger() -> None:
    assert held(FollowedBefore("Mr"), "Mr", " Fox", " met", " Fox", "Mr", " met", " met") == [3, 6]


def test_right_after_looks_one_token_back() -> None:
    assert held(Clause(ANY, (RightAfter(Tokens(("a",))),)), "a", "b", "a", "a") == [1, 3]


@pytest.mark.parametrize("distance", [1, 2, 3, 5, 7, 8, 31, 32, 33, 63, 64, 99])
def test_within_looks_back_exactly_so_far(distance: int) -> None:
    tokens = ("q", *["x"] * 120)
    assert held(Clause(ANY, (Within(Tokens(("q",)), distance),)), *tokens) == list(range(1, distance + 1))


def test_text_is_about_a_topic_when_two_of_its_words_ended_in_32_tokens() -> None:
    about = Clause(ANY, (About("cooking", ("oven", "bake")),))
    assert held(about, " oven", " oven", " OVEN", " bake", " x") == [3, 4]
    assert held(about, " oven", *[" x"] * 30, " bake", " x") == [31]
    assert held(about, " oven", *[" x"] * 31, " bake", " x") == []
    assert held(about, "bake in the oven", *[" x"] * 40) == list(range(32))


def test_the_topic_of_one_context_is_not_that_of_the_next() -> None:
    about = Clause(ANY, (About("cooking", ("oven", "bake")),))
    batch = Batch.of([Context((" oven", " bake")), Context((" x", " oven")), Context((" bake", " x"))])
    assert matches(about, batch).tolist() == [[False, True], [False, False], [False, False]]


def test_quotation_marks_enclose_what_is_between_them_and_not_themselves() -> None:
    quoted = Clause(ANY, (Inside("quotation marks"),))
    assert held(quoted, ' "', "Hi", " you", '."', " he", " “", "no", "”", " x") == [1, 2, 3, 6]
    assert held(quoted, '"', "a", "\n", "b") == [1]
    assert held(quoted, "“", "a", "\udce2\udc80", "\udc9d", "b") == [1, 2]


def test_brackets_nest_and_one_too_many_closed_changes_nothing() -> None:
    bracketed = Clause(ANY, (Inside("brackets"),))
    assert held(bracketed, ")", "a", "(", "b", "[c]", "d", ")", "e", "(f)") == [3, 4, 5, 8]


def test_expressions_combine_as_in_logic() -> None:
    a, b = Tokens(("a",)), Tokens(("b",))
    assert held(union(a, b), "a", "b", "c") == [0, 1]
    assert held(Not(a), "a", "b", "c") == [1, 2]
    assert held(Except(ANY, union(a, b)), "a", "b", "c") == [2]


def test_levels_combine_by_their_maximum() -> None:
    predicted = evaluate(Explanation(strong=Tokens(("a",)), weak=ANY), Batch.of([Context(("a", "b")), Context(("a",))]))
    assert predicted.dtype == np.float32
    assert predicted.tolist() == [[1.0, np.float32(0.3)], [1.0, 0.0]]


@pytest.mark.parametrize(
    "expression", [ANY, Not(ANY), RepeatedToken(), Words(("a",)), Phrase(("a", "b")), Class("names")]
)
def test_empty_contexts_and_empty_batches_have_no_positions(expression: Expression) -> None:
    assert matches(expression, Batch.of([])).shape == (0, 0)
    assert matches(expression, Batch.of([Context(())])).shape == (1, 0)
    assert not matches(expression, Batch.of([Context(()), Context(("x",))]))[0].any()


def test_two_ids_of_the_same_text_are_the_same_token() -> None:
    vocabulary = Vocabulary(["a", "b", "a"])
    batch = Batch.of([Context(("a", "b", "a"), token_ids=(0, 1, 2))], vocabulary)
    assert matches(RepeatedToken(), batch).tolist() == [[False, False, True]]
    assert matches(Tokens(("a",)), batch).tolist() == [[True, False, True]]


def test_ids_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match=r"token ids run from 0 to 5; the vocabulary has 2"):
        Batch.of([Context(("a", "b"), token_ids=(0, 5))], Vocabulary(["a", "b"]))


def test_half_characters_from_json_are_bytes_like_any_others() -> None:
    assert held(Words(("a",)), "\ud83d", " a", "\ude00") == [1]


def test_answers_of_an_evaluator_do_not_share_memory_with_what_it_keeps() -> None:
    evaluator = Evaluator(Batch.of([Context(("a", "b"))]))
    evaluator.matches(ANY)[:] = False
    assert evaluator.matches(ANY).all()


def test_packed_answers_leave_the_padding_out() -> None:
    evaluator = Evaluator(Batch.of([Context(("a",)), Context(("b", "a", "a"))]))
    assert np.unpackbits(evaluator.packed(Tokens(("a",))))[:4].tolist() == [1, 0, 1, 1]


def test_a_batch_survives_pickling_without_what_it_has_cached() -> None:
    batch = Batch.of([Context((" a", " b"))])
    before = matches(Words(("b",)), batch)
    assert np.array_equal(matches(Words(("b",)), pickle.loads(pickle.dumps(batch))), before)


def test_threads_may_share_a_vocabulary() -> None:
    vocabulary = Vocabulary([f"{'' if number % 3 else ' '}{number}" for number in range(300)])
    rng = np.random.default_rng(0)
    all_ids = [rng.integers(0, 300, size=(20, 50)).astype(np.int32) for _ in range(8)]
    full = np.full(20, 50, dtype=np.int64)
    batches = [Batch(ids, full, np.zeros_like(full), vocabulary) for ids in all_ids]
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        results[number] = matches(Words(("3", "6", "34")), batches[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = Vocabulary(vocabulary.strings)
    for number, ids in enumerate(all_ids):
        expected = matches(Words(("3", "6", "34")), Batch(ids, full, np.zeros_like(full), fresh))
        assert np.array_equal(results[number], expected)


def test_text_without_spaces_is_read_in_bounded_memory() -> None:
    batch = Batch.of([Context(("漢字",) * 2000)])
    assert not matches(Words(("漢字",)), batch)[0, 1:].any()
    assert matches(Words(("漢字",)), batch)[0, 0]


def test_word_spans_are_those_of_the_definition() -> None:
    assert word_spans("rock 'n' roll—it's 3'") == [(0, 4), (6, 7), (9, 13), (14, 18), (19, 20)]
