"""Attacks on planted subjects: the truth is known, so what must be caught is, and what is true never."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from riverside import (
    WORDS,
    SmallLexicon,
    WordInfiller,
    dev,
    evidence,
    example,
    generators,
    planted,
)
from strategies import explanations

from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Counterexample, Evidence, HeldOut
from probes.attack import Attack, attack
from probes.edits import Edit, Replacement
from probes.generators import MaskedEdits, Mutants, NeighbourWindows, synonyms
from probes.planted import PlantedSubject
from probes.question import Question
from probes.trial import Budget
from probes.verify import PREDICTED

RIVER_BANK = 'activates on the token " bank" in the context of the word "river"'


def attacked(subject: PlantedSubject, explanation: str | Explanation, tokens: int = 25_000, seed: int = 0) -> Attack:
    return attack(
        parse(explanation) if isinstance(explanation, str) else explanation,
        0,
        subject,
        [evidence(subject), dev(subject)],
        subject.thresholds,
        generators(subject),
        Budget(tokens),
        random.Random(seed),
    )


def assert_stands(one: Counterexample, explanation: Explanation, subject: PlantedSubject) -> None:
    """Judge a counterexample from its record alone, by the definitions and not by the code under test."""
    assert one.example.context.token_ids is not None
    activations = subject.activations([one.example.context.token_ids], [0], batch_size=1)[0][:, 0]
    np.testing.assert_array_equal(activations, one.example.activations)
    predicted = evaluate(explanation, Batch.of([one.example.context], subject.vocabulary))[0]
    around = slice(max(0, one.position - 1), one.position + 2)
    assert one.predicted == predicted[one.position]
    if one.kind == "false_positive":
        assert predicted[one.position] >= PREDICTED
        assert (activations[around] <= subject.thresholds.silent).all()
    else:
        assert activations[one.position] >= subject.thresholds.high
        assert (predicted[around] < PREDICTED).all()
    if one.original is not None:
        assert one.original_position is not None
        before = evaluate(explanation, Batch.of([one.original.context], subject.vocabulary))[0][one.original_position]
        fired = one.original.activations[one.original_position] >= subject.thresholds.high
        assert fired == (before >= PREDICTED)


def test_an_explanation_that_misses_the_context_falls_to_a_shrunk_minimal_pair() -> None:
    subject = planted(RIVER_BANK)
    found = attacked(subject, 'activates on the token " bank"')
    best = found.counterexamples[0]
    assert best.kind == "false_positive"
    assert best.is_minimal_pair
    assert best.original is not None
    assert "river bank" in best.original.context.text
    assert "river" not in best.example.context.text
    # The river is taken away, and what stays is the bank and the token after it, which is needed to judge the bank.
    assert best.example.context.tokens == (" bank", " the")
    assert best.original.context.tokens in ((" river", " bank", " the"), ("river", " bank", " the"))
    assert best.shrink_trail
    for one in (*found.counterexamples, *found.mates):
        assert_stands(one, parse('activates on the token " bank"'), subject)


@pytest.mark.parametrize(
    ("explanation", "kind"),
    [
        ('activates on the token " bank" in the context of the word "tree"', "false_negative"),
        ('activates on the token " bank" right after the word "river"', "false_negative"),
        ('activates on the tokens " bank", " shore" in the context of the word "river"', "false_positive"),
        ('activates on the token " bank" in text about "river" ["river", "stream"]', "false_negative"),
        ('activates on the token " shore" in the context of the word "river"', "false_negative"),
    ],
)
def test_explanations_one_step_off_are_caught_within_500_probes(explanation: str, kind: str) -> None:
    subject = planted(RIVER_BANK)
    found = attacked(subject, explanation)
    assert kind in {one.kind for one in found.counterexamples}
    assert found.first is not None
    assert found.first <= 500
    for one in (*found.counterexamples, *found.mates):
        assert_stands(one, parse(explanation), subject)


@pytest.mark.parametrize(
    "truth",
    [
        RIVER_BANK,
        'activates on the token " bank"',
        'activates strongly on the token " bank"; weakly on the word "river"',
        'activates on words like "river" ["river", "stream", "water"] except the first token',
        'activates on a repeated token in text about "water" ["river", "stream", "water"]',
        'activates on tokens containing "o" within 4 tokens after (not the word "the")',
    ],
)
def test_the_truth_is_never_caught(truth: str) -> None:
    found = attacked(planted(truth), truth)
    assert found.probes > 500
    assert (found.disagreeing, found.counterexamples, found.mates, found.first) == (0, (), (), None)


STRINGS = (" bank", " river", "the", " ", ".", " shore", " o", "ri")
# No shrinking: an attack takes a while, and Hypothesis would try thousands.
SOME = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
PLANTED = explanations(STRINGS, tuple(WORDS), max_leaves=4)


@SOME
@given(PLANTED, st.integers(0, 9))
def test_no_truth_whatever_it_says_is_ever_caught(truth: Explanation, seed: int) -> None:
    found = attacked(planted(truth), truth, tokens=6_000, seed=seed)
    assert (found.disagreeing, found.counterexamples, found.mates) == (0, (), ())


@SOME
@given(PLANTED, PLANTED, st.integers(0, 9))
def test_every_counterexample_stands_by_the_definitions(
    truth: Explanation, explanation: Explanation, seed: int
) -> None:
    subject = planted(truth)
    found = attacked(subject, explanation, tokens=6_000, seed=seed)
    for one in (*found.counterexamples, *found.mates):
        assert_stands(one, explanation, subject)


def test_the_same_seed_gives_the_same_attack_and_another_seed_another() -> None:
    subject = planted(RIVER_BANK)
    explanation = 'activates on the token " bank"'
    assert attacked(subject, explanation, 20_000) == attacked(subject, explanation, 20_000)
    assert attacked(subject, explanation, 20_000) != attacked(subject, explanation, 20_000, seed=1)


@pytest.mark.parametrize("tokens", [0, 1, 300, 2_000, 20_000])
def test_a_budget_of_subject_tokens_is_kept(tokens: int) -> None:
    subject = CountingSubject({0: parse(RIVER_BANK)}, WORDS)
    samples = [evidence(subject), dev(subject)]
    subject.run = 0
    found = attack(
        parse('activates on the token " bank"'), 0, subject, samples, subject.thresholds, generators(subject),
        Budget(tokens), random.Random(0),
    )  # fmt: skip
    assert subject.run <= found.tokens <= tokens


def test_a_budget_of_probes_is_kept() -> None:
    subject = planted(RIVER_BANK)
    found = attack(
        parse('activates on the token " bank"'), 0, subject, evidence(subject), subject.thresholds,
        generators(subject), Budget(1_000_000, probes=70), random.Random(0),
    )  # fmt: skip
    assert found.probes == 70


def test_the_funnel_narrows_and_names_why_a_generator_was_skipped() -> None:
    subject = planted(RIVER_BANK)
    found = attack(
        parse('activates on the token " bank"'), 0, subject, evidence(subject), subject.thresholds,
        [synonyms(None), MaskedEdits(None), NeighbourWindows(None), Mutants()], Budget(20_000), random.Random(0),
    )  # fmt: skip
    assert found.funnel["synonyms"].skipped == "no lexicon of words like a word"
    assert found.funnel["masked_edits"].skipped == "no masked language model"
    assert found.funnel["neighbours"].skipped == "no corpus to take windows from"
    funnel = found.funnel["mutants"]
    assert funnel.skipped is None
    steps = (funnel.generated, funnel.valid, funnel.run, funnel.disagreeing, funnel.confirmed, funnel.unique)
    assert list(steps) == sorted(steps, reverse=True)
    assert funnel.unique > 0


def test_a_disagreement_that_the_parent_already_has_is_not_credited_to_an_edit() -> None:
    """The feature fires on every bank; the explanation knows of none. Edits elsewhere show nothing new."""
    subject = planted('activates on the token " bank"')
    found = attack(
        parse('activates on the token " the"'), 0, subject, evidence(subject), subject.thresholds, [Far()],
        Budget(50_000), random.Random(0),
    )  # fmt: skip
    assert found.funnel["far"].run > 0
    assert found.disagreeing == 0


def test_held_out_examples_are_refused() -> None:
    subject = planted(RIVER_BANK)
    some = evidence(subject, 4)
    held_out = HeldOut("0", some.batch, some.activations, np.arange(4), subject.thresholds)
    with pytest.raises(Exception, match=r"HeldOut|type-check"):
        attack(
            parse(RIVER_BANK), 0, subject, held_out, subject.thresholds, [Mutants()],  # type: ignore[arg-type]
            Budget(1_000), random.Random(0),
        )  # fmt: skip


def test_no_examples_and_silent_examples_end_in_an_empty_attack() -> None:
    subject = planted(RIVER_BANK)
    silent = Evidence("0", (example(subject, "a dog by the road and"),), subject.thresholds)
    for some in (Evidence("0", (), subject.thresholds), silent):
        found = attack(
            parse(RIVER_BANK), 0, subject, some, subject.thresholds, generators(subject), Budget(1_000),
            random.Random(0),
        )  # fmt: skip
        assert (found.probes, found.counterexamples) == (0, ())


def test_empty_and_overlong_edits_are_invalid_and_counted() -> None:
    subject = planted(RIVER_BANK, max_tokens=32)
    found = attack(
        parse('activates on the token " bank"'), 0, subject, evidence(subject), subject.thresholds,
        [Wild((), tuple([5] * 33), (5,), subject.tokenize(" bank the"))], Budget(10_000), random.Random(0),
    )  # fmt: skip
    funnel = found.funnel["wild"]
    assert (funnel.generated, funnel.valid, funnel.run, funnel.disagreeing) == (4, 2, 2, 1)


def test_neighbour_windows_catch_what_the_neighbour_took_and_say_so() -> None:
    """Feature 0 fires on banks by rivers, its neighbour on banks near money."""
    truths = {0: parse(RIVER_BANK), 1: parse('activates on the token " bank" in the context of the word "money"')}
    subject = PlantedSubject(truths, WORDS, neighbours={0: [(1, 0.7)]})
    window = subject.tokenize("the money was by the bank and a dog")
    generator = NeighbourWindows(lambda _feature, neighbour, _count: [(window, 5)] if neighbour == 1 else [])
    found = attack(
        parse('activates on the token " bank"'), 0, subject, evidence(subject), subject.thresholds, [generator],
        Budget(10_000), random.Random(0),
    )  # fmt: skip
    [one] = found.counterexamples
    assert one.generator == "neighbours"
    assert not one.is_minimal_pair
    assert len(one.shrink_trail[0].context.tokens) == 7
    assert one.example.context.text == " bank the"


def test_a_false_positive_on_which_a_neighbour_fires_is_tagged_absorbed() -> None:
    truths = {0: parse('activates on the token " river"'), 1: parse('activates on the token " bank"')}
    subject = PlantedSubject(truths, WORDS, neighbours={0: [(1, 0.7)]})
    found = attack(
        parse('activates on the tokens " bank", " river"'), 0, subject, evidence(subject), subject.thresholds,
        [synonyms(SmallLexicon()), MaskedEdits(WordInfiller(subject)), Mutants()], Budget(40_000), random.Random(0),
    )  # fmt: skip
    assert found.counterexamples
    assert all(one.absorbed_by == (1,) for one in found.counterexamples)


def test_nothing_is_concluded_where_a_dictionary_gate_is_near() -> None:
    subject = UnsureSubject({0: parse(RIVER_BANK)}, WORDS)
    found = attacked(subject, 'activates on the token " bank"', 30_000)
    assert found.disagreeing > 0
    assert found.boundary > 0
    assert (found.counterexamples, found.mates) == ((), ())


def test_what_holds_in_a_batch_only_is_not_confirmed() -> None:
    subject = FlakySubject({0: parse('activates on the token " bank"')}, WORDS)
    found = attacked(subject, 'activates on the token " bank"', 30_000)
    assert found.disagreeing > 0
    assert (found.counterexamples, found.mates) == ((), ())


class CountingSubject(PlantedSubject):
    run = 0

    def activations(self, contexts, features, *, batch_size=None):  # type: ignore[no-untyped-def]
        self.run += sum(map(len, contexts))
        return super().activations(contexts, features, batch_size=batch_size)


class UnsureSubject(PlantedSubject):
    def near_boundary(self, contexts, features):  # type: ignore[no-untyped-def]
        return [np.ones((len(context), len(features)), dtype=bool) for context in contexts]


class FlakySubject(PlantedSubject):
    """Loses everything it feels as soon as texts share a batch."""

    def activations(self, contexts, features, *, batch_size=None):  # type: ignore[no-untyped-def]
        felt = super().activations(contexts, features, batch_size=batch_size)
        return felt if batch_size == 1 or len(contexts) == 1 or len(contexts) > 60 else [one * 0 for one in felt]


class Far:
    """Changes the last token of every parent, far from everything."""

    name = "far"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question, rng):  # type: ignore[no-untyped-def]  # noqa: ARG002
        for index, parent in enumerate(question.parents):
            put = Replacement(len(parent.token_ids) - 1, len(parent.token_ids), question.subject.tokenize(" dog"))
            yield Edit.of(parent.token_ids, [put], parent=index, generator="far")


class Wild:
    """Writes the texts that it was given."""

    name = "wild"

    def __init__(self, *texts: tuple[int, ...]) -> None:
        self.texts = texts

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question, rng):  # type: ignore[no-untyped-def]  # noqa: ARG002
        for text in self.texts:
            yield Edit(text, "wild")
