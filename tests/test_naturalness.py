"""How natural a text is: three measures, and for each that is missing a reason."""

from __future__ import annotations

import random

import numpy as np
import pytest
from at_hand import demo_subject
from riverside import WORDS, bag_of_words, dev, evidence, generators, planted

from dsl.parse import parse
from dsl.records import Naturalness
from probes.attack import attack
from probes.edits import Edit, Replacement
from probes.naturalness import edit_rate, mean_naturalness, naturalness_cost, naturalness_of
from probes.planted import PlantedSubject
from probes.trial import Budget

SUBJECT = planted('activates on the token " bank"')


class LikelySubject(PlantedSubject):
    """Finds a text the likelier the more often it says "the"."""

    def log_likelihood(self, contexts):  # type: ignore[no-untyped-def]
        the = self.tokenize(" the")[0]
        return np.array([context.count(the) - 5.0 if len(context) > 1 else np.nan for context in contexts])


def swap(text: str, place: int, word: str) -> tuple[Edit, tuple[int, ...]]:
    parent = SUBJECT.tokenize(text)
    put = Replacement(place, place + 1, SUBJECT.tokenize(word))
    return Edit.of(parent, [put], parent=0, generator="g"), parent


def test_what_can_be_measured_is_and_what_cannot_is_said() -> None:
    edit, parent = swap("a river by the bank", 1, " the")
    likely = LikelySubject({0: parse('activates on the token " bank"')}, WORDS)
    [measured] = naturalness_of([(edit, parent)], likely, bag_of_words)
    assert measured.log_likelihood_change == 1.0
    # Five words each, one of them now "the", which was there before: 1 + 1 + 2 + 1 of lengths root 5 and root 7.
    assert measured.cosine == pytest.approx(5 / np.sqrt(35), abs=1e-3)
    assert measured.edit_rate == 1 / 5
    assert measured.missing == ()
    [measured] = naturalness_of([(edit, parent)], SUBJECT)
    assert (measured.log_likelihood_change, measured.cosine) == (None, None)
    assert measured.missing == ("log_likelihood_change: the subject gives no likelihood", "cosine: no embedder")
    [alone] = naturalness_of([(Edit(parent, "g"), None)], likely, bag_of_words)
    assert (alone.log_likelihood_change, alone.cosine, alone.edit_rate) == (None, None, None)
    assert len(alone.missing) == 3
    short, before = swap("a", 0, " the")
    [measured] = naturalness_of([(short, before)], likely)
    assert measured.missing[0] == "log_likelihood_change: the texts are too short"
    assert naturalness_of([], likely, bag_of_words) == []


def test_edits_are_counted_in_tokens_in_out_and_replaced() -> None:
    def rate(*replacements: Replacement) -> float:
        return edit_rate(Edit.of((1, 2, 3, 4), replacements, parent=0, generator="g"), (1, 2, 3, 4))

    assert rate(Replacement(1, 2, (9,))) == 0.25
    assert rate(Replacement(1, 3, ())) == 0.5
    assert rate(Replacement(4, 4, (7, 8, 9))) == 0.75
    assert rate(Replacement(0, 2, (7, 8, 9))) == 0.75
    assert edit_rate(Edit.of((), [Replacement(0, 0, (1, 2))], parent=0, generator="g"), ()) == 2.0


def test_the_mean_is_over_what_is_known() -> None:
    found = mean_naturalness([Naturalness(-1.0, None, 0.5, ("cosine: no embedder",)), Naturalness(None, 0.5, 0.25)])
    assert found == Naturalness(-1.0, 0.5, 0.375, ("cosine: no embedder",))
    assert mean_naturalness([]) is None


def test_a_subject_s_own_likelihood_prefers_the_text_that_makes_sense() -> None:
    subject = demo_subject()
    parent = subject.tokenize("Once upon a time there was a little girl named Lily.")
    odd, fit = (
        Edit.of(parent, [Replacement(7, 8, subject.tokenize(word))], parent=0, generator="g")
        for word in (" because", " boy")
    )
    cost = naturalness_cost([(odd, parent), (fit, parent)], subject)
    assert cost == 3 * (len(parent) + len(subject.prefix))
    measured = naturalness_of([(odd, parent), (fit, parent)], subject)
    changes = [one.log_likelihood_change for one in measured]
    assert None not in changes
    assert changes[0] < changes[1]  # type: ignore[operator]


def test_counterexamples_and_funnels_carry_it_within_the_budget() -> None:
    subject = LikelySubject({0: parse('activates on the token " bank" in the context of the word "river"')}, WORDS)
    found = attack(
        parse('activates on the token " bank"'), 0, subject, [evidence(subject), dev(subject)], subject.thresholds,
        generators(subject), Budget(30_000), random.Random(0), embedder=bag_of_words,
    )  # fmt: skip
    assert found.tokens <= 30_000
    assert found.counterexamples
    for one in found.counterexamples:
        assert one.naturalness is not None
        assert one.naturalness.edit_rate is not None
        assert one.naturalness.log_likelihood_change is not None
    sampled = found.funnel["synonyms"].naturalness
    assert sampled is not None
    assert sampled.edit_rate is not None
    assert 0 < sampled.edit_rate < 0.2
    assert sampled.cosine is not None
