"""What was said in a debate, by whom, and what a judge may see of it.

A `Transcript` holds everything: scratchpads, refused quotes, names, scores. A `JudgeView` holds what was copied into it
field by field, labels, explanations and the tokens of verified quotes, and so cannot leak what was never put there.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias, assert_never

from agents.lm import Usage
from agents.passages import shown, utf8
from agents.quotes import Quote, QuoteRequest, Rejected
from dsl.complexity import bits
from dsl.nodes import Explanation
from dsl.records import Evidence
from dsl.render import render
from prompts import escape

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Scratchpad:
    """A debater's private notes, one line each: kept for readers of the run, hidden from judge and rivals."""

    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a debater hands in; a text in place of an explanation is parsed by the debate.

    `failure` says why a debater has nothing to hand in, such as a language model that did not answer: the proposal
    then cannot stand, and the reason is the turn's problem.
    """

    explanation: Explanation | str
    quotes: tuple[QuoteRequest, ...]
    argument: str = ""
    scratchpad: Scratchpad = Scratchpad()
    usage: Usage = field(default_factory=Usage)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Argument:
    """One side's case: the explanation, the quotes that verified, and what its debater says for it."""

    explanation: Explanation
    quotes: tuple[Quote, ...]
    text: str

    @property
    def canonical(self) -> str:
        return render(self.explanation)


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt of one debater: what came, how each of its quotes fared, and what was wrong, if anything was."""

    debater: str
    seat: int
    attempt: int
    proposal: Proposal
    quotes: tuple[Quote | Rejected, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Forfeit:
    """A debater that handed in nothing that could stand, and the last reason why."""

    debater: str
    seat: int
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Side:
    """One explanation on trial. `seats` are the debaters that proposed it; the argument is that of the shortest."""

    argument: Argument
    label: str
    seats: tuple[int, ...]
    debaters: tuple[str, ...]
    dev_score: float


@dataclass(frozen=True, slots=True)
class Vote:
    """What the judge answered to one view of the sides: a side or None, and its score of each side.

    `order` names the sides, by their own labels, in the places where they stood; `shown` are the labels under which
    the judge saw them there. `label` and `scores` are mapped back to the sides' own labels. `none` is the score of
    answering NONE, where the judge gives one. A vote that was not `answered` counts in no average and agrees with
    nothing; its `reason` says why. `thoughts` are what the judge wrote before it answered: nobody else reads them.
    """

    order: tuple[str, ...]
    shown: tuple[str, ...]
    label: str | None
    scores: tuple[tuple[str, float], ...]
    none: float | None = None
    reason: str = ""
    answered: bool = True
    thoughts: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The judge preferred this side by `margin`, on the scale of its scores, in `votes` of the orders."""

    side: int
    margin: float
    votes: int


@dataclass(frozen=True, slots=True)
class Consensus:
    """Only one explanation stood; nothing was judged."""

    side: int


@dataclass(frozen=True, slots=True)
class Abstained:
    """No side was preferred; where any stood, the best by dev score is reported as a fallback."""

    reason: str


