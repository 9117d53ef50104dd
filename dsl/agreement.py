"""Where two explanations predict alike on a sample of texts, and the shortest texts on which they do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import UNKNOWN_START, Batch, Vocabulary
from dsl.evaluate import Evaluator
from dsl.nodes import LEVELS, PREDICTED, Explanation
from dsl.records import Context

TRIED = 20
"""Differences of each kind (such as 1.0 against 0.3) that are looked at for the shortest witness."""

SHOWN = 4
"""Witnesses that are kept."""

LONGEST_CUT = 64
"""Tokens up to which every shorter text is tried; what needs more is shown from the beginning of its context."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A text on whose last token two explanations predict different levels, as short as its end could be cut."""

    context: Context
    one: float
    other: float

    @property
    def position(self) -> int:
        """Where they differ: the last token."""
        return len(self.context.tokens) - 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two explanations on a sample: how many tokens both, one or neither predicts (at 0.5 or more), and witnesses.

    `levels` counts tokens by the two levels predicted, (of one, of the other, tokens), strongest first.
    """

    tokens: int
    both: int
    only_one: int
    only_other: int
    neither: int
    levels: tuple[tuple[float, float, int], ...]
    witnesses: tuple[Witness, ...]

    @property
    def differing(self) -> int:
        """Tokens on which the levels differ."""
        return sum(count for one, other, count in self.levels if one != other)


def agreement(one: Explanation, other: Explanation, batches: Iterable[Batch]) -> Agreement:
    """Run both explanations on a sample, one batch after the other.

    >>> from dsl.parse import parse
    >>> batch = Batch.of([Context(("Hot", " pizza", " crust"))])
    >>> found = agreement(parse('activates on the word "pizza"'), parse("activates on any token"), [batch])
    >>> found.both, found.only_one, found.only_other, found.witnesses[0].context.tokens
    (1, 0, 2, (' crust',))
    """
    counts = np.zeros((len(_VALUES), len(_VALUES)), dtype=np.int64)
    found: dict[tuple[int, int], list[Witness]] = {}
    for batch in batches:
        codes = [_codes(explanation, batch) for explanation in (one, other)]
        mask = batch.mask
        pairs = np.bincount(codes[0][mask] * len(_VALUES) + codes[1][mask], minlength=counts.size)
        counts += pairs.reshape(counts.shape)
        for pair in np.argwhere(pairs.reshape(counts.shape)).tolist():
            kept = found.setdefault((pair[0], pair[1]), [])
            if pair[0] != pair[1] and len(kept) < TRIED:
                where = (codes[0] == pair[0]) & (codes[1] == pair[1]) & mask
                kept += _witnesses(one, other, batch, where, TRIED - len(kept))
    high = np.array(_VALUES) >= PREDICTED
    levels = [
        (_VALUES[a], _VALUES[b], int(counts[a, b])) for a, b in sorted(np.argwhere(counts).tolist(), reverse=True)
    ]
    return Agreement(
        int(counts.sum()),
        int(counts[np.ix_(high, high)].sum()),
        int(counts[np.ix_(high, ~high)].sum()),
        int(counts[np.ix_(~high, high)].sum()),
        int(counts[np.ix_(~high, ~high)].sum()),
        tuple(levels),
        _shortest(found.values()),
    )


_VALUES = (0.0, *sorted(LEVELS.values()))


def _codes(explanation: Explanation, batch: Batch) -> Int[np.ndarray, "batch ctx"]:
    """The level predicted at every token, as its place among `_VALUES`."""
    return np.searchsorted(np.array(_VALUES, dtype=np.float32), Evaluator(batch).evaluate(explanation))


def _witnesses(
    one: Explanation, other: Explanation, batch: Batch, where: Bool[np.ndarray, "batch ctx"], most: int
) -> list[Witness]:
    """The first of these places, spread over contexts before any context gives a second."""
    rows, columns = np.nonzero(where)
    turns = np.arange(len(rows)) - np.searchsorted(rows, rows, "left")
    chosen = np.lexsort((columns, rows, turns))[:most]
    return [_cut(one, other, batch, int(rows[number]), int(columns[number])) for number in chosen]


def _cut(one: Explanation, other: Explanation, batch: Batch, row: int, column: int) -> Witness:
    """The shortest text that ends at this token and on which both predict there what they do here."""
    ids = batch.ids[row, : column + 1]
    lengths = np.array([*range(1, min(len(ids), LONGEST_CUT) + 1), len(ids)], dtype=np.int64)
    rows = np.zeros((len(lengths), len(ids)), dtype=ids.dtype)
    for number, length in enumerate(lengths):
        rows[number, :length] = ids[len(ids) - length :]
    start = int(batch.starts[row])
    starts = np.full(len(lengths), UNKNOWN_START) if start == UNKNOWN_START else start + len(ids) - lengths
    cuts = Batch(rows, lengths, starts.astype(np.int64), batch.vocabulary)
    last = (np.arange(len(lengths)), lengths - 1)
    levels = [_codes(explanation, cuts)[last] for explanation in (one, other)]
    same = (levels[0] == levels[0][-1]) & (levels[1] == levels[1][-1])
    shortest = int(np.argmax(same))
    values = [_VALUES[int(each[-1])] for each in levels]
    return Witness(_context(rows[shortest, : lengths[shortest]], int(starts[shortest]), batch.vocabulary), *values)


def _context(ids: Int[np.ndarray, " ctx"], start: int, vocabulary: Vocabulary) -> Context:
    token_ids = tuple(ids.tolist())
    known = None if start == UNKNOWN_START else start
    return Context(tuple(vocabulary.strings[index] for index in token_ids), token_ids, known)


def _shortest(kinds: Iterable[list[Witness]]) -> tuple[Witness, ...]:
    """The shortest of each kind, those that matter most for what is predicted first; then the next of each."""
    ranked: list[tuple[int, float, int, tuple[str, ...], Witness]] = []
    for kind in kinds:
        distinct = {witness.context.tokens: witness for witness in reversed(kind)}
        ordered = sorted(distinct.values(), key=lambda witness: (len(witness.context.tokens), witness.context.tokens))
        for turn, witness in enumerate(ordered):
            tokens = witness.context.tokens
            ranked.append((turn, -abs(witness.one - witness.other), len(tokens), tokens, witness))
    ranked.sort(key=lambda item: (*item[:4], item[4].one))
    return tuple(item[4] for item in ranked[:SHOWN])
