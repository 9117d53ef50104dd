"""What is simply counted: quotes, forfeits, failures, cost, and how each debater fared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from agents.lm import FailureKind
from autointerp.measures.lines import DebaterSpent, FeatureLine, ForfeitLine, SideLine, Spent, TurnLine

VERIFIED = frozenset({"exact", "normalised", "elided"})

_FAILURE_KINDS: tuple[str, ...] = get_args(FailureKind)
_REASONS = (
    (re.compile(r"line \d+, column \d+"), "the explanation does not parse"),
    (re.compile(r"no verified quote shows"), "no verified quote on which the feature fires"),
    (re.compile(r"\d+ quotes; at most"), "too many quotes"),
    (re.compile(r"the argument has \d+ words"), "the argument is too long"),
    (re.compile(r"the explanation has \d+ characters"), "the explanation is too long"),
    (re.compile(r"\d+ of \d+ (?:orders were answered|sides were judged)"), "too few views were answered"),
)


@dataclass(frozen=True, slots=True)
class DebaterTally:
    """One debater over the features that it took part in.

    `stood` is how often it handed in an explanation that could stand, `judged` how often that went before the judge,
    `chosen` how often the judge chose it, `fallback` how often it was reported because the judge abstained. `shared` of
    those judged stood on one side with another debater. `quotes` counts by status, over every attempt.
    """

    name: str
    features: int
    stood: int
    judged: int
    chosen: int
    fallback: int
    shared: int
    attempts: int
    forfeits: dict[str, int]
    quotes: dict[str, int]
    spent: Spent
    repairs: Spent
    control: Spent


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sat where in a run's debates; `shown` tells apart those of one name."""

    number: int
    name: str
    shown: str

    def on(self, side: SideLine) -> bool:
        """Whether the side is, or is also, this debater's."""
        return (self.number, self.name) in zip(side.seats, side.debaters, strict=True)

    def of(self, one: TurnLine | ForfeitLine | DebaterSpent) -> bool:
        """Whether it was this debater's."""
        return (one.seat, one.debater) == (self.number, self.name)


def seats(lines: Sequence[FeatureLine]) -> tuple[Seat, ...]:
    """Everybody who took part, in the order of their seats: who proposed what is known after every verdict."""
    found = sorted({taken for line in lines for taken in _taken(line)})
    repeated = Counter(name for _, name in found)
    return tuple(
        Seat(number, name, f"{name} (seat {number + 1})" if repeated[name] > 1 else name) for number, name in found
    )


def debater_tallies(lines: Sequence[FeatureLine]) -> tuple[DebaterTally, ...]:
    """One a seat."""
    return tuple(
        _tally([line for line in lines if (seat.number, seat.name) in _taken(line)], seat) for seat in seats(lines)
    )


def judge_spent(lines: Sequence[FeatureLine]) -> Spent:
    """What the judge's calls cost."""
    return sum((line.debate.measures.usage.judge for line in lines), Spent())


def quotes_by_status(lines: Sequence[FeatureLine]) -> dict[str, int]:
    """How every quote of every attempt, and of every further round, fared."""
    asked = [quote for line in lines for turn in line.debate.turns for quote in turn.quotes]
    asked += [quote for line in lines for answer in line.debate.added for quote in answer.quotes]
    return _sorted(Counter(quote.status for quote in asked))


def forfeits_by_reason(lines: Sequence[FeatureLine]) -> dict[str, int]:
    """Debaters that handed in nothing that could stand, by the kind of the last reason."""
    return _sorted(Counter(kind_of(forfeit.reason) for line in lines for forfeit in line.debate.forfeits))


def failures_by_kind(lines: Sequence[FeatureLine]) -> dict[str, int]:
    """Turns, rounds and votes that ended with a failure of a language model, by its kind."""
    said = [turn.problem for line in lines for turn in line.debate.turns]
    said += [part.reason for line in lines for part in line.debate.rounds]
    said += [vote.reason for line in lines for vote in line.debate.votes if not vote.answered]
    return _sorted(Counter(kind for reason in said if (kind := kind_of(reason)) in _FAILURE_KINDS))


def kind_of(reason: str) -> str:
    """The kind of a reason that names particulars: what it is about, without them.

    >>> kind_of("the argument has 91 words; at most 60 are allowed")
    'the argument is too long'
    """
    first = reason.strip().split("\n", 1)[0]
    for kind in _FAILURE_KINDS:
        if re.search(rf"(?:^|: ){re.escape(kind)}(?: after \d+ retries)?(?:$|[:;,(]| \()", first):
            return kind
    for pattern, kind in _REASONS:
        if pattern.match(first):
            return kind
    return re.sub(r"\d+", "N", re.sub(r'"[^"]*"', '"..."', first))[:80]


def _taken(line: FeatureLine) -> set[tuple[int, str]]:
    """Seats and names of those who took part in one debate."""
    taken = {(turn.seat, turn.debater) for turn in line.debate.turns}
    taken |= {(forfeit.seat, forfeit.debater) for forfeit in line.debate.forfeits}
    return taken.union(*(zip(side.seats, side.debaters, strict=True) for side in line.debate.sides))


def _tally(lines: Sequence[FeatureLine], seat: Seat) -> DebaterTally:
    """Over the features that it took part in."""
    stood = [(line.debate, side) for line in lines for side in line.debate.sides if seat.on(side)]
    judged = [(debate, side) for debate, side in stood if len(debate.sides) > 1]
    won = Counter(debate.outcome for debate, side in judged if side.label == debate.winner)
    turns = [turn for line in lines for turn in line.debate.turns if seat.of(turn)]
    quotes = [quote for turn in turns for quote in turn.quotes]
    added = [answer for line in lines for answer in line.debate.added if answer.seat == seat.number]
    quotes += [quote for answer in added for quote in answer.quotes]
    forfeits = [forfeit for line in lines for forfeit in line.debate.forfeits if seat.of(forfeit)]
    return DebaterTally(
        name=seat.shown,
        features=len(lines),
        stood=len(stood),
        judged=len(judged),
        chosen=won["chosen"],
        fallback=won["abstained"],
        shared=sum(len(side.seats) > 1 for _, side in judged),
        attempts=len(turns),
        forfeits=_sorted(Counter(kind_of(forfeit.reason) for forfeit in forfeits)),
        quotes=_sorted(Counter(quote.status for quote in quotes)),
        spent=sum((one for line in lines for one in line.debate.measures.usage.debaters if seat.of(one)), Spent()),
        repairs=sum((_of_seat(line.debate.repair_usage, seat) for line in lines), Spent()),
        control=sum((_of_seat(line.debate.control_usage, seat) for line in lines), Spent()),
    )


def _of_seat(spent: Sequence[Spent], seat: Seat) -> Spent:
    return spent[seat.number] if seat.number < len(spent) else Spent()


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
