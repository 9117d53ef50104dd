"""What was said in a debate, by whom, and what came of it: scratchpads, refused quotes, names, scores and all."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias, assert_never

from agents.lm import Usage
from agents.normal_form import shown
from agents.procedure import Procedure
from agents.quotes import Quote, QuoteRequest, Rejected
from agents.turns import Answer, Argument, Forfeit, Proposal, Round, Scratchpad, Turn
from agents.views import JudgeView, ShownArgument, ShownQuote
from dsl.complexity import bits
from dsl.records import Evidence
from dsl.render import render

__all__ = [
    "Abstained",
    "Argument",
    "Chosen",
    "Consensus",
    "Forfeit",
    "Json",
    "JudgeView",
    "Outcome",
    "Proposal",
    "Scratchpad",
    "ShownArgument",
    "ShownQuote",
    "Side",
    "Transcript",
    "Turn",
    "Verdict",
    "Vote",
]

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


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
    answering NONE, where the judge gives one. Scores that are not `graded` are 1 for the choice and 0 for the rest. A
    vote that was not `answered` counts in no average and agrees with nothing; its `reason` says why. `thoughts` are
    what the judge wrote before it answered: nobody else reads them.
    """

    order: tuple[str, ...]
    shown: tuple[str, ...]
    label: str | None
    scores: tuple[tuple[str, float], ...]
    none: float | None = None
    graded: bool = True
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
    """A whole debate. Quotes refer to the evidence that it was held on; `best_by_dev` is the side a control reports.

    `rounds` came between the proposals and the votes; `judge` is the name of whoever voted, and `prompts` are the
    versions of what it reads besides views.
    """

    evidence: Evidence
    turns: tuple[Turn, ...]
    sides: tuple[Side, ...]
    forfeits: tuple[Forfeit, ...]
    votes: tuple[Vote, ...]
    verdict: Verdict
    best_by_dev: int | None
    rounds: tuple[Round, ...] = ()
    procedure: Procedure = field(default_factory=Procedure)
    judge: str = ""
    prompts: str = ""

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
        """How every quote asked for in any attempt and any round fared."""
        proposed = [quote.status for turn in self.turns for quote in turn.quotes]
        refused = [answer.status for turn in self.turns for _, answer in turn.proposal.refused]
        added = [quote.status for turn in self.rounds for answer in turn.answers for quote in answer.quotes]
        return dict(sorted(Counter([*proposed, *refused, *added]).items()))

    @property
    def order_flips(self) -> int:
        """Answered votes that differ from the commonest one: what the order and the labels alone changed.

        Sides that were judged alone stood in no order.
        """
        answers = Counter(vote.label for vote in self.votes if vote.answered and len(vote.order) > 1)
        return answers.total() - max(answers.values(), default=0)

    def to_json(self) -> dict[str, Json]:
        """Everything as JSON values, the same bytes for the same debate; no timings."""
        reason = self.verdict.reason if isinstance(self.verdict, Abstained) else ""
        margin = self.verdict.margin if isinstance(self.verdict, Chosen) else None
        winner = self.winner
        return {
            "procedure": asdict(self.procedure),
            "judge": self.judge,
            "prompts": self.prompts,
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
                *(self._round(turn) for turn in self.rounds),
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
        for answer in (answer for turn in self.rounds for answer in turn.answers):
            spent[answer.seat] += answer.usage
        judge = sum([turn.usage for turn in self.rounds] + [vote.usage for vote in self.votes], Usage())
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
        return {
            "debater": turn.debater,
            "seat": turn.seat,
            "attempt": turn.attempt,
            "explanation": shown([said]) if isinstance(said, str) else render(said),
            "argument": shown([turn.proposal.argument]),
            "scratchpad": [shown([line]) for line in turn.proposal.scratchpad.lines],
            "quotes": [
                *self._quotes(turn.proposal.quotes, turn.quotes),
                *(_refused(request, answer) for request, answer in turn.proposal.refused),
            ],
            "problem": shown([turn.problem]),
        }

    def _round(self, turn: Round) -> dict[str, Json]:
        return {
            "kind": turn.kind,
            "question": shown([turn.question]),
            "names": dict(turn.names),
            "answers": [self._answer(answer) for answer in turn.answers],
            "reason": shown([turn.reason]),
        }

    def _answer(self, answer: Answer) -> dict[str, Json]:
        return {
            "side": answer.side,
            "seat": answer.seat,
            "quotes": self._quotes(answer.asked, answer.quotes),
            "reason": shown([answer.reason]),
        }

    def _quotes(self, asked: tuple[QuoteRequest, ...], answers: tuple[Quote | Rejected, ...]) -> list[Json]:
        return [
            self._quote(answer) if isinstance(answer, Quote) else _refused(request, answer)
            for request, answer in zip(asked, answers, strict=False)
        ]

    def _quote(self, quote: Quote) -> dict[str, Json]:
        return {
            "example": quote.example,
            "start": quote.start,
            "stop": quote.stop,
            "status": quote.status,
            "text": quote.text(self.evidence),
        }


def _vote(vote: Vote) -> dict[str, Json]:
    return {
        "order": list(vote.order),
        "shown": list(vote.shown),
        "label": vote.label,
        "scores": dict(vote.scores),
        "none": vote.none,
        "graded": vote.graded,
        "answered": vote.answered,
        "reason": shown([vote.reason]),
        "thoughts": shown([vote.thoughts]),
    }


def _refused(request: QuoteRequest, answer: Rejected) -> dict[str, Json]:
    return {"status": answer.status, "text": shown([request.text]), "reason": shown([str(answer)])}