Verdict = Chosen | Consensus | Abstained
Outcome = Literal["chosen", "consensus", "abstained"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole debate. Quotes refer to the evidence that it was held on; `best_by_dev` is the side a control reports."""

    evidence: Evidence
    turns: tuple[Turn, ...]
    sides: tuple[Side, ...]
    forfeits: tuple[Forfeit, ...]
    votes: tuple[Vote, ...]
    verdict: Verdict
    best_by_dev: int | None

    @property
    def outcome(self) -> Outcome:
        match self.verdict:
            case Chosen():
                return "chosen"
            case Consensus():
                return "consensus"
            case Abstained():
                return "abstained"
        assert_never(self.verdict)

    @property
    def winner(self) -> Side | None:
        """The side to report; None only where no side stood."""
        match self.verdict:
            case Chosen(side=side) | Consensus(side=side):
                return self.sides[side]
            case Abstained():
                return None if self.best_by_dev is None else self.sides[self.best_by_dev]
        assert_never(self.verdict)

    @property
    def fallback(self) -> bool:
        """Whether the winner is the best by dev score because the judge abstained."""
        return isinstance(self.verdict, Abstained) and self.best_by_dev is not None

    @property
    def quotes_by_status(self) -> dict[str, int]:
        """How every quote asked for in any attempt fared."""
        return dict(sorted(Counter(quote.status for turn in self.turns for quote in turn.quotes).items()))

    @property
    def order_flips(self) -> int:
        """Answered votes that differ from the commonest one: what the order and the labels alone changed."""
        answers = Counter(vote.label for vote in self.votes if vote.answered)
        return answers.total() - max(answers.values(), default=0)

    def to_json(self) -> dict[str, Json]:
        """Everything as JSON values, the same bytes for the same debate; no timings."""
        reason = self.verdict.reason if isinstance(self.verdict, Abstained) else ""
        margin = self.verdict.margin if isinstance(self.verdict, Chosen) else None
        winner = self.winner
        return {
            "outcome": self.outcome,
            "reason": reason,
            "margin": margin,
            "fallback": self.fallback,
            "winner": None if winner is None else winner.label,
            "explanation": None if winner is None else winner.argument.canonical,
            "best_by_dev": None if self.best_by_dev is None else self.sides[self.best_by_dev].label,
            "sides": [self._side(side) for side in self.sides],
            "rounds": [
                {"kind": "propose", "turns": [self._turn(turn) for turn in self.turns]},
                {"kind": "vote", "votes": [_vote(vote) for vote in self.votes]},
            ],
            "forfeits": [
                {"debater": f.debater, "seat": f.seat, "attempts": f.attempts, "reason": shown([f.reason])}
                for f in self.forfeits
            ],
            "measures": {
                "order_flips": self.order_flips,
                "orders": len(self.votes),
                "quotes": dict(self.quotes_by_status),
                "forfeits": len(self.forfeits),
                "unanswered": sum(not vote.answered for vote in self.votes),
                "usage": self._usage(),
            },
        }

    def _usage(self) -> dict[str, Json]:
        """Language-model calls by debater, in the order of their seats, and the judge's."""
        names = {turn.seat: turn.debater for turn in self.turns} | {f.seat: f.debater for f in self.forfeits}
        spent = {seat: Usage() for seat in sorted(names)}
        for turn in self.turns:
            spent[turn.seat] += turn.proposal.usage
        judge = sum((vote.usage for vote in self.votes), Usage())
        return {
            "debaters": [{"debater": names[seat], "seat": seat, **asdict(usage)} for seat, usage in spent.items()],
            "judge": asdict(judge),
        }

    def _side(self, side: Side) -> dict[str, Json]:
        return {
            "label": side.label,
            "seats": list(side.seats),
            "debaters": list(side.debaters),
            "support": len(side.seats),
            "explanation": side.argument.canonical,
            "bits": bits(side.argument.explanation),
            "dev_score": side.dev_score,
            "argument": shown([side.argument.text]),
            "quotes": [self._quote(quote) for quote in side.argument.quotes],
        }

    def _turn(self, turn: Turn) -> dict[str, Json]:
        said = turn.proposal.explanation
        asked = zip(turn.proposal.quotes, turn.quotes, strict=False)
        return {
            "debater": turn.debater,
            "seat": turn.seat,
            "attempt": turn.attempt,
            "explanation": shown([said]) if isinstance(said, str) else render(said),
            "argument": shown([turn.proposal.argument]),
            "scratchpad": [shown([line]) for line in turn.proposal.scratchpad.lines],
            "quotes": [
                self._quote(answer) if isinstance(answer, Quote) else _refused(request, answer)
                for request, answer in asked
            ],
            "problem": shown([turn.problem]),
        }

    def _quote(self, quote: Quote) -> dict[str, Json]:
        return {
            "example": quote.example,
            "start": quote.start,
            "stop": quote.stop,
            "status": quote.status,
            "text": quote.text(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class ShownQuote:
    """A verified quote as a judge sees it: its source's tokens, and which of them the feature fires on."""

    tokens: tuple[str, ...]
    marks: tuple[bool, ...]

    @classmethod
    def of(cls, quote: Quote, evidence: Evidence) -> ShownQuote:
        return cls(quote.tokens(evidence), quote.firing(evidence))

    def __str__(self) -> str:
        """The text with `<<` and `>>` round what fires; the same characters in the source are escaped."""
        pieces: list[str] = []
        inside = False
        for text, mark in _whole_pieces(self.tokens, self.marks):
            if mark != inside:
                pieces.append("<<" if mark else ">>")
                inside = mark
            pieces.append(escape(text))
        return "".join(pieces) + (">>" if inside else "")


@dataclass(frozen=True, slots=True)
class ShownArgument:
    """One side as a judge sees it: a neutral label, the canonical explanation and the verified quotes."""

    label: str
    explanation: str
    quotes: tuple[ShownQuote, ...]


@dataclass(frozen=True, slots=True)
class JudgeView:
    """All that a judge sees: the sides in one order."""

    arguments: tuple[ShownArgument, ...]

    @classmethod
    def of(cls, labelled: Sequence[tuple[str, Argument]], evidence: Evidence) -> JudgeView:
        """Copy what a judge may see, and only that, in the order given."""
        return cls(
            tuple(
                ShownArgument(label, argument.canonical, tuple(ShownQuote.of(q, evidence) for q in argument.quotes))
                for label, argument in labelled
            )
        )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(argument.label for argument in self.arguments)


def _whole_pieces(tokens: Sequence[str], marks: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    """Tokens joined until their bytes make whole characters; a piece is marked where any of its tokens is."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    marked = False
    for number, (token, mark) in enumerate(zip(tokens, marks, strict=True), start=1):
        text = decoder.decode(utf8(token), final=number == len(tokens))
        marked = marked or mark
        if not decoder.getstate()[0]:
            yield text, marked
            marked = False
        elif text:
            yield text, marked
            marked = mark


def _vote(vote: Vote) -> dict[str, Json]:
    return {
        "order": list(vote.order),
        "shown": list(vote.shown),
        "label": vote.label,
        "scores": dict(vote.scores),
        "none": vote.none,
        "answered": vote.answered,
        "reason": shown([vote.reason]),
        "thoughts": shown([vote.thoughts]),
    }


def _refused(request: QuoteRequest, answer: Rejected) -> dict[str, Json]:
    return {"status": answer.status, "text": shown([request.text]), "reason": shown([str(answer)])}
