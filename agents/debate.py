"""A debate: everybody proposes alone, what says the same merges, and the judge sees what is left in every order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agents.allowance import Allowance
from agents.debater import Debater
from agents.judge import Judge, Prompted
from agents.procedure import PLAIN, Procedure
from agents.quotes import Quote, QuoteRequest, Rejected, share_of_tokens, verify_all
from agents.rounds import Hearing, Shuffled, Speaker
from agents.transcript import Abstained, Consensus, Side, Transcript, Verdict, Vote
from agents.turns import Argument, Forfeit, Proposal, Round, Turn
from agents.voting import cast, decide, decide_alone, letters, orders, papers
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

    `attempts` counts proposals of one debater, `calls` those of all debaters, what they and the judge say in rounds,
    and the judge's votes together; once language models have read and written so many `tokens`, no further one of
    these begins. `words` bounds an argument's text, `characters` the canonical text of an explanation. `agreement` is
    the share of orders that must be answered, and that must agree with the choice.
    """

    attempts: int = 3
    calls: int = 200
    tokens: int | None = None
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
    procedure: Procedure = PLAIN,
) -> Transcript:
    """Hold one debate on one feature's evidence; the same arguments and seed give the same transcript.

    `dev_score` rates an explanation on examples that nobody here sees: it breaks ties and picks the fallback when the
    judge abstains. `lexicon` expands the short forms of explanations that were proposed as text. `procedure` says what
    the judge sees, and what is said before it votes.

    >>> transcript = debate(evidence, debaters, BuiltinJudge(), dev_score, random.Random(0))  # doctest: +SKIP
    >>> transcript.outcome, transcript.winner.argument.canonical  # doctest: +SKIP
    ('chosen', 'activates on the token " pizza"')
    """
    seed = str(rng.getrandbits(64))
    rules = _Rules(settings, lexicon, share_of_tokens(evidence, max(1, len(debaters))))
    allowance = Allowance(settings.calls, settings.tokens)
    shuffled = Shuffled.of(evidence, random.Random(f"{seed} shuffle"))
    turns, cases, forfeits = _propose(shuffled, debaters, rules, allowance, seed)
    sides = _sides(cases, debaters, dev_score, seed)
    rounds: tuple[Round, ...] = ()
    votes: tuple[Vote, ...] = ()
    verdict: Verdict
    if not sides:
        verdict = Abstained("every debater forfeited" if debaters else "there were no debaters")
    elif len(sides) == 1:
        verdict = Consensus(0)
    else:
        speakers = {side.label: _speaker(side, debaters, cases) for side in sides}
        hearing = Hearing(sides, speakers, shuffled, rules.share, procedure, allowance, seed)
        count = len(sides) if procedure.format == "consultancy" else len(orders(len(sides)))
        rounds = hearing.hold(judge, keep=count)
        if refused := allowance.refusal(count):
            verdict = Abstained(refused)
        else:
            votes = cast(papers(sides, evidence, random.Random(f"{seed} orders"), procedure, rounds), judge)
            match procedure.format:
                case "debate":
                    verdict = decide(sides, votes, judge.margin, settings.agreement)
                case "consultancy":
                    verdict = decide_alone(sides, votes, judge.margin)
    best = _best_by_dev(sides, seed)
    prompts = judge.prompts if isinstance(judge, Prompted) else ""
    return Transcript(evidence, turns, sides, forfeits, votes, verdict, best, rounds, procedure, judge.name, prompts)


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


@dataclass(frozen=True, slots=True)
class _Case:
    """An argument that stands, and the same with its quotes in the numbers that its debater saw."""

    argument: Argument
    as_shown: Argument


