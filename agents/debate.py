"""A debate: everybody proposes alone, what says the same merges, and the judge sees what is left in every order."""

from __future__ import annotations

import hashlib
import itertools
import random
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from agents.debater import Debater
from agents.judge import Ballot, Judge
from agents.quotes import Quote, QuoteRequest, Rejected, share_of_tokens, verify_all
from agents.transcript import (
    Abstained,
    Argument,
    Chosen,
    Consensus,
    Forfeit,
    JudgeView,
    Proposal,
    Side,
    Transcript,
    Turn,
    Verdict,
    Vote,
)
from dsl.complexity import bits
from dsl.errors import ExplanationError
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Evidence
from dsl.render import render
from dsl.subsumption import equivalent

DevScore = Callable[[Explanation], float]


@dataclass(frozen=True, slots=True)
class Settings:
    """The limits of a debate; reaching one is an outcome in the transcript, never an error.

    `attempts` counts proposals of one debater, `calls` those of all debaters and the judge's votes together. `words`
    bounds an argument's text, `characters` the canonical text of an explanation. `agreement` is the share of orders
    that must agree with the choice.
    """

    attempts: int = 3
    calls: int = 200
    quotes: int = 3
    words: int = 60
    characters: int = 4_000
    agreement: float = 2 / 3


def debate(
    evidence: Evidence,
    debaters: Sequence[Debater],
    judge: Judge,
    dev_score: DevScore,
    rng: random.Random,
    settings: Settings = Settings(),
    lexicon: Lexicon | None = None,
) -> Transcript:
    """Hold one debate on one feature's evidence; the same arguments and seed give the same transcript.

    `dev_score` rates an explanation on examples that nobody here sees: it breaks ties and picks the fallback when the
    judge abstains. `lexicon` expands the short forms of explanations that were proposed as text.

    >>> transcript = debate(evidence, debaters, BuiltinJudge(), dev_score, random.Random(0))  # doctest: +SKIP
    >>> transcript.outcome, transcript.winner.argument.canonical  # doctest: +SKIP
    ('chosen', 'activates on the token " pizza"')
    """
    seed = str(rng.getrandbits(64))
    rules = _Rules(settings, lexicon, share_of_tokens(evidence, max(1, len(debaters))))
    calls = _Calls(settings.calls)
    turns, cases, forfeits = _propose(evidence, debaters, rules, calls, seed)
    sides = _sides(cases, debaters, dev_score, seed)
    best = _best_by_dev(sides, seed)
    votes: tuple[Vote, ...] = ()
    verdict: Verdict
    if not sides:
        verdict = Abstained("every debater forfeited" if debaters else "there were no debaters")
    elif len(sides) == 1:
        verdict = Consensus(0)
    else:
        votes, complete = _votes(sides, evidence, judge, calls, seed)
        verdict = _verdict(sides, votes, judge.margin, settings.agreement) if complete else Abstained(_SPENT)
    return Transcript(evidence, turns, sides, forfeits, votes, verdict, best)


def admit(
    proposal: Proposal,
    evidence: Evidence,
    *,
    sides: int = 3,
    settings: Settings = Settings(),
    lexicon: Lexicon | None = None,
) -> Argument | str:
    """Hold one proposal, such as a repair, to the rules of a debate of so many sides: an argument, or what is wrong."""
    rules = _Rules(settings, lexicon, share_of_tokens(evidence, sides))
    return rules.check(proposal, evidence)[1]


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


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a proposal must satisfy before it is an argument."""

    settings: Settings
    lexicon: Lexicon | None
    share: int | None

    def check(self, proposal: Proposal, evidence: Evidence) -> tuple[tuple[Quote | Rejected, ...], Argument | str]:
        """How each quote fared, and the argument, or the problem in words that its debater can act on."""
        if len(proposal.quotes) > self.settings.quotes:
            return (), f"{len(proposal.quotes)} quotes; at most {self.settings.quotes} are allowed"
        answers = verify_all(proposal.quotes, evidence, self.share)
        if len(words := proposal.argument.split()) > self.settings.words:
            return answers, f"the argument has {len(words)} words; at most {self.settings.words} are allowed"
        explanation = proposal.explanation
        if isinstance(explanation, str):
            try:
                explanation = parse(explanation, self.lexicon)
            except ExplanationError as error:
                return answers, str(error)
        if (length := len(render(explanation))) > self.settings.characters:
            return answers, f"the explanation has {length} characters; at most {self.settings.characters} are allowed"
        quotes = tuple(answer for answer in answers if isinstance(answer, Quote))
        if _fires(evidence) and not any(any(quote.firing(evidence)) for quote in quotes):
            return answers, _no_firing_quote(proposal.quotes, answers)
        return answers, Argument(explanation, quotes, proposal.argument)


@dataclass(slots=True)
class _Calls:
    """How many calls the debate has left."""

    left: int

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


_SPENT = "the debate's limit of calls was reached"


def _propose(
    evidence: Evidence, debaters: Sequence[Debater], rules: _Rules, calls: _Calls, seed: str
) -> tuple[tuple[Turn, ...], dict[int, Argument], tuple[Forfeit, ...]]:
    """Each debater alone, on the same examples in the same shuffled order; at most so many attempts each."""
    shown, numbers = _shuffled(evidence, random.Random(f"{seed} shuffle"))
    turns: list[Turn] = []
    cases: dict[int, Argument] = {}
    forfeits: list[Forfeit] = []
    for seat, debater in enumerate(debaters):
        problem, attempt = "", 0
        while seat not in cases and attempt < rules.settings.attempts:
            if not calls.spend():
                problem = _SPENT
                break
            attempt += 1
            proposal = debater.propose(shown, random.Random(f"{seed} {seat} {attempt}"), problem)
            answer = rules.check(proposal, shown)[1]
            problem = answer if isinstance(answer, str) else ""  # speaks of examples by the numbers that it was shown
            proposal = replace(proposal, quotes=tuple(_renumbered(quote, numbers) for quote in proposal.quotes))
            answers, case = rules.check(proposal, evidence)
            turns.append(Turn(debater.name, seat, attempt, proposal, answers, problem))
            if isinstance(case, Argument):
                cases[seat] = case
        if seat not in cases:
            forfeits.append(Forfeit(debater.name, seat, attempt, problem))
    return tuple(turns), cases, tuple(forfeits)


def _sides(cases: dict[int, Argument], debaters: Sequence[Debater], dev_score: DevScore, seed: str) -> tuple[Side, ...]:
    """Explanations that provably predict the same merge; labels are drawn without regard to who sits where."""
    seats: list[list[int]] = []
    for seat, case in cases.items():
        same = (taken for taken in seats if equivalent(cases[taken[0]].explanation, case.explanation))
        merged = next(same, None)
        if merged is None:
            seats.append([seat])
        else:
            merged.append(seat)
    labels = list(itertools.islice(_labels(), len(seats)))
    random.Random(f"{seed} labels").shuffle(labels)
    return tuple(_side(taken, label, cases, debaters, dev_score) for taken, label in zip(seats, labels, strict=True))


def _side(
    taken: list[int], label: str, cases: dict[int, Argument], debaters: Sequence[Debater], dev_score: DevScore
) -> Side:
    """Of explanations that say the same the shortest stands for all; of equally short ones the first."""
    argument = cases[min(taken, key=lambda seat: bits(cases[seat].explanation))]
    names = tuple(debaters[seat].name for seat in taken)
    return Side(argument, label, tuple(taken), names, dev_score(argument.explanation))


def _labels() -> Iterator[str]:
    """A to Z, then A2 to Z2, and so on."""
    for turn in itertools.count(1):
        yield from (letter + (str(turn) if turn > 1 else "") for letter in string.ascii_uppercase)


def _votes(
    sides: Sequence[Side], evidence: Evidence, judge: Judge, calls: _Calls, seed: str
) -> tuple[tuple[Vote, ...], bool]:
    """The judge's answer to every order, and whether the calls sufficed for all of them."""
    numbered = list(range(len(sides)))
    random.Random(f"{seed} orders").shuffle(numbered)
    votes: list[Vote] = []
    for order in orders(len(sides)):
        if not calls.spend():
            return tuple(votes), False
        standing = [sides[numbered[number]] for number in order]
        view = JudgeView.of([(side.label, side.argument) for side in standing], evidence)
        votes.append(_vote(judge.vote(view), view.labels))
    return tuple(votes), True


