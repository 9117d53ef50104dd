"""Where words end: the view of a batch that `the word`, phrases, word classes and `in text about` are answered from.

A word is a run of letters, marks and numbers with single apostrophes inside, found on characters: tokens may hold
several words, or a piece of one. A word ends at a token when its last character lies in the token and, so far as the
text has been read, no more of the word follows: in "pizza|s", "pizza" ends at the first token and "pizzas" at the
second, for the subject, too, has not seen more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from threading import RLock
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch, Vocabulary
from dsl.folds import Fold
from dsl.nodes import fold, is_word_character

LONGEST_WORD = 128
"""Bytes of the longest word there is. What runs on for longer (text without spaces, most often) is no word at all."""

TOO_LONG, NO_WORD = 0, -1
"""The number of all words that are too long, and what stands where there is none."""

STEPS_KEPT = 1_000_000
"""Distinct (word begun, token) pairs after which what is known of a vocabulary's words is forgotten and begun anew."""

_APOSTROPHES = "'\u2019"
_MARGIN = 8  # bytes that a run may lose when its last character turns out to be no word character, and more


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

    def ends(self, words: Iterable[str]) -> Bool[np.ndarray, "batch ctx"]:
        """True where one of the words (folded) ends."""
        return self._read(self._table.events_of(words))

    def ends_where(self, holds: Callable[[str], bool]) -> Bool[np.ndarray, "batch ctx"]:
        """True where a word ends that satisfies a predicate; its case is as written."""
        return self._read(np.flatnonzero(self._table.words_where(holds)[self._table.event_words]))

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
        events = [self._table.events_of([word]) for word in words]
        which = np.repeat(np.arange(len(words)), [len(each) for each in events])
        events_found = np.concatenate(events) if events else np.zeros(0, dtype=np.int64)
        order = np.argsort(events_found)  # events are numbered by step, within a step in text order
        events_found, which = events_found[order], which[order]
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


