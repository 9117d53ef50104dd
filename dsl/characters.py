"""The characters that lie in each token: what quotation marks, brackets and sentences are found on.

A character may be spread over byte tokens. It lies in every token that holds a byte of it; where a token ends in the
middle of one, the bytes read so far count as characters of their own.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from threading import RLock
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Integer, Shaped

from dsl.batch import Batch, Vocabulary
from dsl.folds import Fold

PIECES_KEPT = 1_000_000
"""Distinct (bytes begun, token) pairs after which what is known of a vocabulary's pieces is begun anew."""


class Piece(NamedTuple):
    """What is read at a token: the token's text and what the tokens before it left of a character begun.

    `text[lies_from:]` lies in this token. `text[:decided]` is settled; the rest are bytes that may yet become a
    character and are read again with the next token.
    """

    text: str
    decided: int
    lies_from: int


class CharacterView:
    """The pieces of one batch; made once for each batch, by `character_view`."""

    def __init__(self, batch: Batch, table: PieceTable) -> None:
        self._table = table
        self._steps = table.steps(batch)

    def read(self, describe: Callable[[Piece], tuple[int, ...]]) -> Shaped[np.ndarray, "columns batch ctx"]:
        """What a function (one that lives on: its answers are kept) says of the piece at every position."""
        columns = self._table.described(describe)
        return np.take(columns, self._steps, axis=1, mode="clip")


class PieceTable:
    """The distinct pieces over one vocabulary; piece 0 is the padding."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._pieces = [Piece("", 0, 0)]
        self._fold = Fold(vocabulary, self._step, _may_continue, binds=_may_leave)
        self._described: dict[Callable[[Piece], tuple[int, ...]], list[tuple[int, ...]]] = {}
        self._lock = RLock()  # batches of one vocabulary may be read by several threads

    def __len__(self) -> int:
        return len(self._pieces)

    def steps(self, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
        with self._lock:
            return self._fold.steps(batch)

    def described(self, describe: Callable[[Piece], tuple[int, ...]]) -> Integer[np.ndarray, "columns pieces"]:
        """What a function says of every piece, small numbers in columns."""
        with self._lock:
            known = self._described.setdefault(describe, [])
            known.extend(map(describe, self._pieces[len(known) :]))
            return np.array(known, dtype=np.int16).T.copy()

    def _step(self, carried: bytes, token: bytes) -> bytes:
        whole = carried + token
        settled, length = codecs.utf_8_decode(whole, "surrogateescape", False)
        text = whole.decode("utf-8", "surrogateescape")
        lies_from, left = 0, len(carried)
        while lies_from < len(text) and (left := left - len(text[lies_from].encode("utf-8", "surrogateescape"))) >= 0:
            lies_from += 1
        self._pieces.append(Piece(text, len(settled), lies_from))
        return whole[length:]


def _may_continue(token: str) -> bool:
    """Whether it begins with bytes that go on with a character."""
    return "\udc80" <= token[0] <= "\udcbf"


def _may_leave(token: str) -> bool:
    """Whether it ends with bytes that no character has come of yet."""
    return "\udc80" <= token[-1] <= "\udcff"


def character_view(batch: Batch) -> CharacterView:
    """The character view of a batch, made at the first call."""

    def make() -> CharacterView:
        table = batch.vocabulary.cache.get(PieceTable, lambda: PieceTable(batch.vocabulary))
        if len(table) > PIECES_KEPT:
            table = batch.vocabulary.cache.put(PieceTable, PieceTable(batch.vocabulary))
        return CharacterView(batch, table)

    return batch.cache.get(CharacterView, make)
