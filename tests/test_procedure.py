"""What may be said between proposals and votes, and other ways to judge: each round, each format, every limit."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trials import BROAD, CRUST, DOG, PIZZA, asked, explanations, held, no_dev, planted, prefers

from agents.debate import Settings, debate
from agents.debater import Metered, Respondent, SearchDebater, TextDebater
from agents.judge import Ballot, BuiltinJudge, Question
from agents.lm import Failure, Free, Labels, Request, Usage
from agents.lm_judge import LMJudge
from agents.picking import pick_against
from agents.procedure import Procedure
from agents.quotes import Quote, QuoteRequest, Rejected, share_of_tokens, verify
from agents.rounds import bounded
from agents.scripted_lm import ScriptedLM
from agents.transcript import Abstained, Chosen, Consensus, Transcript
from agents.turns import Answer, Argument, Proposal, Round
from agents.views import JudgeView, ShownQuote
from dsl.batch import Batch
from dsl.errors import InputError
from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED
from dsl.parse import parse
from dsl.records import Context, Evidence, Example, Thresholds
from dsl.render import render

NEAR = 'activates on the token " pizza" right after the word "crust"'


def the(text: str, seen: dict[str, str]) -> str:
    return next(label for label, said in seen.items() if said == text)


class Watching(BuiltinJudge):
    """The built-in judge, which keeps what it saw, and asks what it is told to."""

    def __init__(self, *questions: Question) -> None:
        super().__init__()
        self.views: list[JudgeView] = []
        self.when_asked: list[JudgeView] = []
        self._questions = questions

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        self.views += views
        return super().votes(views)

    def ask(self, view: JudgeView, words: int) -> Question:
        del words
        self.when_asked.append(view)
        return self._questions[(len(self.when_asked) - 1) % len(self._questions)]


class Answering(TextDebater):
    """A text that adds the quotes it is told to, and keeps what it was shown."""

    def __init__(self, text: str, *requests: QuoteRequest, name: str = "answering") -> None:
        super().__init__(text, name=name)
        self._requests = requests
        self.heard: list[tuple[Evidence, Argument, JudgeView, str]] = []
        self.spent = Usage()

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        return replace(super().propose(evidence, rng, problem), usage=Usage(calls=1, completion_tokens=10))

    def further_quotes(
        self, evidence: Evidence, own: Argument, view: JudgeView, rng: random.Random, question: str = ""
    ) -> Sequence[QuoteRequest]:
        self.heard.append((evidence, own, view, question))
        self.spent += Usage(calls=2, prompt_tokens=10)
        return self._requests or super().further_quotes(evidence, own, view, rng, question)


class Mute:
    """A text that cannot respond."""

    def __init__(self, text: str) -> None:
        self.name = "mute"
        self._text = TextDebater(text)
        self.propose, self.repair = self._text.propose, self._text.repair


def _shown(answer: Answer, evidence: Evidence) -> tuple[ShownQuote, ...]:
    return tuple(ShownQuote.of(quote, evidence) for quote in answer.verified)


def rounds_of(transcript: Transcript) -> Any:
    return transcript.to_json()["rounds"]


class TestObject:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"rebuttals": -1},
            {"further": 0},
            {"words": 0},
            {"shown": "explanations", "rebuttals": 1},
            {"shown": "explanations", "questions": 1},
            {"format": "consultancy", "rebuttals": 1},
            {"format": "consultancy", "shown": "explanations"},
        ],
    )
    def test_what_does_not_go_together_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InputError):
            Procedure(**wrong)

    def test_it_stands_in_the_record(self) -> None:
        found: Any = held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=Procedure(rebuttals=1)).to_json()
        assert found["procedure"]["rebuttals"] == 1
        assert found["judge"] == "builtin"


class TestExplanationsOnly:
    PROCEDURE = Procedure(shown="explanations")

    def test_no_view_holds_a_quote_and_the_builtin_judge_cannot_judge(self) -> None:
        judge = Watching()
        transcript = held(PIZZA, BROAD, judge=judge, procedure=self.PROCEDURE)
        assert len(judge.views) == 2
        assert not any(view.quotes for view in judge.views)
        assert isinstance(transcript.verdict, Abstained)
        assert "0 of 2 orders were answered" in transcript.verdict.reason
        assert "no quotes" in transcript.verdict.reason
        assert transcript.fallback

    def test_a_language_model_chooses_without_them(self) -> None:
        lm = prefers(lambda seen: the(PIZZA, seen))
        transcript = held(PIZZA, BROAD, judge=LMJudge(lm), procedure=self.PROCEDURE)
        assert transcript.outcome == "chosen"
        assert all("quote" not in asked(request) and '- "' not in asked(request) for request in lm.asked)
        assert all(len(side.argument.quotes) == 3 for side in transcript.sides)


class TestConsultancy:
    PROCEDURE = Procedure(format="consultancy")

    def test_each_side_is_judged_alone_and_the_best_supported_wins(self) -> None:
        def answer(request: Request) -> str:
            [said] = explanations(request).values()
            return "YES" if said == PIZZA else "NO"

        lm = ScriptedLM(answer)
        transcript = held(PIZZA, BROAD, DOG, judge=LMJudge(lm), procedure=self.PROCEDURE)
        assert len(lm.asked) == 3
        assert {request.constraint for request in lm.asked} == {Labels(("YES", "NO"))}
        assert {len(explanations(request)) for request in lm.asked} == {1}
        assert sorted(label for request in lm.asked for label in explanations(request)) == ["A", "B", "C"]
        assert transcript.verdict == Chosen(0, 1.0, 1)
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == PIZZA

    @staticmethod
    def sure(of: dict[str, float], context_tokens: int = 32_768) -> ScriptedLM:
        """A model that says yes to each explanation with this probability."""

        def logprobs(request: Request) -> dict[str, float]:
            [said] = explanations(request).values()
            return {"YES": math.log(of[said]), "NO": math.log(1 - of[said])}

        def likelier(request: Request) -> str:
            return max(logprobs(request).items(), key=lambda pair: pair[1])[0]

        return ScriptedLM(likelier, logprobs=logprobs, context_tokens=context_tokens)

    def test_support_is_the_log_odds_of_yes(self) -> None:
        judge = LMJudge(self.sure({PIZZA: 0.9, BROAD: 0.6}))
        transcript = held(PIZZA, BROAD, judge=judge, procedure=self.PROCEDURE)
        assert isinstance(transcript.verdict, Chosen)
        assert transcript.verdict.margin == pytest.approx(math.log(9) - math.log(1.5))
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == PIZZA

    def test_a_small_lead_is_no_choice(self) -> None:
        judge = LMJudge(self.sure({PIZZA: 0.9, BROAD: 0.85}))
        transcript = held(PIZZA, BROAD, judge=judge, procedure=self.PROCEDURE)
        assert isinstance(transcript.verdict, Abstained)
        assert "the best supported side leads by 0.4626" in transcript.verdict.reason

    def test_no_to_all_is_an_abstention(self) -> None:
        judge = LMJudge(self.sure({PIZZA: 0.4, BROAD: 0.05}))
        transcript = held(PIZZA, BROAD, judge=judge, procedure=self.PROCEDURE)
        assert transcript.verdict == Abstained("the judge said no to each of 2 sides")

    def test_what_was_answered_with_no_is_not_chosen_whatever_its_score(self) -> None:
        class Torn(BuiltinJudge):
            def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
                said = [(view.labels[0], view.arguments[0].explanation == PIZZA) for view in views]
                return [Ballot(None if best else label, {label: 2.0 if best else 1.0}) for label, best in said]

        transcript = held(PIZZA, BROAD, judge=Torn(), procedure=self.PROCEDURE)
        assert transcript.verdict == Abstained("the judge said no to the best supported side")

    def test_sides_are_shortened_alike(self) -> None:
        """One explanation is far longer than the other: what does not fit beside it is shown of neither."""
        longer = render(parse(f"{PIZZA} or the tokens " + ", ".join(f'" pizza{number}"' for number in range(40))))
        roomy = self.sure({longer: 0.9, BROAD: 0.6})
        held(longer, BROAD, judge=LMJudge(roomy), procedure=self.PROCEDURE)
        counts = [roomy.count_tokens(request.messages) + request.max_tokens for request in roomy.asked]
        tight = self.sure({longer: 0.9, BROAD: 0.6}, context_tokens=max(counts) - 1)
        assert min(counts) < max(counts) - 50
        transcript = held(longer, BROAD, judge=LMJudge(tight), procedure=self.PROCEDURE)
        assert {asked(request).count('\n- "') for request in tight.asked} == {2}
        assert all("at most 2 of 3" in vote.reason for vote in transcript.votes)

    def test_a_side_that_was_not_judged_has_not_lost(self) -> None:
        def answer(request: Request) -> str | Failure:
            return "YES" if PIZZA in explanations(request).values() else Failure("timeout", "slow")

        transcript = held(PIZZA, BROAD, judge=LMJudge(ScriptedLM(answer)), procedure=self.PROCEDURE)
        assert transcript.verdict == Abstained("1 of 2 sides were judged; a choice takes all of them (timeout: slow)")

    def test_the_builtin_judge_runs_each_on_its_own_quotes(self) -> None:
        transcript = held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=self.PROCEDURE)
        assert transcript.winner is not None
        assert (transcript.outcome, transcript.winner.argument.canonical) == ("chosen", PIZZA)
        assert [len(vote.order) for vote in transcript.votes] == [1, 1]
        assert transcript.order_flips == 0

    def test_questions_are_put_to_each_side_about_itself(self) -> None:
        judge = Watching(Question("Where is S1 wrong?"))
        sides = [Answering(text) for text in (PIZZA, BROAD)]
        procedure = Procedure(format="consultancy", questions=1)
        transcript = held(judge=judge, debaters=sides, procedure=procedure)
        assert [len(view.arguments) for view in judge.when_asked] == [1, 1]
        assert [len(turn.answers) for turn in transcript.rounds] == [1, 1]
        for side in sides:
            [(_, own, view, _)] = side.heard
            assert [argument.explanation for argument in view.arguments] == [own.canonical]
        for view in judge.views:
            assert all(len(turn.answers) == 1 for turn in view.rounds)


class TestRebuttal:
    def test_each_side_sees_what_was_said_before_and_adds_quotes_that_the_judge_sees(self) -> None:
        evidence = planted(PIZZA, rows=40)
        sides = [Answering(text) for text in (PIZZA, BROAD, DOG)]
        judge = Watching()
        transcript = held(judge=judge, debaters=sides, evidence=evidence, procedure=Procedure(rebuttals=2))
        assert [turn.kind for turn in transcript.rounds] == ["rebuttal", "rebuttal"]
        for side in sides:
            (_, own, view, question), (_, later, second, _) = side.heard
            assert question == ""
            assert sorted(view.labels) == ["A", "B", "C"]
            assert view.rounds == ()
            assert [len(turn.answers) for turn in second.rounds] == [3]
            assert len(later.quotes) > len(own.quotes) or own.canonical == BROAD
        right = next(answer for answer in transcript.rounds[0].answers if answer.seat == 0)
        assert right.verified
        assert len(right.verified) <= 3
        for view in judge.views:
            shown = [turn.answers for turn in view.rounds]
            for turn, answers in zip(transcript.rounds, shown, strict=True):
                assert sum(len(one.quotes) for one in answers) == sum(len(one.verified) for one in turn.answers)
                assert [one.label for one in answers] == list(view.labels)

    def test_numbers_in_rebuttals_are_those_that_the_debater_was_shown(self) -> None:
        evidence = planted(PIZZA, rows=30)
        debater = Answering(PIZZA)
        transcript = held(
            judge=Watching(),
            debaters=[debater, TextDebater(BROAD)],
            evidence=evidence,
            procedure=Procedure(rebuttals=1),
        )
        [(shown, own, _, _)] = debater.heard
        side = transcript.sides[0]
        assert [quote.text(shown) for quote in own.quotes] == [quote.text(evidence) for quote in side.argument.quotes]
        answer = transcript.rounds[0].answers[0]
        for request, quote in zip(answer.asked, answer.quotes, strict=True):
            assert isinstance(quote, Quote) or quote.status == "over budget"
            if isinstance(quote, Quote):
                assert (request.example, request.start, request.stop) == (quote.example, quote.start, quote.stop)
                assert quote.text(evidence).split() == request.text.split()

    def test_what_does_not_verify_overlaps_or_is_too_much_never_reaches_the_judge(self) -> None:
        evidence = planted(PIZZA)
        own = held(PIZZA, BROAD, judge=BuiltinJudge(), evidence=evidence).sides[0].argument.quotes
        again = QuoteRequest(own[0].text(evidence))
        fresh = [
            QuoteRequest(one.context.text)
            for number, one in enumerate(evidence.examples)
            if number not in [quote.example for quote in own]
        ]
        debater = Answering(PIZZA, QuoteRequest("no such text, canary"), again, *fresh[:6])
        judge = Watching()
        procedure = Procedure(rebuttals=1, further=3)
        transcript = held(judge=judge, debaters=[debater, Mute(BROAD)], evidence=evidence, procedure=procedure)
        first, second = transcript.rounds[0].answers
        assert [quote.status for quote in first.quotes] == ["absent", "duplicate", "exact"] + ["over budget"] * 5
        assert second == Answer(second.side, 1, reason="the debater does not respond")
        for view in judge.views:
            [turn] = view.rounds
            assert sorted(len(answer.quotes) for answer in turn.answers) == [0, 1]
            assert all(answer.quotes in ((), _shown(first, evidence)) for answer in turn.answers)
        assert transcript.quotes_by_status["over budget"] == 5

    def test_all_that_a_side_shows_stays_within_its_share(self) -> None:
        evidence = planted(PIZZA, rows=30)
        share = share_of_tokens(evidence, 2)
        assert share == 45
        fresh = [QuoteRequest(one.context.text, number) for number, one in enumerate(evidence.examples)]
        debater = Answering(PIZZA, *fresh)
        procedure = Procedure(rebuttals=3, further=30)
        transcript = held(
            judge=BuiltinJudge(), debaters=[debater, TextDebater(BROAD)], evidence=evidence, procedure=procedure
        )
        for number, side in enumerate(transcript.sides):
            added = [quote for turn in transcript.rounds for quote in turn.answers[number].verified]
            assert sum(map(len, [*side.argument.quotes, *added])) <= share
        assert transcript.quotes_by_status["over budget"] > 0

    def test_what_a_debater_asked_of_a_language_model_is_counted(self) -> None:
        debater = Answering(PIZZA)
        assert isinstance(debater, Respondent)
        assert isinstance(debater, Metered)
        transcript = held(judge=BuiltinJudge(), debaters=[debater, Mute(BROAD)], procedure=Procedure(rebuttals=2))
        measures: Any = transcript.to_json()["measures"]
        assert [one["calls"] for one in measures["usage"]["debaters"]] == [5, 0]

    def test_a_rebuttal_can_turn_the_verdict(self) -> None:
        """The quotes picked for the broad side happen to show nothing against it; rebuttals do."""
        evidence = planted(NEAR, rows=60)
        procedure = Procedure(rebuttals=1)
        before = held(NEAR, PIZZA, judge=BuiltinJudge(), evidence=evidence)
        after = held(NEAR, PIZZA, judge=BuiltinJudge(), evidence=evidence, procedure=procedure)
        lead = [dict(one.votes[0].scores) for one in (before, after)]
        gaps = [scores[after.sides[0].label] - scores[after.sides[1].label] for scores in lead]
        assert gaps[1] > gaps[0]
        assert after.winner is not None
        assert after.winner.argument.canonical == NEAR


class TestQuestions:
    def test_a_question_is_answered_in_verified_quotes_by_all_sides(self) -> None:
        sides = [Answering(text) for text in (PIZZA, BROAD)]
        judge = Watching(Question('Does "S1" beat S2,\n<<where>>?', usage=Usage(calls=1)))
        transcript = held(judge=judge, debaters=sides, procedure=Procedure(questions=1))
        [turn] = transcript.rounds
        assert turn.kind == "question"
        assert turn.question == 'Does "S1" beat S2, <<where>>?'
        assert sorted(name for name, _ in turn.names) == ["S1", "S2"]
        names = dict(turn.names)
        for side in sides:
            [(_, _, view, question)] = side.heard
            assert question == f'Does \\"{names["S1"]}\\" beat {names["S2"]}, \\<\\<where\\>\\>?'
            assert sorted(view.labels) == ["A", "B"]
        assert judge.when_asked[0].labels == ("S1", "S2")
        assert transcript.to_json()["measures"]["usage"]["judge"]["calls"] == 1  # type: ignore[index,call-overload]
        assert rounds_of(transcript)[1]["question"] == turn.question

    def test_in_each_vote_the_question_calls_the_sides_as_they_are_shown(self) -> None:
        judge = Watching(Question("Why S1 and not S2?"))
        transcript = held(PIZZA, BROAD, DOG, judge=judge, procedure=Procedure(questions=1))
        names = dict(transcript.rounds[0].names)
        for view, vote in zip(judge.views, transcript.votes, strict=True):
            shown = dict(zip(vote.order, vote.shown, strict=True))
            [turn] = view.rounds
            assert turn.question == f"Why {shown[names['S1']]} and not {shown[names['S2']]}?"

    def test_a_judge_that_does_not_ask_or_has_no_question_is_recorded(self) -> None:
        procedure = Procedure(questions=1)
        assert held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=procedure).rounds == (
            Round("question", reason="the judge does not ask"),
        )
        silent = Watching(Question("", "timeout: slow", Usage(calls=1, failures=1)))
        [turn] = held(PIZZA, BROAD, judge=silent, procedure=procedure).rounds
        assert (turn.reason, turn.answers, turn.usage.failures) == ("timeout: slow", (), 1)
        [turn] = held(PIZZA, BROAD, judge=Watching(Question(" \n")), procedure=procedure).rounds
        assert turn.reason == "the judge asked nothing"

    def test_a_language_model_asks_and_then_judges(self) -> None:
        lm = prefers(lambda seen: the(PIZZA, seen))
        transcript = held(PIZZA, BROAD, judge=LMJudge(lm), procedure=Procedure(questions=1))
        assert [type(request.constraint) for request in lm.asked] == [Free, Labels, Labels]
        assert "at most 40 words" in asked(lm.asked[0])
        assert 'Asked "Which texts decide?"' in asked(lm.asked[1])
        assert transcript.outcome == "chosen"

    @given(st.text(), st.integers(1, 50))
    @settings(deadline=None)
    def test_questions_are_bounded_and_on_one_line(self, text: str, words: int) -> None:
        found = bounded(text, words)
        assert len(found.split()) <= words
        assert len(found) <= 41 * words
        assert len(found.splitlines()) <= 1


class TestLimits:
    def test_a_round_that_would_leave_too_few_calls_to_vote_is_skipped_and_recorded(self) -> None:
        for calls, kinds in [(2 + 2 + 2, [""]), (2 + 2 + 1, ["the debate's limit of calls was reached"])]:
            transcript = held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=Procedure(rebuttals=1), calls=calls)
            assert [turn.reason for turn in transcript.rounds] == kinds
            assert transcript.outcome == "chosen"

    @pytest.mark.parametrize(("tokens", "reason"), [(1, "forfeit"), (25, "rebuttal"), (60, "vote"), (100, "")])
    def test_when_the_tokens_are_used_up_nothing_further_begins(self, tokens: int, reason: str) -> None:
        """Each proposal takes 10 tokens, and so does each rebuttal of each side."""
        why = "the debate's limit of tokens was reached"
        sides = [Answering(text) for text in (PIZZA, BROAD)]
        limits = Settings(tokens=tokens)
        procedure = Procedure(rebuttals=2)
        transcript = debate(
            planted(PIZZA), sides, BuiltinJudge(), no_dev, random.Random(0), limits, procedure=procedure
        )
        match reason:
            case "forfeit":
                assert [forfeit.reason for forfeit in transcript.forfeits] == [why]
                assert transcript.outcome == "consensus"
            case "rebuttal":
                assert [turn.reason for turn in transcript.rounds] == ["", why]
                assert transcript.verdict == Abstained(why)
            case "vote":
                assert [turn.reason for turn in transcript.rounds] == ["", ""]
                assert transcript.verdict == Abstained(why)
            case _:
                assert transcript.outcome == "chosen"

    @given(st.integers(0, 30), st.sampled_from(["debate", "consultancy"]), st.integers(0, 2), st.integers(0, 2))
    @settings(max_examples=25, deadline=None)
    def test_calls_are_never_exceeded_and_every_debate_has_an_outcome(
        self, calls: int, form: Any, rebuttals: int, questions: int
    ) -> None:
        rebuttals *= form == "debate"
        procedure = Procedure(format=form, rebuttals=rebuttals, questions=questions)
        sides = [Answering(text) for text in (PIZZA, BROAD, DOG)]
        judge = Watching(Question("What of S1?"))
        transcript = held(judge=judge, debaters=sides, procedure=procedure, calls=calls)
        answers = sum(len(side.heard) for side in sides)
        assert len(transcript.turns) + answers + len(judge.when_asked) + len(judge.views) <= calls
        heard = len(transcript.sides) if form == "consultancy" else 1
        assert len(transcript.rounds) == (rebuttals + questions * heard if len(transcript.sides) > 1 else 0)
        json.dumps(transcript.to_json(), allow_nan=False)


class TestOutcomes:
    PROCEDURES = (
        Procedure(),
        Procedure(format="consultancy"),
        Procedure(shown="explanations"),
        Procedure(rebuttals=1, questions=1),
        Procedure(format="consultancy", questions=1),
    )

    @pytest.mark.parametrize("procedure", PROCEDURES)
    def test_one_debater_identical_explanations_and_none_ask_no_judge(self, procedure: Procedure) -> None:
        lm = prefers(lambda _: "A")
        judge = LMJudge(lm)
        alone = held(PIZZA, judge=judge, procedure=procedure)
        same = held(PIZZA, PIZZA, PIZZA, judge=judge, procedure=procedure)
        nobody = debate(planted(PIZZA), [], judge, no_dev, random.Random(0), procedure=procedure)
        forfeited = held("nonsense", "more", judge=judge, procedure=procedure)
        assert (alone.verdict, same.verdict) == (Consensus(0), Consensus(0))
        assert nobody.verdict == Abstained("there were no debaters")
        assert forfeited.verdict == Abstained("every debater forfeited")
        assert not lm.asked
        for transcript in (alone, same, nobody, forfeited):
            assert not transcript.rounds
            json.dumps(transcript.to_json(), allow_nan=False)

    @pytest.mark.parametrize("procedure", PROCEDURES)
    def test_whatever_the_procedure_a_judge_that_is_down_ends_in_a_fallback(self, procedure: Procedure) -> None:
        lm = ScriptedLM(lambda _: Failure("unreachable", "connection refused", 10))
        for thinks in (False, True):
            transcript = held(PIZZA, BROAD, judge=LMJudge(lm, chain_of_thought=thinks), procedure=procedure)
            assert isinstance(transcript.verdict, Abstained)
            assert "unreachable" in transcript.verdict.reason
            assert transcript.fallback
            assert not any(vote.answered or vote.scores for vote in transcript.votes)

    @pytest.mark.parametrize("procedure", PROCEDURES)
    def test_the_same_seed_gives_the_same_bytes(self, procedure: Procedure) -> None:
        one, two = (
            held(PIZZA, CRUST, BROAD, judge=LMJudge(prefers(lambda seen: min(seen))), procedure=procedure, seed=3)
            if procedure.format == "debate"
            else held(PIZZA, CRUST, BROAD, judge=LMJudge(ScriptedLM(_yes)), procedure=procedure, seed=3)
            for _ in range(2)
        )
        assert json.dumps(one.to_json()) == json.dumps(two.to_json())


def _yes(request: Request) -> str:
    return "YES" if isinstance(request.constraint, Labels) else "Why S1?"


class TestPickingAgainst:
    @given(st.integers(0, 40), st.sampled_from([PIZZA, NEAR, DOG]), st.sampled_from([BROAD, CRUST, PIZZA, DOG, NEAR]))
    @settings(max_examples=25, deadline=None)
    def test_quotes_verify_beside_those_taken_and_end_where_the_rival_is_wrong(
        self, seed: int, own: str, other: str
    ) -> None:
        evidence = planted(own, seed, rows=30)
        rng = random.Random(seed)
        right, rival = parse(own), parse(other)
        taken = [
            quote
            for quote in (
                verify(QuoteRequest(one.context.text, number), evidence)
                for number, one in enumerate(evidence.examples[:2])
            )
            if isinstance(quote, Quote)
        ]
        picked = pick_against(evidence, right, [rival], rng, taken=taken)
        assert len(picked) <= 3
        assert bool(picked) or own == other or own in other
        held_now = list(taken)
        fires = evidence.activations >= evidence.thresholds.high
        claims = evaluate(rival, evidence.batch) >= PREDICTED
        for request in picked:
            answer = verify(request, evidence, held_now)
            assert isinstance(answer, Quote)
            held_now.append(answer)
            assert fires[answer.example, answer.stop - 1] != claims[answer.example, answer.stop - 1]

    def test_the_quote_alone_shows_it_where_it_can(self) -> None:
        evidence = planted(NEAR, rows=60)
        picked = pick_against(evidence, parse(NEAR), [parse(PIZZA)], random.Random(0))
        assert len(picked) == 3
        for request in picked:
            cut = verify(request, evidence)
            assert isinstance(cut, Quote)
            batch = Batch.of([Context(cut.tokens(evidence))])
            assert not cut.firing(evidence)[-1]
            assert evaluate(parse(PIZZA), batch)[0, len(cut) - 1] >= PREDICTED
            assert evaluate(parse(NEAR), batch)[0, len(cut) - 1] < PREDICTED

    def test_rivals_take_turns(self) -> None:
        evidence = planted(PIZZA, rows=60)
        picked = pick_against(evidence, parse(PIZZA), [parse(DOG), parse(NEAR)], random.Random(0), count=2)
        ends = [verify(request, evidence) for request in picked]
        assert len(ends) == 2

    def test_without_rivals_or_mistakes_there_is_nothing_to_show(self) -> None:
        evidence = planted(PIZZA)
        assert pick_against(evidence, parse(PIZZA), [], random.Random(0)) == ()
        assert pick_against(evidence, parse(PIZZA), [parse(PIZZA)], random.Random(0)) == ()

    def test_search_rebuts_too(self) -> None:
        evidence = planted(PIZZA, rows=40)
        debaters = [SearchDebater("lexical", None, 2_000), TextDebater(BROAD)]
        transcript = held(judge=BuiltinJudge(), debaters=debaters, evidence=evidence, procedure=Procedure(rebuttals=1))
        added = transcript.rounds[0].answers[0].verified
        assert added
        assert not any(
            isinstance(quote, Rejected) and quote.status != "over budget"
            for quote in transcript.rounds[0].answers[0].quotes
        )


def test_a_vote_alone_is_mapped_back_to_its_side() -> None:
    """Consultancy's labels are drawn, too, and mean nothing."""
    drawn = set()
    for seed in range(12):
        transcript = held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=Procedure(format="consultancy"), seed=seed)
        for vote in transcript.votes:
            drawn.add((vote.order, vote.shown))
            assert vote.label == vote.order[0]
    assert drawn == {(("A",), ("A",)), (("A",), ("B",)), (("B",), ("A",)), (("B",), ("B",))}


def test_small_evidence_debates_under_every_procedure() -> None:
    example = Example(Context((" the", " hot", " pizza")), (0.0, 0.0, 2.0))
    evidence = Evidence("f", (example,), Thresholds(1.0, 0.1, 2.0))
    for procedure in TestOutcomes.PROCEDURES:
        transcript = held(PIZZA, BROAD, judge=Watching(Question("S1?")), evidence=evidence, procedure=procedure)
        json.dumps(transcript.to_json(), allow_nan=False)
        assert transcript.winner is not None
