"""Where words end: the view of a batch that `the word`, phrases, word classes and `in text about` are answered from.

A word is a run of letters, marks and numbers with single apostrophes inside, found on characters: tokens may hold
several words, or a piece of one. A word ends at a token when its last character lies in the token and, so far as the
text has been read, no more of the word follows: in "pizza|s", "pizza" ends at the first token and "pizzas" at the
second, for the subject, too, has not seen more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch
from dsl.wordtable import NO_WORD, WordTable

STEPS_KEPT = 500_000
"""Distinct (word begun, token) pairs after which what is known of a vocabulary's words is forgotten and begun anew: at
most some 300 MB, in text without spaces, where hardly a pair is met twice."""


class Ends(NamedTuple):
    """Places where given words end, in text order: flat position, place in the stream of words, which of the words."""

    positions: Int[np.ndarray, " ends"]
    stream: Int[np.ndarray, " ends"]
    which: Int[np.ndarray, " ends"]


class WordView:
    """The words of one batch; made once for each batch, by `word_view`."""

    def __init__(self, batch: Batch, table: WordTable) -> None:
        self._table = table
        self._steps = table.steps(batch)

    def ends(self, words: Sequence[str]) -> Bool[np.ndarray, "batch ctx"]:
        """True where one of the words (folded, distinct) ends."""
        return self._read(self._table.events_of(words)[0])

    def ends_where(self, holds: Callable[[str], bool]) -> Bool[np.ndarray, "batch ctx"]:
        """True where a word ends that satisfies a predicate; its case is as written."""
        return self._read(self._table.events_where(holds))

    def phrase(self, words: Sequence[str]) -> Bool[np.ndarray, "batch ctx"]:
        """True where the last of the words (folded) ends and the others came right before it, in order."""
        ends = self.find(words[-1:])
        stream, first_of_row = self._stream
        alive = np.arange(len(ends.positions))
        for back, word in enumerate(reversed(words[:-1]), start=1):
            before = ends.stream[alive] - back
            inside = before >= first_of_row[ends.positions[alive] // max(1, self._steps.shape[1])]
            alive, before = alive[inside], before[inside]
            alive = alive[np.isin(stream[before], self._table.numbers_of(word))]
        result = np.zeros(self._steps.shape, dtype=np.bool_)
        result.reshape(-1)[ends.positions[alive]] = True
        return result

    def find(self, words: Sequence[str]) -> Ends:
        """Every place where one of the words (folded, distinct) ends, in text order."""
        events_found, which = self._table.events_of(words)  # numbered by step, within a step in text order
        positions = np.flatnonzero(self._read(events_found))
        steps = self._steps.reshape(-1)[positions]
        event_steps = self._table.event_steps[events_found]
        low, high = np.searchsorted(event_steps, steps, "left"), np.searchsorted(event_steps, steps, "right")
        chosen = _ranges(low, high - low)
        positions = np.repeat(positions, high - low)
        stream = self._completed_before[positions] + self._table.event_offsets[events_found[chosen]]
        return Ends(positions, stream, which[chosen])

    def _read(self, events: Int[np.ndarray, " events"]) -> Bool[np.ndarray, "batch ctx"]:
        at_steps = np.zeros(len(self._table), dtype=np.bool_)
        at_steps[self._table.event_steps[events]] = True
        result: Bool[np.ndarray, "batch ctx"] = np.take(at_steps, self._steps, mode="clip")
        return result

    @cached_property
    def _left(self) -> Bool[np.ndarray, "batch ctx"]:
        """True where a token begins anew, which completes the word that was unfinished before it."""
        left = np.zeros(self._steps.shape, dtype=np.bool_)
        unfinished = self._table.unfinished != NO_WORD
        left[:, 1:] = unfinished[self._steps[:, :-1]] & self._table.fresh[self._steps[:, 1:]]
        return left

    @cached_property
    def _completed_before(self) -> Int[np.ndarray, " n"]:
        """How many words are complete, over all rows, before those that are completed inside each token."""
        left = self._left.reshape(-1)
        inside = self._table.completed_counts[self._steps.reshape(-1)]
        before: Int[np.ndarray, " n"] = np.cumsum(inside + left, dtype=np.int64) - inside
        return before

    @cached_property
    def _stream(self) -> tuple[Int[np.ndarray, " words"], Int[np.ndarray, " batch"]]:
        """The completed words of all rows in text order, and where each row's begin."""
        steps, before = self._steps.reshape(-1), self._completed_before
        starts, counts = self._table.completed_starts[steps], self._table.completed_counts[steps]
        stream = np.zeros(before[-1] + counts[-1] if len(before) else 0, dtype=np.int32)
        left = np.flatnonzero(self._left)
        stream[before[left] - 1] = self._table.unfinished[steps[left - 1]]
        stream[_ranges(before, counts)] = self._table.completed_words[_ranges(starts, counts)]
        rows, width = self._steps.shape
        return stream, before[:: width or 1][:rows]


def word_view(batch: Batch) -> WordView:
    """The word view of a batch, made at the first call."""

    def make() -> WordView:
        table = batch.vocabulary.cache.get(WordTable, lambda: WordTable(batch.vocabulary))
        if len(table) > STEPS_KEPT:
            table = batch.vocabulary.cache.put(WordTable, WordTable(batch.vocabulary))
        return WordView(batch, table)

    return batch.cache.get(WordView, make)


def _ranges(starts: Int[np.ndarray, " n"], counts: Int[np.ndarray, " n"]) -> Int[np.ndarray, " total"]:
    """The ranges `start, start + 1, ...` of the given lengths, one after another."""
    ends = np.cumsum(counts, dtype=np.int64)
    return np.repeat(starts - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
