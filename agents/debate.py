"""A debate: everybody proposes alone, what says the same merges, and the judge sees what is left in every order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agents.debater import Debater
from agents.judge import Judge
from agents.quotes import Quote, QuoteRequest, Rejected, share_of_tokens, verify_all
from agents.transcript import (
    Abstained,
    Argument,
    Consensus,
    Forfeit,
    Proposal,
    Side,
    Transcript,
    Turn,
    Verdict,
    Vote,
)
from agents.voting import cast, decide, letters, papers
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
        ballot_papers = papers(sides, evidence, random.Random(f"{seed} orders"))
        if calls.spend(len(ballot_papers)):
            votes = cast(ballot_papers, judge)
            verdict = decide(sides, votes, judge.margin, settings.agreement)
        else:
            verdict = Abstained(_SPENT)
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


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a proposal must satisfy before it is an argument."""

    settings: Settings
    lexicon: Lexicon | None
    share: int | None

    def check(self, proposal: Proposal, evidence: Evidence) -> tuple[tuple[Quote | Rejected, ...], Argument | str]:
        """How each quote fared, and the argument, or the problem in words that its debater can act on."""
        if proposal.failure:
            return (), proposal.failure
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

    def spend(self, count: int = 1) -> bool:
        """Whether there were as many left; if not, none is spent."""
        enough = count <= self.left
        self.left -= count if enough else 0
        return enough


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
    labels = letters(len(seats))
    random.Random(f"{seed} labels").shuffle(labels)
    return tuple(_side(taken, label, cases, debaters, dev_score) for taken, label in zip(seats, labels, strict=True))


def _side(
    taken: list[int], label: str, cases: dict[int, Argument], debaters: Sequence[Debater], dev_score: DevScore
) -> Side:
    """Of explanations that say the same the shortest stands for all; of equally short ones the first."""
    argument = cases[min(taken, key=lambda seat: bits(cases[seat].explanation))]
    names = tuple(debaters[seat].name for seat in taken)
    return Side(argument, label, tuple(taken), names, dev_score(argument.explanation))


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