def _vote(ballot: Ballot, labels: tuple[str, ...]) -> Vote:
    """The ballot as recorded; a label that was never offered counts as none."""
    scores = tuple((label, ballot.scores.get(label, 0.0)) for label in sorted(labels))
    if ballot.label is None or ballot.label in labels:
        return Vote(labels, ballot.label, scores, ballot.reason)
    return Vote(labels, None, scores, f"answered {ballot.label!r}, which is no label")


def _verdict(sides: Sequence[Side], votes: Sequence[Vote], margin: float, agreement: float) -> Verdict:
    """Scores averaged over orders decide, if the lead is clear and enough of the orders agree with it."""
    labels = [side.label for side in sides]
    average = {label: sum(dict(vote.scores)[label] for vote in votes) / len(votes) for label in labels}
    first, second = sorted(labels, key=lambda label: -average[label])[:2]
    lead = average[first] - average[second]
    if lead <= 0 or lead < margin:
        return Abstained(f"the best side leads by {lead:.4f}; a choice takes {margin:.4f}")
    agreeing = Counter(vote.label for vote in votes)[first]
    if agreeing < agreement * len(votes):
        return Abstained(f"{agreeing} of {len(votes)} orders agree; a choice takes {agreement:.0%} of them")
    return Chosen(labels.index(first), lead, agreeing)


def _best_by_dev(sides: Sequence[Side], seed: str) -> int | None:
    """The side of the highest dev score; of equals the shortest in bits, then by a seeded hash of its text."""

    def rank(number: int) -> tuple[float, float, str]:
        explanation = sides[number].argument.explanation
        drawn = hashlib.sha256(f"{seed} {render(explanation)}".encode("utf-8", "surrogatepass")).hexdigest()
        return -sides[number].dev_score, bits(explanation), drawn

    return min(range(len(sides)), key=rank, default=None)


def _shuffled(evidence: Evidence, rng: random.Random) -> tuple[Evidence, list[int]]:
    """The evidence with its examples shuffled, and each one's number in the original."""
    numbers = list(range(len(evidence.examples)))
    rng.shuffle(numbers)
    return replace(evidence, examples=tuple(evidence.examples[number] for number in numbers)), numbers


def _renumbered(request: QuoteRequest, numbers: list[int]) -> QuoteRequest:
    """From the shuffled numbers that debaters see to the evidence's own; a number out of range stays out of range."""
    if request.example is None or not 0 <= request.example < len(numbers):
        return request
    return replace(request, example=numbers[request.example])


def _fires(evidence: Evidence) -> bool:
    return any(example.peak >= evidence.thresholds.high for example in evidence.examples)


def _no_firing_quote(requests: Sequence[QuoteRequest], answers: Sequence[Quote | Rejected]) -> str:
    said = [
        f'quote {number} ("{request.text}"): {answer if isinstance(answer, Rejected) else "it is silent there"}'
        for number, (request, answer) in enumerate(zip(requests, answers, strict=True), start=1)
    ]
    return "; ".join(["no verified quote shows a token on which the feature fires", *said])
