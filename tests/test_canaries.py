"""A canary in every field that a judge must not see, and a look through all that is sent to one; the same for rivals.

Fields are found by walking the records of a debate, not by name: a field added tomorrow that holds text or numbers must
be planted here, or stand in one of the tables below with what it may hold.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from trials import BROAD, DOG, PIZZA, explanations, planted

from agents.debate import debate
from agents.debater import TextDebater
from agents.lm import Failure, Free, Labels, Request, Usage
from agents.lm_debater import LMDebater
from agents.lm_judge import LMJudge
from agents.procedure import Procedure
from agents.quotes import Quote, QuoteRequest
from agents.scripted_debating import answer_as_debater
from agents.scripted_lm import ScriptedLM
from agents.transcript import Transcript
from agents.turns import Argument, Proposal, Scratchpad
from agents.views import JudgeView
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Evidence, Example, Thresholds
from prompts import load

CANARY, NUMBER = "KANARI", "86753"

VOCABULARY = {
    "Abstained.reason": "words of the debate about counts, or a vote's reason",
    "Answer.reason": "words of the debate",
    "Answer.side": "a side's label",
    "Procedure.format": "one of two",
    "Procedure.shown": "one of two",
    "Quote.status": "one of a few",
    "Rejected.status": "one of a few",
    "Transcript.prompts": "names of prompts",
    "Round.kind": "one of two",
    "Round.names": "S1 and so on, and labels",
    "Round.question": "the judge's own words, which debaters and judge read",
    "Side.label": "a label",
    "Vote.label": "a label",
    "Vote.order": "labels",
    "Vote.scores": "labels",
    "Vote.shown": "labels",
}
"""Texts in which no canary can stand, for they are not free."""

COUNTED = {
    *("Answer.seat", "Turn.seat", "Forfeit.seat", "Side.seats", "Turn.attempt", "Forfeit.attempts"),
    *("Quote.example", "Quote.start", "Quote.stop", "QuoteRequest.example", "QuoteRequest.start", "QuoteRequest.stop"),
    *("Rejected.places", "Transcript.best_by_dev", "Chosen.side", "Chosen.votes", "Chosen.margin", "Vote.none"),
    *("Procedure.rebuttals", "Procedure.questions", "Procedure.further", "Procedure.words", "Vote.scores"),
}
"""Numbers too small to be told from others, or computed from what the judge said."""

PROCEDURES = {
    "plain": Procedure(),
    "explanations": Procedure(shown="explanations"),
    "consultancy": Procedure(format="consultancy", questions=2),
    "rounds": Procedure(rebuttals=2, questions=2),
}


def leaves(value: object, field: str = "") -> Iterator[tuple[str, object]]:
    """Everything that a record holds, however deep, beside the class and field that hold it."""
    if isinstance(value, Explanation):
        return  # every explanation on trial is for all to see; one that did not parse is a text, and walked
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from leaves(getattr(value, each.name), f"{type(value).__name__}.{each.name}")
    elif isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item, field)
    elif isinstance(value, dict):
        for pair in value.items():
            yield from leaves(pair, field)
    else:
        assert value is None or isinstance(value, str | int | float), f"{field} holds a {type(value)}: walk that too"
        yield field, value


class Seeded(random.Random):
    """Gives a debate a seed that can be looked for."""

    def getrandbits(self, k: int) -> int:
        return int(f"{NUMBER}1{NUMBER}2{NUMBER}") if k == 64 else super().getrandbits(k)


class Talkative(TextDebater):
    """Fails at first, and says canaries wherever a debater may say anything."""

    def __init__(self, text: str, seat: int) -> None:
        super().__init__(text, name=f"{CANARY} seat {seat} name")
        self.seat = seat
        self.spent = Usage()
        self.heard: list[tuple[JudgeView, str]] = []

    def said(self, what: str) -> str:
        return f"{CANARY} seat {self.seat} {what}"

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        usage = Usage(*(int(f"{NUMBER}{self.seat}{number}") for number in range(4)))
        pad = Scratchpad((self.said("scratchpad"),))
        typo = evidence.examples[self.seat].context.text.replace("the", "teh", 1)
        missed = (QuoteRequest(self.said("refused quote")), QuoteRequest(typo))
        if not problem:
            return Proposal(self.said("nonsense"), missed, self.said("argument"), pad, usage)
        found = super().propose(evidence, rng, problem)
        quotes = (*found.quotes[:2], missed[0])
        return dataclasses.replace(found, quotes=quotes, argument=self.said("argument"), scratchpad=pad, usage=usage)

    def further_quotes(
        self, evidence: Evidence, own: Argument, view: JudgeView, rng: random.Random, question: str = ""
    ) -> Sequence[QuoteRequest]:
        self.heard.append((view, question))
        self.spent += Usage(int(NUMBER), int(NUMBER), int(NUMBER), int(NUMBER))
        return [QuoteRequest(self.said("rebuttal")), *super().further_quotes(evidence, own, view, rng, question)]


class Silent(TextDebater):
    """Hands in nothing that could stand."""

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        del evidence, rng, problem
        return Proposal("", (), failure=f"{CANARY} seat 4 forfeit")


def birdcage() -> Evidence:
    """Evidence with a canary in every field; each text ends in one, in a token that nobody picks for a quote."""
    plain = planted(PIZZA, rows=20)
    examples = tuple(
        Example(
            Context(
                (*example.context.tokens, f" {CANARY} text {row}"),
                tuple(range(8_675_300, 8_675_321)),
                8_675_300 + row,
                f"{CANARY} document {row}",
            ),
            (*(1 + float(f"0.{NUMBER}{row}") if value else 0.0 for value in example.activations), 0.1),
        )
        for row, example in enumerate(plain.examples)
    )
    thresholds = Thresholds(float(f"0.2{NUMBER}"), float(f"0.02{NUMBER}"), float(f"2.{NUMBER}"))
    stands_for = tuple(float(f"{NUMBER}.{row}") for row in range(len(examples)))
    return Evidence(f"{CANARY}/{NUMBER}", examples, thresholds, float(f"0.4{NUMBER}"), None, stands_for)


@dataclasses.dataclass(frozen=True)
class Trial:
    """One debate: what is on record, what the judge's model and the debater's were sent, and what rivals heard."""

    transcript: Transcript
    judge: ScriptedLM
    debater: ScriptedLM
    rivals: tuple[Talkative, ...]


@cache
def trial(procedure: str, thinks: bool) -> Trial:
    counted = iter(range(1_000))

    def judged(request: Request) -> str | Failure:
        number = next(counted)
        if isinstance(request.constraint, Free):
            if "Write the question" not in request.messages[-1].text:
                return f"{CANARY} judge thought {number}"
            return "Is it S1 or S2?" if number else Failure("timeout", f"{CANARY} judge reason")
        assert isinstance(request.constraint, Labels)
        if "NO" in request.constraint.labels:
            return "YES"
        if next(iter(explanations(request).values())) == BROAD:
            return Failure("timeout", f"{CANARY} judge reason")
        return next(label for label, said in explanations(request).items() if said == PIZZA)

    def debates(request: Request) -> str:
        said = answer_as_debater(request)
        if isinstance(request.constraint, Free):
            return f"{CANARY} seat 0 argument"
        return said.replace("THINK ", f"THINK {CANARY} seat 0 notes ", 1)

    judge = ScriptedLM(judged, name=f"{CANARY} judge model")
    model = ScriptedLM(debates, name=f"{CANARY} seat 0 name", revision=f"{CANARY} seat 0 revision")
    rivals = (Talkative(BROAD, 1), Talkative(DOG, 2), Talkative('activates on the tokens " pizza", " pizza"', 3))
    debaters = [LMDebater(model, None), *rivals, Silent("", name=f"{CANARY} seat 4 name")]
    transcript = debate(
        birdcage(),
        debaters,
        LMJudge(judge, chain_of_thought=thinks),
        lambda one: float(f"0.9{NUMBER}{int(one == parse(PIZZA))}"),
        Seeded(0),
        procedure=PROCEDURES[procedure],
    )
    return Trial(transcript, judge, model, rivals)


def texts(request: Request) -> list[str]:
    """Everything in a request that a model reads or a server is sent, numbers too."""
    return [str(value) for _, value in leaves(request)]


def found_in(text: str, but: str | None = None) -> list[str]:
    """The canaries of a text, other than those of one kind."""
    canaries = re.findall(rf"{CANARY}[\w ]*|\S*{NUMBER}\S*", text, re.IGNORECASE)
    return [one for one in canaries if but is None or not one.startswith(f"{CANARY} {but}")]


@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("procedure", PROCEDURES)
class TestJudge:
    def test_nothing_that_is_sent_to_a_judge_holds_a_canary(self, procedure: str, thinks: bool) -> None:
        held = trial(procedure, thinks)
        assert len(held.transcript.sides) == 3
        assert len(held.judge.asked) >= 3
        for request in held.judge.asked:
            for text in texts(request):
                assert not found_in(text, but="judge thought")

    def test_its_thoughts_come_back_to_it_in_the_same_order_alone(self, procedure: str, thinks: bool) -> None:
        held = trial(procedure, thinks)
        sent = [
            (message.role, message.text)
            for request in held.judge.asked
            for message in request.messages
            if found_in(message.text)
        ]
        assert {role for role, _ in sent} <= {"assistant"}
        assert len(sent) == len(set(sent))
        assert len(sent) == (len(held.transcript.votes) if thinks else 0)

    def test_nothing_that_only_debaters_are_told_reaches_it(self, procedure: str, thinks: bool) -> None:
        held = trial(procedure, thinks)
        told = [line for name in ("debater", "debater_shots", "debater_turns") for line in load(name).text.splitlines()]
        told = [line.strip() for line in told if len(line.strip()) >= 25 and "{{" not in line]
        assert len(told) > 20
        debater = "\n".join(text for request in held.debater.asked for text in texts(request))
        assert sum(line in debater for line in told) > 20
        for request in held.judge.asked:
            assert not any(line in text for text in texts(request) for line in told)


@pytest.mark.parametrize("procedure", PROCEDURES)
class TestRivals:
    def test_what_a_rival_hears_holds_no_canary(self, procedure: str) -> None:
        held = trial(procedure, True)
        for rival in held.rivals:
            for heard in rival.heard:
                for _, value in leaves(heard):
                    assert not found_in(str(value))
        rounds = PROCEDURES[procedure].rebuttals + (1 if PROCEDURES[procedure].questions else 0)
        assert all(len(rival.heard) >= (rounds if procedure == "rounds" else 0) for rival in held.rivals[:2])

    def test_a_language_model_is_sent_no_canary_but_its_own_and_the_evidences(self, procedure: str) -> None:
        held = trial(procedure, True)
        for request in held.debater.asked:
            for message in request.messages:
                for canary in found_in(message.text):
                    where_it_begins = re.sub(r"\D", "", canary) in {str(8_675_300 + row) for row in range(1, 21)}
                    assert where_it_begins or re.match(rf"{CANARY} (seat 0|text)", canary)


def test_every_field_was_planted() -> None:
    """Over all procedures, each field of text holds a canary somewhere, and each field of numbers one of theirs."""
    strings: dict[str, bool] = {}
    numbers: dict[str, bool] = {}
    for procedure in PROCEDURES:
        for thinks in (False, True):
            for field, value in leaves(trial(procedure, thinks).transcript):
                if isinstance(value, str) and value:
                    strings[field] = strings.get(field, False) or bool(found_in(value))
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    numbers[field] = numbers.get(field, False) or NUMBER in str(value)
    assert {field for field, planted_there in strings.items() if not planted_there} <= VOCABULARY.keys()
    assert {field for field, planted_there in numbers.items() if not planted_there} <= COUNTED
    for field in (
        "Turn.problem",
        "Forfeit.reason",
        "Vote.thoughts",
        "Vote.reason",
        "Round.reason",
        "QuoteRequest.text",
    ):
        assert strings[field], field
    for field in ("Side.dev_score", "Usage.calls", "Example.activations", "Context.start"):
        assert numbers[field], field


def test_what_verified_is_all_that_stands_in_quotes() -> None:
    """Every quote in every prompt is the text of a verified quote, with the marks of its source."""
    held = trial("rounds", False)
    transcript = held.transcript
    verified = [quote for side in transcript.sides for quote in side.argument.quotes]
    verified += [quote for turn in transcript.rounds for answer in turn.answers for quote in answer.verified]
    assert all(isinstance(quote, Quote) for quote in verified)
    known = {quote.text(transcript.evidence) for quote in verified}
    for request in held.judge.asked:
        for shown in re.findall(r'^- "(.*)"$', request.messages[0].text, re.MULTILINE):
            assert shown.replace("«", "").replace("»", "") in known


def test_a_leak_would_be_found() -> None:
    """What would be sent if an argument's text were shown, or a number of the evidence."""
    held = trial("plain", False)
    side = held.transcript.sides[0]
    assert found_in(f"Explanation A: {side.argument.canonical}\n{side.argument.text}")
    assert found_in(f"dev {side.dev_score}")
    assert found_in(str(max(example.peak for example in held.transcript.evidence.examples)))
