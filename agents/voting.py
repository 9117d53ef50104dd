"""How a judge is asked and what its answers come to: every order, balanced labels, averages, and when it abstains."""

from __future__ import annotations

import itertools
import math
import random
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.judge import Ballot, Judge
from agents.transcript import Abstained, Chosen, JudgeView, Side, Verdict, Vote
from dsl.records import Evidence


@dataclass(frozen=True, slots=True)
class Paper:
    """One view for the judge to vote on, and which side stands in each of its places."""

    order: tuple[str, ...]
    view: JudgeView

    def vote(self, ballot: Ballot) -> Vote:
        """The ballot as recorded, with the sides' own labels; a label that was never offered is no answer."""
        sides = dict(zip(self.view.labels, self.order, strict=True))
        if ballot.label is not None and ballot.label not in sides:
            reason = f"answered {ballot.label!r}, which is no label"
            return Vote(self.order, self.view.labels, None, (), None, reason, False, ballot.thoughts, ballot.usage)
        return Vote(
            order=self.order,
            shown=self.view.labels,
            label=None if ballot.label is None else sides[ballot.label],
            scores=tuple(sorted((sides[label], ballot.scores.get(label, 0.0)) for label in sides))
            if ballot.answered
            else (),
            none=ballot.none,
            reason=ballot.reason,
            answered=ballot.answered,
            thoughts=ballot.thoughts,
            usage=ballot.usage,
        )


def papers(sides: Sequence[Side], evidence: Evidence, rng: random.Random) -> list[Paper]:
    """The sides in every order that a judge is to see, under labels drawn anew for each; see `labellings`."""
    numbered = list(range(len(sides)))
    rng.shuffle(numbered)
    offered = letters(len(sides))
    rng.shuffle(offered)
    made: list[Paper] = []
    for order, labels in zip(orders(len(sides)), labellings(len(sides)), strict=True):
        standing = [sides[numbered[number]] for number in order]
        shown = [(offered[label], side.argument) for label, side in zip(labels, standing, strict=True)]
        made.append(Paper(tuple(side.label for side in standing), JudgeView.of(shown, evidence)))
    return made


def cast(ballot_papers: Sequence[Paper], judge: Judge) -> tuple[Vote, ...]:
    """The judge's answers to all of them, asked for together."""
    ballots = judge.votes([paper.view for paper in ballot_papers])
    return tuple(paper.vote(ballot) for paper, ballot in zip(ballot_papers, ballots, strict=True))


def decide(sides: Sequence[Side], votes: Sequence[Vote], margin: float, agreement: float) -> Verdict:
    """Scores averaged over the answered orders decide, if enough were answered, lead clearly and agree.

    A share of `agreement` of all orders must be answered, and as many must agree with the choice. Where the judge
    scores NONE too and that has the highest average, it abstains.
    """
    answered = [vote for vote in votes if vote.answered]
    needed = math.ceil(agreement * len(votes) - 1e-9)
    if len(answered) < needed:
        why = Counter(vote.reason for vote in votes if not vote.answered).most_common(1)[0][0]
        return Abstained(f"{len(answered)} of {len(votes)} orders were answered; a choice takes {needed} ({why})")
    labels = [side.label for side in sides]
    average = {label: _mean([dict(vote.scores)[label] for vote in answered]) for label in labels}
    first, second = sorted(labels, key=lambda label: -average[label])[:2]
    if all(vote.label is None for vote in answered):
        return Abstained(f"the judge preferred none of the sides in any of {len(answered)} orders")
    none = [vote.none for vote in answered if vote.none is not None]
    if len(none) == len(answered) and _mean(none) >= average[first]:
        return Abstained(f"NONE scores {_mean(none):.4f} on average, the best side {average[first]:.4f}")
    lead = average[first] - average[second]
    if lead <= 0 or lead < margin:
        return Abstained(f"the best side leads by {lead:.4f}; a choice takes {margin:.4f}")
    agreeing = Counter(vote.label for vote in answered)[first]
    if agreeing < needed:
        return Abstained(f"{agreeing} of {len(votes)} orders agree; a choice takes {agreement:.0%} of them")
    return Chosen(labels.index(first), lead, agreeing)


def orders(sides: int) -> tuple[tuple[int, ...], ...]:
    """In which orders the judge sees so many sides: every one up to three, a balanced square above.

    Above three, each side stands in each place equally often, and right before each other side equally often, in
    n orders for even n and 2n for odd n: E. J. Williams, "Experimental designs balanced for the estimation of residual
    effects of treatments", 1949.

    >>> orders(4)
    ((0, 1, 3, 2), (1, 2, 0, 3), (2, 3, 1, 0), (3, 0, 2, 1))
    """
    if sides <= 3:
        return tuple(itertools.permutations(range(sides)))
    zigzag = [(number + 1) // 2 if number % 2 else -(number // 2) for number in range(sides)]
    square = [tuple((step + shift) % sides for step in zigzag) for shift in range(sides)]
    mirrored = [order[::-1] for order in square] if sides % 2 else []
    return tuple(square + mirrored)


def labellings(sides: int) -> tuple[tuple[int, ...], ...]:
    """For each of the `orders`, the number of the label in each place.

    Over all orders each side stands under each label equally often; for an odd number of sides so does each place (with
    the orders this makes a Graeco-Latin square). For two sides labels can only follow the places or oppose them, which
    is why `papers` draws anew, for each debate, which label has which number.

    >>> orders(3)[1], labellings(3)[1], orders(3)[2], labellings(3)[2]
    ((0, 2, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0))
    """
    return tuple(tuple((side + order[0]) % sides for side in order) for order in orders(sides))


def letters(count: int) -> list[str]:
    """Labels for so many sides: A to Z, then A2 to Z2, and so on."""
    return list(itertools.islice(_letters(), count))


def _letters() -> Iterator[str]:
    for turn in itertools.count(1):
        yield from (letter + (str(turn) if turn > 1 else "") for letter in string.ascii_uppercase)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
