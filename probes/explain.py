"""The explain phase of an attack: what of each shrunk counterexample matters, and the clause that a repair needs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dsl.records import Counterexample, Dev, Evidence
from probes.bench import Bench
from probes.slots import Slot, vary, vary_cost
from probes.suggest import suggest
from probes.trial import Reading, Trial
from probes.verify import Candidate

EXPLAINED, LONGEST = 8, 24
"""Counterexamples of one attack that are explained, as far as the budget goes, and their greatest length in tokens:
in a longer one the feature hangs on too much for one clause."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A shrunk counterexample as a candidate and as a record, and the confirmed ones of its cluster."""

    candidate: Candidate
    record: Counterexample
    mates: tuple[Candidate, ...]


def explain(
    causes: Sequence[Cause],
    others: Sequence[Reading],
    samples: Sequence[Evidence | Dev],
    trial: Trial,
    rng: random.Random,
) -> list[Counterexample]:
    """The records, in order, with wildcards and suggestions for the first few that the budget has room for.

    Replacements are drawn from the tokens of `others`, texts that were read before; no suggestion may do worse than
    the explanation on any of the samples.
    """
    pool = sorted({token for reading in others for token in reading.token_ids})
    asked: list[Cause] = []
    cost = 0
    for cause in [cause for cause in causes if len(cause.candidate.token_ids) <= LONGEST][:EXPLAINED]:
        cost += vary_cost(cause.candidate, trial)
        if cost <= trial.left:
            asked.append(cause)
    varied = dict(zip(map(id, asked), vary([cause.candidate for cause in asked], trial, pool, rng), strict=True))
    benches = [Bench(each.batch, each.activations, trial.thresholds, each.stands_for) for each in samples]
    found = []
    for cause in causes:
        slots = varied.get(id(cause))
        if slots is None:
            found.append(cause.record)
            continue
        suggestion = suggest(cause.candidate, slots, cause.mates, others, benches, trial)
        found.append(replace(cause.record, wildcards=_wildcards(cause.candidate, slots), suggestion=suggestion))
    return found


def _wildcards(one: Candidate, slots: Sequence[Slot]) -> tuple[int, ...]:
    """Positions of the text in columns that may be anything."""
    free = {slot.column for slot in slots if slot.free and slot.side != "original"}
    owners = [index for index, column in enumerate(one.columns) for _ in column.edited]
    return tuple(position for position, owner in enumerate(owners) if owner in free)
