"""One line that says why: the change, what the feature did, and what was predicted."""

from __future__ import annotations

import random

import pytest
from riverside import dev, evidence, example, generators, planted

from dsl.parse import parse
from dsl.records import Counterexample
from probes.attack import attack
from probes.reason import reason, shown
from probes.trial import Budget


@pytest.mark.parametrize(
    ("truth", "explanation", "said"),
    [
        ('activates on the token " bank" in the context of the word "river"', 'activates on the token " bank"',
         'without " river" the feature falls silent at " bank", and is still predicted; '
         'suggested: and any token in the context of the word "river"'),
        ('activates on the token " bank"', 'activates on the token " bank" right after the word "river"',
         'without " river" the feature still fires at " bank", and is no longer predicted; '
         'suggested: or the token " bank"'),
    ],
)  # fmt: skip
def test_a_pair_is_told_by_what_was_changed(truth: str, explanation: str, said: str) -> None:
    subject = planted(truth)
    found = attack(
        parse(explanation), 0, subject, [evidence(subject), dev(subject)], subject.thresholds, generators(subject),
        Budget(50_000), random.Random(0),
    )  # fmt: skip
    pairs = [one for one in found.counterexamples if one.is_minimal_pair]
    assert said in {reason(one, subject.thresholds) for one in pairs}


def test_every_kind_of_change_and_of_outcome_has_its_words() -> None:
    subject = planted('activates on the token " bank" in the context of the word "river"')
    text = {name: example(subject, name) for name in ("a river bank the", "a dog bank the", "a bank the", "a tree the")}
    fires, silent, bare, tree = text.values()

    def said(now: object, was: object, kind: str, place: int, before: int) -> str:
        one = Counterexample(now, place, 0.0, kind, "g", was, before)  # type: ignore[arg-type]
        return reason(one, subject.thresholds)

    assert said(silent, fires, "false_positive", 2, 2).startswith('with " dog" for " river" the feature falls silent')
    assert said(fires, bare, "false_negative", 2, 1) == (
        'with " river" put in the feature fires at " bank", and is not predicted'
    )
    assert said(bare, tree, "false_positive", 1, 1) == (
        'with " bank" for " tree" " bank" is predicted, and the feature stays silent'
    )
    alone = Counterexample(bare, 1, 1.0, "false_positive", "g")
    assert reason(alone, subject.thresholds) == 'predicted at " bank", where the feature is silent'
    missed = Counterexample(fires, 2, 0.0, "false_negative", "g")
    assert reason(missed, subject.thresholds) == 'fires at " bank", unpredicted'


def test_line_ends_and_stray_bytes_stay_on_the_line() -> None:
    assert shown((" a", "\n", "\udcf0")) == '" a↵\ufffd"'
