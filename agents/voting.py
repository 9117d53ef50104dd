"""How a judge is asked and what its answers come to: every order, balanced labels, averages, and when it abstains."""

from __future__ import annotations

import itertools
import math
import random
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.judge import Ballot, Judge
from agents.procedure import PLAIN, Procedure
from agents.transcript import Abstained, Chosen, Side, Verdict, Vote
from agents.turns import Round
from agents.views import JudgeView, shown_rounds
from dsl.records import Evidence

CHOICE_MARGIN = 1 / 3
"""The lead that makes a choice where scores are not graded: a third of the orders."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One view for the judge to vote on, and which side stands in each of its places."""

    order: tuple[str, ...]
    view: JudgeView

    def vote(self, ballot: Ballot) -> Vote:
        """The ballot as recorded, with the sides' own labels; a label that was never offered is no answer."""
        sides = dict(zip(self.view.labels, self.order, strict=True))
        if ballot.label is not None and ballot.label not in sides:
            ballot = Ballot.failed(f"answered {ballot.label!r}, which is no label", ballot.thoughts, ballot.usage)
        scores = {side: ballot.scores.get(label, 0.0) for label, side in sides.items()} if ballot.answered else {}
        return Vote(
            order=self.order,
            shown=self.view.labels,
            label=None if ballot.label is None else sides[ballot.label],
            scores=tuple(sorted(scores.items())),
            none=ballot.none,
            graded=ballot.graded,
            reason=ballot.reason,
            answered=ballot.answered,
            thoughts=ballot.thoughts,
            usage=ballot.usage,
        )


def papers(
    sides: Sequence[Side],
    evidence: Evidence,
    rng: random.Random,
    procedure: Procedure = PLAIN,
    rounds: Sequence[Round] = (),
) -> list[Paper]:
    """All that the judge is to vote on: the sides in every order under balanced labels, or each side alone.

    Which side is which in the orders is drawn, and so is which label has which number in the `labellings`.
    """
    numbered = list(range(len(sides)))
    rng.shuffle(numbered)
    offered = letters(len(sides))
    rng.shuffle(offered)
    arranged: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]
    if procedure.format == "consultancy":
        arranged = [((number,), (number,)) for number in range(len(sides))]
    else:
        arranged = zip(orders(len(sides)), labellings(len(sides)), strict=True)
    made: list[Paper] = []
    for order, labels in arranged:
        standing = [(offered[label], sides[numbered[number]]) for number, label in zip(order, labels, strict=True)]
        made.append(paper(standing, evidence, rounds, procedure.shown == "quotes"))
    return made


def paper(
    standing: Sequence[tuple[str, Side]], evidence: Evidence, rounds: Sequence[Round] = (), quoted: bool = True
) -> Paper:
    """What a judge sees where these sides stand in this order, under these labels."""
    labels = {side.label: label for label, side in standing}
    view = JudgeView.of(
        [(label, side.argument) for label, side in standing],
        evidence,
        shown_rounds(rounds, labels, evidence, quoted),
        quoted,
    )
    return Paper(tuple(labels), view)


def cast(ballot_papers: Sequence[Paper], judge: Judge) -> tuple[Vote, ...]:
    """The judge's answers to all of them, asked for together."""
    ballots = judge.votes([paper.view for paper in ballot_papers])
    return tuple(paper.vote(ballot) for paper, ballot in zip(ballot_papers, ballots, strict=True))


def decide(sides: Sequence[Side], votes: Sequence[Vote], margin: float, agreement: float) -> Verdict:
    """Scores averaged over the answered orders decide, if enough were answered, lead clearly and agree.

    A share of `agreement` of all orders must be answered, and as many must agree with the choice. Where the judge
    scores NONE too and that has the highest average, it abstains. Graded scores are never averaged with others: unless
    all answers have them, each answer counts as its choice, and a choice takes CHOICE_MARGIN.
    """
    answered = [vote for vote in votes if vote.answered]
    needed = math.ceil(agreement * len(votes) - 1e-9)
    if len(answered) < needed:
        return Abstained(
            f"{len(answered)} of {len(votes)} orders were answered; a choice takes {needed} ({_why(votes)})"
        )
    if all(vote.label is None for vote in answered):
        return Abstained(f"the judge preferred none of the sides in any of {len(answered)} orders")
    graded = all(vote.graded for vote in answered)
    scores = [dict(vote.scores) if graded else {vote.label or "": 1.0} for vote in answered]
    average = {side.label: _mean([score.get(side.label, 0.0) for score in scores]) for side in sides}
    first, lead = _leader(average)
    least = margin if graded else CHOICE_MARGIN
    none = [vote.none if graded else float(vote.label is None) for vote in answered]
    scored = [score for score in none if score is not None]
    if len(scored) == len(answered) and _mean(scored) >= average[first]:
        return Abstained(f"NONE scores {_mean(scored):.4f} on average, the best side {average[first]:.4f}")
    if lead <= 0 or lead < least:
        return Abstained(f"the best side leads by {lead:.4f}; a choice takes {least:.4f}")
    agreeing = Counter(vote.label for vote in answered)[first]
    if agreeing < needed:
        return Abstained(f"{agreeing} of {len(votes)} orders agree; a choice takes {agreement:.0%} of them")
    return Chosen([side.label for side in sides].index(first), lead, agreeing)


def decide_alone(sides: Sequence[Side], votes: Sequence[Vote], margin: float) -> Verdict:
    """Each side was judged alone: the best supported wins, if it is supported at all and leads clearly.

    Support is the score of YES less that of NO. A side that was not judged cannot have lost: a choice takes an answer
    for each.
    """
    if any(not vote.answered for vote in votes):
        heard = sum(vote.answered for vote in votes)
        return Abstained(f"{heard} of {len(votes)} sides were judged; a choice takes all of them ({_why(votes)})")
    if all(vote.label is None for vote in votes):
        return Abstained(f"the judge said no to each of {len(votes)} sides")
    graded = all(vote.graded for vote in votes)
    support = {}
    for vote in votes:
        [side] = vote.order
        support[side] = dict(vote.scores)[side] - (vote.none or 0.0) if graded else float(vote.label == side)
    first, lead = _leader(support)
    least = margin if graded else CHOICE_MARGIN
    if lead <= 0 or lead < least:
        return Abstained(f"the best supported side leads by {lead:.4f}; a choice takes {least:.4f}")
    if next(vote.label for vote in votes if vote.order == (first,)) is None:
        return Abstained("the judge said no to the best supported side")
    return Chosen([side.label for side in sides].index(first), lead, 1)


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


def _leader(scores: dict[str, float]) -> tuple[str, float]:
    first, second = sorted(scores, key=lambda label: -scores[label])[:2]
    return first, scores[first] - scores[second]


def _why(votes: Sequence[Vote]) -> str:
    """The commonest reason for having no answer."""
    return Counter(vote.reason for vote in votes if not vote.answered).most_common(1)[0][0]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
