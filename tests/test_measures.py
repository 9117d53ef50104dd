"""The protocol report: each bias is found where it is planted, nowhere else, and every figure is what it says."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from agents.conversation import NoAnswerError
from agents.judge import BuiltinJudge, Judge
from agents.lm import Failure
from agents.voting import labellings, letters, orders
from autointerp import printing
from autointerp.measures import ProtocolReport, report, side_scores
from autointerp.measures.biases import letter_shares, slot_shares
from autointerp.measures.lines import read_lines
from autointerp.measures.printing import print_report
from autointerp.measures.tallies import kind_of
from autointerp.pool import Finished
from autointerp.scoring import Score, score_explanation
from dsl.errors import InputError
from tests.courtroom import Scripted, Silent, first, letter_a, longest, result, run, shortest, trial, wise
from tests.test_report import feature as feature_view


def measured(judge: Judge, *, features: int = 40, seed: int = 0) -> ProtocolReport:
    return report(run(judge, features=features, seed=seed), seed)


class TestBiases:
    def test_a_judge_that_takes_the_first_is_flagged_by_place_alone_and_decides_nothing(self) -> None:
        found = measured(Scripted(first))
        assert (found.slots.shares[0].name, found.slots.shares[0].share) == ("1", 1.0)
        assert found.slots.shares[0].flagged
        assert found.slots.shares[0].difference.low > 0
        assert not found.letters.flagged
        assert found.length is not None
        assert not found.length.flagged
        assert found.outcomes == {"chosen": 0, "consensus": 0, "abstained": 40}

    def test_a_judge_that_takes_letter_a_is_flagged_by_letter_alone_and_decides_nothing(self) -> None:
        found = measured(Scripted(letter_a))
        assert found.letters.shares[0].name == "A"
        assert found.letters.shares[0].flagged
        assert found.letters.shares[0].share == 1.0
        assert not found.slots.flagged
        assert found.length is not None
        assert not found.length.flagged
        assert found.outcomes == {"chosen": 0, "consensus": 0, "abstained": 40}

    def test_a_judge_that_takes_the_longest_is_flagged_by_length_alone(self) -> None:
        found = measured(Scripted(longest))
        assert found.length is not None
        assert found.length.bias is not None
        assert (found.length.flagged, found.length.bias.value) == (True, 1.0)
        assert found.flags == ("towards longer explanations: +1.000 [+1.000, +1.000] over 40 features",)

    def test_a_judge_that_takes_the_shortest_is_flagged_too(self) -> None:
        [flag] = measured(Scripted(shortest)).flags
        assert flag.startswith("towards shorter explanations: -1.000")

    @pytest.mark.parametrize(("skill", "seed"), [(0.0, 0), (0.0, 1), (0.6, 2), (1.0, 3)])
    def test_a_judge_without_a_bias_is_not_flagged_whether_it_guesses_or_knows(self, skill: float, seed: int) -> None:
        assert measured(Scripted(wise(skill, seed)), seed=seed).flags == ()

    def test_the_builtin_judge_votes_the_same_wherever_a_side_stands(self) -> None:
        found = measured(BuiltinJudge())
        assert not found.slots.flagged
        assert not found.letters.flagged
        assert found.judging.flipped == 0

    def test_few_features_flag_nothing(self) -> None:
        assert measured(Scripted(first), features=5).flags == ()

    def test_views_that_were_not_answered_do_not_look_like_a_bias(self) -> None:
        """The expectation is over the views that were answered, whatever places these happen to show."""
        lines = run(Scripted(wise(1.0, 0)))
        for line in lines:
            for vote in votes_of(line):
                if vote["order"][0] == line["debate"]["winner"]:  # type: ignore[index]
                    vote.update(answered=False, label=None, reason="timeout: too slow")
        read, _ = read_lines(lines)
        assert not slot_shares(read, 0).flagged
        assert not letter_shares(read, 0).flagged


def votes_of(line: dict[str, Any]) -> list[dict[str, Any]]:
    return [vote for part in line["debate"]["rounds"] for vote in part.get("votes", ())]


def line_of(
    name: str,
    halves: dict[str, tuple[float | None, float | None]],
    votes: list[tuple[str, str | None]],
    *,
    winner: str | None,
    outcome: str = "chosen",
    best_by_dev: str = "B",
    seats: dict[str, list[int]] | None = None,
    texts: dict[str, str] | None = None,
    after: tuple[float | None, float | None] = (None, None),
    **debate: Any,
) -> dict[str, Any]:
    """A result in which side A has one debater, B another and so on; a vote is an order and who got it."""
    seats = seats or {label: [number] for number, label in enumerate(halves)}

    def value(f1: float | None) -> dict[str, float] | None:
        return None if f1 is None else {"value": f1}

    return {
        "feature": name,
        "debate": {
            "outcome": outcome,
            "winner": winner,
            "best_by_dev": best_by_dev,
            "sides": [
                {
                    "label": label,
                    "seats": seats[label],
                    "debaters": [f"d{seat}" for seat in seats[label]],
                    "explanation": (texts or {}).get(label, "x" * (number + 1)),
                    "bits": float(number),
                    "dev_score": 0.0,
                }
                for number, label in enumerate(halves)
            ],
            "rounds": [{"kind": "vote", "votes": [{"order": list(order), "label": label} for order, label in votes]}],
            **debate,
        },
        "scores": {"token_f1": value(after[0]), "baselines": {"best_by_dev": {"token_f1": value(after[1])}}},
        "sides_held_out": [
            {
                "label": label,
                "token_f1": None if None in of else sum(of) / 2,  # type: ignore[arg-type]
                "halves": list(of),
            }
            for label, of in halves.items()
        ],
    }


class TestJudging:
    def test_the_best_is_chosen_on_one_half_and_the_loss_measured_on_the_other(self) -> None:
        """On the first half A is best, on the second B: whichever is chosen is right once, and its regret is of the
        half on which the other one was not chosen."""
        line = line_of("f", {"A": (0.9, 0.3), "B": (0.5, 0.4)}, [("AB", "A"), ("BA", "A")], winner="A")
        judge = report([line], 0).judging.judge
        assert judge is not None
        assert judge.accuracy.value == 0.5
        # best on half one: A, measured on half two 0.3 against A's own 0.3; best on half two: B, 0.5 against 0.9
        assert judge.regret.value == pytest.approx(((0.3 - 0.3) + (0.5 - 0.9)) / 2)

    def test_the_wrong_choice_loses_what_the_best_had(self) -> None:
        line = line_of("f", {"A": (0.9, 0.8), "B": (0.5, 0.6)}, [("AB", "B"), ("BA", "B")], winner="B")
        judging = report([line], 0).judging
        assert judging.judge is not None
        assert judging.judge.accuracy.value == 0.0
        assert judging.judge.regret.value == pytest.approx(((0.8 - 0.6) + (0.9 - 0.5)) / 2)
        assert judging.random is not None
        assert judging.random.accuracy.value == 0.5
        assert judging.random.regret.value == pytest.approx(0.15)
        assert judging.best_by_dev == judging.judge

    def test_a_half_on_which_all_sides_tie_says_nothing_of_the_choice(self) -> None:
        line = line_of("f", {"A": (0.5, 0.8), "B": (0.5, 0.6)}, [("AB", "B"), ("BA", "B")], winner="B")
        judge = report([line], 0).judging.judge
        assert judge is not None
        assert (judge.accuracy.value, judge.regret.value) == (0.0, 0.0)

    def test_abstentions_count_in_what_is_reported_and_not_as_the_judges_choices(self) -> None:
        sides = {"A": (0.9, 0.8), "B": (0.5, 0.6)}
        fallback = line_of("f", sides, [("AB", None), ("BA", None)], winner="B", outcome="abstained", reason="none")
        found = report([fallback], 0)
        assert found.judging.judge is None
        assert found.judging.reported is not None
        assert found.judging.reported.accuracy.value == 0.0
        assert (found.fallbacks, found.abstentions) == (1, {"none": 1})

    def test_what_is_left_out_is_counted_with_its_reason(self) -> None:
        votes: list[tuple[str, str | None]] = [("AB", "A"), ("BA", "A")]
        lines = [
            line_of("one side", {"A": (0.9, 0.8)}, [], winner="A", outcome="consensus", best_by_dev="A"),
            line_of("silent", {"A": (None, None), "B": (None, None)}, votes, winner="A"),
            line_of("one half", {"A": (0.4, None), "B": (0.5, None)}, votes, winner="A"),
            line_of("the same", {"A": (0.4, 0.5), "B": (0.4, 0.5)}, votes, winner="A"),
            line_of("nobody asked", {"A": (0.4, 0.6), "B": (0.4, 0.5)}, [], winner="B", outcome="abstained"),
            {"feature": "failed", "error": "it never fires"},
        ]
        found = report(lines, 0)
        assert found.judging.left_out == {
            "fewer than two sides": 1,
            "it does not fire in both halves of the held-out documents": 2,
            "its sides score the same": 1,
            "the judge answered nothing": 1,
        }
        assert found.failed == ("failed",)
        assert found.features == 5
        assert found.controls.unscored == 2

    def test_flips_are_votes_that_differ_from_the_commonest_of_their_feature(self) -> None:
        sides = {"A": (0.9, 0.8), "B": (0.5, 0.6), "C": (0.1, 0.1)}
        votes = [("ABC", "A"), ("ACB", "A"), ("BAC", "B"), ("BCA", "B"), ("CAB", "A"), ("CBA", None)]
        judging = report([line_of("f", sides, votes, winner="A")], 0).judging
        assert judging.flips is not None
        assert judging.flips.value == pytest.approx(3 / 6)
        assert judging.flipped == 1

    def test_a_judge_that_gets_no_answer_is_counted_by_why(self) -> None:
        found = measured(Silent(), features=4)
        assert found.judging.unanswered.keys() == {"timeout"}
        assert sum(found.judging.unanswered.values()) == sum(found.failures.values()) > 0
        assert found.judging.left_out == {"the judge answered nothing": 4}
        assert found.slots.shares == ()
        assert found.length is None
        assert found.fallbacks == 4


class TestControls:
    def test_each_control_is_what_it_says(self) -> None:
        sides = {"A": (0.2, 0.2), "B": (0.6, 0.6), "C": (0.1, 0.1)}
        seats = {"A": [0], "B": [1], "C": [2, 3]}
        line = line_of("f", sides, [], winner="A", best_by_dev="B", seats=seats, after=(0.5, 0.7))
        found = {control.name: control for control in report([line], 0).controls.before_repair}
        assert {name: round(control.f1.value, 6) for name, control in found.items()} == {
            "random side": 0.3,
            "shortest side": 0.2,
            "plurality": 0.1,
            "d0 alone": 0.2,
            "d1 alone": 0.6,
            "d2 alone": 0.1,
            "d3 alone": 0.1,
            "best by dev": 0.6,
        }
        assert {control.debate.value for control in found.values()} == {0.2}
        assert found["best by dev"].lead.value == -0.4
        after = report([line], 0).controls.after_repair
        assert after is not None
        assert (after.debate.value, after.f1.value, after.lead.value) == (0.5, 0.7, -0.2)

    def test_a_control_that_is_indifferent_scores_the_mean(self) -> None:
        sides = {"A": (0.2, 0.2), "B": (0.6, 0.6)}
        found = {one.name: one for one in report([line_of("f", sides, [], winner="A")], 0).controls.before_repair}
        assert found["plurality"].f1.value == pytest.approx(0.4)

    def test_a_debater_that_forfeited_is_missing_and_enters_no_mean(self) -> None:
        sides, reason = {"A": (0.2, 0.2), "B": (0.6, 0.6)}, "line 1, column 3: that is no word"
        forfeit = {"debater": "d2", "seat": 2, "attempts": 3, "reason": reason}
        lines = [
            line_of("f", sides, [], winner="A", forfeits=[forfeit]),
            line_of("g", {**sides, "C": (0.4, 0.4)}, [], winner="A"),
        ]
        found = report(lines, 0)
        [alone] = [control for control in found.controls.before_repair if control.name == "d2 alone"]
        assert (alone.missing, alone.f1.n, alone.f1.value) == (1, 1, 0.4)
        assert found.forfeits == {"the explanation does not parse": 1}
        [tally] = [tally for tally in found.debaters if tally.name == "d2"]
        assert (tally.features, tally.stood, tally.forfeits) == (2, 1, found.forfeits)

    @pytest.mark.parametrize(
        ("leads", "said"),
        [
            ([0.1] * 8, "Debate beats best-by-dev at equal budget"),
            ([-0.1] * 8, "Debate is worse than best-by-dev at equal budget"),
            ([0.1, -0.1] * 4, "Debate does not beat best-by-dev at equal budget"),
            ([0.1] * 3, "Too few features"),
        ],
    )
    def test_the_finding_is_said_either_way(self, leads: list[float], said: str) -> None:
        sides = {"A": (0.5, 0.5), "B": (0.6, 0.6)}
        lines = [
            line_of(str(number), sides, [], winner="A", after=(0.5 + lead, 0.5)) for number, lead in enumerate(leads)
        ]
        assert report(lines, 0).finding.startswith(said)

    def test_no_results_at_all_are_reported_as_such(self) -> None:
        found = report([], 0)
        assert found.finding.startswith("Nothing can be said")
        json.dumps(found.to_json(), allow_nan=False)
        assert "0 features" in printed(found)


class TestTallies:
    def test_win_rates_and_cost_are_by_debater(self) -> None:
        usage = {
            "debaters": [{"debater": "d0", "seat": 0, "calls": 3, "failures": 1, "prompt_tokens": 70}],
            "judge": {"calls": 2, "completion_tokens": 4},
        }
        sides = {"A": (0.2, 0.2), "B": (0.6, 0.6)}
        lines = [
            line_of("f", sides, [], winner="A", measures={"usage": usage}),
            line_of("g", sides, [], winner="B", measures={"usage": usage}),
            line_of("h", sides, [], winner="B", outcome="abstained", measures={"usage": usage}),
        ]
        found = report(lines, 0)
        one, other = found.debaters
        assert (one.name, one.judged, one.chosen, one.fallback) == ("d0", 3, 1, 0)
        alone = line_of("i", {"A": (0.2, 0.2)}, [], winner="A", outcome="consensus", best_by_dev="A")
        [tally] = report([alone], 0).debaters
        assert (tally.stood, tally.judged) == (1, 0)
        assert (other.name, other.judged, other.chosen, other.fallback) == ("d1", 3, 1, 1)
        assert (one.spent.calls, one.spent.failures, one.spent.prompt_tokens) == (9, 3, 210)
        assert other.spent.calls == 0
        assert (found.judge_spent.calls, found.judge_spent.completion_tokens) == (6, 12)
        assert found.spent.calls == 15
        assert "d0: 9 calls (3 failed), 210 + 0 tokens for debates" in printed(found)

    def test_two_debaters_of_one_name_are_told_apart_by_their_seats(self) -> None:
        line = line_of("f", {"A": (0.2, 0.2), "B": (0.6, 0.6)}, [], winner="A")
        for side in line["debate"]["sides"]:
            side["debaters"] = ["same"]
        assert [tally.name for tally in report([line], 0).debaters] == ["same (seat 1)", "same (seat 2)"]

    def test_quotes_are_counted_by_status_and_by_debater(self) -> None:
        turns = [
            {"debater": "d0", "seat": 0, "attempt": 1, "quotes": [{"status": "exact"}, {"status": "absent"}]},
            {"debater": "d1", "seat": 1, "attempt": 1, "quotes": [{"status": "normalised"}]},
        ]
        line = line_of("f", {"A": (0.2, 0.2), "B": (0.6, 0.6)}, [], winner="A")
        line["debate"]["rounds"].append({"kind": "propose", "turns": turns})
        found = report([line], 0)
        assert found.quotes == {"absent": 1, "exact": 1, "normalised": 1}
        assert found.verified == pytest.approx(2 / 3)
        assert [tally.quotes for tally in found.debaters] == [{"absent": 1, "exact": 1}, {"normalised": 1}]

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("line 1, column 40: nothing closes this\n  activates\n  ^", "the explanation does not parse"),
            ('no verified quote shows a token on which the feature fires; quote 1 ("x"): absent',
             "no verified quote on which the feature fires"),
            ("4 quotes; at most 3 are allowed", "too many quotes"),
            ("timeout: no answer within 60 s", "timeout"),
            ("timeout", "timeout"),
            (str(NoAnswerError(Failure("server error", "openai:x@http://h: HTTP 500", 10))), "server error"),
            (str(NoAnswerError(Failure("cut off", "hf:x: 9 tokens did not end the text"))), "cut off"),
            ("2 of 6 orders were answered; a choice takes 4 (timeout: x)", "too few views were answered"),
            ("the scratchpad could not be written: server error: 503", "server error"),
            ("the best side leads by 0.0100; a choice takes 0.0200", "the best side leads by N.N; a choice takes N.N"),
        ],
    )  # fmt: skip
    def test_a_reason_is_filed_under_its_kind(self, reason: str, kind: str) -> None:
        assert kind_of(reason) == kind


class TestSideScores:
    def test_the_whole_is_what_scoring_says(self) -> None:
        weak = 'activates strongly on the token " back"; weakly on any token'
        transcript, held_out = trial(3, BuiltinJudge(), more=[weak])
        assert weak in [side.argument.canonical for side in transcript.sides]
        for side, score in zip(transcript.sides, side_scores(transcript, held_out, 0), strict=True):
            scored = score_explanation(side.argument.explanation, held_out, seed=0, resamples=10).token_f1
            assert isinstance(scored, Score)
            assert (score.label, score.token_f1) == (side.label, scored.value)

    def test_halves_are_of_different_documents_and_firing_ones_are_dealt_out(self) -> None:
        """Counts of two halves add up to those of the whole: harmonic means by hand, over every split of documents."""
        transcript, held_out = trial(5, BuiltinJudge())
        fires = (held_out.activations >= held_out.thresholds.high).any(axis=1)
        scores = side_scores(transcript, held_out, 1)
        assert all(half is not None for score in scores for half in score.halves)
        assert fires.sum() > 4
        assert scores != side_scores(transcript, held_out, 2)
        assert scores == side_scores(transcript, held_out, 1)
        perfect = max(scores, key=lambda score: score.token_f1 or 0.0)
        assert perfect.token_f1 is not None
        assert (
            min(half or 0.0 for half in perfect.halves) <= perfect.token_f1 <= max(half or 0 for half in perfect.halves)
        )

    def test_results_carry_them(self) -> None:
        line = result(0, BuiltinJudge()).to_json()
        assert [side["label"] for side in line["sides_held_out"]] == [  # type: ignore[attr-defined]
            side["label"]
            for side in line["debate"]["sides"]  # type: ignore[index]
        ]


class TestReport:
    def test_the_same_results_give_the_same_bytes_in_json_and_in_print(self) -> None:
        lines = run(Scripted(wise(0.5, 0)), features=8)
        again = json.loads(json.dumps(lines))
        assert json.dumps(report(lines, 0).to_json(), allow_nan=False) == json.dumps(report(again, 0).to_json())
        assert printed(report(lines, 0)) == printed(report(again, 0))

    def test_a_flag_is_printed(self) -> None:
        text = printed(measured(Scripted(first)))
        assert "biased towards place 1" in text
        assert "Debate does not beat best-by-dev" in text

    def test_who_saw_no_votes_judged_nothing(self) -> None:
        line = line_of("f", {"A": (0.2, 0.2)}, [], winner="A", outcome="consensus", best_by_dev="A")
        line["debate"]["judge"] = "builtin"
        assert report([line], 0).judges == {}

    def test_names_and_reasons_are_printed_as_they_are(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = line_of("f", {"A": (0.2, 0.2), "B": (0.6, 0.6)}, [], winner="A")
        line["debate"] |= {"outcome": "abstained", "reason": "the server said [/b] and :smile:"}
        print_report(report([line], 0), printing.out)
        assert "the server said [/b] and :smile:" in capsys.readouterr().out

    def test_a_line_that_is_no_result_of_a_debate_is_said_in_one_line(self) -> None:
        with pytest.raises(InputError, match=r"result 1 is not of a debate: debate: field required"):
            report([{"feature": "f", "predicted": 1}], 0)


class TestFeatureLines:
    """What `print_outcome` says of language models and of what failed, in the lines of one feature."""

    def shown(self, line: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
        printing.print_outcome(Finished(line, feature_view(1)))
        return capsys.readouterr().out.splitlines()

    def test_a_debate_without_language_models_and_failures_has_no_further_lines(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert len(self.shown(result(0, BuiltinJudge()).to_json(), capsys)) == 4

    def test_calls_tokens_and_failures_are_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        line: dict[str, Any] = result(0, Silent()).to_json()
        line["debate"]["measures"]["usage"]["judge"] = {"calls": 6, "failures": 6, "prompt_tokens": 0}
        line["debate"]["measures"]["usage"]["debaters"][0] |= {"calls": 3, "prompt_tokens": 4_200}
        reason = "line 1, column 2: no such word"
        line["debate"]["forfeits"] = [{"debater": "hf:tiny", "seat": 9, "attempts": 3, "reason": reason}]
        shown = self.shown(line, capsys)
        assert "  language models: debaters 3 calls, 4,200 + 0 tokens · judge 6 calls (6 failed), 0 + 0 tokens" in shown
        votes = len(votes_of(line))
        assert (
            f"  hf:tiny forfeited: the explanation does not parse; {votes} of {votes} views not answered: "
            f"{votes} timeout" in shown
        )


def printed(found: ProtocolReport) -> str:
    out = io.StringIO()
    print_report(found, Console(file=out, width=140, highlight=False, soft_wrap=True))
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("skill", [0.0, 0.5])
def test_a_judge_without_a_bias_is_rarely_flagged(skill: float) -> None:
    """Two hundred runs of forty features of two or three sides; each bias may be flagged once in twenty times."""
    flagged = Counter[str]()
    for seed in range(200):
        rng = random.Random(f"{skill} {seed}")
        found = report([drawn(number, skill, rng) for number in range(40)], seed)
        flagged["place"] += found.slots.flagged
        flagged["letter"] += found.letters.flagged
        flagged["length"] += found.length is not None and found.length.flagged
    assert max(flagged.values()) <= 20, flagged


def drawn(number: int, skill: float, rng: random.Random) -> dict[str, Any]:
    """A feature whose sides have scores and lengths at random, and votes by merit so often and else by chance."""
    sides = letters(rng.choice((2, 3)))
    halves: dict[str, tuple[float | None, float | None]] = {label: (f1 := rng.random(), f1) for label in sides}
    best = max(sides, key=lambda label: halves[label])
    offered = rng.sample(sides, len(sides))
    votes = []
    for order, shown in zip(orders(len(sides)), labellings(len(sides)), strict=True):
        label = best if rng.random() < skill else rng.choice(sides)
        votes.append({"order": [sides[n] for n in order], "shown": [offered[n] for n in shown], "label": label})
    texts = {label: "x" * rng.randint(10, 200) for label in sides}
    line = line_of(str(number), halves, [], winner=best, texts=texts, best_by_dev=rng.choice(sides))
    line["debate"]["rounds"] = [{"kind": "vote", "votes": votes}]
    return line


def test_the_expected_shares_are_those_of_votes_that_follow_the_sides() -> None:
    """Against a count by brute force: votes dealt out again at random among the views, many times."""
    rng = np.random.default_rng(0)
    order = [list("ABC"), list("ACB"), list("BAC"), list("CBA")]  # two of six views were not answered
    labels = ["A", "A", "B", "C"]
    line = line_of("f", dict.fromkeys("ABC", (0.5, 0.5)), [], winner="A")
    line["debate"]["rounds"] = [
        {"kind": "vote", "votes": [{"order": o, "label": label} for o, label in zip(order, labels, strict=True)]}
    ]
    read, _ = read_lines([line])
    places = Counter[int]()
    for _ in range(20_000):
        for view, number in enumerate(rng.permutation(4)):
            places[order[view].index(labels[number])] += 1
    for place, share in enumerate(slot_shares(read, 0).shares):
        assert share.expected == pytest.approx(places[place] / 80_000, abs=0.01)


class TestRounds:
    def test_further_quotes_count_and_views_of_one_side_have_no_place_to_prefer(self) -> None:
        lines = [
            line_of(str(number), {"A": (0.2, 0.2), "B": (0.6, 0.6)}, [("A", "A"), ("B", None)], winner="A")
            for number in range(8)
        ]
        answers = [{"seat": 1, "quotes": [{"status": "exact"}, {"status": "over budget"}]}]
        for line in lines:
            line["debate"]["rounds"].insert(0, {"kind": "question", "answers": answers, "reason": "timeout: too slow"})
            line["debate"] |= {"judge": "hf:tiny", "procedure": {"format": "consultancy", "questions": 1, "words": 40}}
        found = report([*lines, {"report": {}}], 0)
        assert (found.slots.shares, found.letters.shares, found.judging.flips) == ((), (), None)
        assert found.quotes == {"exact": 8, "over budget": 8}
        assert found.debaters[1].quotes == found.quotes
        assert found.failures == {"timeout": 8}
        assert found.judges == {"hf:tiny, format consultancy, questions 1": 8}
        assert found.judging.judge is not None
        assert found.judging.judge.accuracy.value == 0.0

    def test_what_repairs_cost_stands_beside_what_debates_cost(self) -> None:
        line = line_of("f", {"A": (0.2, 0.2), "B": (0.6, 0.6)}, [], winner="A")
        line["debate"] |= {"repair_usage": [{"calls": 2}, {"calls": 0}], "control_usage": [{"calls": 0}, {"calls": 5}]}
        found = report([line], 0)
        assert [(tally.repairs.calls, tally.control.calls) for tally in found.debaters] == [(2, 0), (0, 5)]
        assert found.spent.calls == 7
        assert "5 calls, 0 + 0 tokens for repairs of the control" in printed(found)
