"""What counts as a disagreement, at the edges: tolerance, the band, ends of texts, pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from riverside import planted

from dsl.records import Thresholds
from probes.edits import Column, Edit, Replacement, columns_of, edited, original
from probes.spelling import in_case_of, respelt, words_of
from probes.trial import Reading
from probes.verify import agrees, candidate, disagreements, disagrees, false_negatives, false_positives, margin

THRESHOLDS = Thresholds(high=1.0, silent=0.1, maximum=10.0)


def reading(activations: Sequence[float], predicted: Sequence[float]) -> Reading:
    return Reading(
        tuple(range(len(activations))),
        np.array(activations, dtype=np.float32),
        np.array(predicted, dtype=np.float32),
    )


def wrong(activations: Sequence[float], predicted: Sequence[float]) -> tuple[list[int], list[int]]:
    """(positions of false positives, of false negatives)"""
    read = reading(activations, predicted)
    return (
        np.flatnonzero(false_positives(read, THRESHOLDS)).tolist(),
        np.flatnonzero(false_negatives(read, THRESHOLDS)).tolist(),
    )


def test_a_prediction_on_silence_is_a_false_positive_and_firing_unpredicted_a_false_negative() -> None:
    assert wrong([0, 0, 0, 0], [0, 1, 0, 0]) == ([1], [])
    assert wrong([0, 5, 0, 0], [0, 0, 0, 0]) == ([], [1])


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_one_token_off_is_forgiven(shift: int) -> None:
    activations, predicted = np.zeros(7), np.zeros(7)
    activations[3], predicted[3 + shift] = 5, 1
    assert wrong(activations.tolist(), predicted.tolist()) == ([], [])


@pytest.mark.parametrize("shift", [-2, 2])
def test_two_tokens_off_is_not(shift: int) -> None:
    activations, predicted = np.zeros(7), np.zeros(7)
    activations[3], predicted[3 + shift] = 5, 1
    assert wrong(activations.tolist(), predicted.tolist()) == ([3 + shift], [3])


@pytest.mark.parametrize("between", [0.11, 0.5, 0.999])
def test_between_silent_and_high_nothing_is_decided(between: float) -> None:
    assert wrong([0, between, 0, 0], [0, 1, 0, 0]) == ([], [])
    assert wrong([0, between, 0, 0], [0, 0, 0, 0]) == ([], [])
    # Nor beside it: a neighbour that is half on is not silent.
    assert wrong([0, 0, between, 0], [0, 1, 0, 0]) == ([], [])


def test_thresholds_belong_to_firing_and_to_silence() -> None:
    assert wrong([0.1, 0.1, 0.1, 0], [0, 1, 0, 0]) == ([1], [])
    assert wrong([0, 1.0, 0, 0], [0, 0, 0, 0]) == ([], [1])


def test_weak_predictions_decide_nothing() -> None:
    assert wrong([0, 0, 0, 0], [0, 0.3, 0, 0]) == ([], [])
    assert wrong([0, 5, 0, 0], [0, 0.3, 0, 0]) == ([], [])


def test_the_last_token_is_never_judged_since_the_next_might_fire() -> None:
    assert wrong([0, 0], [0, 1]) == ([], [])
    assert wrong([0, 5], [0, 0]) == ([], [])
    assert wrong([0], [1]) == ([], [])
    assert wrong([], []) == ([], [])


def test_the_first_token_has_one_neighbour_only() -> None:
    assert wrong([0, 0], [1, 0]) == ([0], [])
    assert wrong([0, 5, 0], [1, 0, 0]) == ([], [])


@given(st.lists(st.tuples(st.sampled_from([0, 0.05, 0.5, 5]), st.sampled_from([0, 0.3, 1])), max_size=12))
def test_agreement_and_disagreement_exclude_each_other(cells: list[tuple[float, float]]) -> None:
    read = reading([a for a, _ in cells], [p for _, p in cells])
    for position in range(len(cells)):
        kinds = [kind for kind in ("false_positive", "false_negative") if disagrees(read, THRESHOLDS, position, kind)]
        assert len(kinds) <= 1
        assert not (kinds and agrees(read, THRESHOLDS, position))
        for kind in kinds:
            assert 0 <= margin(read.activations.tolist(), THRESHOLDS, position, kind) <= 1


CELLS = st.tuples(st.sampled_from([0, 0.05, 0.5, 5]), st.sampled_from([0, 0.3, 1]))


@given(st.lists(st.lists(CELLS, max_size=8), min_size=1, max_size=5))
def test_many_texts_at_once_are_judged_as_one_at_a_time(texts: list[list[tuple[float, float]]]) -> None:
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    activations, predicted = (np.zeros((len(texts), int(lengths.max(initial=0))), dtype=np.float32) for _ in range(2))
    for row, text in enumerate(texts):
        activations[row, : len(text)] = [activation for activation, _ in text]
        predicted[row, : len(text)] = [prediction for _, prediction in text]
    together = disagreements(activations, predicted, lengths, THRESHOLDS)
    for row, text in enumerate(texts):
        alone = wrong([activation for activation, _ in text], [prediction for _, prediction in text])
        assert tuple(np.flatnonzero(kind[row]).tolist() for kind in together) == alone


@st.composite
def edits(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Replacement]]:
    text = tuple(range(draw(st.integers(0, 12))))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    new = st.lists(st.integers(100, 120), max_size=3).map(tuple)
    return text, [Replacement(start, stop, draw(new)) for start, stop in pairs]


@given(edits())
def test_columns_give_back_both_sides(drawn: tuple[tuple[int, ...], list[Replacement]]) -> None:
    text, replacements = drawn
    columns = columns_of(text, replacements)
    assert original(columns) == text
    expected, done = list[int](), 0
    for replacement in replacements:
        expected += [*text[done : replacement.start], *replacement.token_ids]
        done = replacement.stop
    assert edited(columns) == (*expected, *text[done:])


@given(edits(), st.integers(0, 11))
def test_a_token_that_was_not_edited_is_carried_to_itself(
    drawn: tuple[tuple[int, ...], list[Replacement]], position: int
) -> None:
    text, replacements = drawn
    if position >= len(text) or any(r.start <= position < r.stop for r in replacements):
        return
    edit = Edit.of(text, replacements, parent=0, generator="test", position=position)
    assert edit.position is not None
    assert edit.token_ids[edit.position] == text[position]
    pair = candidate(
        columns_of(text, replacements),
        edit.position,
        "false_positive",
        reading([0.0] * len(text), [0.0] * len(text)),
        THRESHOLDS,
    )
    assert pair.paired
    assert pair.original_position == position
    assert pair.token_ids == edit.token_ids
    cut = pair.without_what_follows()
    assert cut.token_ids == edit.token_ids[: len(cut.token_ids)]
    assert cut.position == edit.position
    assert cut.original_position == position


def test_it_is_no_pair_where_the_original_was_wrong_already() -> None:
    columns = columns_of((0, 1, 2), [Replacement(0, 1, (9,))])
    one = candidate(columns, 1, "false_positive", reading([0, 0.5, 0], [0, 1, 0]), THRESHOLDS)
    assert not one.paired
    assert one.original_ids is None
    assert one.token_ids == (9, 1, 2)


def test_a_token_put_in_where_none_was_has_no_counterpart() -> None:
    columns = columns_of((0, 1), [Replacement(1, 1, (9,))])
    assert not candidate(columns, 1, "false_positive", reading([0, 0], [0, 0]), THRESHOLDS).paired
    assert Column((5, 6), (7,)).counterpart(0) == 1


def test_words_are_found_over_tokens_and_keep_what_stands_about_them() -> None:
    found = words_of([" riv", "er", "'s", " bank", "."])
    assert [(word.text, word.first, word.last, word.before, word.after) for word in found] == [
        ("river's", 0, 2, " ", ""),
        ("bank", 3, 3, " ", ""),
    ]
    assert words_of([]) == []
    assert words_of([" ", "!", "\n"]) == []


@pytest.mark.parametrize(
    ("model", "word", "expected"), [("Red", "blue", "Blue"), ("RED", "blue", "BLUE"), ("red", "blue", "blue"),
                                    ("I", "you", "You")],
)  # fmt: skip
def test_a_swapped_word_takes_the_case_of_the_one_it_replaces(model: str, word: str, expected: str) -> None:
    assert in_case_of(model, word) == expected


def test_an_edit_is_tokenised_as_text_and_leaves_the_rest_alone() -> None:
    subject = planted('activates on the token " bank"')
    ids = subject.tokenize("a river bank the")
    replacement = respelt(subject, ids, 1, 2, " stream")
    assert replacement == Replacement(1, 2, subject.tokenize(" stream"))
    assert respelt(subject, ids, 1, 2, " river") is None
    longer = respelt(subject, ids, 1, 2, " zigzag")
    assert longer is not None
    assert Edit.of(ids, [longer], parent=0, generator="g").token_ids == subject.tokenize("a zigzag bank the")


def test_emoji_and_stray_bytes_survive_an_edit() -> None:
    subject = planted('activates on the token " bank"')
    ids = subject.tokenize("😀 river bank 😀")
    at = ids.index(subject.tokenize(" river")[0])
    replacement = respelt(subject, ids, at, at + 1, " 🏞")
    assert replacement is not None
    assert Edit.of(ids, [replacement], parent=0, generator="g").token_ids == subject.tokenize("😀 🏞 bank 😀")
    # A window that begins inside a character is no text: only the new piece is tokenised.
    stray = ids[2:]
    replacement = respelt(subject, stray, at - 2, at - 1, " stream")
    assert replacement == Replacement(at - 2, at - 1, subject.tokenize(" stream"))


def test_the_planted_tokeniser_spells_every_text_back() -> None:
    subject = planted('activates on the token " bank"')
    for text in ("", "the bank\n\tby", "naïve 😀\x00 Zürich", "\udcff odd"):
        joined = "".join(subject.vocabulary.strings[token] for token in subject.tokenize(text))
        assert joined.encode("utf-8", "surrogateescape") == text.encode("utf-8", "surrogateescape")
