"""The explain phase of an attack: what of each shrunk counterexample matters, and the clause that a repair needs."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dsl.records import Counterexample, Dev, Evidence, Example
from probes.bench import Bench
from probes.shrink import plain_tokens
from probes.slots import Slot, filled, vary, vary_cost
from probes.subject import TokenIds
from probes.suggest import suggest
from probes.trial import Reading, Trial
from probes.verify import Candidate, agrees

EXPLAINED, LONGEST = 8, 24
"""Counterexamples of one attack that are explained, as far as the budget goes, and their greatest length in tokens:
in a longer one the feature hangs on too much for one clause."""

VARYING = 0.6
"""Share of what is left for this phase that varying may take; contrasts have the rest."""

PLAIN = 3
"""Plain tokens that are tried for a contrast at the token in question and just before it."""

CONTRASTS = 2
"""Texts one token away that are run alone, at most, to find one about which the explanation is right."""


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
        if cost <= VARYING * trial.left:
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
    return _beside(causes, found, varied, trial)


def _beside(
    causes: Sequence[Cause], found: Sequence[Counterexample], varied: Mapping[int, list[Slot]], trial: Trial
) -> list[Counterexample]:
    """Each that is no pair with a contrast, where one is found: among what was varied, else among plain tokens."""
    plain = plain_tokens(trial.subject.vocabulary)[:PLAIN]
    beside = []
    for cause, record in zip(causes, found, strict=True):
        one = cause.candidate
        if one.paired:
            beside.append(record)
            continue
        slots = sorted(
            varied.get(id(cause), ()), key=lambda slot: (slot.column == one.column, abs(slot.column - one.column))
        )
        texts = [filled(one, slot.column, slot.side, token).token_ids for slot in slots for token in slot.lost]
        near = (one.column - 1, one.column)
        texts += [filled(one, column, "both", token).token_ids for column in near if column >= 0 for token in plain]
        beside.append(replace(record, contrast=_contrast(texts, one.position, trial)))
    return beside


def _contrast(texts: Sequence[TokenIds], position: int, trial: Trial) -> Example | None:
    """The first of the texts, each one token away, about which the explanation is right in a batch and alone."""
    longest = max((len(text) + len(trial.subject.prefix) for text in texts), default=0)
    if trial.cost(texts) + CONTRASTS * longest > trial.left:
        return None
    right = [reading.token_ids for reading in trial.read(texts) if agrees(reading, trial.thresholds, position)]
    for reading in trial.read_alone(list(dict.fromkeys(right))[:CONTRASTS]):
        if agrees(reading, trial.thresholds, position):
            return reading.example(trial.subject.vocabulary)
    return None


def _wildcards(one: Candidate, slots: Sequence[Slot]) -> tuple[int, ...]:
    """Positions of the text in columns that may be anything."""
    free = {slot.column for slot in slots if slot.free and slot.side != "original"}
    owners = [index for index, column in enumerate(one.columns) for _ in column.edited]
    return tuple(position for position, owner in enumerate(owners) if owner in free)
