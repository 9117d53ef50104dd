"""The debate: what stands, what merges, what the judge may see, and a sane outcome for everything."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents
from agents.debate import Settings, admit, debate
from agents.debater import Debater, SearchDebater, TextDebater
from agents.judge import Ballot, BuiltinJudge, Judge
from agents.judge_prompts import judge_prompt
from agents.lm import Usage
from agents.picking import pick_quotes
from agents.quotes import Quote, QuoteRequest, Rejected, verify
from agents.search import STRATEGIES
from agents.transcript import Abstained, Argument, Chosen, Consensus, JudgeView, Proposal, Scratchpad, Transcript
from agents.voting import labellings, letters, orders
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Counterexample, Evidence, Example, Thresholds

PIZZA = 'activates on the token " pizza"'
CRUST = 'activates on the token " pizza" in the context of the word "crust"'
BROAD = "activates on any token"
WORDS = (" the", " a", " dog", " ran", " old", " red", " house", " then", " pizza", " crust", " saw", ".")


def planted(text: str, seed: int = 0, rows: int = 20) -> Evidence:
    """Evidence of a feature that is exactly this explanation, in random texts."""
    rng = random.Random(seed)
    contexts = [Context(tuple(rng.choices(WORDS, k=20)), document=f"document {row}") for row in range(rows)]
    predicted = evaluate(parse(text), Batch.of(contexts))
    examples = tuple(
        Example(context, tuple(float(value) * rng.uniform(1, 2) for value in predicted[row, :20]))
        for row, context in enumerate(contexts)
    )
    return Evidence("planted/0", examples, Thresholds(0.2, 0.02, 2.0))


class Scripted:
    """A debater that hands in what it was given, in turn, the last again and again; it keeps what it was told."""

    def __init__(self, *proposals: Proposal, name: str = "scripted") -> None:
        self.name = name
        self.problems: list[str] = []
        self.seen: list[tuple[Example, ...]] = []
        self._proposals = proposals

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        del rng
        self.problems.append(problem)
        self.seen.append(evidence.examples)
        return self._proposals[min(len(self.problems), len(self._proposals)) - 1]

    def repair(
        self, evidence: Evidence, argument: Argument, counterexamples: Sequence[Counterexample], rng: random.Random
    ) -> Proposal:
        del argument, counterexamples
        return self.propose(evidence, rng)


class Answers:
    """A judge that answers orders in turn from a list, and keeps the views it saw."""

    name, margin = "answers", 0.1

    def __init__(self, *answers: Ballot) -> None:
        self._answers = answers
        self.views: list[JudgeView] = []

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        self.views += views
        return [self._answers[number % len(self._answers)] for number in range(len(views))]


class Prefers:
    """A judge that always finds this explanation, whatever label it is under, with scores of its own."""

    name, margin = "prefers", 0.1

    def __init__(self, *texts: str | None, none: float | None = None) -> None:
        self._texts, self._none = texts, none

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        return [self._vote(view, self._texts[number % len(self._texts)]) for number, view in enumerate(views)]

    def _vote(self, view: JudgeView, text: str | None) -> Ballot:
        labels = {argument.explanation: argument.label for argument in view.arguments}
        if text is None:
            return Ballot(None, {}, none=self._none)
        return Ballot(labels[text], {labels[text]: 1.0}, none=self._none)


def no_dev(explanation: Explanation) -> float:
    del explanation
    return 0.0


def held(*texts: str, evidence: Evidence | None = None, judge: Judge | None = None, seed: int = 0) -> Transcript:
    debaters = [TextDebater(text, name=f"text {number}") for number, text in enumerate(texts)]
    return debate(evidence or planted(PIZZA), debaters, judge or BuiltinJudge(), no_dev, random.Random(seed))


class TestOutcomes:
    def test_the_explanation_that_is_right_is_chosen(self) -> None:
        transcript = held(BROAD, PIZZA, 'activates on the word "dog"')
        assert isinstance(transcript.verdict, Chosen)
        assert transcript.outcome == "chosen"
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == PIZZA
        assert not transcript.fallback
        assert transcript.verdict.votes == len(transcript.votes) == 6
        assert transcript.order_flips == 0

    def test_a_context_that_matters_wins_over_the_phrase_alone(self) -> None:
        transcript = held(PIZZA, CRUST, evidence=planted(CRUST.replace("in the context of", "right after"), rows=60))
        near = 'activates on the token " pizza" right after the word "crust"'
        transcript = held(PIZZA, near, evidence=planted(near, rows=60))
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == near
        assert transcript.outcome == "chosen"

    def test_equal_explanations_merge_and_the_rest_is_judged(self) -> None:
        transcript = held(PIZZA, BROAD, 'activates on the tokens " pizza", " pizza"')
        assert [side.seats for side in transcript.sides] == [(0, 2), (1,)]
        assert transcript.sides[0].debaters == ("text 0", "text 2")
        assert len(transcript.votes) == 2

    def test_explanations_that_say_the_same_in_other_words_merge_and_the_shortest_stands(self) -> None:
        longer = f'{PIZZA} or the token " pizza" and names'
        transcript = held(longer, PIZZA)
        assert transcript.verdict == Consensus(0)
        assert transcript.sides[0].seats == (0, 1)
        assert transcript.sides[0].argument.canonical == PIZZA

    def test_identical_proposals_are_a_consensus_and_nothing_is_judged(self) -> None:
        judge = Answers(Ballot("A", {"A": 1.0}))
        transcript = held(PIZZA, PIZZA, PIZZA, judge=judge)
        assert transcript.verdict == Consensus(0)
        assert not judge.views
        assert transcript.winner is not None
        assert transcript.winner.seats == (0, 1, 2)

    def test_one_debater_alone_is_a_consensus_of_one(self) -> None:
        transcript = held(PIZZA)
        assert transcript.outcome == "consensus"
        assert transcript.to_json()["explanation"] == PIZZA

    def test_when_all_forfeit_there_is_no_winner(self) -> None:
        transcript = held("nonsense", "more nonsense")
        assert transcript.verdict == Abstained("every debater forfeited")
        assert transcript.winner is None
        assert not transcript.fallback
        assert len(transcript.forfeits) == 2
        json.dumps(transcript.to_json(), allow_nan=False)

    def test_no_debaters_is_an_outcome_too(self) -> None:
        assert held().outcome == "abstained"

    def test_on_abstention_the_best_by_dev_score_is_a_fallback(self) -> None:
        judge = Answers(Ballot(None, {}, "refused", answered=False))
        debaters = [TextDebater(PIZZA), TextDebater(BROAD)]
        transcript = debate(planted(PIZZA), debaters, judge, lambda e: float(e == parse(BROAD)), random.Random(0))
        assert transcript.outcome == "abstained"
        assert transcript.fallback
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == BROAD
        assert transcript.votes[0].reason == "refused"

    def test_dev_score_ties_go_to_the_shorter_explanation(self) -> None:
        transcript = held(CRUST, PIZZA, judge=Answers(Ballot(None, {})))
        assert transcript.winner is not None
        assert transcript.winner.argument.canonical == PIZZA

    def test_a_feature_that_never_fires_in_the_evidence_still_has_an_outcome(self) -> None:
        silent = planted('activates on the token " zebra"')
        request = QuoteRequest(silent.examples[0].context.text)
        sides = [Scripted(Proposal(text, (request,))) for text in (PIZZA, BROAD)]
        assert debate(silent, sides, BuiltinJudge(), no_dev, random.Random(0)).outcome == "chosen"


class TestVerdict:
    def test_a_lead_under_the_margin_abstains(self) -> None:
        class Hardly(Prefers):
            def _vote(self, view: JudgeView, text: str | None) -> Ballot:
                found = super()._vote(view, text)
                scores = {label: 0.5 + 0.05 * (label == found.label) for label in view.labels}
                return dataclasses.replace(found, scores=scores)

        judge = Hardly(PIZZA)
        transcript = held(PIZZA, BROAD, judge=judge)
        assert isinstance(transcript.verdict, Abstained)
        assert "leads by 0.05" in transcript.verdict.reason

    def test_fewer_than_two_thirds_of_the_orders_agreeing_abstains(self) -> None:
        transcript = held(PIZZA, BROAD, judge=Prefers(PIZZA, None))
        assert isinstance(transcript.verdict, Abstained)
        assert "1 of 2 orders agree" in transcript.verdict.reason
        assert transcript.order_flips == 1

    def test_exactly_two_thirds_are_enough(self) -> None:
        transcript = held(PIZZA, BROAD, CRUST, judge=Prefers(PIZZA, PIZZA, None))
        assert isinstance(transcript.verdict, Chosen)
        assert transcript.winner is not None
        assert (transcript.verdict.votes, transcript.winner.argument.canonical) == (4, PIZZA)
        assert transcript.verdict.margin == pytest.approx(2 / 3)

    def test_a_label_that_was_never_offered_is_no_answer(self) -> None:
        transcript = held(PIZZA, BROAD, judge=Answers(Ballot("Q", {"Q": 1.0})))
        assert transcript.votes[0].label is None
        assert not transcript.votes[0].answered
        assert "'Q'" in transcript.votes[0].reason

    def test_votes_without_an_answer_count_in_no_average(self) -> None:
        failed = Ballot(None, {}, "timeout", answered=False, usage=Usage(calls=1, failures=1))

        class Flaky(Prefers):
            def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
                return [failed, failed, *super().votes(views)[2:]]

        transcript = held(PIZZA, BROAD, CRUST, judge=Flaky(PIZZA))
        assert isinstance(transcript.verdict, Chosen)
        assert (transcript.verdict.votes, transcript.verdict.margin) == (4, 1.0)
        assert [vote.reason for vote in transcript.votes if not vote.answered] == ["timeout", "timeout"]
        assert transcript.order_flips == 0
        assert transcript._usage()["judge"] == dataclasses.asdict(Usage(calls=2, failures=2))

    def test_too_few_answers_are_an_abstention_that_says_so(self) -> None:
        class Flaky(Prefers):
            def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
                return [*super().votes(views)[:3], *(Ballot(None, {}, "timeout", answered=False) for _ in range(3))]

        transcript = held(PIZZA, BROAD, CRUST, judge=Flaky(PIZZA))
        assert transcript.verdict == Abstained("3 of 6 orders were answered; a choice takes 4 (timeout)")

    def test_a_judge_that_answers_none_always_abstains(self) -> None:
        transcript = held(PIZZA, BROAD, CRUST, judge=Prefers(None))
        assert transcript.verdict == Abstained("the judge preferred none of the sides in any of 6 orders")
        assert transcript.order_flips == 0

    def test_none_that_scores_highest_is_an_abstention(self) -> None:
        transcript = held(PIZZA, BROAD, judge=Prefers(PIZZA, none=1.5))
        assert transcript.verdict == Abstained("NONE scores 1.5000 on average, the best side 1.0000")
        assert held(PIZZA, BROAD, judge=Prefers(PIZZA, none=0.5)).outcome == "chosen"

    @given(st.integers(0, 10_000))
    @settings(max_examples=15, deadline=None)
    def test_labels_and_orders_drawn_anew_do_not_change_the_winner(self, seed: int) -> None:
        texts = [PIZZA, CRUST, BROAD, 'activates on the word "dog"']
        first, other = held(*texts), held(*texts, seed=seed)
        shown = [side.argument.quotes for side in first.sides], [side.argument.quotes for side in other.sides]
        assert all(len(quotes) >= 1 for sides in shown for quotes in sides)
        assert other.winner is not None
        assert other.winner.argument.canonical == PIZZA

    def test_every_label_is_drawn_for_every_seat(self) -> None:
        drawn = Counter(held(PIZZA, BROAD, seed=seed).sides[0].label for seed in range(30))
        assert drawn.keys() == {"A", "B"}


class TestRules:
    def test_what_does_not_parse_is_tried_twice_more_and_told_why(self) -> None:
        evidence = planted(PIZZA)
        quotes = pick_quotes(evidence, parse(PIZZA), random.Random(0))
        bad, good = Proposal("activates at pizza", ()), Proposal(PIZZA, tuple(QuoteRequest(q.text) for q in quotes))
        debater = Scripted(bad, bad, good)
        transcript = debate(evidence, [debater], BuiltinJudge(), no_dev, random.Random(0))
        assert transcript.outcome == "consensus"
        assert [bool(problem) for problem in debater.problems] == [False, True, True]
        assert "expected" in debater.problems[1]
        assert [turn.attempt for turn in transcript.turns] == [1, 2, 3]

    def test_a_third_failure_is_a_forfeit_with_its_reason(self) -> None:
        debater = Scripted(Proposal("nonsense", ()))
        transcript = debate(planted(PIZZA), [debater], BuiltinJudge(), no_dev, random.Random(0))
        assert len(debater.problems) == 3
        [forfeit] = transcript.forfeits
        assert (forfeit.debater, forfeit.attempts) == ("scripted", 3)
        assert forfeit.reason == transcript.turns[-1].problem

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"argument": "word " * 61}, "61 words"),
            ({"quotes": (QuoteRequest("x"),) * 4}, "4 quotes"),
            ({"quotes": ()}, "no verified quote shows a token on which the feature fires"),
            ({"explanation": "activates on the tokens " + ", ".join(f'"x{n}"' for n in range(1_000))}, "characters"),
        ],
    )
    def test_what_is_over_a_limit_cannot_stand(self, change: dict[str, Any], problem: str) -> None:
        evidence = planted(PIZZA)
        proposal = Proposal(PIZZA, pick_quotes(evidence, parse(PIZZA), random.Random(0)), "word " * 60)
        assert isinstance(admit(proposal, evidence), Argument)
        refused = admit(dataclasses.replace(proposal, **change), evidence)
        assert isinstance(refused, str)
        assert problem in refused

    def test_a_refused_quote_is_answered_with_what_it_might_have_meant(self) -> None:
        evidence = Evidence(
            "f", (Example(Context((" the", " hot", " pizza")), (0.0, 0.0, 2.0)),), Thresholds(1.0, 0.1, 2.0)
        )
        refused = admit(Proposal(PIZZA, (QuoteRequest("hot piza"),)), evidence)
        assert isinstance(refused, str)
        assert 'did you mean " hot pizza"' in refused

    def test_a_debater_is_answered_in_the_numbers_that_it_was_shown(self) -> None:
        evidence = planted(PIZZA)
        debater = Scripted(
            Proposal(PIZZA, (QuoteRequest(evidence.examples[0].context.text.replace(" the", " teh", 1)),))
        )
        transcript = debate(evidence, [debater], BuiltinJudge(), no_dev, random.Random(0))
        shown = debater.seen[0].index(evidence.examples[0])
        assert shown != 0
        assert f"(example {shown}, " in debater.problems[1]
        [answer] = transcript.turns[0].quotes
        assert isinstance(answer, Rejected)
        assert answer.suggestion is not None
        assert answer.suggestion.example == 0

    def test_what_did_not_verify_is_dropped_and_counted(self) -> None:
        evidence = planted(PIZZA)
        quotes = pick_quotes(evidence, parse(PIZZA), random.Random(0))[:2]
        requests = [QuoteRequest(quote.text) for quote in quotes]
        debater = Scripted(Proposal(PIZZA, (*requests, QuoteRequest("no such"))))
        transcript = debate(evidence, [debater], BuiltinJudge(), no_dev, random.Random(0))
        assert len(transcript.sides[0].argument.quotes) == 2
        assert transcript.quotes_by_status == {"absent": 1, "exact": 2}

    def test_running_out_of_calls_is_an_outcome(self) -> None:
        debaters = [TextDebater(PIZZA), TextDebater(BROAD), TextDebater(CRUST)]
        few = debate(planted(PIZZA), debaters, BuiltinJudge(), no_dev, random.Random(0), Settings(calls=2))
        assert [forfeit.reason for forfeit in few.forfeits] == ["the debate's limit of calls was reached"]
        assert few.verdict == Abstained("the debate's limit of calls was reached")
        assert few.fallback

    def test_all_debaters_see_the_same_examples_in_the_same_shuffled_order(self) -> None:
        evidence = planted(PIZZA)
        one, two = Scripted(Proposal("x", ())), Scripted(Proposal("y", ()))
        debate(evidence, [one, two], BuiltinJudge(), no_dev, random.Random(0))
        assert one.seen[0] == two.seen[0] == one.seen[2]
        assert one.seen[0] != evidence.examples
        assert Counter(one.seen[0]) == Counter(evidence.examples)

    def test_quotes_in_the_transcript_refer_to_the_evidence_as_it_was_given(self) -> None:
        evidence = planted(PIZZA)
        for side in held(PIZZA, BROAD, evidence=evidence).sides:
            for quote in side.argument.quotes:
                assert isinstance(
                    verify(QuoteRequest(quote.text(evidence), quote.example, quote.start), evidence), Quote
                )


class TestText:
    def test_a_persons_words_stand_and_are_never_repaired(self) -> None:
        evidence, debater = planted(PIZZA), TextDebater(PIZZA)
        proposal = debater.propose(evidence, random.Random(0))
        argument = admit(proposal, evidence)
        assert isinstance(argument, Argument)
        assert debater.repair(evidence, argument, [], random.Random(0)).explanation == proposal.explanation

    def test_the_protocol_fits(self) -> None:
        debaters: list[Debater] = [TextDebater(PIZZA), Scripted(Proposal(PIZZA, ()))]
        assert [debater.name for debater in debaters] == ["text", "scripted"]


class TestSearch:
    NEAR = 'activates on the token " pizza" right after the word "crust"'

    def test_a_debater_that_searches_finds_what_was_planted_and_notes_what_it_tried(self) -> None:
        evidence = planted(self.NEAR, rows=60)
        debaters = [SearchDebater(strategy, None, 2_000) for strategy in STRATEGIES[:3]]
        transcript = debate(evidence, debaters, BuiltinJudge(), no_dev, random.Random(0))
        assert not transcript.forfeits
        assert all(turn.proposal.scratchpad.lines for turn in transcript.turns)
        assert transcript.winner is not None
        predicted = evaluate(transcript.winner.argument.explanation, evidence.batch) >= 0.5
        assert (predicted == (evidence.activations >= evidence.thresholds.high)).all()

    def test_a_repair_takes_in_what_a_counterexample_shows(self) -> None:
        evidence, debater = planted(PIZZA), SearchDebater("lexical", None, 2_000)
        argument = admit(debater.propose(evidence, random.Random(0)), evidence)
        assert isinstance(argument, Argument)
        text = Example(Context((" a", " zebra", " ran")), (0.0, 2.0, 0.0))
        missed = [Counterexample(text, 1, 0.0, "false_negative", "by hand")] * 5
        repaired = debater.repair(evidence, argument, missed, random.Random(0))
        assert isinstance(repaired.explanation, Explanation)
        batch = Batch.of([text.context])
        assert evaluate(argument.explanation, batch)[0, 1] < 0.5
        assert evaluate(repaired.explanation, batch)[0, 1] >= 0.5
        assert isinstance(admit(repaired, evidence), Argument)


class TestPicking:
    @given(st.sampled_from([PIZZA, CRUST, BROAD, 'activates on the word "dog"']), st.integers(0, 50))
    @settings(max_examples=20, deadline=None)
    def test_picked_quotes_verify_and_come_from_distinct_examples(self, text: str, seed: int) -> None:
        evidence = planted(PIZZA, seed)
        requests = pick_quotes(evidence, parse(text), random.Random(seed))
        answers = [verify(request, evidence) for request in requests]
        assert all(isinstance(answer, Quote) for answer in answers)
        assert len(answers) == 3
        assert len({answer.example for answer in answers if isinstance(answer, Quote)}) == 3
        assert isinstance(answers[0], Quote)
        assert any(answers[0].firing(evidence))

    def test_the_first_quote_shows_the_peak(self) -> None:
        evidence = planted(PIZZA)
        first = pick_quotes(evidence, parse(PIZZA), random.Random(0))[0]
        assert first.example is not None
        assert evidence.examples[first.example].peak == max(example.peak for example in evidence.examples)

    def test_enough_is_quoted_for_the_explanation_to_hold_within_the_quote(self) -> None:
        evidence = planted(CRUST, rows=40)
        first = pick_quotes(evidence, parse(CRUST), random.Random(0))[0]
        assert " crust" in first.text

    def test_a_condition_is_argued_for_with_a_contrast(self) -> None:
        near = 'activates on the token " pizza" right after the word "crust"'
        evidence = planted(near, rows=60)
        last = verify(pick_quotes(evidence, parse(near), random.Random(0))[-1], evidence)
        assert isinstance(last, Quote)
        assert last.text(evidence).endswith(" pizza")
        assert not last.firing(evidence)[-1]

    def test_small_evidence_gives_what_there_is(self) -> None:
        evidence = Evidence("f", (Example(Context((" pizza",)), (2.0,)),), Thresholds(1.0, 0.1, 2.0))
        assert len(pick_quotes(evidence, parse(PIZZA), random.Random(0))) == 1


class TestOrders:
    @pytest.mark.parametrize("sides", [1, 2, 3])
    def test_up_to_three_sides_every_order_is_seen(self, sides: int) -> None:
        assert len(set(orders(sides))) == [1, 2, 6][sides - 1]

    @given(st.integers(1, 13))
    @settings(deadline=None)
    def test_places_and_labels_are_balanced(self, sides: int) -> None:
        stood = [
            (order[place], place, labels[place])
            for order, labels in zip(orders(sides), labellings(sides), strict=True)
            for place in range(sides)
        ]
        each = len(orders(sides)) // sides
        assert all(sorted(labels) == list(range(sides)) for labels in labellings(sides))
        assert set(Counter((side, place) for side, place, _ in stood).values()) == {each}
        assert set(Counter((side, label) for side, _, label in stood).values()) == {each}
        assert len(Counter((side, label) for side, _, label in stood)) == sides * sides
        pairs = Counter((place, label) for _, place, label in stood)
        assert set(pairs.values()) == {each if sides % 2 else 2 * each if sides > 2 else len(orders(sides))}

    def test_of_two_sides_labels_follow_places_in_some_debates_and_oppose_them_in_others(self) -> None:
        follows = Counter(vote.shown[0] == "A" for seed in range(40) for vote in held(PIZZA, BROAD, seed=seed).votes)
        assert min(follows[True], follows[False]) >= 20

    def test_labels_go_on_after_the_alphabet(self) -> None:
        assert letters(28)[25:] == ["Z", "A2", "B2"]

    @given(st.integers(4, 12))
    @settings(deadline=None)
    def test_above_three_places_and_neighbours_are_balanced(self, sides: int) -> None:
        square = orders(sides)
        assert len(square) == sides * (1 + sides % 2)
        assert all(sorted(order) == list(range(sides)) for order in square)
        for place in range(sides):
            assert set(Counter(order[place] for order in square).values()) == {len(square) // sides}
        neighbours = Counter(pair for order in square for pair in itertools.pairwise(order))
        assert len(neighbours) == sides * (sides - 1)
        assert set(neighbours.values()) == {1 + sides % 2}


CANARY = "canary"


def leaves(value: object) -> Iterator[object]:
    """Everything that a record holds, however deep."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, dict):
        for pair in value.items():
            yield from leaves(pair)
    elif isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from leaves(item)
    else:
        yield value