class WordTable:
    """The words that occur over one vocabulary, and at which steps of reading they end."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._fold = Fold(vocabulary, self._step, _may_continue, binds=lambda _: False)
        self._texts = [""]
        self._numbers: dict[str, int] = {}
        self._by_folded: dict[str, list[int]] = {}
        self._events_by_word: list[list[int]] = [[]]
        self._event_steps: list[int] = []
        self._event_words: list[int] = []
        self._event_offsets: list[int] = []
        self._completed: list[int] = []
        self._completed_starts = [0, 0]
        self._unfinished = [NO_WORD]
        self._fresh = [1]
        self._predicates: dict[Callable[[str], bool], list[bool]] = {}
        self._arrays: dict[str, Int[np.ndarray, " n"]] = {}
        self._lock = RLock()  # batches of one vocabulary may be read by several threads

    def __len__(self) -> int:
        return len(self._fold)

    def steps(self, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
        with self._lock:
            return self._fold.steps(batch)

    def numbers_of(self, word: str) -> list[int]:
        """The words that fold to this one."""
        return self._by_folded.get(word, [])

    def events_of(self, words: Iterable[str]) -> Int[np.ndarray, " events"]:
        """The events in which one of the words (folded) ends, sorted."""
        found = [event for word in words for number in self.numbers_of(word) for event in self._events_by_word[number]]
        return np.sort(np.array(found, dtype=np.int64))

    def words_where(self, holds: Callable[[str], bool]) -> Bool[np.ndarray, " words"]:
        """The words that satisfy a predicate; pass functions that live on, their answers are kept."""
        with self._lock:
            known = self._predicates.setdefault(holds, [False])
            known.extend(map(holds, self._texts[len(known) :]))
            return np.array(known, dtype=np.bool_)

    @property
    def event_steps(self) -> Int[np.ndarray, " events"]:
        return self._array("event_steps", self._event_steps)

    @property
    def event_words(self) -> Int[np.ndarray, " events"]:
        return self._array("event_words", self._event_words)

    @property
    def event_offsets(self) -> Int[np.ndarray, " events"]:
        """The event's word counted from the first word that its step completes."""
        return self._array("event_offsets", self._event_offsets)

    @property
    def completed_words(self) -> Int[np.ndarray, " completed"]:
        """The words that the steps complete, step after step."""
        return self._array("completed", self._completed)

    @property
    def completed_starts(self) -> Int[np.ndarray, " steps"]:
        return self._array("completed_starts", self._completed_starts)[:-1]

    @property
    def completed_counts(self) -> Int[np.ndarray, " steps"]:
        return np.diff(self._array("completed_starts", self._completed_starts))

    @property
    def unfinished(self) -> Int[np.ndarray, " steps"]:
        """The word that is unfinished after each step, or NO_WORD."""
        return self._array("unfinished", self._unfinished)

    @property
    def fresh(self) -> Bool[np.ndarray, " steps"]:
        """Whether the step was read with no unfinished word before it, or without regard to one."""
        return self._array("fresh", self._fresh) > 0

    def _array(self, name: str, values: list[int]) -> Int[np.ndarray, " n"]:
        """A growing list as an array, made again only when it has grown."""
        with self._lock:
            kept = self._arrays.get(name)
            if kept is None or len(kept) != len(values):
                kept = self._arrays[name] = np.array(values, dtype=np.int32)
            return kept

    def _step(self, run: bytes, token: bytes) -> bytes:
        """Read a token after an unfinished word `run`: record the words that end in it and give what is unfinished."""
        text = (run + token).decode("utf-8", "surrogateescape")
        spans = word_spans(text)
        rest = text[spans[-1][1] :] if spans else text
        unfinished = bool(spans) and (not rest or (len(rest) == 1 and rest in _APOSTROPHES))
        step, word = len(self._completed_starts) - 1, NO_WORD
        for offset, (start, stop) in enumerate(spans):
            word = self._intern(text[start:stop])
            if not unfinished or offset < len(spans) - 1:
                self._completed.append(word)
            if len(_bytes(text[:stop])) > len(run):
                self._events_by_word[word].append(len(self._event_steps))
                self._event_steps.append(step)
                self._event_words.append(word)
                self._event_offsets.append(offset)
        self._completed_starts.append(len(self._completed))
        self._unfinished.append(word if unfinished else NO_WORD)
        self._fresh.append(int(not run))
        carried = _bytes(text[spans[-1][0] :]) if unfinished else b""
        if len(carried) > LONGEST_WORD + _MARGIN:
            # All words that are too long are one: only the end, which tells how the word goes on, is carried.
            carried = b"\xff" * (LONGEST_WORD + _MARGIN) + carried[-_MARGIN:]
        return carried

    def _intern(self, word: str) -> int:
        if len(_bytes(word)) > LONGEST_WORD:
            return TOO_LONG
        number = self._numbers.setdefault(word, len(self._texts))
        if number == len(self._texts):
            self._texts.append(word)
            self._events_by_word.append([])
            self._by_folded.setdefault(fold(word.replace("\u2019", "'")), []).append(number)
        return number


def word_view(batch: Batch) -> WordView:
    """The word view of a batch, made at the first call."""

    def make() -> WordView:
        table = batch.vocabulary.cache.get(WordTable, lambda: WordTable(batch.vocabulary))
        if len(table) > STEPS_KEPT:
            table = batch.vocabulary.cache.put(WordTable, WordTable(batch.vocabulary))
        return WordView(batch, table)

    return batch.cache.get(WordView, make)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every word of a text.

    >>> word_spans("'Don't,' he said")
    [(1, 6), (9, 11), (12, 16)]
    """
    spans: list[tuple[int, int]] = []
    start = -1
    for index, character in enumerate(text):
        if _is_word_character(character):
            if start < 0:
                start = index
        elif start >= 0:
            joins = character in _APOSTROPHES and index + 1 < len(text) and _is_word_character(text[index + 1])
            if not joins:
                spans.append((start, index))
                start = -1
    if start >= 0:
        spans.append((start, len(text)))
    return spans


_is_word_character = lru_cache(maxsize=4096)(is_word_character)


def _may_continue(token: str) -> bool:
    return token[0] in _APOSTROPHES or _is_word_character(token[0])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _ranges(starts: Int[np.ndarray, " n"], counts: Int[np.ndarray, " n"]) -> Int[np.ndarray, " total"]:
    """The ranges `start, start + 1, ...` of the given lengths, one after another."""
    ends = np.cumsum(counts, dtype=np.int64)
    return np.repeat(starts - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
