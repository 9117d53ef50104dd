"""From a feature's result and samples to what the page shows of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.transcript import Abstained, Chosen, Consensus, Transcript, Vote
from autointerp.repair import RepairOutcome
from autointerp.report.view import (
    STAGES,
    AttackView,
    CounterexampleView,
    ExampleView,
    FeatureView,
    HistogramView,
    QuoteView,
    RepairView,
    SideView,
    VoteView,
)
from autointerp.results import FeatureResult
from autointerp.sampling import Samples
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Counterexample, Evidence, Example, HeldOut, Thresholds
from dsl.render import render
from probes.probing import Funnel
from probes.reason import notes, reason

SHOWN_PER_KIND, BEFORE, AFTER = 4, 30, 12
"""Held-out examples shown of each kind (highest, missed, wrongly predicted), and tokens about the one they are for."""

QUOTE_MARGIN = 20
"""Tokens shown on either side of a quote."""

BINS = 24


def feature_view(result: FeatureResult, samples: Samples, promoted: Sequence[tuple[str, float]] = ()) -> FeatureView:
    """Everything the page shows of one feature, as plain data."""
    transcript, evidence = result.transcript, samples.evidence
    winner = transcript.winner
    quoted, sides = _sides(transcript, evidence, result.explanation)
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
        evidence=quoted,
        sides=sides,
        votes=tuple(map(_vote, transcript.votes)),
        forfeits=tuple((forfeit.debater, forfeit.reason) for forfeit in transcript.forfeits),
        counterexamples=_counterexamples(result, evidence.thresholds),
        attack=_attack(result),
        repairs=tuple(map(_repair, result.defence.repairs)),
        density=evidence.density,
        histogram=_histogram(samples.training()[1]),
        promoted=tuple(promoted),
        skipped=result.skipped,
    )


def verdict_in_words(transcript: Transcript) -> str:
    """One plain sentence."""
    match transcript.verdict:
        case Chosen(margin=margin, votes=votes):
            return f"chosen with a lead of {margin:.3f}; {votes} of {len(transcript.votes)} orders agree"
        case Consensus():
            return "every debater that stood proposed the same explanation"
        case Abstained(reason=reason):
            return f"the judge abstained ({reason}); the best by dev score is reported"


def _vote(vote: Vote) -> VoteView:
    return VoteView(vote.order, vote.label, dict(vote.scores), vote.reason, vote.shown, vote.none, vote.answered)


def _sides(
    transcript: Transcript, evidence: Evidence, explanation: Explanation
) -> tuple[dict[int, ExampleView], tuple[SideView, ...]]:
    """The sides, and windows of the evidence examples that they quote; quotes count from the window's first token."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for side in transcript.sides:
        for quote in side.argument.quotes:
            spans.setdefault(quote.example, []).append((quote.start, quote.stop))
    starts: dict[int, int] = {}
    views: dict[int, ExampleView] = {}
    predicted = evaluate(explanation, evidence.batch)
    for number, found in sorted(spans.items()):
        example = evidence.examples[number]
        start = max(0, min(begin for begin, _ in found) - QUOTE_MARGIN)
        stop = max(end for _, end in found) + QUOTE_MARGIN
        starts[number] = start
        views[number] = ExampleView(
            example.context.tokens[start:stop],
            example.activations[start:stop],
            tuple(predicted[number, start : min(stop, len(example.activations))].tolist()),
            source=f"evidence {number}" + (f", document {d}" if (d := example.context.document) else ""),
        )
    notes = {turn.seat: turn.proposal.scratchpad.lines for turn in transcript.turns}
    sides = tuple(
        SideView(
            label=side.label,
            explanation=side.argument.canonical,
            argument=side.argument.text,
            quotes=tuple(
                QuoteView(q.example, q.start - starts[q.example], q.stop - starts[q.example], q.status)
                for q in side.argument.quotes
            ),
            debaters=side.debaters,
            dev_score=side.dev_score,
            scratchpad=notes[side.seats[0]],
        )
        for side in transcript.sides
    )
    return views, sides


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