class Talkative(TextDebater):
    """Says canaries wherever a debater may say anything."""

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        proposal = super().propose(evidence, rng, problem)
        return dataclasses.replace(
            proposal,
            quotes=(*proposal.quotes[:2], QuoteRequest(f"{CANARY} refused quote")),
            argument=f"{CANARY} argument",
            scratchpad=Scratchpad((f"{CANARY} scratchpad",)),
        )


class TestCanaries:
    """A canary in every field that a judge must not see; then a look through all that it saw."""

    ACTIVATION, DEV_SCORE = 1.2345678, 0.87654321

    def evidence(self) -> Evidence:
        plain = planted(PIZZA)
        examples = tuple(
            Example(
                Context(
                    example.context.tokens, tuple(range(771_000, 771_020)), 661_000 + row, f"{CANARY} document {row}"
                ),
                tuple(self.ACTIVATION if value else 0.0 for value in example.activations),
            )
            for row, example in enumerate(plain.examples)
        )
        spare = Example(Context((f" {CANARY}", " unquoted"), (1, 2), None, CANARY), (0.0, 0.0))
        return Evidence(f"{CANARY}/5550123", (*examples, spare), Thresholds(0.2, 0.02, 2.0), density=0.4443332)

    @pytest.fixture
    def seen(self) -> tuple[Transcript, list[JudgeView]]:
        evidence = self.evidence()
        texts = [PIZZA, PIZZA, BROAD, 'activates on the word "dog"']
        debaters = [Talkative(text, name=f"{CANARY} strategy {number}") for number, text in enumerate(texts)]
        judge = Answers(Ballot("A", {"A": 1.0}))
        transcript = debate(evidence, debaters, judge, lambda _: self.DEV_SCORE, random.Random(0))
        return transcript, judge.views

    def test_the_canaries_were_planted(self, seen: tuple[Transcript, list[JudgeView]]) -> None:
        transcript, views = seen
        text = json.dumps(transcript.to_json())
        for planted_one in ("strategy", "scratchpad", "refused quote", "argument"):
            assert f"{CANARY} {planted_one}" in text
        assert str(self.DEV_SCORE) in text
        assert transcript.sides[0].seats == (0, 1)
        assert len(views) == 6

    def test_no_view_and_no_prompt_holds_one(self, seen: tuple[Transcript, list[JudgeView]]) -> None:
        transcript, views = seen
        numbers = (self.ACTIVATION, self.DEV_SCORE, 0.4443332, "5550123", "7710", "6610")
        for view in views:
            prompt = judge_prompt(view)
            held = list(leaves(view))
            assert {type(leaf) for leaf in held} == {str, bool}
            for text in (prompt, *filter(lambda leaf: isinstance(leaf, str), held)):
                assert isinstance(text, str)
                assert CANARY not in text
                assert not any(str(number) in text for number in numbers)
            assert {argument.label for argument in view.arguments} == {side.label for side in transcript.sides}

    def test_the_judge_cannot_tell_who_had_support(self, seen: tuple[Transcript, list[JudgeView]]) -> None:
        transcript, views = seen
        quotes = {argument.label: len(argument.quotes) for argument in views[0].arguments}
        assert transcript.sides[0].label in quotes
        assert all(count <= 3 for count in quotes.values())


