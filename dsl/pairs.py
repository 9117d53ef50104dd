"""A hash table from numbers to numbers that is asked for thousands at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

NONE = -1
"""What stands for a key that is not there."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Fibonacci hashing (Knuth, 6.4)


class PairTable:
    """Open addressing with linear probing, at most a quarter full, so that most keys are found at their first place.

    >>> table = PairTable()
    >>> table.add(np.array([30, 7]), np.array([1, 2], dtype=np.int32))
    >>> table.find(np.array([7, 8, 30]))
    array([ 2, -1,  1], dtype=int32)
    """

    def __init__(self) -> None:
        self._count, self._bits = 0, 10
        self._keys = np.full(1 << self._bits, NONE, dtype=np.int64)
        self._values = np.full(1 << self._bits, NONE, dtype=np.int32)

    def find(self, keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The value of each key (0 or more), NONE where there is none."""
        places = self._places(keys)
        there = self._keys[places]
        values: Int[np.ndarray, " n"] = self._values[places]
        strange = np.flatnonzero(there != keys)
        values[strange] = NONE
        strange = strange[there[strange] != NONE]  # another key's place: this one may lie behind it
        while len(strange):
            places[strange] = (places[strange] + 1) & (len(self._keys) - 1)
            there = self._keys[places[strange]]
            right = there == keys[strange]
            values[strange[right]] = self._values[places[strange[right]]]
            strange = strange[~right & (there != NONE)]
        return values

    def add(self, keys: Int[np.ndarray, " n"], values: Int[np.ndarray, " n"]) -> None:
        """Put in keys, distinct, none of them there yet."""
        self._count += len(keys)
        if 4 * self._count > len(self._keys):
            old = self._keys != NONE
            keys, values = np.append(self._keys[old], keys), np.append(self._values[old], values)
            while 4 * self._count > 1 << self._bits:
                self._bits += 1
            self._keys = np.full(1 << self._bits, NONE, dtype=np.int64)
            self._values = np.full(1 << self._bits, NONE, dtype=np.int32)
        places = self._places(keys)
        waiting = np.arange(len(keys))
        while len(waiting):
            free = waiting[self._keys[places[waiting]] == NONE]
            self._keys[places[free]] = keys[free]  # of several for one place the last one stays
            settled = self._keys[places[waiting]] == keys[waiting]
            placed, waiting = waiting[settled], waiting[~settled]
            self._values[places[placed]] = values[placed]
            places[waiting] = (places[waiting] + 1) & (len(self._keys) - 1)

    def _places(self, keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Where each key lies, if nothing lies there before it."""
        places: Int[np.ndarray, " n"] = ((keys.astype(np.uint64) * _SPREAD) >> np.uint64(64 - self._bits)).astype(
            np.int64
        )
        return places
