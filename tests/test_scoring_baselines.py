"""Token lookup and the dev score, on examples small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autointerp.scoring import Score, TokenLookup, dev_score, score_explanation
from dsl.batch import Batch, Vocabulary
from dsl.nodes import AnyToken, Explanation, Tokens
from dsl.records import Context, Dev, Evidence, Example, HeldOut, Thresholds

THRESHOLDS = Thresholds(high=1.0, silent=0.1, maximum=10.0)


def example(text: str, *activations: float) -> Example:
    return Example(Context(tuple(text.split())), tuple(map(float, activations)))


def held_out(examples: list[Example]) -> HeldOut:
    sample = Evidence("f", tuple(examples), THRESHOLDS)
    return HeldOut("f", sample.batch, sample.activations, np.arange(len(examples)), THRESHOLDS)


def test_token_lookup_predicts_the_mean_activation_and_the_tokens_that_fire_half_of_the_time() -> None:
    evidence = Evidence("f", (example("a b c", 4, 0, 0), example("a b a b", 0, 3, 0, 0)), THRESHOLDS)
    lookup = TokenLookup.fit(evidence.batch, evidence.activations, THRESHOLDS)
    batch = Batch.of([Context(("c", "b", "a")), Context(("new",))])
    predicted, graded = lookup.predict(batch)
    assert graded[batch.mask].tolist() == pytest.approx([0, 1, 4 / 3, 0])
    assert predicted[batch.mask].tolist() == [False, False, False, False]

    often = Evidence("f", (example("a b", 4, 0), example("a b", 0, 0)), THRESHOLDS)
    predicted, _ = TokenLookup.fit(often.batch, often.activations, THRESHOLDS).predict(batch)
    assert predicted[batch.mask].tolist() == [False, False, True, False]


def test_token_lookup_reads_ids_where_the_vocabulary_is_shared() -> None:
    """Two ids may have one text: a shared vocabulary keeps them apart."""
    vocabulary = Vocabulary(["x", "x", "y"])
    contexts = [Context(("x", "x", "y"), token_ids=(0, 1, 2))]
    batch = Batch.of(contexts, vocabulary)
    lookup = TokenLookup.fit(batch, np.array([[5.0, 0.0, 0.0]], dtype=np.float32), THRESHOLDS)
    predicted, graded = lookup.predict(batch)
    assert graded.tolist() == [[5.0, 0.0, 0.0]]
    assert predicted.tolist() == [[True, False, False]]


def test_a_token_feature_is_matched_by_lookup_and_by_its_explanation() -> None:
    texts = [example("the pizza was good", 0, 5, 0, 0), example("a pizza", 0, 5), example("no luck", 0, 0)]
    evidence = Evidence("f", tuple(texts), THRESHOLDS)
    lookup = TokenLookup.fit(evidence.batch, evidence.activations, THRESHOLDS)
    unseen = held_out([example("pizza again", 5, 0), example("quite another thing", 0, 0, 0)])
    by_lookup = lookup.score(unseen, seed=0)
    by_explanation = score_explanation(Explanation(Tokens(("pizza",))), unseen, seed=0)
    assert by_lookup == by_explanation
    assert isinstance(by_lookup.auprc, Score)
    assert by_lookup.auprc.value == 1.0


def test_lookup_tables_are_added_up_over_padding_never() -> None:
    batch = Batch.of([Context(("a", "b", "b")), Context(("b",))])
    lookup = TokenLookup.fit(batch, np.full((2, 3), 2.0, dtype=np.float32), THRESHOLDS)
    assert lookup.seen.tolist() == [1, 3]
    assert lookup.fired.tolist() == [1, 3]
    assert lookup.total.tolist() == [2.0, 6.0]


def dev(density: float | None, *examples: Example) -> Dev:
    return Dev("f", examples, THRESHOLDS, density)


def test_the_dev_score_costs_false_alarms_what_they_cost_in_the_corpus() -> None:
    activating = example("x a a a a a a a a a", 5, *[0] * 9)
    silent = example("x b b b b b b b b b", *[0] * 10)
    explanation = Explanation(Tokens(("x",)))
    assert dev_score(explanation, dev(None, activating, silent)) == pytest.approx(2 / 3)
    assert dev_score(explanation, dev(0.01, activating, silent)) == pytest.approx(2 / 11)
    assert dev_score(explanation, dev(0.5, activating, silent)) == pytest.approx(2 / 3)  # never weighted down
    assert dev_score(explanation, dev(0.01, activating)) == 1.0


def test_the_dev_score_is_one_for_the_truth_and_zero_where_nothing_fires() -> None:
    sample = dev(0.001, example("x a", 5, 0), example("a b c", 0, 0, 0))
    assert dev_score(Explanation(Tokens(("x",))), sample) == 1.0
    assert dev_score(Explanation(Tokens(("zzz",))), sample) == 0.0
    assert dev_score(Explanation(AnyToken()), dev(0.001, example("a b c", 0, 0, 0))) == 0.0
    assert dev_score(Explanation(AnyToken()), dev(None)) == 0.0


def test_broad_explanations_lose_at_the_corpus_prevalence() -> None:
    sample = [example("x a a a", 5, 0, 0, 0)] * 4 + [example("b a a a", 0, 0, 0, 0)] * 4
    narrow, broad = Explanation(Tokens(("x",))), Explanation(Tokens(("a", "b", "x")))
    plain = dev_score(broad, dev(None, *sample)) / dev_score(narrow, dev(None, *sample))
    weighted = dev_score(broad, dev(0.001, *sample)) / dev_score(narrow, dev(0.001, *sample))
    assert weighted < plain / 10
