"""Triggers put into unrelated text: chosen by their mean, put in as said, and counted truly."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from riverside import WORDS, planted

from dsl.parse import parse
from probes.injection import STRATEGIES, Strategy, cohens_d, inject, respond, triggers
from probes.trial import Reading

BANK = 'activates on the token " bank"'
RIVER_BANK = 'activates on the token " bank" in the context of the word "river"'
SUBJECT = planted(BANK)
UNRELATED = [SUBJECT.tokenize(f"the {word} was by a tree and it was old") for word in ("dog", "man", "house", "road")]


def reading(text: str, *activations: float) -> Reading:
    ids = SUBJECT.tokenize(text)
    return Reading(ids, np.array(activations, dtype=np.float32), np.zeros(len(ids)))


def strings(ids: tuple[int, ...]) -> list[str]:
    return [SUBJECT.vocabulary.strings[token] for token in ids]


def test_triggers_are_the_tokens_with_the_highest_means_seen_twice_first() -> None:
    seen = [reading("the bank shore bank", 0, 4, 0, 2), reading("the shore river", 1, 8, 9)]
    assert [SUBJECT.vocabulary.strings[token] for token in triggers(seen)] == [" shore", " bank", "the", " river"]
    assert len(triggers(seen, 2)) == 2
    assert triggers([]) == []
    assert triggers([reading("the bank", 0, 0)]) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_triggers_are_put_in_whole_and_the_text_reads_as_one_would_write_it(strategy: Strategy) -> None:
    tokens = [SUBJECT.tokenize(f" {word}")[0] for word in ("bank", "shore", "river")]
    made = inject(SUBJECT, UNRELATED[0], tokens, strategy, random.Random(0))
    assert made is not None
    assert made == SUBJECT.tokenize("".join(strings(made)))
    assert [token for token in made if token in tokens] == tokens
    words = 10
    assert len(made) == (words if strategy == "replace" else words + 3)
    if strategy == "prepend":
        assert strings(made)[:4] == [" bank", " shore", " river", " the"]


@given(st.sampled_from(STRATEGIES), st.text(st.sampled_from(" .'\n bank\U0001f389"), max_size=30), st.integers(0, 5))
def test_any_text_takes_triggers_or_has_no_place_for_them(strategy: Strategy, text: str, seed: int) -> None:
    tokens = [SUBJECT.tokenize(" bank")[0], SUBJECT.tokenize("river")[0]]
    made = inject(SUBJECT, SUBJECT.tokenize(text), tokens, strategy, random.Random(seed))
    if made is not None:
        assert made == SUBJECT.tokenize("".join(strings(made)))


def test_a_token_feature_responds_and_one_that_needs_its_context_does_not() -> None:
    tokens = [SUBJECT.tokenize(" bank")[0]]
    for truth, fired in ((BANK, 4), (RIVER_BANK, 0)):
        subject = planted(truth)
        found = respond(subject, 0, parse(BANK), subject.thresholds, tokens, UNRELATED, random.Random(0))
        assert [one.strategy for one in found] == list(STRATEGIES)
        for one in found:
            assert (one.texts, one.fired, one.predicted, one.both) == (4, fired, 4, fired)


def test_an_explanation_that_asks_for_more_is_seen_to_miss_it() -> None:
    tokens = [SUBJECT.tokenize(" bank")[0]]
    found = respond(SUBJECT, 0, parse(RIVER_BANK), SUBJECT.thresholds, tokens, UNRELATED, random.Random(0))
    assert {(one.fired, one.predicted, one.both) for one in found} == {(4, 0, 0)}
    # All texts fire alike, and none did before: nothing varies, so there is no effect to be measured.
    assert {one.effect for one in found} == {None}


def test_texts_that_have_no_place_are_not_counted() -> None:
    tokens = [SUBJECT.tokenize(f" {word}")[0] for word in ("bank", "shore", "river")]
    found = respond(SUBJECT, 0, parse(BANK), SUBJECT.thresholds, tokens, [SUBJECT.tokenize("dog")], random.Random(0))
    assert {one.strategy: one.texts for one in found} == {"prepend": 1, "intersperse": 0, "replace": 0}
    assert respond(SUBJECT, 0, parse(BANK), SUBJECT.thresholds, tokens, [], random.Random(0))[0].texts == 0


def test_cohens_d_is_the_textbook_s() -> None:
    rng = np.random.default_rng(0)
    after, before = rng.normal(1, 2, 40).tolist(), rng.normal(0, 2, 60).tolist()
    pooled = np.sqrt((39 * np.var(after, ddof=1) + 59 * np.var(before, ddof=1)) / 98)
    assert cohens_d(after, before) == pytest.approx((np.mean(after) - np.mean(before)) / pooled, abs=1e-3)
    assert cohens_d([1.0], [2.0, 3.0]) is None
    assert cohens_d([1.0, 1.0], [1.0, 1.0]) is None


def test_the_same_seed_puts_the_same_triggers_into_the_same_places() -> None:
    readings = [reading(" ".join(WORDS[:5]), 1, 2, 3, 4, 5)]
    told = [
        respond(SUBJECT, 0, parse(BANK), SUBJECT.thresholds, triggers(readings), UNRELATED, random.Random(3))
        for _ in range(2)
    ]
    assert told[0] == told[1]
