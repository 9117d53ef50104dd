"""A result's JSON line as the measures read it: parsed once, so that a file of an earlier run will do as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dsl.errors import InputError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Spent(_Part):
    """Calls of a language model."""

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            calls=self.calls + other.calls,
            failures=self.failures + other.failures,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )


class DebaterSpent(Spent):
    """What one debater spent on one feature."""

    debater: str
    seat: int


class UsageLine(_Part):
    debaters: tuple[DebaterSpent, ...] = ()
    judge: Spent = Spent()


class MeasuresLine(_Part):
    usage: UsageLine = UsageLine()


class QuoteLine(_Part):
    status: str


class TurnLine(_Part):
    debater: str
    seat: int
    attempt: int
    quotes: tuple[QuoteLine, ...] = ()
    problem: str = ""


class VoteLine(_Part):
    """`order` names the sides in their places, `shown` the letters that they had there, `label` the side voted for.

    A view of one side alone (a consultancy) has one place.
    """

    order: tuple[str, ...]
    shown: tuple[str, ...] = ()
    label: str | None = None
    answered: bool = True
    reason: str = ""

    @property
    def letters(self) -> tuple[str, ...]:
        return self.shown or self.order


class AnswerLine(_Part):
    """What one side added after the proposals."""

    seat: int
    quotes: tuple[QuoteLine, ...] = ()


class RoundLine(_Part):
    kind: str
    turns: tuple[TurnLine, ...] = ()
    answers: tuple[AnswerLine, ...] = ()
    votes: tuple[VoteLine, ...] = ()
    reason: str = ""


class SideLine(_Part):
    label: str
    seats: tuple[int, ...]
    debaters: tuple[str, ...]
    explanation: str
    bits: float
    dev_score: float


class ForfeitLine(_Part):
    debater: str
    seat: int
    attempts: int
    reason: str


class DebateLine(_Part):
    outcome: Literal["chosen", "consensus", "abstained"]
    reason: str = ""
    winner: str | None
    best_by_dev: str | None
    sides: tuple[SideLine, ...]
    rounds: tuple[RoundLine, ...] = ()
    forfeits: tuple[ForfeitLine, ...] = ()
    measures: MeasuresLine = MeasuresLine()
    judge: str = ""
    procedure: dict[str, str | int] = Field(default_factory=dict)
    repair_usage: tuple[Spent, ...] = ()
    control_usage: tuple[Spent, ...] = ()

    @property
    def turns(self) -> tuple[TurnLine, ...]:
        return tuple(turn for part in self.rounds for turn in part.turns)

    @property
    def votes(self) -> tuple[VoteLine, ...]:
        return tuple(vote for part in self.rounds for vote in part.votes)

    @property
    def answered(self) -> tuple[VoteLine, ...]:
        """The votes that the judge answered."""
        return tuple(vote for vote in self.votes if vote.answered)

    @property
    def compared(self) -> tuple[VoteLine, ...]:
        """Those of views in which sides stand beside each other: only there is a place, or a letter, to prefer."""
        return tuple(vote for vote in self.answered if len(vote.order) > 1)

    @property
    def added(self) -> tuple[AnswerLine, ...]:
        """What sides added in rebuttals, and in answers to the judge."""
        return tuple(answer for part in self.rounds for answer in part.answers)


class ValueLine(_Part):
    value: float


class BaselineLine(_Part):
    token_f1: ValueLine | None = None


class ScoresLine(_Part):
    token_f1: ValueLine | None = None
    baselines: dict[str, BaselineLine | None] = Field(default_factory=dict)


class HeldOutLine(_Part):
    label: str
    token_f1: float | None
    halves: tuple[float | None, float | None]


class FeatureLine(_Part):
    """One feature that was explained."""

    feature: str
    debate: DebateLine
    scores: ScoresLine
    sides_held_out: tuple[HeldOutLine, ...] = ()

    @property
    def held_out(self) -> dict[str, float]:
        """Token F1 of each side on all held-out documents; empty where it has none."""
        return {side.label: side.token_f1 for side in self.sides_held_out if side.token_f1 is not None}

    def half(self, number: int) -> dict[str, float]:
        """Token F1 of each side on one half of the held-out documents; empty where no position fires there."""
        found = {side.label: side.halves[number] for side in self.sides_held_out}
        return {label: f1 for label, f1 in found.items() if f1 is not None}


def read_lines(lines: Sequence[Mapping[str, Any]]) -> tuple[list[FeatureLine], list[str]]:
    """The features that were explained, and the names of those that failed (their line has an `error`).

    Raises InputError on a line that is no result of a debate.
    """
    read, failed = list[FeatureLine](), list[str]()
    for number, line in enumerate(lines, start=1):
        if "report" in line:  # the last line of a run in JSON
            continue
        if "error" in line:
            failed.append(str(line.get("feature", "")))
            continue
        try:
            read.append(FeatureLine.model_validate(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"result {number} is not of a debate: {where}: {first['msg'].lower()}") from error
    return read, failed
