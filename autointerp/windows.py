"""Natural texts for probes, out of a store: windows of evidence and dev documents, never of held-out ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from autointerp.sampling import WINDOW
from autointerp.store import Store
from probes.generators import Together
from probes.subject import TokenIds

TOKENS_READ = 200_000
"""Windows are looked for in a sample of about so many tokens: a few are wanted, of a corpus of any size."""


def firing_together(store: Store, feature: int, neighbour: int) -> Together:
    """At how many positions of evidence and dev documents a neighbour fires, and at how many of them the feature too.

    >>> firing_together(store, 17, 230)  # doctest: +SKIP
    Together(neighbour=412, both=35)
    """
    kept = _training(store)
    ours, theirs = store.column(feature).of(kept), store.column(neighbour).of(kept)
    if not len(theirs.values):
        return Together(0, 0)
    fires = theirs.values >= store.thresholds(neighbour).high
    high = store.thresholds(feature).high if len(store.column(feature).values) else np.inf
    loud = ours.values >= high
    width = int(store.contexts.lengths.max())
    both = np.isin((theirs.rows * width + theirs.positions)[fires], (ours.rows * width + ours.positions)[loud])
    return Together(int(fires.sum()), int(both.sum()))


def quiet_windows(
    store: Store, feature: int, tokens: Sequence[int], count: int, rng: np.random.Generator
) -> list[tuple[TokenIds, int]]:
    """Texts with one of the tokens at the position given, where the feature is silent, there and one token either side.

    A text holds up to 64 tokens and ends one after the position. At most `count`, one a context, in random order.
    """
    rows = _some_rows(store, rng)
    if not len(rows) or not len(tokens):
        return []
    ids, lengths = store.ids(rows)
    silent = store.column(feature).dense(rows, ids.shape[1]) <= _silent(store, feature)
    near = silent.copy()
    near[:, 1:] &= silent[:, :-1]
    near[:, :-1] &= silent[:, 1:]
    # The last token of a context has no next one to be seen silent.
    inside = np.arange(ids.shape[1]) < lengths[:, None] - 1
    found_rows, positions = np.nonzero(np.isin(ids, np.array(tokens)) & near & inside)
    order = rng.permutation(len(found_rows))
    _, first = np.unique(found_rows[order], return_index=True)
    windows = []
    for place in order[np.sort(first)][:count].tolist():
        row, position = int(found_rows[place]), int(positions[place])
        start = max(0, position + 2 - WINDOW)
        windows.append((tuple(ids[row, start : position + 2].tolist()), position - start))
    return windows


def unrelated_texts(store: Store, feature: int, count: int, rng: np.random.Generator) -> list[TokenIds]:
    """The first 64 tokens of contexts in which the feature is silent from beginning to end, in random order."""
    rows = _some_rows(store, rng)
    if not len(rows):
        return []
    ids, lengths = store.ids(rows)
    silent = (store.column(feature).dense(rows, ids.shape[1]) <= _silent(store, feature)).all(axis=1)
    chosen = rng.permutation(np.flatnonzero(silent))[:count]
    return [tuple(ids[row, : min(int(lengths[row]), WINDOW)].tolist()) for row in chosen]


def _some_rows(store: Store, rng: np.random.Generator) -> Int[np.ndarray, " rows"]:
    rows = rng.permutation(store.contexts.rows("evidence", "dev"))
    read = np.cumsum(store.contexts.lengths[rows])
    return rows[: int(np.searchsorted(read, TOKENS_READ)) + 1]


def _silent(store: Store, feature: int) -> float:
    return store.thresholds(feature).silent if len(store.column(feature).values) else 0.0


def _training(store: Store) -> Bool[np.ndarray, " contexts"]:
    kept = np.zeros(len(store.contexts.lengths), dtype=np.bool_)
    kept[store.contexts.rows("evidence", "dev")] = True
    return kept
