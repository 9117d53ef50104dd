"""Evidence as columns: for every position whether the feature fires there, what it weighs, and which context it is of.

Samples hold about as many activating contexts as others, the corpus holds far fewer. Precision is to be that of the
corpus, so where its density is known, positions are weighed back: silent positions of activating contexts count one
each, since activating contexts are a fair sample of their kind; positions of the other contexts stand for the rest of
the corpus and count as many times as it takes for firing positions to have the corpus's share. Weighing up the silent
positions of activating contexts as well would count the neighbourhood of every firing position as if the corpus were
full of it, and forbid any clause that is right about a context but a token or two too wide.

Firing positions count one on average, more where the feature fires strongly. Weak activations of real dictionaries are
noise to a large part: rules learnt from the strong ones hold better on text nobody has seen, at any threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.batch import Batch
from dsl.errors import InputError
from dsl.records import Context, Counterexample, Evidence

LEAST_WEIGHT, MOST_WEIGHT = 0.25, 50.0
"""Bounds of what a position of a context without firing counts: a rough density never silences or drowns the rest."""

WEAKEST, STRONGEST = 0.3, 3.0
"""Bounds of what a firing position counts, before scaling to one on average."""

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

    `fires` is False and `weight` 0 where nothing is known; `rows` numbers the context of each position;
    `must` marks those of the examples that have to come out right.
    """

    batch: Batch
    fires: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]
    must: Bool[np.ndarray, " n"]

    @cached_property
    def known(self) -> Bool[np.ndarray, " n"]:
        return self.weight > 0

    @cached_property
    def firing_weight(self) -> float:
        return float(self.weight[self.fires].sum())

    def mistakes(self, predicted: Bool[np.ndarray, " n"]) -> int:
        """How many of the positions that have to come out right do not."""
        return int(((predicted != self.fires) & self.must).sum())

    def f1(self, predicted: Bool[np.ndarray, " n"]) -> float:
        """Token F1 at the corpus's prevalence."""
        right = float(self.weight[predicted & self.fires].sum())
        return 2 * right / (float(self.weight[predicted].sum()) + self.firing_weight)

    def average_precision(self, predicted: Float[np.ndarray, " n"]) -> float:
        """Average precision of graded predictions at the corpus's prevalence; ties are one block."""
        total = right = average = 0.0
        for level in np.unique(predicted)[::-1]:
            at = predicted == level
            gained = float(self.weight[at & self.fires].sum())
            total += float(self.weight[at].sum())
            right += gained
            average += right / total * gained / self.firing_weight if total else 0.0
        return average


def tabulate(evidence: Evidence, must_hold: Sequence[Labelled] = ()) -> Table:
    """Label and weigh every position; raises InputError where the feature fires nowhere."""
    contexts = [example.context for example in evidence.examples]
    batch = evidence.batch  # shared by all who search the same evidence: words are found in it once
    if must_hold:
        batch = Batch.of([*contexts, *(each.context for each in must_hold)], evidence.vocabulary)
    count, (rows, width) = len(contexts), batch.ids.shape
    activations = np.zeros((count, width), dtype=np.float64)
    activations[:, : evidence.activations.shape[1]] = evidence.activations
    fires = np.zeros((rows, width), dtype=np.bool_)
    fires[:count] = (activations >= evidence.thresholds.high) & batch.mask[:count]
    if not fires.any():
        raise InputError(
            f"feature {evidence.feature} fires nowhere in its {count} examples (no activation reaches "
            f"{evidence.thresholds.high:g}): give it examples that activate it, or leave it out"
        )
    weight = np.zeros((rows, width), dtype=np.float64)
    weight[:count] = _silent_weights(fires[:count], batch.mask[:count], evidence.density)
    strength = np.sqrt(activations[fires[:count]])
    strength = np.clip(strength / np.median(strength), WEAKEST, STRONGEST)
    weight[:count][fires[:count]] = strength / strength.mean()
    for row, each in enumerate(must_hold, start=count):
        fires[row, : len(each.fires)] = [bool(label) for label in each.fires]
        weight[row, : len(each.fires)] = [MUST_HOLD_WEIGHT * (label is not None) for label in each.fires]
    must = weight > 0
    must[:count] = False
    return Table(batch, fires.reshape(-1), weight.reshape(-1), np.repeat(np.arange(rows), width), must.reshape(-1))


def _silent_weights(
    fires: Bool[np.ndarray, "rows ctx"], mask: Bool[np.ndarray, "rows ctx"], density: float | None
) -> Float[np.ndarray, "rows ctx"]:
    """What the silent positions count."""
    weights = mask.astype(np.float64)
    active = fires.any(axis=1)
    silent_positions = int(mask[~active].sum())
    if density and silent_positions:
        rest = fires.sum() / density - mask[active].sum()
        weights[~active] *= min(MOST_WEIGHT, max(LEAST_WEIGHT, rest / silent_positions))
    return weights
