"""Reading tokens from left to right while carrying a piece of text: where the end of one token matters to the next.

A character may be spread over byte tokens, a word over pieces. `Fold` finds, for every position of a batch, which
(carried piece, token) pair is met there, without a Python step at each token: most tokens do not depend on what is
carried and are looked up in a table; of the others each distinct pair is worked out once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int, Shaped

from dsl.batch import Batch, Vocabulary
from dsl.pairs import NONE, PairTable

EMPTY = 0
"""The step of the padding and the state in which nothing is carried."""

_DEPENDS, _BINDS = 1, 2


class Fold:
    """Interned steps of a fold over tokens: a step is a (carried bytes, token) pair that occurred.

    `step(carried, token)` is called once for each new pair, in the order of step numbers (from 1: step 0 is the
    padding), and gives what is carried on. A step depends on what is carried where `depends` holds for the text of the
    token, or `binds` for that of the token before; a token of no text always depends. Elsewhere a step starts afresh.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        step: Callable[[bytes, bytes], bytes],
        depends: Callable[[str], bool],
        binds: Callable[[str], bool],
    ) -> None:
        self._vocabulary, self._step = vocabulary, step
        depending = vocabulary.where(lambda text: not text or depends(text))
        binding = vocabulary.where(lambda text: not text or binds(text))
        self._links = (_DEPENDS * depending + _BINDS * binding).astype(np.uint8)
        self._binding = bool(binding.any())
        self._alone = np.full(len(vocabulary), NONE, dtype=np.int32)
        self._states: dict[bytes, int] = {b"": EMPTY}
        self._carried: list[bytes] = [b""]
        self._pairs = PairTable()
        self._next = array("i", [EMPTY])

    def __len__(self) -> int:
        """How many steps there are, the padding's included."""
        return len(self._next)

    def steps(self, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
        """The number of the step at every position; `EMPTY` in the padding."""
        if not batch.ids.size or not len(self._alone):
            return np.zeros(batch.ids.shape, dtype=np.int32)
        steps: Int[np.ndarray, "batch ctx"] = np.take(self._alone, batch.ids, mode="clip")
        padded = int(batch.lengths.min()) < batch.ids.shape[1]
        if padded:
            steps[~batch.mask] = EMPTY
        if steps.min() < 0:
            new = steps < 0
            met = np.zeros(len(self._alone), dtype=np.bool_)
            met[batch.ids[new]] = True
            for token in np.flatnonzero(met).tolist():
                self._alone[token] = self._new(EMPTY, token)
            steps[new] = self._alone[batch.ids[new]]
        self._chain(steps.reshape(-1), batch.ids.reshape(-1), self._dependent(batch, padded=padded).reshape(-1))
        return steps

    def _dependent(self, batch: Batch, *, padded: bool) -> Bool[np.ndarray, "batch ctx"]:
        """Where a step may not be what it is alone."""
        links = np.take(self._links, batch.ids, mode="clip")
        dependent: Bool[np.ndarray, "batch ctx"] = (links & _DEPENDS).view(np.bool_)
        if self._binding:
            dependent[:, 1:] |= links[:, :-1] >= _BINDS
        if padded:
            dependent &= batch.mask
        dependent[:, :1] = False
        return dependent

    def _chain(
        self, steps: Int[np.ndarray, " n"], ids: Shaped[np.ndarray, " n"], dependent: Bool[np.ndarray, " n"]
    ) -> None:
        """Work out the positions that depend on the one before, all the first of a chain, all the second, and so on."""
        begins = dependent.copy()  # the first token of a row is never one: no chain runs on from row to row
        begins[1:] &= ~dependent[:-1]
        places = np.flatnonzero(begins)
        while len(places):
            states = np.frombuffer(self._next, dtype=np.intc)[steps[places - 1]]
            live = np.flatnonzero(states)
            if len(live):
                here, carried = places[live], states[live].astype(np.int64)
                steps[here] = self._find(carried * len(self._vocabulary) + ids[here])
            places = places + 1
            if places[-1] == len(steps):
                places = places[:-1]
            places = places[dependent[places]]

    def _find(self, keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The steps of pairs, each given as state x vocabulary + token; new ones are worked out."""
        found = self._pairs.find(keys)
        missing = np.flatnonzero(found == NONE)
        if len(missing):
            new, which = np.unique(keys[missing], return_inverse=True)
            size = len(self._vocabulary)
            numbers = np.array([self._new(*divmod(key, size)) for key in new.tolist()], dtype=np.int32)
            self._pairs.add(new, numbers)
            found[missing] = numbers[which]
        return found

    def _new(self, state: int, token: int) -> int:
        """Work out a pair that has not been met; its number."""
        carried = self._step(self._carried[state], self._vocabulary.bytes[token])
        after = self._states.setdefault(carried, len(self._carried))
        if after == len(self._carried):
            self._carried.append(carried)
        self._next.append(after)
        return len(self._next) - 1
