"""The explain phase: what may be anything is a wildcard; the clause on offer mends what it is offered for."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jaxtyping import Float
from riverside import WORDS, dev, evidence, generators, planted
from strategies import explanations

from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Counterexample, Cut, Suggestion
from dsl.render import render, render_expression
from dsl.subsumption import equivalent
from probes.attack import Attack, attack
from probes.bank import ids_of, replay
from probes.generators import Examples
from probes.planted import PlantedSubject
from probes.reason import reason
from probes.subject import TokenIds
from probes.trial import Budget

RIVER_BANK = 'activates on the token " bank" in the context of the word "river"'


def attacked(subject: PlantedSubject, explanation: str | Explanation, tokens: int = 50_000) -> Attack:
    told = parse(explanation) if isinstance(explanation, str) else explanation
    samples = [evidence(subject), dev(subject)]
    return attack(told, 0, subject, samples, subject.thresholds, generators(subject), Budget(tokens), random.Random(0))


def first(truth: str, explanation: str) -> tuple[Counterexample, Suggestion]:
    """The best counterexample, and what it suggests."""
    best = attacked(planted(truth), explanation).counterexamples[0]
    assert best.suggestion is not None
    return best, best.suggestion


@pytest.mark.parametrize(
    ("truth", "explanation", "how", "clause"),
    [
        (RIVER_BANK, 'activates on the token " bank"', "and", 'any token in the context of the word "river"'),
        ('activates on the token " bank"', RIVER_BANK, "or", 'the token " bank"'),
        ('activates on the token " bank" except any token right after the word "old"', 'activates on the token " bank"',
         "except", 'any token right after the word "old"'),
        ('activates on the tokens " bank", " shore"', 'activates on the token " bank"', "or", 'the token " shore"'),
        (RIVER_BANK, 'activates on the tokens " bank", " shore" in the context of the word "river"', "except",
         'the word "shore"'),
        ('activates on the token " bank" within 4 tokens after the word "river"', RIVER_BANK, "and",
         'any token within 4 tokens after the word "river"'),
    ],
)  # fmt: skip
def test_the_clause_that_is_missing_is_suggested(truth: str, explanation: str, how: str, clause: str) -> None:
    _, suggestion = first(truth, explanation)
    assert (suggestion.how, render_expression(suggestion.clause)) == (how, clause)


@pytest.mark.parametrize(
    ("truth", "explanation"),
    [
        (RIVER_BANK, 'activates on the token " bank"'),
        ('activates on the token " bank"', RIVER_BANK),
        ('activates on the tokens " bank", " shore"', 'activates on the token " bank"'),
        ('activates on the token " bank" within 4 tokens after the word "river"', RIVER_BANK),
    ],
)
def test_where_one_clause_is_missing_the_mended_explanation_is_the_truth(truth: str, explanation: str) -> None:
    _, suggestion = first(truth, explanation)
    assert equivalent(suggestion.mended, parse(truth)), render(suggestion.mended)


def test_wildcards_are_what_may_be_anything() -> None:
    """Any bank that no river comes before is wrongly predicted: neither what is before it nor what follows matters."""
    for one in attacked(planted(RIVER_BANK), 'activates on the token " bank"').counterexamples:
        others = [place for place in range(len(one.example.context.tokens)) if place != one.position]
        assert list(one.wildcards) == others


def test_the_token_that_silences_is_no_wildcard() -> None:
    truth = 'activates on the token " bank" except any token right after the word "old"'
    for one in attacked(planted(truth), 'activates on the token " bank"').counterexamples:
        assert one.example.context.tokens[one.position - 1 : one.position + 1] == (" old", " bank")
        assert not {one.position - 1, one.position} & set(one.wildcards)


STRINGS = (" bank", " river", "the", " ", ".", " shore", " o", "ri")
SOME = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
PLANTED = explanations(STRINGS, tuple(WORDS), max_leaves=4)


@SOME
@given(PLANTED, PLANTED)
def test_a_suggestion_mends_its_counterexample_whatever_the_two_say(truth: Explanation, told: Explanation) -> None:
    subject = planted(truth)
    for one in attacked(subject, told, 20_000).counterexamples:
        if one.suggestion is not None:
            assert replay([one], one.suggestion.mended, subject.thresholds, subject.vocabulary) == (False,)
        assert all(0 <= place < len(ids_of(one.example)) for place in one.wildcards)


@pytest.mark.parametrize("tokens", [3_000, 20_000, 50_000])
def test_the_budget_holds_with_explaining(tokens: int) -> None:
    assert attacked(planted(RIVER_BANK), 'activates on the token " bank"', tokens).tokens <= tokens


class TopK(PlantedSubject):
    """Says what it would have been before the cut: half of what the planted truth says, and the seventh highest."""

    def preactivations(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[tuple[Float[np.ndarray, "ctx features"], Float[np.ndarray, "ctx features"]]]:
        halves = [values / 2 for values in self.activations(contexts, features)]
        return [(half, np.full_like(half, 6)) for half in halves]


def test_the_rank_before_a_dictionarys_cut_is_on_record() -> None:
    subject = TopK({0: parse('activates on the token " bank"')}, WORDS)
    found = attacked(subject, RIVER_BANK)
    assert {one.cut for one in found.counterexamples} == {Cut(5.0, 6)}
    assert {one.cut for one in found.mates} == {None}
    assert {one.cut for one in attacked(planted(RIVER_BANK), 'activates on the token " bank"').counterexamples} == {
        None
    }


def test_a_record_says_whether_its_text_reads_back() -> None:
    subject = planted(RIVER_BANK)
    for one in attacked(subject, 'activates on the token " bank"').counterexamples:
        typed = subject.tokenize("".join(one.example.context.tokens))
        assert one.retokenises == (typed == ids_of(one.example))


def test_what_came_from_no_original_is_set_beside_a_text_one_token_away_that_is_right() -> None:
    subject = planted('activates on the token " bank" in the context of the word "river"')
    explanation = parse('activates on the token " shop"')
    found = attack(
        explanation, 0, subject, [evidence(subject), dev(subject)], subject.thresholds,
        [Examples()], Budget(40_000), random.Random(0),
    )  # fmt: skip
    texts = {one.example.context.text: one.contrast and one.contrast.context.text for one in found.counterexamples}
    assert set(texts) == {" shop the", " river bank the"}
    assert str(texts[" river bank the"]).endswith(" bank the")  # the context is changed rather than the token
    for one in found.counterexamples:
        assert one.contrast is not None
        ours, theirs = one.example.context.token_ids, one.contrast.context.token_ids
        assert ours is not None
        assert theirs is not None
        assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 1
        assert one.contrast.activations == tuple(
            subject.activations([theirs], [0], batch_size=1)[0][:, 0].tolist()
        )  # fmt: skip
        assert "the explanation is right" in reason(one, subject.thresholds)
