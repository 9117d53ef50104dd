"""Text as training reads it: straightened, without repeats, split into what is learned from and what is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dsl.errors import InputError

FEWEST_DOCUMENTS = 20
STRAIGHT = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"})
"""Curly quotes and dashes: three bytes each, which a vocabulary of a few thousand would spend tokens on."""

Documents = Sequence[Sequence[int]]
"""Token ids of documents, without the beginning-of-text token."""


@dataclass(frozen=True, slots=True)
class Split:
    """Documents to train on and documents to measure on; no document is in both."""

    training: list[str]
    validation: list[str]


def split(documents: Iterable[str], validation: int) -> Split:
    """Straighten and deduplicate; then the documents of lowest SHA-256, at most a tenth, are for validation.

    Which they are depends on the texts alone, not on their order. Raises InputError where there are too few.
    """
    texts = list(dict.fromkeys(straight for text in documents if (straight := text.translate(STRAIGHT).strip())))
    if len(texts) < FEWEST_DOCUMENTS:
        raise InputError(
            f"the text holds {len(texts)} different documents, and a demo needs at least {FEWEST_DOCUMENTS}; "
            "give more text, with documents on lines or in records of their own"
        )
    ranked = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())
    kept = set(ranked[: max(1, min(validation, len(texts) // 10))])
    return Split([text for text in texts if text not in kept], [text for text in texts if text in kept])


class PackedRows:
    """Rows of one length for training, most of them beginning as a document begins, every epoch shuffled anew.

    Documents follow each other, each after a `start` token; one that does not fit is cut, so that the next row can
    begin with a document's beginning, as the trained model will be used. A long document fills rows of its own.
    `batch(step)` depends on the seed and the step alone: a run that resumes sees what it would have seen.

    >>> PackedRows([[5, 6], [7, 8]], length=3, batch=2, start=0, seed=0).batch(0).tolist()
    [[0, 5, 6], [0, 7, 8]]
    """

    def __init__(self, documents: Documents, *, length: int, batch: int, start: int, seed: int) -> None:
        self._chunks = [_chunks([start, *document], length) for document in documents]
        self._length, self._batch, self._seed = length, batch, seed
        self._epoch = -1
        self._rows = self._packed(0)
        self._per_epoch = max(1, len(self._rows) // batch)

    def batch(self, step: int) -> Int[Tensor, "batch ctx"]:
        epoch, index = divmod(step, self._per_epoch)
        rows = self._packed(epoch)
        return torch.from_numpy(rows[index * self._batch : (index + 1) * self._batch].astype(np.int64))

    def _packed(self, epoch: int) -> Int[np.ndarray, "rows ctx"]:
        if epoch != self._epoch:
            rows: list[list[int]] = []
            row: list[int] = []
            for number in np.random.default_rng([self._seed, epoch]).permutation(len(self._chunks)):
                for chunk in self._chunks[number]:
                    row += chunk
                    if len(row) >= self._length:
                        rows.append(row[: self._length])
                        row = []
            # The number of rows varies a little with the order; an epoch is as long as the first one was.
            if self._epoch >= 0:
                rows = (rows + rows)[: len(self._rows)]
            if not rows:
                raise InputError(f"the text is shorter than one row of {self._length} tokens; give more text")
            self._epoch, self._rows = epoch, np.array(rows, dtype=np.int32)
        return self._rows


class DocumentRows:
    """One document a row, padded at the right, for reading a trained model as it will be read later on.

    A document longer than a row is continued in rows of its own, each after a prefix like all.
    """

    def __init__(self, documents: Documents, *, length: int, prefix: Sequence[int]) -> None:
        self._prefix = list(prefix)
        self.rows = [
            self._prefix + chunk for document in documents for chunk in _chunks(document, length - len(prefix))
        ]

    def batch(self, step: int, size: int, seed: int) -> tuple[Int[Tensor, "batch ctx"], Bool[Tensor, "batch ctx"]]:
        """Ids of a training batch and where its tokens are (prefix and padding left out); shuffled every epoch."""
        epoch, index = divmod(step, max(1, len(self.rows) // size))
        order = np.random.default_rng([seed, epoch]).permutation(len(self.rows))
        return self.padded([self.rows[number] for number in order[index * size : (index + 1) * size]])

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "batch ctx"], Bool[Tensor, "batch ctx"]]:
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        kept = np.zeros(ids.shape, dtype=bool)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            kept[number, len(self._prefix) : len(row)] = True
        return torch.from_numpy(ids), torch.from_numpy(kept)


def _chunks(ids: Sequence[int], length: int) -> list[list[int]]:
    return [list(ids[start : start + length]) for start in range(0, len(ids), length)]
