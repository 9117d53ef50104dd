"""Contexts as arrays: what explanations are evaluated on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from jaxtyping import Bool, Int

if TYPE_CHECKING:
    from dsl.records import Context

UNKNOWN_START = -1
TABLES_KEPT = 256
"""Tables over a vocabulary kept at once: 13 MB for 50,000 tokens."""

T = TypeVar("T")


class Cache:
    """The values most recently asked for, each made once, by one thread. Copies and pickles of it are empty.

    >>> cache = Cache(entries=2)
    >>> cache.get("two", lambda: 1 + 1), cache.get("two", lambda: 0)
    (2, 2)
    """

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._lock = RLock()  # making a value may ask for another
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value kept under `key`, made now where there is none."""
        with self._lock:
            if key not in self._values:
                return self.put(key, make())
            self._values.move_to_end(key)
            return cast(T, self._values[key])

    def put(self, key: Hashable, value: T) -> T:
        """Keep a value in the place of any other under this key."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._entries:
                self._values.popitem(last=False)
            return value

    def __reduce__(self) -> tuple[type[Cache], tuple[int]]:
        return Cache, (self._entries,)


class Vocabulary:
    """The text of every token id, and tables over it that explanations compile to (cached: make one and share it).

    Compared by identity: a vocabulary of 100,000 strings is never compared by value.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(map(_normal, strings))
        self.cache = Cache(TABLES_KEPT)

    def __len__(self) -> int:
        return len(self.strings)

    @cached_property
    def ids(self) -> dict[str, tuple[int, ...]]:
        """The ids that have a text; most often one."""
        found: dict[str, tuple[int, ...]] = {}
        for index, string in enumerate(self.strings):
            found[string] = (*found.get(string, ()), index)
        return found

    @cached_property
    def same(self) -> Int[np.ndarray, " vocabulary"]:
        """The lowest id that has the same text as each id."""
        return np.array([self.ids[string][0] for string in self.strings], dtype=np.int32)

    @cached_property
    def bytes(self) -> tuple[bytes, ...]:
        """The text of every token id as the bytes it is made of."""
        return tuple(string.encode("utf-8", "surrogateescape") for string in self.strings)

    def having(self, strings: Iterable[str]) -> Bool[np.ndarray, " vocabulary"]:
        """True at the ids whose text is one of these.

        >>> Vocabulary(["a", "b", "c"]).having(["b", "x"])
        array([False,  True, False])
        """
        table = np.zeros(len(self), dtype=np.bool_)
        for string in strings:
            table[list(self.ids.get(string, ()))] = True
        return table

    def where(self, holds: Callable[[str], bool]) -> Bool[np.ndarray, " vocabulary"]:
        """True at the ids whose text satisfies a predicate."""
        return np.fromiter(map(holds, self.strings), dtype=np.bool_, count=len(self))


@dataclass(frozen=True, eq=False)
class Batch:
    """Token ids of some contexts, padded at the right with 0; `starts` is UNKNOWN_START where a context has none."""

    ids: Int[np.ndarray, "batch ctx"]
    lengths: Int[np.ndarray, " batch"]
    starts: Int[np.ndarray, " batch"]
    vocabulary: Vocabulary
    cache: Cache = field(default_factory=lambda: Cache(16), init=False, repr=False)

    def __post_init__(self) -> None:
        rows, width = self.ids.shape
        if self.lengths.shape != (rows,) or self.starts.shape != (rows,):
            raise ValueError(f"{rows} contexts, {len(self.lengths)} lengths and {len(self.starts)} starts")
        if rows and (self.lengths.min() < 0 or self.lengths.max() > width):
            raise ValueError(
                f"lengths run from {self.lengths.min()} to {self.lengths.max()} in a batch of {width} tokens"
            )
        lowest, highest = int(self.ids.min(initial=0)), int(self.ids.max(initial=0))
        if self.ids.size and self.lengths.any() and not 0 <= lowest <= highest < len(self.vocabulary):
            raise ValueError(f"token ids run from {lowest} to {highest}; the vocabulary has {len(self.vocabulary)}")

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

    @cached_property
    def mask(self) -> Bool[np.ndarray, "batch ctx"]:
        """True at tokens, False in the padding."""
        mask: Bool[np.ndarray, "batch ctx"] = np.arange(self.ids.shape[1]) < self.lengths[:, None]
        return mask

    def look_up(self, table: Bool[np.ndarray, " vocabulary"]) -> Bool[np.ndarray, "batch ctx"]:
        """A table over the vocabulary, read at every token."""
        if not len(table):
            return np.zeros(self.ids.shape, dtype=np.bool_)
        # Ids were checked once, when the batch was made: "clip" only spares numpy from checking them again.
        return np.take(table, self.ids, mode="clip")


def _normal(text: str) -> str:
    """Each text spelt in one way: as UTF-8 where its bytes are, as lone surrogates (surrogateescape) where not.

    Strings from JSON may hold half a character of UTF-16; it becomes the three bytes that it would be written as.
    """
    if text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = b"".join(
            character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass")
            for character in text
        )
    return raw.decode("utf-8", "surrogateescape")