class TestRecord:
    def test_the_same_debate_gives_the_same_bytes(self) -> None:
        one, two = (json.dumps(held(PIZZA, BROAD, CRUST, seed=7).to_json(), allow_nan=False) for _ in range(2))
        assert one == two

    def test_the_json_is_text_that_any_reader_takes(self) -> None:
        evidence = Evidence(
            "f", (Example(Context((" odd", "\udcff", " pizza")), (0.0, 0.0, 2.0)),), Thresholds(1.0, 0.1, 2.0)
        )
        proposal = Proposal("\ud800", (QuoteRequest("\udcff"),), "\udcfe", Scratchpad(("\udcfd",)))
        transcript = debate(
            evidence, [Scripted(proposal), TextDebater(PIZZA)], BuiltinJudge(), no_dev, random.Random(0)
        )
        json.dumps(transcript.to_json(), allow_nan=False, ensure_ascii=False).encode("utf-8")

    def test_the_grid_of_orders_and_labels_is_kept(self) -> None:
        rounds: Any = held(PIZZA, BROAD).to_json()["rounds"]
        votes = rounds[1]["votes"]
        assert sorted(vote["order"] for vote in votes) == [["A", "B"], ["B", "A"]]
        assert sorted(sorted(vote["shown"]) for vote in votes) == [["A", "B"], ["A", "B"]]
        assert all(vote["scores"].keys() == {"A", "B"} for vote in votes)

    def test_a_choice_is_recorded_under_the_sides_own_label(self) -> None:
        transcript = held(PIZZA, BROAD, CRUST, judge=Prefers(PIZZA))
        assert transcript.winner is not None
        assert {vote.label for vote in transcript.votes} == {transcript.winner.label}
        assert {dict(vote.scores)[transcript.winner.label] for vote in transcript.votes} == {1.0}
        assert {vote.shown[vote.order.index(transcript.winner.label)] for vote in transcript.votes} == {"A", "B", "C"}

    def test_usage_is_summed_by_debater_and_for_the_judge(self) -> None:
        evidence = planted(PIZZA)
        quotes = pick_quotes(evidence, parse(PIZZA), random.Random(0))
        quotes = tuple(QuoteRequest(quote.text) for quote in quotes)
        bad = Proposal("nonsense", (), usage=Usage(calls=2, failures=1))
        good = Proposal(PIZZA, quotes, usage=Usage(calls=3, prompt_tokens=7))
        transcript = debate(
            evidence, [TextDebater(BROAD), Scripted(bad, good)], BuiltinJudge(), no_dev, random.Random(0)
        )
        measures: Any = transcript.to_json()["measures"]
        spent = [(one["debater"], one["seat"], one["calls"], one["failures"]) for one in measures["usage"]["debaters"]]
        assert spent == [("text", 0, 0, 0), ("scripted", 1, 5, 1)]
        assert measures["usage"]["judge"]["calls"] == 0


def test_the_package_lists_its_public_names_and_they_all_exist() -> None:
    assert agents.__all__ == sorted(agents.__all__)
    for name in agents.__all__:
        assert hasattr(agents, name)


def test_importing_the_package_loads_none_of_its_modules() -> None:
    code = "import sys, agents; print([name for name in sys.modules if name.startswith(('agents.', 'numpy', 'lark'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
