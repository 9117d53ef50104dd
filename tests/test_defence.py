"""The defence of an explanation over several rounds, on a planted subject."""

from __future__ import annotations

import random
from collections.abc import Sequence

from riverside import dev, evidence, generators, planted
from test_repair import Proposing, Searching, f1

from autointerp.defence import Defence, defend
from autointerp.repair import Repairer, RepairOutcome, repair
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Counterexample
from probes.attack import Attack, attack
from probes.bank import replay
from probes.trial import Budget

TRUTH = 'activates on the token " bank" in the context of the word "river"'
WRONG = 'activates on the token " bank"'
SUBJECT = planted(TRUTH)


def defended(text: str, *repairers: Repairer, rounds: int) -> Defence:
    sample = dev(SUBJECT)

    def attacked(explanation: Explanation, number: int) -> Attack:
        samples = [evidence(SUBJECT), sample]
        rng = random.Random(number)
        return attack(
            explanation, 0, SUBJECT, samples, SUBJECT.thresholds, generators(SUBJECT), Budget(25_000), rng
        )  # fmt: skip

    def mended(
        explanation: Explanation, found: Sequence[Counterexample], remembered: Sequence[Counterexample], number: int
    ) -> RepairOutcome:
        return repair(
            explanation,
            found,
            evidence(SUBJECT),
            repairers,
            lambda one: f1(sample, one),
            SUBJECT.vocabulary,
            random.Random(number),
            remembered=remembered,
        )

    return defend(parse(text), attacked, mended, rounds=rounds)


def test_an_explanation_one_step_off_is_mended_to_one_that_no_attack_falsifies() -> None:
    defence = defended(WRONG, Searching(), rounds=3)
    assert defence.repaired
    assert defence.standing is not None
    assert defence.standing.counterexamples == ()
    assert defence.standing.probes > 0
    assert [outcome.accepted for outcome in defence.repairs] == [True] * len(defence.repairs)
    assert len(defence.attacks) == len(defence.repairs) + 1


def test_the_truth_needs_no_defence() -> None:
    defence = defended(TRUTH, Searching(), rounds=3)
    assert not defence.repaired
    assert defence.repairs == ()
    assert len(defence.attacks) == 1


def test_without_rounds_an_explanation_is_attacked_and_left_as_it_is() -> None:
    defence = defended(WRONG, Searching(), rounds=0)
    assert not defence.repaired
    assert len(defence.attacks) == 1
    assert defence.attacks[0].counterexamples


def test_a_refused_repair_ends_the_defence_with_what_was_found_standing() -> None:
    defence = defended(WRONG, Proposing('activates on the word "tree"'), rounds=3)
    assert not defence.repaired
    assert [outcome.accepted for outcome in defence.repairs] == [False]
    assert defence.standing is defence.attacks[0]


def test_what_was_mended_is_shown_again_and_may_not_come_back() -> None:
    first = defended(WRONG, Proposing(TRUTH), rounds=1)
    [outcome] = first.repairs
    assert outcome.mended
    assert not any(replay(outcome.mended, parse(TRUTH), SUBJECT.thresholds, SUBJECT.vocabulary))
    # From a truth that is a little too narrow, back to what was wrong at first.
    narrow = parse('activates on the token " bank" within 20 tokens after the word "river"')
    back = Proposing(WRONG)
    found = defended(
        'activates on the token " bank" within 2 tokens after the word "river"', Proposing(), rounds=1
    ).attacks[0]
    again = repair(
        narrow,
        found.counterexamples,
        evidence(SUBJECT),
        [back],
        lambda _: 1.0,
        SUBJECT.vocabulary,
        random.Random(0),
        remembered=outcome.mended,
    )
    assert set(outcome.mended) <= set(back.shown)
    assert not again.accepted
    assert again.regressions == len(outcome.mended)
    assert "mended before" in again.reason
