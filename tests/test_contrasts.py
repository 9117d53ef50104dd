"""Contrasts: the silent contexts most like firing ones are found, one of each kind, and say what they stand for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autointerp.contrasts import Contrast, contrasts
from dsl.batch import Vocabulary

WORDS = (" to", " for", " make", " take", " the", " sun", " set", " in", " a", " red")
TO, FOR, MAKE, TAKE, *OTHERS = range(len(WORDS))
LARGEST = 3
VOCABULARY = Vocabulary(WORDS)


def found(silent: np.ndarray, firing: np.ndarray, count: int, often: list[int] | None = None) -> list[Contrast]:
    """Contrasts of contexts that are all of one length, for a feature that fires at the ends of `firing`."""
    lengths = np.full(len(silent), silent.shape[1])
    places = (firing[:, -1], firing[:, -2], firing[:, -3])
    tokens = np.unique(firing[:, -1]) if often is None else np.array(often)
    return contrasts(silent, lengths, places, tokens, VOCABULARY, count, LARGEST, np.random.default_rng(0))


def usual(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.choice(np.array(OTHERS), (rows, 12))


def test_the_same_token_elsewhere_and_another_token_there_are_shown() -> None:
    """It fires on "make" after "to": of 300 silent contexts two hold "for make", and three "to take"."""
    rng = np.random.default_rng(1)
    silent, firing = usual(rng, 300), usual(rng, 60)[:, :3]
    silent[[7, 90], 3:5] = FOR, MAKE
    silent[[20, 21, 22], 5:7] = TO, TAKE
    firing[:, -2:] = TO, MAKE
    shown = found(silent, firing, 2)
    assert [sorted(contrast.stands_for.tolist()) for contrast in shown] == [[7, 90], [20, 21, 22]]
    assert all(contrast.row in contrast.stands_for for contrast in shown)
    assert all(len(contrast.stands_for) <= LARGEST for contrast in shown)


def test_without_silent_contexts_there_is_nothing_to_show() -> None:
    firing = np.array([[4, TO, MAKE]])
    assert found(np.zeros((0, 5), dtype=np.int64), firing, 4) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 12))
@settings(max_examples=60)
def test_contrasts_share_no_context_and_never_exceed_what_was_asked(seed: int, rows: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    silent = rng.integers(0, len(WORDS), (rows, 9))
    firing = np.column_stack([rng.integers(-1, len(WORDS), (5, 2)), rng.integers(0, 4, 5)])
    shown = found(silent, firing, count)
    rows_of = [row for contrast in shown for row in contrast.stands_for.tolist()]
    assert len(shown) <= count
    assert len(set(rows_of)) == len(rows_of)
    assert all(contrast.row in contrast.stands_for for contrast in shown)
    assert all(len(contrast.stands_for) <= LARGEST for contrast in shown)