def _propose(
    shuffled: Shuffled, debaters: Sequence[Debater], rules: _Rules, allowance: Allowance, seed: str
) -> tuple[tuple[Turn, ...], dict[int, _Case], tuple[Forfeit, ...]]:
    """Each debater alone, on the same examples in the same shuffled order; at most so many attempts each."""
    turns: list[Turn] = []
    cases: dict[int, _Case] = {}
    forfeits: list[Forfeit] = []
    for seat, debater in enumerate(debaters):
        problem, attempt = "", 0
        while seat not in cases and attempt < rules.settings.attempts:
            if refused := allowance.refusal():
                problem = refused
                break
            attempt += 1
            proposal = debater.propose(shuffled.shown, random.Random(f"{seed} {seat} {attempt}"), problem)
            allowance.use(proposal.usage)
            answer = rules.check(proposal, shuffled.shown)[1]
            problem = answer if isinstance(answer, str) else ""  # speaks of examples by the numbers that it was shown
            proposal = replace(proposal, quotes=tuple(map(shuffled.renumbered, proposal.quotes)))
            answers, case = rules.check(proposal, shuffled.evidence)
            turns.append(Turn(debater.name, seat, attempt, proposal, answers, problem))
            if isinstance(case, Argument) and isinstance(answer, Argument):
                cases[seat] = _Case(case, answer)
        if seat not in cases:
            forfeits.append(Forfeit(debater.name, seat, attempt, problem))
    return tuple(turns), cases, tuple(forfeits)


def _sides(cases: dict[int, _Case], debaters: Sequence[Debater], dev_score: DevScore, seed: str) -> tuple[Side, ...]:
    """Explanations that provably predict the same merge; labels are drawn without regard to who sits where."""
    seats: list[list[int]] = []
    for seat, case in cases.items():
        same = (taken for taken in seats if equivalent(cases[taken[0]].argument.explanation, case.argument.explanation))
        merged = next(same, None)
        if merged is None:
            seats.append([seat])
        else:
            merged.append(seat)
    labels = letters(len(seats))
    random.Random(f"{seed} labels").shuffle(labels)
    return tuple(_side(taken, label, cases, debaters, dev_score) for taken, label in zip(seats, labels, strict=True))


def _side(
    taken: list[int], label: str, cases: dict[int, _Case], debaters: Sequence[Debater], dev_score: DevScore
) -> Side:
    """Of explanations that say the same the shortest stands for all; of equally short ones the first."""
    argument = cases[_shortest(taken, cases)].argument
    names = tuple(debaters[seat].name for seat in taken)
    return Side(argument, label, tuple(taken), names, dev_score(argument.explanation))


def _speaker(side: Side, debaters: Sequence[Debater], cases: dict[int, _Case]) -> Speaker:
    seat = _shortest(side.seats, cases)
    return Speaker(debaters[seat], seat, cases[seat].as_shown)


def _shortest(seats: Sequence[int], cases: dict[int, _Case]) -> int:
    return min(seats, key=lambda seat: bits(cases[seat].argument.explanation))


def _best_by_dev(sides: Sequence[Side], seed: str) -> int | None:
    """The side of the highest dev score; of equals the shortest in bits, then by a seeded hash of its text."""

    def rank(number: int) -> tuple[float, float, str]:
        explanation = sides[number].argument.explanation
        drawn = hashlib.sha256(f"{seed} {render(explanation)}".encode("utf-8", "surrogatepass")).hexdigest()
        return -sides[number].dev_score, bits(explanation), drawn

    return min(range(len(sides)), key=rank, default=None)


def _fires(evidence: Evidence) -> bool:
    return any(example.peak >= evidence.thresholds.high for example in evidence.examples)


def _no_firing_quote(requests: Sequence[QuoteRequest], answers: Sequence[Quote | Rejected]) -> str:
    said = [
        f'quote {number} ("{request.text}"): {answer if isinstance(answer, Rejected) else "it is silent there"}'
        for number, (request, answer) in enumerate(zip(requests, answers, strict=True), start=1)
    ]
    return "; ".join(["no verified quote shows a token on which the feature fires", *said])
