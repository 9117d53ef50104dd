"""One repair round on planted subjects: search mends what it is shown, and what was held back shows whether it did."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from riverside import SmallLexicon, dev, evidence, generators, planted

from agents.search import Labelled, search
from autointerp.repair import RepairOutcome, repair
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Counterexample, Dev, Evidence
from dsl.render import render
from probes.attack import attack
from probes.bank import replay
from probes.planted import PlantedSubject
from probes.trial import Budget

TRUTH = 'activates on the token " bank" in the context of the word "river"'
SUBJECT = planted(TRUTH)


class Searching:
    """Search that must get right what it is shown."""

    def repair(
        self, evidence: Evidence, explanation: Explanation, shown: Sequence[Counterexample], rng: random.Random
    ) -> Sequence[Explanation]:
        found = search(
            evidence,
            strategy="context",
            lexicon=SmallLexicon(),
            budget=2_000,
            rng=rng,
            must_hold=[Labelled.of(one) for one in shown],
            start=explanation,
        )
        return [candidate.explanation for candidate in found.candidates]


class Proposing:
    """Says what it was told to, and remembers what it was shown."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.shown: Sequence[Counterexample] = ()

    def repair(
        self, evidence: Evidence, explanation: Explanation, shown: Sequence[Counterexample], rng: random.Random
    ) -> Sequence[Explanation]:
        del evidence, explanation, rng
        self.shown = shown
        return [parse(text) for text in self.texts]


def f1(sample: Dev, explanation: Explanation) -> float:
    predicted = evaluate(explanation, sample.batch) >= 0.5
    fires = sample.activations >= sample.thresholds.high
    both = float(np.sum(predicted & fires))
    return 2 * both / max(1.0, float(predicted.sum() + fires.sum()))


def found_against(text: str, subject: PlantedSubject = SUBJECT) -> list[Counterexample]:
    found = attack(
        parse(text), 0, subject, [evidence(subject), dev(subject)], subject.thresholds, generators(subject),
        Budget(25_000), random.Random(0),
    )  # fmt: skip
    return [*found.counterexamples, *found.mates]


def mended(text: str, *repairers: object, counterexamples: Sequence[Counterexample] | None = None) -> RepairOutcome:
    sample = dev(SUBJECT)
    return repair(
        parse(text),
        found_against(text) if counterexamples is None else counterexamples,
        evidence(SUBJECT),
        repairers,  # type: ignore[arg-type]
        lambda explanation: f1(sample, explanation),
        SUBJECT.vocabulary,
        random.Random(0),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        'activates on the token " bank"',
        'activates on the token " bank" right after the word "river"',
        'activates on the tokens " bank", " shore" in the context of the word "river"',
    ],
)
def test_search_mends_an_explanation_one_step_off_and_with_it_what_was_held_back(wrong: str) -> None:
    outcome = mended(wrong, Searching())
    assert outcome.accepted, outcome.reason
    assert outcome.fixed_shown == outcome.shown > 0
    assert outcome.fixed_held_back == outcome.held_back > 0
    assert outcome.dev_after >= outcome.dev_before - 0.01
    assert outcome.explanation != parse(wrong)


def test_half_of_each_cluster_is_held_back_and_the_best_of_it_shown() -> None:
    explanation = 'activates on the token " bank"'
    counterexamples = found_against(explanation)
    proposing = Proposing(TRUTH)
    outcome = mended(explanation, proposing, counterexamples=counterexamples)
    assert outcome.accepted
    assert outcome.clusters == 1
    assert counterexamples[0] in proposing.shown
    assert outcome.shown == len(proposing.shown) <= 3
    assert outcome.shown + outcome.held_back == len(counterexamples)
    assert outcome.held_back >= outcome.shown - 1


def test_a_repair_that_lowers_dev_f1_is_refused() -> None:
    worse = 'activates on the token " bank" within 3 tokens after the word "river"'
    explanation = 'activates on the token " bank"'
    [pair, *_] = found_against(explanation)
    sample = dev(SUBJECT)
    assert f1(sample, parse(worse)) < f1(sample, parse(explanation)) - 0.01
    outcome = mended(explanation, Proposing(worse), counterexamples=[pair])
    assert outcome.fixed_shown == 1
    assert not outcome.accepted
    assert outcome.reason.startswith("dev F1 would fall")
    assert outcome.explanation == outcome.before


def test_a_repair_that_lists_exceptions_is_refused_for_its_length() -> None:
    explanation = 'activates on the token " bank"'
    longer = (
        'activates on the token " bank" in the context of the word "river" '
        'except the token " bank" right after the words "zig", "zag", "aardvark", "xylophone", "quagmire"'
    )
    outcome = mended(explanation, Proposing(longer))
    assert not outcome.accepted
    assert "bits longer" in outcome.reason


def test_a_repair_that_mends_little_is_refused() -> None:
    outcome = mended('activates on the token " bank"', Proposing('activates on the word "bank"'))
    assert not outcome.accepted
    assert outcome.reason.startswith("mends only 0 of the")
    assert outcome.proposal == parse('activates on the word "bank"')


def test_a_shorter_mend_of_the_same_worth_is_preferred_and_the_order_of_repairers_is_nothing() -> None:
    longer = 'activates on the token " bank" in the context of the words "river", "tributary"'
    forward = mended('activates on the token " bank"', Proposing(longer), Proposing(TRUTH))
    backward = mended('activates on the token " bank"', Proposing(TRUTH), Proposing(longer))
    assert forward == backward
    assert render(forward.explanation) == render(parse(TRUTH))


def test_without_counterexamples_or_proposals_the_explanation_stands() -> None:
    nothing = mended(TRUTH, Proposing('activates on the word "tree"'), counterexamples=[])
    assert (nothing.accepted, nothing.reason) == (False, "no counterexample to repair")
    silent = mended('activates on the token " bank"', Proposing())
    assert (silent.accepted, silent.reason) == (False, "nobody proposed another explanation")
    assert silent.explanation == silent.before


def test_an_outcome_is_plain_json() -> None:
    outcome = mended('activates on the token " bank"', Proposing(TRUTH))
    row = outcome.to_json()
    assert json.loads(json.dumps(row)) == row
    assert row["after"] == render(parse(TRUTH))
    assert row["accepted"] is True


def test_what_was_mended_stays_mended_under_a_second_attack() -> None:
    explanation = 'activates on the token " bank"'
    before = found_against(explanation)
    outcome = mended(explanation, Searching(), counterexamples=before)
    assert not any(replay(before, outcome.explanation, SUBJECT.thresholds, SUBJECT.vocabulary))
