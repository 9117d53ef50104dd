"""The debater that is a language model: what it is told, what it may do, and a recorded outcome for all that fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_language_decoding import written_at_random
from test_moves import matcher
from trials import CRUST, PIZZA, no_dev, planted

from agents.debate import debate
from agents.debater import Debater, Metered, Respondent, SearchDebater
from agents.judge import BuiltinJudge
from agents.lm import (
    Completion,
    Failure,
    FailureKind,
    Free,
    Grammar,
    Message,
    Request,
    Usage,
)
from agents.lm_debater import Limits, LMDebater
from agents.moves import QuoteMove, read_turn
from agents.quotes import Quote, QuoteRequest, verify
from agents.scripted_debating import answer_as_debater
from agents.scripted_lm import ScriptedLM
from agents.showing import pieces
from agents.transcript import Argument, JudgeView, Proposal
from agents.trying import TryText
from dsl.batch import Batch
from dsl.ebnf import longest, read
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Counterexample, Evidence, Example, Thresholds

EVIDENCE = planted(PIZZA)
NOON = ("The", " old", " dog", " ran", " to", " the", " hot", " pizza", " at", " noon", ".")
TWICE = (" the", " hot", " pizza", " and", " then", " the", " hot", " pizza", " again")


class Player:
    """Answers like the scripted debater, but for what it was given: turns one after the other, the last for ever."""

    def __init__(
        self,
        *turns: str,
        explanations: Sequence[str] = (PIZZA,),
        argument: str = "It is so.",
        fails: Callable[[int], Failure | None] = lambda _: None,
    ) -> None:
        self.turns, self.explanations, self.argument, self.fails = turns, explanations, argument, fails
        self.calls = self.told_turns = self.told_explanations = 0

    def __call__(self, request: Request) -> str | Failure:
        self.calls += 1
        if failure := self.fails(self.calls):
            return failure
        match request.constraint:
            case Free():
                return self.argument
            case Grammar(lark=grammar) if "move" in grammar and self.turns:
                self.told_turns += 1
                return f"THINK hm\n{self.turns[min(self.told_turns, len(self.turns)) - 1]}"
            case Grammar(lark=grammar) if grammar.startswith('start: "activates'):
                self.told_explanations += 1
                return self.explanations[min(self.told_explanations, len(self.explanations)) - 1]
            case _:
                return answer_as_debater(request)


def firing_quotes(evidence: Evidence = EVIDENCE, count: int = 3) -> list[str]:
    """Moves that quote three tokens up to the first that fires, each of another example."""
    moves = []
    for number, example in enumerate(evidence.examples):
        place = next((n for n, value in enumerate(example.activations) if value >= evidence.thresholds.high), None)
        if place is not None and place >= 2:
            text = "".join(example.context.tokens[place - 2 : place + 1])
            if isinstance(verify(QuoteRequest(text, number), evidence), Quote):
                moves.append(f'QUOTE {number} "{text}"')
    return moves[:count]


def proposed(
    player: Callable[[Request], str | Failure],
    evidence: Evidence = EVIDENCE,
    *,
    try_text: TryText | None = None,
    limits: Limits | None = None,
    candidates: int = 1,
    context_tokens: int = 32_768,
) -> tuple[Proposal, ScriptedLM]:
    lm = ScriptedLM(player, context_tokens=context_tokens)
    debater = LMDebater(lm, None, try_text, limits, candidates=candidates)
    return debater.propose(evidence, random.Random(0)), lm


def told(lm: ScriptedLM) -> list[str]:
    """What the user said after the first message, in the last request."""
    return [message.text for message in lm.asked[-1].messages if message.role == "user"][1:]


def tried(text: str) -> Example | str:
    """A planted feature on words cut at spaces."""
    if "?" in text:
        return "questions cannot be run"
    context = Context(tuple(f" {word}" for word in text.split()))
    predicted = evaluate(parse(PIZZA), Batch.of([context]))
    return Example(context, tuple(2.0 * value for value in predicted[0].tolist()))


class TestProposing:
    def test_it_is_a_debater_in_every_sense(self) -> None:
        debater = LMDebater(ScriptedLM(answer_as_debater), None)
        assert isinstance(debater, Debater)
        assert isinstance(debater, Respondent)
        assert isinstance(debater, Metered)
        assert debater.name == "scripted"

    def test_a_proposal_has_the_explanation_three_quotes_that_verify_and_an_argument(self) -> None:
        proposal, lm = proposed(Player(*firing_quotes(), "EXPLAIN"))
        assert proposal.explanation == parse(PIZZA)
        assert proposal.failure == ""
        assert proposal.argument == "It is so."
        assert len(proposal.quotes) == 3
        assert all(isinstance(verify(quote, EVIDENCE), Quote) for quote in proposal.quotes)
        assert proposal.usage == Usage(
            calls=len(lm.asked),
            prompt_tokens=sum(lm.count_tokens(request.messages) for request in lm.asked),
            completion_tokens=sum(reply.completion_tokens for reply in completions(lm, Player(*firing_quotes()))),
        )

    def test_four_quotes_that_verified_leave_a_choice_of_three_by_name(self) -> None:
        proposal, lm = proposed(Player(*firing_quotes(count=4), "EXPLAIN"))
        [chosen] = [request for request in lm.asked if "Q1 Q2 Q3" in grammar_of(request)]
        assert grammar_of(chosen) == 'start: "Q1 Q2 Q3" | "Q1 Q2 Q4" | "Q1 Q3 Q4" | "Q2 Q3 Q4"\n'
        assert len(proposal.quotes) == 3
        assert any(line.startswith("hands in Q") for line in proposal.scratchpad.lines)

    def test_fewer_quotes_are_handed_in_only_where_fewer_verified_and_it_says_so(self) -> None:
        proposal, _ = proposed(Player(*firing_quotes(count=1), "EXPLAIN"))
        assert len(proposal.quotes) == 1
        assert "hands in 1 quotes: no more verified" in proposal.scratchpad.lines

    def test_user_and_model_speak_in_turn_and_the_first_message_never_changes(self) -> None:
        _, lm = proposed(Player(*firing_quotes(), "EXPLAIN"))
        for request in lm.asked:
            roles = [message.role for message in request.messages]
            assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
            assert request.messages[0] == lm.asked[0].messages[0]

    def test_every_constrained_request_has_tokens_for_the_longest_text_of_its_grammar(self) -> None:
        _, lm = proposed(Player(*firing_quotes(count=4), "EXPLAIN"), try_text=tried)
        for request in lm.asked:
            if isinstance(request.constraint, Grammar):
                assert request.max_tokens >= longest(read(request.constraint.lark))

    def test_the_same_seed_says_the_same_and_another_seed_asks_with_other_seeds(self) -> None:
        asked = []
        for seed in (1, 1, 2):
            lm = ScriptedLM(answer_as_debater)
            LMDebater(lm, None).propose(EVIDENCE, random.Random(seed))
            asked.append([request.seed for request in lm.asked])
        assert asked[0] == asked[1] != asked[2]

    def test_a_second_feature_starts_a_conversation_of_its_own(self) -> None:
        lm = ScriptedLM(answer_as_debater)
        debater = LMDebater(lm, None)
        debater.propose(EVIDENCE, random.Random(0))
        debater.propose(planted(CRUST), random.Random(0))
        assert " crust" in lm.asked[-1].messages[0].text
        assert lm.asked[-1].messages[0] != lm.asked[0].messages[0]

    def test_of_several_candidates_the_one_that_fits_the_evidence_best_is_handed_in(self) -> None:
        broad = "activates on any token"
        proposal, lm = proposed(
            Player(*firing_quotes(), "EXPLAIN", explanations=(broad, PIZZA, 'activates on the word "dog"')),
            candidates=3,
        )
        assert proposal.explanation == parse(PIZZA)
        samples = [request.sample for request in lm.asked if grammar_of(request).startswith('start: "activates')]
        assert samples == [0, 1, 2]
        assert [line for line in proposal.scratchpad.lines if line.startswith("candidate, F1 1.000")]

    def test_an_argument_is_cut_at_its_limit_of_words_and_the_scratchpad_says_so(self) -> None:
        proposal, _ = proposed(Player(*firing_quotes(), "EXPLAIN", argument="word " * 100))
        assert len(proposal.argument.split()) == 60
        assert "the argument went on after 60 words" in proposal.scratchpad.lines


class TestTurns:
    @pytest.mark.parametrize(
        ("move", "answer"),
        [
            ('QUOTE 99 "pizza"', "there is no example 99"),
            ('QUOTE {number} "{near}"', 'Did you mean QUOTE {number} " {text}"?'),
            ('QUOTE {other} "{text}"', "absent"),
            ('QUOTE {number} "no such words"', "Not accepted: absent"),
            ('QUOTE {number} "\\n"', "too short"),
        ],
    )
    def test_what_does_not_verify_is_explained_and_suggested_back(self, move: str, answer: str) -> None:
        evidence, text = one_text(NOON, " pizza")
        names = {"number": 0, "other": 1, "text": text, "near": text.replace("hot", "hit")}
        _, lm = proposed(Player(move.format(**names), f'QUOTE 0 "{text}"', "EXPLAIN"), evidence)
        assert answer.format(**names) in told(lm)[0]
        assert told(lm)[1].startswith("Accepted as Q1 (exact)")

    def test_a_quote_taken_twice_is_a_duplicate_and_a_text_in_two_places_ambiguous(self) -> None:
        evidence, _ = one_text(TWICE, " pizza")
        _, lm = proposed(Player('QUOTE 0 "the hot pizza"', 'QUOTE 0 "then the hot pizza"', "EXPLAIN"), evidence)
        assert "stands in 2 places" in told(lm)[0]
        _, lm = proposed(Player(*['QUOTE 0 "then the hot pizza"'] * 2, "EXPLAIN"), evidence)
        assert "duplicate" in told(lm)[1]

    def test_marks_and_escapes_of_the_prompt_may_be_copied_into_a_quote(self) -> None:
        evidence, _ = one_text(["He", ' said "', "eat", " <pizza>", ' [now]"', " today"], " <pizza>")
        proposal, _ = proposed(Player(r'QUOTE 0 "said \"eat<< \<pizza\>>> \[now\]\""', "EXPLAIN"), evidence)
        assert proposal.quotes == (QuoteRequest(' said "eat <pizza> [now]"', 0, 1, 5),)

    def test_explain_is_on_offer_only_with_a_quote_that_shows_the_feature_firing(self) -> None:
        _, lm = proposed(Player(*firing_quotes(), "EXPLAIN"))
        assert '"EXPLAIN"' not in grammar_of(lm.asked[0])
        assert '"EXPLAIN"' in grammar_of(lm.asked[1])

    def test_a_text_that_is_tried_comes_back_with_every_activation(self) -> None:
        turns = ['TRY "a hot pizza"', 'TRY "really?"', *firing_quotes(), "EXPLAIN"]
        _, lm = proposed(Player(*turns), try_text=tried)
        assert 'token by token: " a" 0, " hot" 0, " pizza" 10. Tries left: 3.' in told(lm)[0]
        assert "cannot be run: questions cannot be run. Tries left: 2." in told(lm)[1]

    def test_without_a_model_nothing_can_be_tried(self) -> None:
        _, lm = proposed(Player(*firing_quotes(), "EXPLAIN"))
        assert not any("TRY" in grammar_of(request) for request in lm.asked)
        assert "TRY" not in lm.asked[0].messages[0].text

    def test_one_that_only_tries_runs_out_of_tries_and_then_must_quote(self) -> None:
        def only_tries(request: Request) -> str:
            if '"TRY "' in grammar_of(request):
                return 'THINK again\nTRY "a pizza"'
            return answer_as_debater(request)

        proposal, lm = proposed(only_tries, try_text=tried)
        assert proposal.failure == ""
        assert sum('"TRY "' in grammar_of(request) for request in lm.asked) == Limits().tries

    @pytest.mark.parametrize("move", ['QUOTE 0 "nonsense"', 'QUOTE 5 "\\x00"'])
    def test_one_that_never_quotes_well_ends_by_the_limit_of_turns(self, move: str) -> None:
        proposal, lm = proposed(Player(move))
        assert "Your turns are used up." in proposal.scratchpad.lines
        assert proposal.quotes == ()
        assert [answer.status for _, answer in proposal.refused] == ["absent"] * Limits().turns
        assert proposal.usage.calls == Limits().turns + 2
        assert "You have no quotes." in told(lm)[-1]

    def test_calls_and_tokens_written_have_limits_too(self) -> None:
        proposal, _ = proposed(Player('QUOTE 0 "nonsense"'), limits=Limits(calls=3))
        assert "Your calls are used up." in proposal.scratchpad.lines
        proposal, _ = proposed(Player('QUOTE 0 "nonsense"'), limits=Limits(tokens=10))
        assert "Your tokens are used up." in proposal.scratchpad.lines

    def test_the_last_place_for_a_quote_is_kept_for_one_in_which_the_feature_fires(self) -> None:
        silent = [
            f'QUOTE {number} "{"".join(example.context.tokens[:2])}"'
            for number, example in enumerate(EVIDENCE.examples)
            if not any(example.activations[:2])
        ]
        assert len(silent) > 4
        proposal, lm = proposed(Player(*silent[:4], firing_quotes()[0], "EXPLAIN"), limits=Limits(quotes=3))
        assert [text.partition(":")[0] for text in told(lm)[2:4]] == ["Not taken"] * 2
        assert len(proposal.quotes) == 3
        assert any(any(verify(quote, EVIDENCE).firing(EVIDENCE)) for quote in proposal.quotes)  # type: ignore[union-attr]

    def test_enough_quotes_and_nothing_to_try_end_the_turns(self) -> None:
        proposal, _ = proposed(Player(*firing_quotes(count=5)), limits=Limits(quotes=3))
        assert "There is nothing left to quote or to try." in proposal.scratchpad.lines
        assert len(proposal.quotes) == 3


class TestFurtherAttempts:
    def test_a_problem_is_told_and_the_conversation_goes_on_to_the_explanation(self) -> None:
        lm = ScriptedLM(Player(*firing_quotes(), "EXPLAIN", explanations=("activates on digits", PIZZA)))
        debater = LMDebater(lm, None)
        first = debater.propose(EVIDENCE, random.Random(0))
        calls = len(lm.asked)
        second = debater.propose(EVIDENCE, random.Random(1), "the explanation\nis [INST] wrong")
        assert lm.asked[calls].messages[: len(lm.asked[calls - 1].messages)] == lm.asked[calls - 1].messages
        assert "| the explanation\n| is \\[INST\\] wrong" in lm.asked[calls].messages[-1].text
        assert grammar_of(lm.asked[calls]).startswith('start: "activates')
        assert (first.explanation, second.explanation) == (parse("activates on digits"), parse(PIZZA))
        assert second.quotes == first.quotes
        assert debater.spent == first.usage + second.usage

    def test_without_a_firing_quote_a_further_attempt_has_a_few_turns_more(self) -> None:
        lm = ScriptedLM(Player(*['QUOTE 0 "nonsense"'] * 8, *firing_quotes(), "EXPLAIN"))
        debater = LMDebater(lm, None)
        assert debater.propose(EVIDENCE, random.Random(0)).quotes == ()
        calls = len(lm.asked)
        assert len(debater.propose(EVIDENCE, random.Random(1), "no quote").quotes) == 3
        assert lm.asked[calls].messages[-1].text.endswith("Turns left: 3. Moves: QUOTE.")

    @pytest.mark.parametrize("context_tokens", [3_000, 3_500, 4_096, 8_192])
    def test_a_conversation_that_has_become_too_long_starts_over_with_the_problem_told(
        self, context_tokens: int
    ) -> None:
        lm = ScriptedLM(Player('QUOTE 0 "nonsense"'), context_tokens=context_tokens)
        debater = LMDebater(lm, None)
        evidence, problem, restarts = planted(CRUST, rows=80), "", 0
        for attempt in range(8):
            proposal = debater.propose(evidence, random.Random(attempt), problem)
            assert proposal.failure == ""
            problem = "no verified quote shows a token on which the feature fires"
            if "starts over: there was no room for a further attempt" in proposal.scratchpad.lines:
                restarts += 1
        assert restarts >= 1
        assert "cannot stand" in lm.asked[-1].messages[0].text
        assert all(lm.count_tokens(r.messages) + r.max_tokens <= context_tokens for r in lm.asked)

    def test_quotes_are_picked_only_if_asked_for_and_only_after_the_model_failed_twice_to_quote(self) -> None:
        transcripts = []
        for picks in (False, True):
            debater = LMDebater(ScriptedLM(Player('QUOTE 0 "nonsense"')), None, picks=picks)
            transcripts.append(debate(EVIDENCE, [debater], BuiltinJudge(), no_dev, random.Random(0)))
        assert [transcript.outcome for transcript in transcripts] == ["abstained", "consensus"]
        first, second = transcripts[1].turns
        assert transcripts[1].quotes_by_status == {"absent": 11, "exact": 3}
        assert sum(len(turn["quotes"]) for turn in transcripts[1].to_json()["rounds"][0]["turns"]) == 14  # type: ignore
        assert (first.proposal.quotes, len(second.quotes)) == ((), 3)
        assert all(isinstance(quote, Quote) for quote in second.quotes)
        assert second.proposal.scratchpad.lines[-1] == "its quotes were picked for it"

    @pytest.mark.parametrize("number", range(1, 9))
    def test_whichever_call_fails_is_the_problem_and_the_next_attempt_goes_on_from_there(self, number: int) -> None:
        turns = [*firing_quotes(count=4), "EXPLAIN"]
        down = Failure("timeout", "no answer in 60 s", retries=10)
        player = Player(*turns, fails=lambda call: down if call == number else None)
        lm = ScriptedLM(player)
        debater = LMDebater(lm, None)
        first = debater.propose(EVIDENCE, random.Random(0))
        assert first.usage.failures == 1
        if number == 8:  # the argument: what stands can stand without
            assert (first.failure, first.argument, len(first.quotes)) == ("", "", 3)
            assert first.scratchpad.lines[-1].startswith("no argument: the language model gave no answer: timeout")
            return
        assert "timeout after 10 retries: no answer in 60 s" in first.failure
        assert first.quotes == ()
        second = debater.propose(EVIDENCE, random.Random(1), first.failure)
        assert second.failure == ""
        assert len(second.quotes) == 3
        assert second.usage.calls < 9 if number > 1 else second.usage.calls == 8
        assert not any("cannot stand" in text for text in told(lm))

    @pytest.mark.parametrize("kind", ["refused", "outside the constraint", "cut off", "too long", "unreachable"])
    def test_a_model_that_never_answers_forfeits_and_the_debate_goes_on(self, kind: FailureKind) -> None:
        silent = LMDebater(ScriptedLM(lambda _: Failure(kind, "no")), None)
        transcript = debate(
            EVIDENCE,
            [silent, LMDebater(ScriptedLM(answer_as_debater), None)],
            BuiltinJudge(),
            no_dev,
            random.Random(0),
        )
        assert transcript.outcome == "consensus"
        [forfeit] = transcript.forfeits
        assert forfeit.attempts == 3
        assert f"the language model gave no answer: {kind}: no" in forfeit.reason
        assert transcript.to_json()["forfeits"]


AWKWARD = (
    "\udcc3",
    "\udca9",
    " caf",
    "\udcff",
    "\u200b",
    "\n\n",
    "\t",
    "«",
    "»",
    " <|im",
    "_end|>",
    "[INST]",
    "\\",
    '"',
    " é",
    "…",
)


class TestQuotingWhatIsShown:
    @given(
        st.lists(st.sampled_from([*AWKWARD, " pie", " pizza", ".", " a"]), min_size=4, max_size=14),
        st.integers(0, 12),
        st.integers(2, 6),
    )
    @settings(deadline=None, max_examples=150)
    def test_what_stands_in_the_prompt_verifies_when_it_is_copied(
        self, tokens: list[str], start: int, width: int
    ) -> None:
        example = Example(Context(tuple(tokens), start=0), tuple(float(n % 3 == 0) for n in range(len(tokens))))
        evidence = Evidence("awkward", (example,), Thresholds.from_maximum(1.0))
        cut = list(pieces(example))[start : start + width]
        copied = "".join(text for text, _ in cut)
        if len(cut) < 2 or not copied.strip():
            return
        _, move = read_turn(f'THINK x\nQUOTE 0 "{copied}"')
        assert isinstance(move, QuoteMove)
        found = verify(QuoteRequest(move.text, 0), evidence)
        assert isinstance(found, Quote) or found.status in ("ambiguous", "too short"), found

    @given(
        st.lists(st.sampled_from([*AWKWARD, " pie", " pizza", ".", " a"]), min_size=1, max_size=14), st.integers(0, 9)
    )
    @settings(deadline=None, max_examples=60)
    def test_the_scripted_debater_keeps_to_every_grammar_whatever_the_text(self, tokens: list[str], seed: int) -> None:
        marks = tuple(float(n % 3 == 0) for n in range(len(tokens)))
        silent = Example(Context(tuple(tokens[::-1]), start=3), (0.0,) * len(tokens))
        fires = Example(Context(tuple(tokens), start=0), marks)
        evidence = Evidence("awkward", (silent, fires, EVIDENCE.examples[1]), Thresholds.from_maximum(1.0))
        lm = ScriptedLM(answer_as_debater)
        proposal = LMDebater(lm, None, lambda _: fires).propose(evidence, random.Random(seed))
        assert proposal.failure == ""
        assert isinstance(proposal.explanation, Explanation)


class TestContext:
    @pytest.mark.parametrize("context_tokens", [200, 1_000, 1_500, 2_000, 2_500, 3_000, 4_096, 6_000, 8_192, 32_768])
    @pytest.mark.parametrize(
        "player", [answer_as_debater, lambda _: 'THINK no\nQUOTE 0 "no"'], ids=["plays", "blunders"]
    )
    def test_nothing_asked_is_ever_too_long_and_what_was_left_out_is_said(
        self, context_tokens: int, player: Callable[[Request], str]
    ) -> None:
        evidence = planted(CRUST, rows=80)

        def mostly(request: Request) -> str:
            return player(request) if "move" in grammar_of(request) else answer_as_debater(request)

        proposal, lm = proposed(mostly, evidence, context_tokens=context_tokens)
        for request in lm.asked:
            assert lm.count_tokens(request.messages) + request.max_tokens <= context_tokens
        assert proposal.usage.failures == 0
        if proposal.failure:
            assert "too small" in proposal.failure
            assert context_tokens <= 2_500
            assert not lm.asked
            return
        lines = "\n".join(proposal.scratchpad.lines)
        assert ("left out" in lines) == (context_tokens <= 6_000)
        opening = lm.asked[0].messages[0].text
        _, _, own = opening.partition("# The feature to explain")
        assert own.count("fires: ") >= 2
        assert own.count(" silent\n") >= 1

    def test_examples_keep_their_numbers_and_their_order_when_others_are_left_out(self) -> None:
        evidence = planted(CRUST, rows=80)
        _, lm = proposed(answer_as_debater, evidence, context_tokens=4_096)
        _, whole = proposed(answer_as_debater, evidence)
        few, many = (examples_of(asked.asked[0]) for asked in (lm, whole))
        assert len(many) == 80
        assert len(few) < 80
        assert few == [line for line in many if line in few]

    def test_a_feature_that_fires_nowhere_is_a_failure_in_words(self) -> None:
        silent = replace(EVIDENCE, examples=EVIDENCE.examples[:1] * 0)
        proposal, lm = proposed(answer_as_debater, silent)
        assert proposal.failure == "the feature fires in none of its examples"
        assert not lm.asked

    def test_other_scripts_can_be_explained(self) -> None:
        evidence, text = one_text(["я", " ем", " пиццу", " и", " пью", " чай"], " пиццу")
        said = 'activates on the word "пиццу"'
        proposal, _ = proposed(Player(f'QUOTE 0 "{text}"', "EXPLAIN", explanations=(said,)), evidence)
        assert proposal.explanation == parse(said)


class Counting(ScriptedLM):
    """Counts how often it was asked to count."""

    counts = 0

    def count_tokens(self, messages: Sequence[Message]) -> int:
        self.counts += 1
        return super().count_tokens(messages)


def test_a_model_is_asked_to_count_only_where_bytes_do_not_settle_it() -> None:
    for context_tokens, opening, each in ((200_000, 0, 0), (6_000, 8, 1)):  # halving the steps; then once a turn
        lm = Counting(answer_as_debater, context_tokens=context_tokens)
        LMDebater(lm, None).propose(planted(CRUST, rows=80), random.Random(0))
        answered = len(lm.asked)  # the scripted model counts those itself
        assert lm.counts - answered <= opening + each * answered


class TestRepair:
    def repaired(
        self, player: Callable[[Request], str | Failure], context_tokens: int = 32_768
    ) -> tuple[Proposal, ScriptedLM]:
        lm = ScriptedLM(player, context_tokens=context_tokens)
        debater = LMDebater(lm, None)
        argument = Argument(parse('activates on the word "pizza"'), (), "")
        shown = Example(Context((" the", ' "Pizza', "\n")), (0.0, 0.0, 0.0))
        right = Example(Context((" the", " pizza")), (0.0, 1.8))
        found = Counterexample(shown, 1, 1.0, "false_positive", "case", original=right, original_position=1)
        return debater.repair(EVIDENCE, argument, [found] * 20, random.Random(0)), lm

    def test_it_sees_the_counterexamples_thinks_once_and_mends(self) -> None:
        proposal, lm = self.repaired(Player())
        prompt = lm.asked[0].messages[0].text
        assert (
            '1. (from ?) " the \\"Pizza\\n" silent. On " \\"Pizza", token 2, the rule says 10; the model says 0.'
            in prompt
        )
        assert 'where the rule is right: " the« pizza»"' in prompt
        assert 'activates on the word "pizza"' in prompt
        assert prompt.count("the model says 0") == Limits().counterexamples
        assert "shown the last 12 of 20 counterexamples" in proposal.scratchpad.lines
        assert proposal.explanation == parse(PIZZA)
        assert len(lm.asked) == proposal.usage.calls == 2
        assert proposal.quotes
        assert all(isinstance(verify(quote, EVIDENCE), Quote) for quote in proposal.quotes)

    def test_a_failure_is_recorded_and_proposes_nothing(self) -> None:
        proposal, _ = self.repaired(Player(fails=lambda _: Failure("refused", "no")))
        assert proposal.failure == "the language model gave no answer: refused: no"
        assert proposal.quotes == ()
        proposal, lm = self.repaired(Player(), context_tokens=900)
        assert "too small" in proposal.failure
        assert not lm.asked

    def test_the_examples_are_read_as_they_were_for_the_proposal(self) -> None:
        lm = ScriptedLM(answer_as_debater)
        debater = LMDebater(lm, None)
        shuffled = replace(EVIDENCE, examples=EVIDENCE.examples[::-1])
        debater.propose(shuffled, random.Random(0))
        debater.repair(EVIDENCE, Argument(parse(PIZZA), (), ""), [], random.Random(0))
        assert examples_of(lm.asked[-1]) == examples_of(lm.asked[0])


class TestFurtherQuotes:
    def asked(
        self, player: Callable[[Request], str | Failure], question: str = ""
    ) -> tuple[Sequence[QuoteRequest], ScriptedLM]:
        own = Argument(parse(PIZZA), (quoted(firing_quotes()[0]),), "secret argument")
        rival = Argument(parse("activates on any token"), (quoted(firing_quotes()[1]),), "")
        view = JudgeView.of([("S1", rival), ("S2", own)], EVIDENCE)
        lm = ScriptedLM(player)
        debater = LMDebater(lm, None)
        found = debater.further_quotes(EVIDENCE, own, view, random.Random(0), question)
        assert debater.spent.calls == len(lm.asked)
        return found, lm

    def test_it_sees_the_sides_by_neutral_labels_and_gives_quotes_that_verify(self) -> None:
        found, lm = self.asked(Player(firing_quotes()[2], "DONE"), "where does it fail?")
        prompt = lm.asked[0].messages[0].text
        assert "Yours is S2." in prompt
        assert "S1: activates on any token" in prompt
        assert 'The judge asks: "where does it fail?"' in prompt
        assert "secret argument" not in prompt
        [request] = found
        assert isinstance(verify(request, EVIDENCE), Quote)

    def test_its_own_quotes_are_no_further_quotes_and_the_turns_are_few(self) -> None:
        found, lm = self.asked(Player(firing_quotes()[0]))
        assert not [
            request for request in found if isinstance(verify(request, EVIDENCE, [quoted(firing_quotes()[0])]), Quote)
        ]
        assert "duplicate" in told(lm)[0]
        assert len(lm.asked) == Limits().again

    def test_a_failure_leaves_what_verified_before(self) -> None:
        found, _ = self.asked(
            Player(firing_quotes()[2], fails=lambda call: Failure("timeout", "") if call == 2 else None)
        )
        assert len(found) == 1


@pytest.mark.parametrize("context_tokens", [1_000, 1_500, 1_800, 2_000, 2_200, 2_500, 3_000, 4_096, 6_000, 16_384])
def test_repairs_and_rebuttals_ask_for_nothing_that_is_too_long(context_tokens: int) -> None:
    evidence = planted(CRUST, rows=80)
    found = Counterexample(evidence.examples[0], 3, 1.0, "false_positive", "x", original=evidence.examples[1])
    own = Argument(parse(PIZZA), (), "")
    view = JudgeView.of([("S1", own), ("S2", Argument(parse("activates on any token"), (), ""))], evidence)
    for player in (answer_as_debater, Player('QUOTE 0 "nonsense"')):
        lm = ScriptedLM(player, context_tokens=context_tokens)
        debater = LMDebater(lm, None)
        proposal = debater.repair(evidence, own, [found] * 3, random.Random(0))
        debater.further_quotes(evidence, own, view, random.Random(0))
        assert ("too small" in proposal.failure) == (context_tokens <= 2_000)
        assert debater.spent.failures == 0
        assert debater.spent.calls == len(lm.asked)


class TestDebates:
    def test_a_whole_debate_of_three_models_and_a_search(self) -> None:
        models = [ScriptedLM(answer_as_debater, name=f"model {number}") for number in range(3)]
        debaters: list[Debater] = [
            *(LMDebater(lm, None, tried) for lm in models),
            SearchDebater("lexical", None, 2_000),
        ]
        transcript = debate(planted(CRUST, rows=60), debaters, BuiltinJudge(), no_dev, random.Random(0))
        assert not transcript.forfeits
        assert {turn.debater for turn in transcript.turns} == {"model 0", "model 1", "model 2", "search:lexical"}
        assert all(turn.problem == "" for turn in transcript.turns)
        assert all(len(turn.proposal.quotes) == 3 for turn in transcript.turns[:3])
        assert transcript.winner is not None
        openings = {lm.asked[0].messages for lm in models}
        assert len(openings) == 1, "debaters of one feature share what they are told first"

    @pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 100), marks=pytest.mark.slow)])
    def test_models_that_babble_and_fail_hold_debates_that_end_and_what_is_said_always_parses(
        self, seeds: range
    ) -> None:
        for seed in seeds:
            babble, said = random.Random(seed), list[str]()

            def answer(request: Request, babble: random.Random = babble, said: list[str] = said) -> str | Failure:
                if babble.random() < 0.2:
                    return Failure(babble.choice(["timeout", "refused", "outside the constraint", "cut off"]), "so")
                if not isinstance(request.constraint, Grammar):
                    return "bla " * babble.randrange(90)
                text = written_at_random(matcher(request.constraint.lark), babble)
                said.extend([text] if text.startswith("activates") else [])
                return text

            debaters = [LMDebater(ScriptedLM(answer), None, tried, picks=bool(n)) for n in range(3)]
            transcript = debate(planted(CRUST, seed, rows=30), debaters, BuiltinJudge(), no_dev, random.Random(seed))
            assert transcript.to_json()["outcome"] in ("chosen", "consensus", "abstained")
            assert all(parse(text) for text in said)
            assert sum((debater.spent for debater in debaters), Usage()) == sum(
                (turn.proposal.usage for turn in transcript.turns), Usage()
            )
            for turn in transcript.turns:
                assert bool(turn.problem) or len(turn.proposal.quotes) >= 1

    def test_the_same_seed_holds_the_same_debate(self) -> None:
        def held() -> object:
            debaters = [LMDebater(ScriptedLM(answer_as_debater), None, tried) for _ in range(3)]
            return debate(EVIDENCE, debaters, BuiltinJudge(), no_dev, random.Random(5)).to_json()

        assert held() == held()


def completions(lm: ScriptedLM, player: Player) -> Iterator[Completion]:
    """What the model said, from what it was told that it had said."""
    for before, after in zip(lm.asked, lm.asked[1:], strict=False):
        said = after.messages[len(before.messages)]
        assert said.role == "assistant"
        yield Completion(said.text, 0, lm.count_tokens([said]) - 4)
    yield Completion(player.argument, 0, lm.count_tokens([Message("assistant", player.argument)]) - 4)


def grammar_of(request: Request) -> str:
    return request.constraint.lark if isinstance(request.constraint, Grammar) else ""


def examples_of(request: Request) -> list[str]:
    _, _, own = request.messages[0].text.partition("# The feature to explain\n")
    return [line for line in own.partition("\n#")[0].splitlines() if line]


def one_text(tokens: Sequence[str], firing: str) -> tuple[Evidence, str]:
    """Evidence of one text that is given in tokens, one other that fires, and a silent one; and a quote."""
    values = tuple(float(token == firing) for token in tokens)
    place = tokens.index(firing)
    others = (Example(Context((firing, " !")), (1.0, 0.0)), Example(Context((" nothing", " here")), (0.0, 0.0)))
    evidence = Evidence("one", (Example(Context(tuple(tokens)), values), *others), Thresholds.from_maximum(1.0))
    return evidence, "".join(tokens[place - 1 : place + 1]).strip()


def quoted(move: str) -> Quote:
    number, text = move.removeprefix("QUOTE ").split(" ", 1)
    found = verify(QuoteRequest(text[1:-1], int(number)), EVIDENCE)
    assert isinstance(found, Quote)
    return found
