"""Evidence as columns: for every position whether the feature fires there, what it weighs, and which context it is of.

Samples hold about as many activating contexts as others, the corpus holds far fewer. Precision is to be that of the
corpus, so where its density is known, positions are weighed back: positions of activating contexts, firing or not,
count one each, since activating contexts are a fair sample of their kind; positions of the other contexts stand for
the rest of the corpus and count as many times as it takes for firing positions to have the corpus's share. Weighing
up the silent positions of activating contexts as well would count the neighbourhood of every firing position as if
the corpus were full of it, and forbid any clause that is right about a context but a token or two too wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.batch import Batch
from dsl.errors import InputError
from dsl.records import Context, Counterexample, Evidence

LEAST_WEIGHT, MOST_WEIGHT = 0.25, 50.0
"""Bounds of what a position of a context without firing counts: a rough density never silences or drowns the rest."""

MUST_HOLD_WEIGHT = 8.0
"""What a position counts that an explanation must get right: as many as this many firing positions of the evidence."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A context and where the feature fires in it; None where nothing is known or asked.

    >>> Labelled(Context(("a", " b")), fires=(None, True)).fires
    (None, True)
    """

    context: Context
    fires: tuple[bool | None, ...]

    def __post_init__(self) -> None:
        if len(self.fires) != len(self.context.tokens):
            raise ValueError(f"{len(self.context.tokens)} tokens but {len(self.fires)} labels")

    @classmethod
    def of(cls, counterexample: Counterexample) -> Labelled:
        """What a counterexample shows: whether the feature fires at its position."""
        fires: list[bool | None] = [None] * len(counterexample.example.context.tokens)
        fires[counterexample.position] = counterexample.kind == "false_negative"
        return cls(counterexample.example.context, tuple(fires))


@dataclass(frozen=True, eq=False)
class Table:
    """Positions of evidence and of what must hold, flat in reading order, padding included with weight 0.

    `fires` is False and `weight` 0 where nothing is known; `rows` numbers the context of each position; positions from
    `must_from` on are of the examples that must come out right.
    """

    batch: Batch
    fires: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]
    must_from: int

    @property
    def known(self) -> Bool[np.ndarray, " n"]:
        return self.weight > 0

    @property
    def firing_weight(self) -> float:
        return float(self.weight[self.fires].sum())

    def must_hold_errors(self, predicted: Bool[np.ndarray, " n"]) -> int:
        """How many positions that must come out right do not."""
        later = slice(self.must_from, None)
        return int(((predicted != self.fires) & self.known)[later].sum())


def tabulate(evidence: Evidence, must_hold: Sequence[Labelled] = ()) -> Table:
    """Label and weigh every position; raises InputError where the feature fires nowhere."""
    contexts = [example.context for example in evidence.examples]
    batch = Batch.of([*contexts, *(each.context for each in must_hold)], evidence.vocabulary)
    count, width = len(contexts), batch.ids.shape[1]
    mask = batch.mask
    fires = np.zeros(batch.ids.shape, dtype=np.bool_)
    seen = evidence.activations
    fires[:count, : seen.shape[1]] = (seen >= evidence.thresholds.high) & evidence.batch.mask
    weight = mask.astype(np.float64)
    weight[:count] *= _weights(fires[:count], mask[:count], evidence.density)[:, None]
    weight[count:] = 0.0
    for row, each in enumerate(must_hold, start=count):
        known = np.array([label is not None for label in each.fires], dtype=np.bool_)
        fires[row, : len(known)] = [bool(label) for label in each.fires]
        weight[row, : len(known)] = MUST_HOLD_WEIGHT * known
    if not fires.any():
        raise InputError(
            f"feature {evidence.feature} fires nowhere in the evidence: there is nothing to explain; "
            "give it examples with an activation of at least the high threshold "
            f"({evidence.thresholds.high:g}), or leave the feature out"
        )
    rows = np.repeat(np.arange(len(batch.ids)), width)
    return Table(batch, fires.reshape(-1), weight.reshape(-1), rows, count * width)


def _weights(
    fires: Bool[np.ndarray, "rows ctx"], mask: Bool[np.ndarray, "rows ctx"], density: float | None
) -> Float[np.ndarray, " rows"]:
    """What a position of each context counts."""
    active = fires.any(axis=1)
    weights = np.ones(len(fires))
    silent_positions = int(mask[~active].sum())
    if density and silent_positions:
        corpus = fires.sum() / density
        rest = corpus - mask[active].sum()
        weights[~active] = min(MOST_WEIGHT, max(LEAST_WEIGHT, rest / silent_positions))
    return weights
