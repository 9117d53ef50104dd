"""Reading tokens from left to right while carrying a piece of text: where the end of one token matters to the next.

A character may be spread over byte tokens, a word over pieces. `Fold` finds, for every position of a batch, which
(carried piece, token) pair is met there, without a Python step at each token: most tokens do not depend on what is
carried and are looked up in a table; of the others each distinct pair is worked out once.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch, Vocabulary

EMPTY = 0
"""The step of the padding and the state in which nothing is carried."""


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
        self._depends = vocabulary.where(lambda text: not text or depends(text))
        self._binds = vocabulary.where(lambda text: not text or binds(text))
        self._alone = np.full(len(vocabulary), -1, dtype=np.int32)
        self._states: dict[bytes, int] = {b"": EMPTY}
        self._carried: list[bytes] = [b""]
        self._steps: dict[int, int] = {}
        self._next = array("i", [EMPTY])

    def __len__(self) -> int:
        """How many steps there are, the padding's included."""
        return len(self._next)

    def steps(self, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
        """The number of the step at every position; `EMPTY` in the padding."""
        mask = batch.mask
        for token in np.flatnonzero(np.bincount(batch.ids[mask], minlength=1)):
            if self._alone[token] < 0:
                self._alone[token] = self._intern(EMPTY, int(token))
        steps = np.where(mask, self._alone[batch.ids], EMPTY).astype(np.int32, copy=False)
        depends = batch.look_up(self._depends)
        depends[:, 1:] |= batch.look_up(self._binds)[:, :-1]
        depends &= mask
        depends[:, :1] = False
        self._chain(steps.reshape(-1), batch.ids.reshape(-1), depends)
        return steps

    def _chain(
        self, steps: Int[np.ndarray, " n"], ids: Int[np.ndarray, " n"], depends: Bool[np.ndarray, "batch ctx"]
    ) -> None:
        """Work out the positions that depend on the one before, all the first of a chain, all the second, and so on."""
        places = np.flatnonzero(depends)
        if not len(places):
            return
        # A place's rank in its chain: its distance from the place that begins the run of consecutive places.
        begins = np.ones(len(places), dtype=np.bool_)
        begins[1:] = np.diff(places) != 1  # the first token of a row is never a place
        order = np.arange(len(places))
        ranks = order - np.maximum.accumulate(np.where(begins, order, 0))
        by_rank = places[np.argsort(ranks, kind="stable")]
        for group in np.split(by_rank, np.cumsum(np.bincount(ranks))[:-1]):
            states = np.frombuffer(self._next, dtype=np.intc)[steps[group - 1]].astype(np.int64)
            live = states != EMPTY
            group, keys = group[live], states[live] * len(self._vocabulary) + ids[group[live]]
            unique, which = np.unique(keys, return_inverse=True)
            found = [self._intern(*divmod(int(key), len(self._vocabulary))) for key in unique]
            steps[group] = np.array(found, dtype=np.int32)[which]

    def _intern(self, state: int, token: int) -> int:
        key = state * len(self._vocabulary) + token
        number = self._steps.get(key)
        if number is None:
            carried = self._step(self._carried[state], self._vocabulary.bytes[token])
            after = self._states.setdefault(carried, len(self._carried))
            if after == len(self._carried):
                self._carried.append(carried)
            number = self._steps[key] = len(self._next)
            self._next.append(after)
        return number
