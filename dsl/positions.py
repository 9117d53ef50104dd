"""Where in the text a token stands, and what it repeats: `tokens 1 to 4`, `a repeated token`, induction."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import UNKNOWN_START, Batch


def positions(first: int, last: int, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """True at tokens `first` to `last` of the document, counted from 1; never where a window's start is unknown."""
    starts = batch.starts[:, None]
    place = starts + np.arange(1, batch.ids.shape[1] + 1)
    result: Bool[np.ndarray, "batch ctx"] = (starts != UNKNOWN_START) & (first <= place) & (place <= last)
    return result


def repeated(batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """True where a token of the same text stands earlier in the row."""
    ids = _same_ids(batch)
    # The padding comes last in each row, so it repeats but is not repeated; a stable sort keeps repeats in reading
    # order, and is a radix sort for numbers of 16 bits.
    narrow = ids.astype(np.uint16) if len(batch.vocabulary) <= 2**16 else ids
    order = np.argsort(narrow, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, order, axis=1)
    again = np.zeros(ids.shape, dtype=np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    result = np.zeros(ids.shape, dtype=np.bool_)
    np.put_along_axis(result, order, again, axis=1)
    return result


def followed_before(token: str, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """True where a token of the same text stands earlier in the row, right after a given token."""
    ids = _same_ids(batch)
    result = np.zeros(ids.shape, dtype=np.bool_)
    follows = np.zeros(ids.shape, dtype=np.bool_)
    follows[:, 1:] = batch.look_up(batch.vocabulary.having([token]))[:, :-1]
    follows &= batch.mask
    places = np.flatnonzero(follows)
    if not len(places):
        return result
    # Each (row, token) that followed, with the place where it first did so.
    rows, width, size = places // ids.shape[1], ids.shape[1], len(batch.vocabulary)
    pairs, first = np.unique(rows * size + ids.reshape(-1)[places], return_index=True)
    candidates = np.flatnonzero(np.isin(ids, ids.reshape(-1)[places]))
    keys = candidates // width * size + ids.reshape(-1)[candidates]
    found = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
    later = (pairs[found] == keys) & (places[first[found]] < candidates)
    result.reshape(-1)[candidates[later]] = True
    return result


def _same_ids(batch: Batch) -> Int[np.ndarray, "batch ctx"]:
    """Token ids, one id for each text."""
    if not len(batch.vocabulary):
        return batch.ids
    return np.take(batch.vocabulary.same, batch.ids, mode="clip")
