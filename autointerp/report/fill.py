"""From a feature's result and samples to what the page shows of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autointerp.repair import RepairOutcome
from autointerp.report.fill_debate import debate_view, verdict_in_words
from autointerp.report.view import (
    STAGES,
    AttackView,
    CounterexampleView,
    ExampleView,
    FeatureView,
    HistogramView,
    RepairView,
)
from autointerp.results import FeatureResult
from autointerp.sampling import Samples
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Counterexample, Example, HeldOut, Thresholds
from dsl.render import render
from probes.probing import Funnel
from probes.reason import notes, reason

SHOWN_PER_KIND, BEFORE, AFTER = 4, 30, 12
"""Held-out examples shown of each kind (highest, missed, wrongly predicted), and tokens about the one they are for."""

BINS = 24


def feature_view(result: FeatureResult, samples: Samples, promoted: Sequence[tuple[str, float]] = ()) -> FeatureView:
    """Everything the page shows of one feature, as plain data."""
    transcript, evidence = result.transcript, samples.evidence
    winner = transcript.winner
    told = debate_view(transcript, result.explanation)
    return FeatureView(
        feature=result.feature,
        explanation=render(result.explanation),
        outcome=transcript.outcome,
        fallback=transcript.fallback,
        scores=result.scores.to_json(),
        high=evidence.thresholds.high,
        maximum=evidence.thresholds.maximum,
        baselines={name: None if one is None else one.to_json() for name, one in result.baselines.items()},
        unscored=result.scores.unscored(),
        winner=None if winner is None else winner.label,
        verdict=verdict_in_words(transcript),
        held_out=_held_out(result.explanation, samples.held_out),
        evidence=told.evidence,
        sides=told.sides,
        rounds=told.rounds,
        votes=told.votes,
        forfeits=tuple((forfeit.debater, forfeit.reason) for forfeit in transcript.forfeits),
        counterexamples=_counterexamples(result, evidence.thresholds),
        attack=_attack(result),
        repairs=tuple(map(_repair, result.defence.repairs)),
        density=evidence.density,
        histogram=_histogram(samples.training()[1]),
        promoted=tuple(promoted),
        skipped=result.skipped,
    )


def _held_out(explanation: Explanation, held_out: HeldOut) -> tuple[ExampleView, ...]:
    """Windows about the highest activations, about firing positions that were missed, and about false alarms."""
    predicted = evaluate(explanation, held_out.batch)
    fires, says = held_out.activations >= held_out.thresholds.high, predicted >= PREDICTED
    loud = held_out.activations
    picked: dict[int, int] = {}
    for wanted, order in ((fires, -loud), (fires & ~says, -loud), (says & ~fires & held_out.batch.mask, loud)):
        rows, positions = np.nonzero(wanted)
        count = 0
        for place in np.argsort(order[rows, positions], kind="stable"):
            row, position = int(rows[place]), int(positions[place])
            if row not in picked:
                picked[row], count = position, count + 1
            if count == SHOWN_PER_KIND:
                break
    strings = held_out.batch.vocabulary.strings
    views = []
    for row, position in picked.items():
        start = max(0, position - BEFORE)
        stop = min(position + AFTER, int(held_out.batch.lengths[row]))
        views.append(
            ExampleView(
                tuple(strings[token] for token in held_out.batch.ids[row, start:stop]),
                tuple(held_out.activations[row, start:stop].tolist()),
                tuple(predicted[row, start:stop].tolist()),
                source=f"document {int(held_out.documents[row])}",
            )
        )
    return tuple(views)


def _counterexamples(result: FeatureResult, thresholds: Thresholds) -> tuple[CounterexampleView, ...]:
    standing = result.defence.standing
    if standing is None:
        return ()
    return tuple(_counterexample(one, result.explanation, thresholds) for one in standing.counterexamples)


def _counterexample(one: Counterexample, explanation: Explanation, thresholds: Thresholds) -> CounterexampleView:
    return CounterexampleView(
        kind=one.kind,
        generator=one.generator,
        example=_example(one.example, explanation),
        position=one.position,
        original=None if one.original is None else _example(one.original, explanation),
        original_position=one.original_position,
        contrast=None if one.contrast is None else _example(one.contrast, explanation),
        trail=tuple(step.context.tokens for step in one.shrink_trail),
        reason=reason(one, thresholds),
        notes=tuple(notes(one)),
    )


def _example(example: Example, explanation: Explanation) -> ExampleView:
    predicted = evaluate(explanation, Batch.of([example.context]))[0]
    return ExampleView(example.context.tokens, example.activations, tuple(predicted.tolist()))


def _attack(result: FeatureResult) -> AttackView | None:
    standing = result.defence.standing
    if standing is None:
        return None
    skipped = {name: funnel.skipped for name, funnel in standing.funnel.items() if funnel.skipped is not None}
    counts = {name: _counts(funnel) for name, funnel in standing.funnel.items() if funnel.skipped is None}
    return AttackView(standing.probes, standing.disagreements_per_thousand, skipped, counts)


def _counts(funnel: Funnel) -> tuple[int, ...]:
    return tuple(getattr(funnel, stage) for stage in STAGES)


def _repair(one: RepairOutcome) -> RepairView:
    return RepairView(
        accepted=one.accepted,
        reason=one.reason,
        before=render(one.before),
        proposal=None if one.proposal is None else render(one.proposal),
        shown=one.shown,
        fixed_shown=one.fixed_shown,
        held_back=one.held_back,
        fixed_held_back=one.fixed_held_back,
        dev_before=one.dev_before,
        dev_after=one.dev_after,
    )


def _histogram(activations: np.ndarray) -> HistogramView | None:
    values = activations[activations > 0]
    if not len(values):
        return None
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(values.max())))
    return HistogramView(tuple(edges.tolist()), tuple(counts.tolist()))
