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
from jaxtyping import Bool, Float, Int, Shaped

from dsl.batch import Batch
from dsl.errors import InputError
from dsl.records import Context, Counterexample, Evidence

LEAST_WEIGHT, MOST_WEIGHT = 0.25, 50.0
"""Bounds of what a position of a context without firing counts: a rough density never silences or drowns the rest."""

WEAKEST, STRONGEST = 0.3, 3.0
"""Bounds of what a firing position counts, before scaling to one on average."""

MOST_POSITIONS = 20_000
"""More positions than these are thinned out: search looks at every position again and again."""

LOUD, TYPICAL = 0.8, 0.7
"""The quantile of firing activations that counts as full strength, and the strength where only firing is known."""

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
    """Positions of evidence and of what must hold, those where something is known, in reading order.

    `places` are their places in the flattened batch, `rows` their contexts; `strength` says how high the feature goes
    where it fires, from 0 to 1; `must` marks the positions that have to come out right.
    """

    batch: Batch
    places: Int[np.ndarray, " n"]
    fires: Bool[np.ndarray, " n"]
    strength: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    must: Bool[np.ndarray, " n"]

    def take(self, grid: Shaped[np.ndarray, "batch ctx"]) -> Shaped[np.ndarray, " n"]:
        """What a grid over the batch holds at these positions."""
        taken: np.ndarray = grid.reshape(-1)[self.places]
        return taken

    @cached_property
    def rows(self) -> Int[np.ndarray, " n"]:
        rows: np.ndarray = self.places // max(1, self.batch.ids.shape[1])
        return rows

    @cached_property
    def firing_weight(self) -> float:
        return float(self.weight[self.fires].sum())

    @cached_property
    def share(self) -> float:
        """How much of the weight fires."""
        return self.firing_weight / float(self.weight.sum())

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

    def correlation(self, predicted: Float[np.ndarray, " n"]) -> float:
        """Pearson's correlation of predictions with activations, at the corpus's prevalence; 0 where one is flat."""
        share = self.weight / self.weight.sum()
        ours, theirs = predicted - share @ predicted, self.strength**2 - share @ self.strength**2
        spread = float(share @ ours**2) * float(share @ theirs**2)
        return float(share @ (ours * theirs)) / spread**0.5 if spread > 0 else 0.0


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
    weight[:count] = _silent_weights(fires[:count], batch.mask[:count], evidence)
    strength = np.sqrt(activations[fires[:count]])
    strength = np.clip(strength / np.median(strength), WEAKEST, STRONGEST)
    weight[:count][fires[:count]] = strength / strength.mean()
    strengths = np.zeros((rows, width), dtype=np.float64)
    loud = float(np.quantile(activations[fires[:count]], LOUD))
    strengths[:count][fires[:count]] = np.sqrt(np.minimum(activations[fires[:count]] / loud, 1.0))
    for row, each in enumerate(must_hold, start=count):
        fires[row, : len(each.fires)] = [bool(label) for label in each.fires]
        weight[row, : len(each.fires)] = [MUST_HOLD_WEIGHT * (label is not None) for label in each.fires]
        strengths[row] = np.where(fires[row], TYPICAL, 0.0)
    must = weight > 0
    must[:count] = False
    places, scale = _kept(fires.reshape(-1), must.reshape(-1), weight.reshape(-1), batch)
    fires, strengths, weight, must = (column.reshape(-1)[places] for column in (fires, strengths, weight, must))
    return Table(batch, places, fires, strengths, weight * scale, must)


def _kept(
    fires: Bool[np.ndarray, " all"], must: Bool[np.ndarray, " all"], weight: Float[np.ndarray, " all"], batch: Batch
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The positions to look at, and what each is to weigh more for those left out.

    All of them where they are not too many. Else all that must hold, and equal steps through the firing ones, the
    silent ones of tokens that fire elsewhere (those are the hard ones), and the rest.
    """
    known = weight > 0
    if int(known.sum()) <= MOST_POSITIONS:
        places = np.flatnonzero(known)
        return places, np.ones(len(places))
    ids = batch.ids.reshape(-1)
    alike = np.isin(ids, np.unique(ids[fires & known]))
    groups = (must, fires & ~must, known & alike & ~fires & ~must, known & ~alike & ~fires & ~must)
    chosen, scales = [np.flatnonzero(must)], [np.ones(int(must.sum()))]
    for group, share in zip(groups[1:], (0.25, 0.4, 0.35), strict=True):
        members = np.flatnonzero(group)
        most = int(share * MOST_POSITIONS)
        taken = members[np.arange(most) * len(members) // most] if len(members) > most else members
        chosen.append(taken)
        scales.append(np.full(len(taken), len(members) / max(1, len(taken))))
    places = np.concatenate(chosen)
    order = np.argsort(places)
    return places[order], np.concatenate(scales)[order]


def _silent_weights(
    fires: Bool[np.ndarray, "rows ctx"], mask: Bool[np.ndarray, "rows ctx"], evidence: Evidence
) -> Float[np.ndarray, "rows ctx"]:
    """What the silent positions count: in contexts without firing as much of the corpus as each context stands for."""
    weights = mask.astype(np.float64)
    active = fires.any(axis=1)
    stands_for = np.array(evidence.stands_for or (1.0,) * len(evidence.examples))[~active]
    silent_positions = float(stands_for @ mask[~active].sum(axis=1))
    if evidence.density and silent_positions:
        rest = fires.sum() / evidence.density - mask[active].sum()
        each = np.clip(stands_for * rest / silent_positions, LEAST_WEIGHT, MOST_WEIGHT)
        weights[~active] *= each[:, None]
    return weights
