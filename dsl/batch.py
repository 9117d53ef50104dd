"""Contexts as arrays: what explanations are evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

if TYPE_CHECKING:
    from dsl.records import Context

UNKNOWN_START = -1


class Vocabulary:
    """The text of every token id, and tables over it that explanations compile to (cached: make one and share it).

    Compared by identity: a vocabulary of 100,000 strings is never compared by value.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(strings)

    def __len__(self) -> int:
        return len(self.strings)


@dataclass(frozen=True, eq=False)
class Batch:
    """Token ids of some contexts, padded at the right with 0; `starts` is UNKNOWN_START where a context has none."""

    ids: Int[np.ndarray, "batch ctx"]
    lengths: Int[np.ndarray, " batch"]
    starts: Int[np.ndarray, " batch"]
    vocabulary: Vocabulary

    @classmethod
    def of(cls, contexts: Sequence[Context], vocabulary: Vocabulary | None = None) -> Batch:
        """Pack contexts. Without a vocabulary one is made from their strings, and `token_ids` are not looked at."""
        if vocabulary is None:
            index: dict[str, int] = {}
            rows = [[index.setdefault(token, len(index)) for token in context.tokens] for context in contexts]
            vocabulary = Vocabulary(list(index))
        else:
            rows = []
            for context in contexts:
                if context.token_ids is None:
                    raise ValueError("a context without token ids needs a batch with a vocabulary of its own")
                rows.append(list(context.token_ids))
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        ids = np.zeros((len(rows), int(lengths.max(initial=0))), dtype=np.int32)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
        starts = [UNKNOWN_START if context.start is None else context.start for context in contexts]
        return cls(ids, lengths, np.array(starts, dtype=np.int64), vocabulary)

    @property
    def mask(self) -> Bool[np.ndarray, "batch ctx"]:
        """True at tokens, False in the padding."""
        return np.arange(self.ids.shape[1]) < self.lengths[:, None]
