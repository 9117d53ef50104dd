"""What is known of the words over one vocabulary: which there are, and at which steps of reading they end."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import RLock

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch, Vocabulary
from dsl.folds import Fold
from dsl.nodes import fold, is_word_character

LONGEST_WORD = 128
"""Bytes of the longest word there is. What runs on for longer (text without spaces, most often) is no word at all."""

TOO_LONG, NO_WORD = 0, -1
"""The number of all words that are too long, and what stands where there is none."""

_APOSTROPHES = "'\u2019"
_MARGIN = 8  # bytes that a run may lose when its last character turns out to be no word character, and more


class WordTable:
    """Words by number, and the steps of a `Fold` that carries the unfinished word.

    An event is a word that ends in a step; events are numbered by step and then in text order. A step also completes
    words: those that cannot go on. The last word of a step's text is often an event and not completed yet.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._fold = Fold(vocabulary, self._step, _may_continue, binds=lambda _: False)
        self._lock = RLock()  # batches of one vocabulary may be read by several threads
        self._texts = [""]
        self._numbers: dict[str, int] = {}
        self._folded: dict[str, list[int]] = {}
        self._folded_count = 1
        self._predicates: dict[Callable[[str], bool], bytearray] = {}
        self._event_steps, self._event_words, self._event_offsets = Column(), Column(), Column()
        self._completed, self._completed_starts = Column(), Column(0, 0)
        self._unfinished, self._fresh = Column(NO_WORD), Column(1)

    def __len__(self) -> int:
        return len(self._fold)

    def steps(self, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
        """The step at every position; new ones are worked out."""
        with self._lock:
            return self._fold.steps(batch)

    def numbers_of(self, word: str) -> list[int]:
        """The words that fold to this one."""
        with self._lock:
            for number in range(self._folded_count, len(self._texts)):
                self._folded.setdefault(_folded(self._texts[number]), []).append(number)
            self._folded_count = len(self._texts)
            return self._folded.get(word, [])

    def events_of(self, words: Sequence[str]) -> tuple[Int[np.ndarray, " events"], Int[np.ndarray, " events"]]:
        """The events in which one of the words (folded, distinct) ends, sorted, and which of the words it is."""
        with self._lock:
            which = np.full(len(self._texts), NO_WORD, dtype=np.int32)
            for place, word in enumerate(words):
                which[self.numbers_of(word)] = place
            which_ends = which[self.event_words]
        events = np.flatnonzero(which_ends != NO_WORD)
        return events, which_ends[events]

    def events_where(self, holds: Callable[[str], bool]) -> Int[np.ndarray, " events"]:
        """The events whose word, its case as written, satisfies a predicate that lives on: its answers are kept."""
        with self._lock:
            known = self._predicates.setdefault(holds, bytearray(1))
            known.extend(map(holds, self._texts[len(known) :]))
            return np.flatnonzero(np.frombuffer(known, dtype=np.bool_)[self.event_words])

    @property
    def event_steps(self) -> Int[np.ndarray, " events"]:
        return self._event_steps.read(self._lock)

    @property
    def event_words(self) -> Int[np.ndarray, " events"]:
        return self._event_words.read(self._lock)

    @property
    def event_offsets(self) -> Int[np.ndarray, " events"]:
        """The event's word counted from the first word that its step completes."""
        return self._event_offsets.read(self._lock)

    @property
    def completed_words(self) -> Int[np.ndarray, " completed"]:
        """The words that the steps complete, step after step."""
        return self._completed.read(self._lock)

    @property
    def completed_starts(self) -> Int[np.ndarray, " steps"]:
        return self._completed_starts.read(self._lock)[:-1]

    @property
    def completed_counts(self) -> Int[np.ndarray, " steps"]:
        return np.diff(self._completed_starts.read(self._lock))

    @property
    def unfinished(self) -> Int[np.ndarray, " steps"]:
        """The word that is unfinished after each step, or NO_WORD."""
        return self._unfinished.read(self._lock)

    @property
    def fresh(self) -> Bool[np.ndarray, " steps"]:
        """Whether the step was read with no unfinished word before it, or without regard to one."""
        return self._fresh.read(self._lock) > 0

    def _step(self, run: bytes, token: bytes) -> bytes:
        """Read a token after an unfinished word `run`: record the words that end in it and give what is unfinished."""
        whole = run + token
        text = whole.decode("utf-8", "surrogateescape")
        if token and text.isalnum():  # one word and nothing else, as most often
            word = self._intern(text)
            self._event(word, 0)
            self._unfinished.append(word)
            carried = whole
        else:
            carried = self._words(text, len(run))
        self._completed_starts.append(len(self._completed))
        self._fresh.append(int(not run))
        if len(carried) > LONGEST_WORD + _MARGIN:
            # All words that are too long are one: of its end only what tells how the word goes on is carried.
            carried = b"\xff" * (LONGEST_WORD + _MARGIN) + _loose_end(carried)
        return carried

    def _words(self, text: str, read: int) -> bytes:
        """Record the words of a text of which the first bytes were `read` before; what is unfinished at its end."""
        spans = word_spans(text)
        rest = text[spans[-1][1] :] if spans else text
        unfinished = bool(spans) and (not rest or (len(rest) == 1 and rest in _APOSTROPHES))
        word = NO_WORD
        for offset, (start, stop) in enumerate(spans):
            word = self._intern(text[start:stop])
            if not unfinished or offset < len(spans) - 1:
                self._completed.append(word)
            if _bytes_until(text, stop) > read:
                self._event(word, offset)
        self._unfinished.append(word if unfinished else NO_WORD)
        return _bytes(text[spans[-1][0] :]) if unfinished else b""

    def _event(self, word: int, offset: int) -> None:
        """The word ends in the step that is being worked out, so many after the first that the step completes."""
        self._event_steps.append(len(self._fresh))
        self._event_words.append(word)
        self._event_offsets.append(offset)

    def _intern(self, word: str) -> int:
        if _bytes_until(word, len(word)) > LONGEST_WORD:
            return TOO_LONG
        number = self._numbers.setdefault(word, len(self._texts))
        if number == len(self._texts):
            self._texts.append(word)
        return number


class Column:
    """Numbers that grow one by one and are read as an array, four bytes each."""

    def __init__(self, *values: int) -> None:
        self._values = array("i", values)
        self._read: Int[np.ndarray, " n"] = np.array(values, dtype=np.intc)
        self.append = self._values.append

    def __len__(self) -> int:
        return len(self._values)

    def read(self, lock: RLock) -> Int[np.ndarray, " n"]:
        """All numbers so far; the lock keeps others from appending meanwhile."""
        with lock:
            if len(self._read) != len(self._values):
                self._read = np.array(self._values, dtype=np.intc)
            return self._read


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every word of a text.

    >>> word_spans("'Don't,' he said")
    [(1, 6), (9, 11), (12, 16)]
    """
    if text.isascii():
        return [found.span() for found in _ASCII_WORD.finditer(text)]
    if text.isalnum():  # letters and numbers are word characters, though not all word characters are those
        return [(0, len(text))]
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


_ASCII_WORD = re.compile("[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
_is_word_character = lru_cache(maxsize=4096)(is_word_character)


def _may_continue(token: str) -> bool:
    return token[0] in _APOSTROPHES or _is_word_character(token[0])


def _loose_end(run: bytes) -> bytes:
    """An apostrophe at the end that may turn out to be inside a word, and bytes that are no character yet."""
    tail = run[-_MARGIN:].decode("utf-8", "surrogateescape")
    settled = max((place for place, each in enumerate(tail) if _is_letter(each)), default=-1)
    return _bytes(tail[settled + 1 :])


def _is_letter(character: str) -> bool:
    return _is_word_character(character) and not "\udc80" <= character <= "\udcff"


def _folded(word: str) -> str:
    """The word as words are compared; the word itself where that is how it is spelt, which saves a copy."""
    folded = fold(word.replace("\u2019", "'"))
    return word if folded == word else folded


def _bytes_until(text: str, stop: int) -> int:
    """How many bytes the first characters take."""
    return stop if text.isascii() else len(_bytes(text[:stop]))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
