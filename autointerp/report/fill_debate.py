"""From a transcript to what the page shows of the debate."""

from __future__ import annotations

from dataclasses import dataclass

from agents.quotes import Quote
from agents.transcript import Abstained, Chosen, Consensus, Transcript, Vote
from agents.turns import Round
from autointerp.report.view import AnswerView, ExampleView, QuoteView, RoundView, SideView, VoteView
from dsl.evaluate import evaluate
from dsl.nodes import Explanation

QUOTE_MARGIN = 20
"""Tokens shown on either side of a quote."""


@dataclass(frozen=True, slots=True)
class DebateView:
    """`evidence` holds windows of the examples that are quoted; quotes count from their window's first token."""

    evidence: dict[int, ExampleView]
    sides: tuple[SideView, ...]
    rounds: tuple[RoundView, ...]
    votes: tuple[VoteView, ...]


def debate_view(transcript: Transcript, explanation: Explanation) -> DebateView:
    """The debate beside what the explanation that came of it predicts."""
    evidence = transcript.evidence
    spans: dict[int, list[tuple[int, int]]] = {}
    for quote in _verified(transcript):
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
            quotes=_quotes(side.argument.quotes, starts),
            debaters=side.debaters,
            dev_score=side.dev_score,
            scratchpad=notes[side.seats[0]],
        )
        for side in transcript.sides
    )
    rounds = tuple(_round(turn, starts) for turn in transcript.rounds)
    return DebateView(views, sides, rounds, tuple(map(_vote, transcript.votes)))


def verdict_in_words(transcript: Transcript) -> str:
    """One plain sentence."""
    match transcript.verdict:
        case Chosen(margin=margin, votes=votes) if transcript.procedure.format == "debate":
            return f"chosen with a lead of {margin:.3f}; {votes} of {len(transcript.votes)} orders agree"
        case Chosen(margin=margin):
            return f"chosen with a lead of {margin:.3f}, each side judged alone"
        case Consensus():
            return "every debater that stood proposed the same explanation"
        case Abstained(reason=reason):
            return f"the judge abstained ({reason}); the best by dev score is reported"


def _verified(transcript: Transcript) -> list[Quote]:
    proposed = [quote for side in transcript.sides for quote in side.argument.quotes]
    return proposed + [quote for turn in transcript.rounds for answer in turn.answers for quote in answer.verified]


def _round(turn: Round, starts: dict[int, int]) -> RoundView:
    answers = tuple(
        AnswerView(answer.side, _quotes(answer.verified, starts), len(answer.quotes) - len(answer.verified))
        for answer in turn.answers
    )
    return RoundView(turn.kind, turn.question, turn.names, answers, turn.reason)


def _quotes(quotes: tuple[Quote, ...], starts: dict[int, int]) -> tuple[QuoteView, ...]:
    return tuple(
        QuoteView(quote.example, quote.start - starts[quote.example], quote.stop - starts[quote.example], quote.status)
        for quote in quotes
    )


def _vote(vote: Vote) -> VoteView:
    return VoteView(
        order=vote.order,
        label=vote.label,
        scores=dict(vote.scores),
        reason=vote.reason,
        shown=vote.shown,
        none=vote.none,
        answered=vote.answered,
        thoughts=vote.thoughts,
    )
