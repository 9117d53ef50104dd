"""From a disagreement once seen to a counterexample on record: confirmed alone, tagged with what was noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dsl.records import Counterexample, Cut, Naturalness
from probes.naturalness import naturalness_cost, naturalness_of
from probes.probing import Found
from probes.shrink import reads_back
from probes.subject import Embedder, Gating, Neighbours, Preactivations, TokenIds
from probes.trial import Trial
from probes.verify import Candidate, stands

Confirmation = Literal["confirmed", "overturned", "boundary"]

ABSORBERS, ABSORBING_COSINE = 8, 0.3
"""How many decoder neighbours may have taken a feature's place, and how close they have to be."""


def confirm(candidates: Sequence[Candidate], trial: Trial) -> list[Confirmation]:
    """Run each at batch size 1; `boundary` where a dictionary's gate was too near to call."""
    if not candidates:
        return []
    texts = [text for one in candidates for text in one.texts]
    readings = dict(zip(texts, trial.read_alone(texts), strict=True))
    unsure = _near_boundary(list(readings), trial)
    found: list[Confirmation] = []
    for one in candidates:
        if not stands(one, [readings[text] for text in one.texts], trial.thresholds):
            found.append("overturned")
        elif any(position in unsure.get(text, ()) for text, position in _consulted(one)):
            found.append("boundary")
        else:
            found.append("confirmed")
    return found


def counterexample_of(
    steps: Sequence[Candidate],
    found: Found,
    trial: Trial,
    *,
    tagged: bool = True,
    naturalness: Naturalness | None = None,
) -> Counterexample:
    """The last step as a record, the ones before as its trail; its activations are those of a run alone."""
    vocabulary = trial.subject.vocabulary
    last = steps[-1]
    readings = trial.read_alone(last.texts)
    trail = tuple(dict.fromkeys(step.token_ids for step in steps[:-1]))
    return Counterexample(
        example=readings[0].example(vocabulary),
        position=last.position,
        predicted=float(readings[0].predicted[last.position]),
        kind=last.kind,
        generator=found.edit.generator,
        original=readings[1].example(vocabulary) if last.paired else None,
        original_position=last.original_position,
        shrink_trail=tuple(reading.example(vocabulary) for reading in trial.read(trail)),
        absorbed_by=_absorbed(last, trial) if tagged else (),
        retokenises=all(reads_back(text, trial.subject) for text in last.texts),
        cut=_cut(last, trial) if tagged else None,
        naturalness=naturalness,
    )


def naturalness_of_found(found: Sequence[Found], trial: Trial, embedder: Embedder | None) -> list[Naturalness]:
    """Of each text as it was written, beside its parent: what shrinking leaves is short, not natural."""
    written = [(one.edit, one.parent) for one in found]
    for pair in written:
        trial.spend(naturalness_cost([pair], trial.subject))
    return naturalness_of(written, trial.subject, embedder)


def record_cost(found: Found, trial: Trial) -> int:
    """Subject tokens that confirming what it shrinks to, and putting that on record, may take at most."""
    prefix = len(trial.subject.prefix)
    last = sum(len(text) + prefix for text in found.candidate.texts)
    tags = len(found.edit.token_ids) + len(found.parent or ()) + 2 * prefix
    return 2 * last + 2 * (len(found.candidate.token_ids) + prefix) + tags


def _consulted(one: Candidate) -> list[tuple[TokenIds, int]]:
    """Every (text, position) whose activation the verdict rests on."""
    around = (-1, 0, 1) if one.kind == "false_positive" else (0,)
    consulted = [(one.token_ids, one.position + step) for step in around]
    if one.original_ids is not None and one.original_position is not None:
        consulted.append((one.original_ids, one.original_position))
    return consulted


def _near_boundary(texts: Sequence[TokenIds], trial: Trial) -> dict[TokenIds, set[int]]:
    if not isinstance(trial.subject, Gating):
        return {}
    trial.spend(sum(len(text) + len(trial.subject.prefix) for text in texts))
    near = trial.subject.near_boundary(texts, [trial.feature])
    return {text: set(np.flatnonzero(row[:, 0]).tolist()) for text, row in zip(texts, near, strict=True)}


def _cut(one: Candidate, trial: Trial) -> Cut | None:
    """Where the feature stood before a dictionary cut it off: nearly in, or nowhere near."""
    if not isinstance(trial.subject, Preactivations):
        return None
    trial.spend(len(one.token_ids) + len(trial.subject.prefix))
    [(values, ranks)] = trial.subject.preactivations([one.token_ids], [trial.feature])
    return Cut(float(values[one.position, 0]), int(ranks[one.position, 0]))


def _absorbed(one: Candidate, trial: Trial) -> tuple[int, ...]:
    """Of a false positive: the neighbours that fire in the feature's place."""
    if one.kind != "false_positive" or not isinstance(trial.subject, Neighbours):
        return ()
    nearest = trial.subject.neighbours(trial.feature, ABSORBERS)
    close = [neighbour for neighbour, cosine in nearest if cosine >= ABSORBING_COSINE]
    if not close:
        return ()
    text = one.token_ids
    trial.spend(len(text) + len(trial.subject.prefix))
    [activations] = trial.subject.activations([text], close)
    firing = activations[one.position] >= trial.thresholds.high
    return tuple(neighbour for neighbour, fires in zip(close, firing, strict=True) if fires)
