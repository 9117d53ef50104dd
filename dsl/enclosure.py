"""`inside quotation marks` and `inside brackets`: the state that the text before a token leaves open."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from jaxtyping import Bool, Shaped

from dsl.batch import Batch
from dsl.characters import Piece, character_view
from dsl.nodes import Enclosure

_NEVER = 30_000  # a depth that no text reaches


def inside(enclosure: Enclosure, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """True where some character of the token, marks aside, lies between marks.

    Straight double quotes open and close in turn, curly ones and guillemets say which they do, a new line closes.
    Round, square and curly brackets nest; one that closes what was never opened changes nothing.
    """
    match enclosure:
        case "quotation marks":
            return _inside_quotes(batch)
        case "brackets":
            return _inside_brackets(batch)
    assert_never(enclosure)


def _inside_quotes(batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    from_outside, from_inside, hit_outside, hit_inside = character_view(batch).read(_quotes)
    toggles, sets = from_outside > from_inside, from_outside == from_inside
    parity = np.logical_xor.accumulate(toggles, axis=1)
    # The state after a token is what the last token that sets it said, as changed by the toggles since.
    places = np.arange(1, batch.ids.shape[1] + 1, dtype=np.int32) * 2
    settings = np.maximum.accumulate(np.where(sets, places + (parity ^ (from_outside == 1)), 0), axis=1)
    before = _shifted((settings & 1).astype(np.bool_) ^ parity)
    result: Bool[np.ndarray, "batch ctx"] = np.where(before, hit_inside, hit_outside).astype(np.bool_)
    return result


def _quotes(piece: Piece) -> tuple[int, ...]:
    """The state after the piece from each state (0 outside, 1 inside), and whether it has a character inside."""
    after, hits = [0, 0], [0, 0]
    for start in (0, 1):
        state = start
        for index, character in enumerate(piece.text):
            if character == '"':
                state = 1 - state
            elif character in "“«":
                state = 1
            elif character in "”»\n":
                state = 0
            elif state and index >= piece.lies_from:
                hits[start] = 1
        after[start] = state  # bytes that are no character yet are no mark: nothing to take back
    return (*after, *hits)


def _inside_brackets(batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    change, lowest, needed = character_view(batch).read(_brackets)
    total_before = np.cumsum(change, axis=1, dtype=np.int32) - change
    floor = np.minimum.accumulate(np.minimum(total_before + lowest, 0), axis=1)
    result: Bool[np.ndarray, "batch ctx"] = total_before - _shifted(floor) >= needed
    return result


def _brackets(piece: Piece) -> tuple[int, ...]:
    """The change of depth, the lowest on the way, and the depth before at which some of the piece is inside."""
    change, lowest, needed = 0, 0, _NEVER
    for index, character in enumerate(piece.text):
        if character in "([{":
            change += 1
        elif character in ")]}":
            change -= 1
            lowest = min(lowest, change)
        elif index >= piece.lies_from:
            # From depth d this character lies at max(d + change, change - lowest).
            needed = min(needed, 0 if change > lowest else 1 - change)
    return change, lowest, needed


def _shifted(states: Shaped[np.ndarray, "batch ctx"]) -> Shaped[np.ndarray, "batch ctx"]:
    """The state before each token; nothing is open before the first."""
    before = np.zeros_like(states)
    before[:, 1:] = states[:, :-1]
    return before
