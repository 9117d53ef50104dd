"""What debaters hand in, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agents.lm import Usage
from agents.quotes import Quote, QuoteRequest, Rejected
from dsl.nodes import Explanation
from dsl.render import render


@dataclass(frozen=True, slots=True)
class Scratchpad:
    """A debater's private notes, one line each: kept for readers of the run, hidden from judge and rivals."""

    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a debater hands in; a text in place of an explanation is parsed by the debate.

    `refused` are quotes that it tried while it thought and that did not verify: they are counted with the rest.
    `failure` says why a debater has nothing to hand in, such as a language model that did not answer: the proposal then
    cannot stand, and the reason is the turn's problem.
    """

    explanation: Explanation | str
    quotes: tuple[QuoteRequest, ...]
    argument: str = ""
    scratchpad: Scratchpad = Scratchpad()
    usage: Usage = field(default_factory=Usage)
    failure: str = ""
    refused: tuple[tuple[QuoteRequest, Rejected], ...] = ()


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
class Answer:
    """What one side added in a round, by the debater of this seat: the quotes asked for, and how each fared.

    `reason` says why there is nothing, where nothing could be asked of it.
    """

    side: str
    seat: int
    asked: tuple[QuoteRequest, ...] = ()
    quotes: tuple[Quote | Rejected, ...] = ()
    reason: str = ""
    usage: Usage = field(default_factory=Usage)

    @property
    def verified(self) -> tuple[Quote, ...]:
        return tuple(quote for quote in self.quotes if isinstance(quote, Quote))


@dataclass(frozen=True, slots=True)
class Round:
    """Further quotes, between the proposals and the votes: a rebuttal, or answers to a question of the judge.

    A question calls the sides by the `names` under which the judge saw them then: pairs of a name and a side's label.
    `reason` says why a round came to nothing; `usage` is the judge's.
    """

    kind: Literal["rebuttal", "question"]
    answers: tuple[Answer, ...] = ()
    question: str = ""
    names: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    usage: Usage = field(default_factory=Usage)
