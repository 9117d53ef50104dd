"""`the start of a sentence` and `the end of a sentence`."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from jaxtyping import Bool

from dsl.batch import Batch
from dsl.characters import Piece, character_view
from dsl.classes import BRACKETS, QUOTATION_MARKS
from dsl.nodes import BoundaryName, is_word_character

_WITHIN, _ENDED, _READY = 0, 1, 2  # a sentence, after its full stop, after that and a space: a word would begin one
_STATES = (_WITHIN, _ENDED, _READY)
_SENTENCE_ENDS = ".!?…"


def boundary(name: BoundaryName, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """Where sentences begin or end.

    A sentence ends at every token with a full stop, exclamation mark, question mark or ellipsis. It starts at the token
    with its first word character: the first of the document (where the window is known to begin there) or of a line,
    or the first after a sentence's end and then white space, quotation marks or brackets. So "3.14" starts no sentence.
    """
    match name:
        case "the start of a sentence":
            return _starts(batch)
        case "the end of a sentence":
            return _ends(batch)
    assert_never(name)


def _starts(batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    from_within, from_ended, starts = character_view(batch).read(_sentences)
    initial = np.where(batch.starts == 0, _READY, _WITHIN).astype(np.int16)
    sets, spaces = from_within == from_ended, from_within < from_ended
    spaces &= ~sets & (from_ended == _READY)
    # The state after a token is what the last token that sets it said; white space since makes "ended" "ready".
    places = np.arange(1, batch.ids.shape[1] + 1, dtype=np.int32)
    settings = np.maximum.accumulate(np.where(sets, places * 4 + from_within, 0), axis=1)
    spaced = np.maximum.accumulate(np.where(spaces, places, 0), axis=1) > settings >> 2
    state = np.where(settings > 0, (settings & 3).astype(np.int16), initial[:, None])
    state[(state == _ENDED) & spaced] = _READY
    before = np.empty_like(state)
    before[:, :1], before[:, 1:] = initial[:, None], state[:, :-1]
    result: Bool[np.ndarray, "batch ctx"] = (starts >> before & 1).astype(np.bool_)
    return result


def _ends(batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    result: Bool[np.ndarray, "batch ctx"] = character_view(batch).read(_has_end)[0] > 0
    return result


def _sentences(piece: Piece) -> tuple[int, ...]:
    """The state after the piece from `within` and from `ended`, and a bit for each state before that starts here."""
    after, starts = [0, 0, 0], 0
    for before in _STATES:
        state = before
        for index, character in enumerate(piece.text):
            if index == piece.decided:
                after[before] = state
            if character in _SENTENCE_ENDS:
                state = _ENDED
            elif character == "\n":
                state = _READY
            elif is_word_character(character):
                if state == _READY and index >= piece.lies_from:
                    starts |= 1 << before
                state = _WITHIN
            elif character.isspace() or character in QUOTATION_MARKS or character in BRACKETS:
                state = _READY if state == _ENDED else state
            else:
                state = _WITHIN
        if piece.decided == len(piece.text):
            after[before] = state
    return after[_WITHIN], after[_ENDED], starts


def _has_end(piece: Piece) -> tuple[int, ...]:
    return (int(any(character in _SENTENCE_ENDS for character in piece.text[piece.lies_from :])),)
