"""From an additive model to a program: positions, real and recombined, are labelled by the model and covered by rules.

A rule list that is fitted to a model's answers instead of to the evidence inherits how the model generalises, if the
model is asked about more than it was fitted to (Craven & Shavlik 1996, TREPAN). So beside the positions of the evidence
there are synthetic ones: the string here of one position after the strings before another, and some of both as if they
had never been seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.additive import best_boundary, cross_fitted, fit
from agents.atoms import Cues, Pool
from agents.rules import alone
from agents.stakes import Stakes
from agents.table import Table

RECOMBINED, MOST_RECOMBINED = 4, 20_000
"""Synthetic positions for each real one, and at most."""

RANKS = (0.3, 0.6)
"""The boundaries of the faint and of the weak level, as shares of that of what is predicted."""

USUAL_BOUNDARY = 0.25
"""What best separates firing from silence over many features (200 records that no reported figure rests on, among
0.2 to 0.4): what few examples say about one feature's boundary is noisy, and is averaged with it."""

STRONGLY = 0.7
"""The strength expected of what is strong, at least."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """Positions, real and synthetic, as a table and pool, and what each level is worth there by the model's answers.

    `f1` is what the model reached on contexts that it was not fitted to.
    """

    table: Table
    pool: Pool
    stakes: Stakes
    f1: float


def distil(table: Table, pool: Pool, rng: np.random.Generator) -> Lesson:
    """Fit the model, choose its boundary on contexts it has not seen, recombine positions, and have it label them."""
    cues = pool.cues
    boundary, f1 = best_boundary(cross_fitted(cues, table), table)
    boundary = (boundary + USUAL_BOUNDARY) / 2
    model = fit(cues, table.strength, table.weight)
    mix = _recombine(table, cues, rng)
    mixed = _mixed(pool, mix)
    score = model.predict(mixed.cues)
    taught = replace(
        table,
        places=mix.places,
        fires=score >= boundary,
        strength=np.clip(score, 0, 1),
        weight=mix.weight,
        must=np.append(table.must, np.zeros(len(mix.places) - len(table.places), dtype=np.bool_)),
    )
    boundaries = (*(rank * boundary for rank in RANKS), boundary, max(STRONGLY, 1.2 * boundary))
    return Lesson(taught, mixed, Stakes.of_score(score, mix.weight, boundaries), f1)


@dataclass(frozen=True, eq=False)
class _Mix:
    """Which real position each lends its string here, and which what comes before; the real ones come first."""

    here: Int[np.ndarray, " n"]
    past: Int[np.ndarray, " n"]
    unseen_here: Bool[np.ndarray, " n"]
    unseen_past: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    places: Int[np.ndarray, " n"]


def _recombine(table: Table, cues: Cues, rng: np.random.Generator) -> _Mix:
    real = np.arange(len(table.places))
    count = min(RECOMBINED * len(real), MOST_RECOMBINED)
    share = table.weight / table.weight.sum()
    # Half are drawn from firing positions, where rules are told apart, and weigh the less for it.
    firing = np.where(table.fires, table.weight, 0.0) / table.firing_weight
    drawn = (share + firing) / 2
    here, past = rng.choice(len(real), count, p=drawn), rng.choice(len(real), count, p=drawn)
    weight = float(table.weight.sum()) / count * (share / drawn)[here] * (share / drawn)[past]
    nothing = np.zeros(len(real), dtype=np.bool_)
    # Every synthetic position is a context of its own: its place begins a row beyond those of the batch.
    beyond = table.batch.ids.size + np.arange(count) * table.batch.ids.shape[1]
    return _Mix(
        here=np.concatenate([real, here]),
        past=np.concatenate([real, past]),
        unseen_here=np.concatenate([nothing, rng.random(count) < _unseen(cues.codes[0])]),
        unseen_past=np.concatenate([nothing, rng.random(count) < _unseen(cues.codes[2])]),
        weight=np.concatenate([table.weight, weight]) / 2,
        places=np.concatenate([table.places, beyond]),
    )


def _mixed(pool: Pool, mix: _Mix) -> Pool:
    """The pool over the mixed positions."""

    def taken(codes: Int[np.ndarray, " real"], *, near: bool) -> Int[np.ndarray, " mixed"]:
        chosen: np.ndarray = codes[mix.here if near else mix.past]
        chosen[mix.unseen_here if near else mix.unseen_past] = -1
        return chosen

    # A condition that is no expression by itself looks at what comes before.
    looks_back = np.array([alone(column.condition) is not column.condition for column in pool.columns], dtype=np.bool_)
    truth = np.where(looks_back[:, None], pool.truth[:, mix.past], pool.truth[:, mix.here])
    codes = tuple(taken(each, near=number < 2) for number, each in enumerate(pool.cues.codes))
    return Pool(
        slots=tuple(replace(slot, codes=taken(slot.codes, near=slot.family == "lexical")) for slot in pool.slots),
        columns=pool.columns,
        truth=truth,
        tokens=replace(pool.tokens, codes=taken(pool.tokens.codes, near=True)),
        cues=Cues(codes, pool.cues.sizes, truth),
    )


def _unseen(codes: Int[np.ndarray, " n"]) -> float:
    """How likely the next string is one never seen: the share of those seen once (Good 1953)."""
    counts = np.bincount(codes[codes >= 0])
    return float((counts == 1).sum()) / max(1, len(codes))
