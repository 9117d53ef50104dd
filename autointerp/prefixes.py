"""Texts that begin alike, packed so that every shared beginning is run once.

Edits of one text share their tokens up to the first edit. A pack is a tree of tokens laid out as one row: each token
knows its depth, which is its position in every text that it belongs to, and attends to its ancestors alone. One
forward of the row then holds what every token of every text would have seen by itself: tree attention, as speculative
decoding uses it to check many continuations at once (Miao et al., "SpecInfer", 2023).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from probes.subject import TokenIds


@dataclass(frozen=True, eq=False)
class Pack:
    """Texts as one tree: `token_ids` and `depths` of its nodes, and the way of every text through it.

    `paths[t, p]` is the node of token p of text t; past the end of a text the row repeats whatever node, so read only
    the first `lengths[t]`. `texts` are the numbers that the texts had in what was packed.
    """

    token_ids: Int[np.ndarray, " nodes"]
    depths: Int[np.ndarray, " nodes"]
    owners: Int[np.ndarray, " nodes"]
    paths: Int[np.ndarray, "texts ctx"]
    lengths: Int[np.ndarray, " texts"]
    texts: Int[np.ndarray, " texts"]

    def __len__(self) -> int:
        return len(self.token_ids)

    def sees(self) -> Bool[np.ndarray, "nodes nodes"]:
        """Whether the token of the row attends to the token of the column: itself and what came before it."""
        seen = np.zeros((len(self), len(self)), dtype=bool)
        ways = self.paths[self.owners]
        before = np.arange(ways.shape[1]) <= self.depths[:, None]
        rows = np.broadcast_to(np.arange(len(self))[:, None], ways.shape)
        seen[rows[before], ways[before]] = True
        return seen


def packed(texts: Sequence[TokenIds], size: int) -> Iterator[Pack]:
    """Pack distinct, non-empty texts into trees of at most `size` tokens; a longer text has a tree of its own.

    >>> [pack.token_ids.tolist() for pack in packed([(1, 2, 3), (1, 2, 4)], size=8)]
    [[1, 2, 3, 4]]
    """
    order = sorted(range(len(texts)), key=texts.__getitem__)
    ordered = [texts[number] for number in order]
    lengths = np.array([len(text) for text in ordered], dtype=np.int64)
    ids = np.full((len(ordered), int(lengths.max(initial=0))), -1, dtype=np.int64)
    for row, text in zip(ids, ordered, strict=True):
        row[: len(text)] = text
    shared = _shared(ids)
    first = 0
    while first < len(ordered):
        # The first text of a pack is run from its beginning; each later one from where it leaves the one before.
        grown = np.cumsum(np.concatenate([lengths[first : first + 1], lengths[first + 1 :] - shared[first + 1 :]]))
        stop = first + max(1, int(np.searchsorted(grown, size, side="right")))
        yield _pack(ids[first:stop], lengths[first:stop], shared[first:stop], np.array(order[first:stop]))
        first = stop


def _shared(ids: Int[np.ndarray, "texts ctx"]) -> Int[np.ndarray, " texts"]:
    """How many tokens each row has in common with the row before; sorted rows share most with their neighbours."""
    same = (ids[1:] == ids[:-1]) & (ids[1:] >= 0)
    return np.concatenate([np.zeros(min(1, len(ids)), np.int64), same.cumprod(axis=1).sum(axis=1)])


def _pack(
    ids: Int[np.ndarray, "texts ctx"],
    lengths: Int[np.ndarray, " texts"],
    shared: Int[np.ndarray, " texts"],
    texts: Int[np.ndarray, " texts"],
) -> Pack:
    width = int(lengths.max())
    columns = np.arange(width)
    shared = np.concatenate([[0], shared[1:]])
    new = (columns >= shared[:, None]) & (columns < lengths[:, None])
    owners, depths = np.nonzero(new)
    numbers = np.full(new.shape, -1, dtype=np.int64)
    numbers[owners, depths] = np.arange(len(owners))
    # A token that is not new is the latest one laid out at its depth: the text before passed through it too.
    paths = np.maximum.accumulate(numbers, axis=0)
    return Pack(ids[owners, depths], depths, owners, paths, lengths, texts)
