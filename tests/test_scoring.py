"""Scores against hand-worked examples, scikit-learn, and the laws that they keep."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from autointerp.scoring import Score, Scores, Unscored, features_interval, score_explanation, score_predictions, shifted
from autointerp.scoring.bootstrap import _weights
from dsl.batch import Batch, Vocabulary
from dsl.evaluate import evaluate_chunks
from dsl.nodes import Clause, Explanation, Tokens, Within, Words
from dsl.records import HeldOut, Thresholds


def held_out_of(
    activations: list[list[float]], documents: list[int] | None = None, high: float = 1.0, vocabulary: int = 5
) -> HeldOut:
    lengths = np.array([len(row) for row in activations], dtype=np.int64)
    dense = np.zeros((len(activations), max(lengths, default=0)), dtype=np.float32)
    for row, values in enumerate(activations):
        dense[row, : len(values)] = values
    ids = (np.arange(dense.size, dtype=np.int32) % vocabulary).reshape(dense.shape)
    batch = Batch(
        ids, lengths, np.zeros(len(lengths), dtype=np.int64), Vocabulary([f" t{i}" for i in range(vocabulary)])
    )
    codes = np.arange(len(activations)) if documents is None else np.array(documents)
    return HeldOut(
        "f", batch, dense, codes.astype(np.int64), Thresholds(high, high / 10, max(high, float(dense.max(initial=0))))
    )


def random_held_out(rng: np.random.Generator, rows: int = 40, width: int = 30, rate: float = 0.1) -> HeldOut:
    activations = [
        [
            float(rng.uniform(1, 9)) if rng.random() < rate else float(rng.uniform(0, 0.9))
            for _ in range(width - row % 7)
        ]
        for row in range(rows)
    ]
    return held_out_of(activations, [row // 3 for row in range(rows)])


def graded_like(held_out: HeldOut, rng: np.random.Generator, levels: int) -> np.ndarray:
    noisy = held_out.activations + rng.normal(0, 2, held_out.activations.shape)
    return np.round(noisy * levels / 10).astype(np.float64)


def value(score: Score | Unscored) -> float:
    assert isinstance(score, Score), score
    return score.value


def test_a_hand_worked_example_gives_its_fractions() -> None:
    held_out = held_out_of([[5.0, 0.0, 5.0], [0.0, 0.0]])
    graded = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # the last one lies in the padding
    scores = score_predictions(graded >= 0.5, graded, held_out, seed=0)
    assert value(scores.precision) == pytest.approx(1 / 2)
    assert value(scores.recall) == pytest.approx(1 / 2)
    assert value(scores.token_f1) == pytest.approx(1 / 2)
    assert value(scores.auprc) == pytest.approx(1 / 2 * 1 / 2 + 1 / 2 * 2 / 5)
    assert value(scores.pearson) == pytest.approx(np.corrcoef([1, 1, 0, 0, 0], [5, 0, 5, 0, 0])[0, 1])
    assert {score.n for score in (scores.token_f1, scores.auprc) if isinstance(score, Score)} == {5}


@pytest.mark.parametrize("levels", [1, 3, 20, 1000])
def test_scores_equal_those_of_scikit_learn(levels: int) -> None:
    rng = np.random.default_rng(levels)
    held_out = random_held_out(rng)
    graded = graded_like(held_out, rng, levels)
    predicted = graded >= np.quantile(graded, 0.9)
    scores = score_predictions(predicted, graded, held_out, seed=0)
    mask = held_out.batch.mask
    fires, yes, grades = held_out.activations[mask] >= 1.0, predicted[mask], graded[mask]
    assert value(scores.auprc) == pytest.approx(average_precision_score(fires, grades))
    assert value(scores.token_f1) == pytest.approx(f1_score(fires, yes))
    assert value(scores.precision) == pytest.approx(precision_score(fires, yes))
    assert value(scores.recall) == pytest.approx(recall_score(fires, yes))
    assert value(scores.pearson) == pytest.approx(np.corrcoef(grades, held_out.activations[mask])[0, 1], abs=1e-6)


def test_every_resample_equals_scoring_the_documents_drawn() -> None:
    """The sums kept for each document stand for its positions: a naive bootstrap over positions agrees."""
    from autointerp.scoring.bootstrap import whole
    from autointerp.scoring.correlation import pearson
    from autointerp.scoring.positions import Positions
    from autointerp.scoring.ranking import auprc

    rng = np.random.default_rng(5)
    held_out = random_held_out(rng)
    positions = Positions.of(held_out)
    graded = positions.take(graded_like(held_out, rng, 50))
    for _ in range(20):
        drawn = rng.integers(0, positions.document_count, positions.document_count)
        weights = np.bincount(drawn, minlength=positions.document_count)[None].astype(float)
        picked = np.concatenate([np.flatnonzero(positions.documents == document) for document in drawn])
        assert auprc(graded, positions)(weights)[0] == pytest.approx(
            average_precision_score(positions.fires[picked], graded[picked])
        )
        expected = np.corrcoef(graded[picked], positions.activations[picked])[0, 1]
        assert pearson(graded, positions)(weights)[0] == pytest.approx(expected)
    assert whole(auprc(graded, positions), positions.document_count) > 0


def test_average_precision_in_small_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    held_out = random_held_out(rng)
    graded = graded_like(held_out, rng, 1000)
    before = score_predictions(graded > 5, graded, held_out, seed=3)
    monkeypatch.setattr("autointerp.scoring.ranking.CELLS_AT_ONCE", 50)
    monkeypatch.setattr("autointerp.scoring.bootstrap.WEIGHTS_AT_ONCE", 50)
    after = score_predictions(graded > 5, graded, held_out, seed=3)
    assert after.to_json() == before.to_json()


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([1, 4, 100]))
@settings(max_examples=25, deadline=None)
def test_average_precision_sees_only_the_order_of_predictions(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    held_out = random_held_out(rng, rows=6)
    graded = graded_like(held_out, rng, levels)
    first = score_predictions(graded > 0, graded, held_out, seed=0, resamples=20)
    second = score_predictions(graded > 0, np.arctan(graded) * 7 - 3, held_out, seed=0, resamples=20)
    assert first.auprc == second.auprc


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_perfect_predictions_score_one_and_intervals_hold_their_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held_out = random_held_out(rng, rows=9)
    graded = held_out.activations.astype(np.float64)
    perfect = score_predictions(graded >= 1.0, graded, held_out, seed=seed, resamples=50)
    assert [score["value"] for score in perfect.to_json().values() if score] == [1.0] * 5
    noisy = graded_like(held_out, rng, 5)
    for score in score_predictions(noisy > 2, noisy, held_out, seed=seed, resamples=50).to_json().values():
        assert score is None or -1 <= score["low"] <= score["value"] <= score["high"] <= 1


def test_an_inverted_prediction_correlates_negatively_and_ranks_below_chance() -> None:
    rng = np.random.default_rng(2)
    held_out = random_held_out(rng)
    graded = -held_out.activations.astype(np.float64)
    scores = score_predictions(graded >= 0.5, graded, held_out, seed=0)
    assert value(scores.pearson) == pytest.approx(-1.0)
    assert value(scores.auprc) < (held_out.activations >= 1).mean()


def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(120):
        hit = rng.beta(4, 2, size=60)  # documents differ: hit rates, not coin flips
        rows = [[5.0 if rng.random() < rate else 0.0 for _ in range(20)] for rate in hit]
        held_out = held_out_of(rows)
        graded = np.ones_like(held_out.activations, dtype=np.float64)
        precision = score_predictions(graded > 0, graded, held_out, seed=trial).precision
        assert isinstance(precision, Score)
        covered += precision.low <= 4 / 6 <= precision.high
    assert 105 <= covered <= 119


def test_positions_of_one_document_are_resampled_together() -> None:
    rows = [[5.0 if row % 2 else 0.0] * 10 for row in range(40)]
    apart, together = held_out_of(rows), held_out_of(rows, [row % 4 for row in range(40)])
    graded = np.ones((40, 10))
    wide = score_predictions(graded > 0, graded, together, seed=0).precision
    narrow = score_predictions(graded > 0, graded, apart, seed=0).precision
    assert isinstance(wide, Score)
    assert isinstance(narrow, Score)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_order_of_rows_means_nothing_where_documents_come_along() -> None:
    rng = np.random.default_rng(8)
    held_out = random_held_out(rng)
    graded = graded_like(held_out, rng, 4)
    order = rng.permutation(len(graded))
    batch = Batch(
        held_out.batch.ids[order],
        held_out.batch.lengths[order],
        held_out.batch.starts[order],
        held_out.batch.vocabulary,
    )
    permuted = HeldOut("f", batch, held_out.activations[order], held_out.documents[order] * 7 + 3, held_out.thresholds)
    first = score_predictions(graded > 2, graded, held_out, seed=0)
    second = score_predictions(graded[order] > 2, graded[order], permuted, seed=0)
    assert first.to_json() == second.to_json()


def test_what_cannot_be_scored_says_why_and_is_no_number() -> None:
    silent = held_out_of([[0.0, 0.5], [0.2]])
    nothing = score_predictions(np.zeros((2, 2), dtype=bool), np.zeros((2, 2)), silent, seed=0)
    assert nothing.to_json() == dict.fromkeys(["token_f1", "precision", "recall", "auprc", "pearson"])
    assert set(nothing.unscored().values()) == {"no held-out position fires"}

    firing = held_out_of([[3.0, 0.0], [0.0]])
    quiet = score_predictions(np.zeros((2, 2), dtype=bool), np.zeros((2, 2)), firing, seed=0)
    assert quiet.unscored() == {
        "precision": "no held-out position is predicted",
        "pearson": "the prediction, or the activation, is the same everywhere",
    }
    assert value(quiet.recall) == value(quiet.token_f1) == 0.0
    assert value(quiet.auprc) == pytest.approx(1 / 3)
    assert json.loads(json.dumps(quiet.to_json())) == quiet.to_json()

    empty = held_out_of([[], []])
    assert score_predictions(np.zeros((2, 0), dtype=bool), np.zeros((2, 0)), empty, seed=0).unscored()["auprc"] == (
        "there is no held-out position"
    )


def test_a_prediction_that_is_not_a_number_is_refused() -> None:
    held_out = held_out_of([[3.0, 0.0]])
    with pytest.raises(ValueError, match="finite"):
        score_predictions(np.zeros((1, 2), dtype=bool), np.array([[np.nan, 0.0]]), held_out, seed=0)


def test_one_document_says_nothing_about_the_spread() -> None:
    score = score_predictions(np.array([[True, False]]), np.array([[1.0, 0.0]]), held_out_of([[3.0, 0.0]]), seed=0)
    assert score.token_f1 == Score(1.0, 0.0, 1.0, 2)
    assert score.pearson == Score(1.0, -1.0, 1.0, 2)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_interval() -> None:
    rng = np.random.default_rng(4)
    held_out = random_held_out(rng)
    graded = graded_like(held_out, rng, 3)
    runs = [json.dumps(score_predictions(graded > 1, graded, held_out, seed=s).to_json()) for s in (7, 7, 8)]
    assert runs[0] == runs[1] != runs[2]


def test_an_explanation_scores_what_it_evaluates_to() -> None:
    held_out = held_out_of([[4.0, 0.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0, 4.0]])
    scores = score_explanation(Explanation(Tokens((" t0",))), held_out, seed=0)
    assert value(scores.precision) == 1.0
    assert value(scores.recall) == pytest.approx(2 / 3)


def test_weak_clauses_weigh_only_in_graded_scores() -> None:
    held_out = held_out_of([[9.0, 2.0, 0.0, 0.0, 0.0], [9.0, 2.0, 0.0, 0.0, 0.0]])
    plain = score_explanation(Explanation(Words(("t0",))), held_out, seed=0)
    weak = score_explanation(Explanation(Words(("t0",)), weak=Words(("t1",))), held_out, seed=0)
    assert weak.token_f1 == plain.token_f1
    assert value(weak.auprc) == 1.0 > value(plain.auprc)
    assert value(weak.pearson) > value(plain.pearson)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_shifting_moves_activations_in_their_document_and_only_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held_out = random_held_out(rng, rows=7)
    moved = shifted(held_out, np.random.default_rng(seed))
    for document in np.unique(held_out.documents):
        rows = np.flatnonzero(held_out.documents == document)
        before, after = (
            np.concatenate([h.activations[row, : h.batch.lengths[row]] for row in rows]) for h in (held_out, moved)
        )
        shifts = [s for s in range(len(before)) if np.array_equal(np.roll(before, -s), after)]
        assert shifts
        assert shifts != [0]
    assert not moved.activations[~moved.batch.mask].any()


def test_the_floor_of_a_perfect_prediction_lies_near_the_prevalence() -> None:
    rng = np.random.default_rng(0)
    held_out = random_held_out(rng, rows=300, rate=0.05)
    graded = held_out.activations.astype(np.float64)
    floor = score_predictions(graded >= 1, graded, shifted(held_out, rng), seed=0)
    assert value(floor.token_f1) == pytest.approx(0.05, abs=0.03)
    assert value(floor.auprc) == pytest.approx(0.05, abs=0.03)


def test_the_mean_over_features_comes_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 0.1, 200)
    mean = features_interval(values.tolist(), np.random.default_rng(1))
    assert mean.value == pytest.approx(values.mean())
    assert mean.n == 200
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * 0.1 / 200**0.5, rel=0.2)
    with pytest.raises(ValueError, match="at least one"):
        features_interval([], rng)
    with pytest.raises(ValueError, match="numbers only"):
        features_interval([0.1, float("nan")], rng)


def test_scores_are_given_under_their_five_names() -> None:
    score = Score(0.5, 0.4, 0.6, 10)
    scores = Scores(score, Unscored("why"), score, score, score)
    assert list(scores.to_json()) == ["token_f1", "precision", "recall", "auprc", "pearson"]
    assert scores.to_json()["precision"] is None
    assert scores.unscored() == {"precision": "why"}


SCORES = {
    "token_f1": (0.81, 0.764829, 0.861717, 600),
    "precision": (0.680672, 0.61921, 0.757032, 600),
    "recall": (1.0, 1.0, 1.0, 600),
    "auprc": (0.680672, 0.61921, 0.757032, 600),
    "pearson": (0.680142, 0.632817, 0.728096, 600),
}


def test_scores_are_the_numbers_that_they_always_were() -> None:
    """To the six decimals that results carry, intervals too: faster sums and kept draws may change none of them."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 5, size=(30, 20)).astype(np.int32)
    activations = np.where((ids == 3) & (rng.random(ids.shape) < 0.7), rng.uniform(1, 9, ids.shape), 0)
    lengths = np.full(30, 20, dtype=np.int64)
    batch = Batch(ids, lengths, np.zeros_like(lengths), Vocabulary([f" t{number}" for number in range(5)]))
    held_out = HeldOut("f", batch, activations.astype(np.float32), np.arange(30) // 2, Thresholds(1.0, 0.1, 9.0))
    scores = score_explanation(Explanation(Tokens((" t3",)), weak=Tokens((" t1",))), held_out, seed=4).to_json()
    assert {name: tuple(score.values()) for name, score in scores.items() if score is not None} == SCORES


def test_a_large_batch_is_scored_in_chunks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = random_held_out(np.random.default_rng(2))
    explanation = Explanation(Clause(Words(("t1",)), (Within(Tokens((" t3",)), 2),)), weak=Tokens((" t2",)))
    whole = score_explanation(explanation, held_out, seed=0)
    monkeypatch.setattr("autointerp.scoring.execution.KEPT_TOKENS", 0)
    monkeypatch.setattr("autointerp.scoring.execution.evaluate_chunks", partial(evaluate_chunks, chunk_tokens=100))
    assert score_explanation(explanation, held_out, seed=0) == whole


def test_draws_that_are_too_many_to_keep_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = random_held_out(np.random.default_rng(3))
    explanation = Explanation(Tokens((" t1",)))
    kept = score_explanation(explanation, held_out, seed=0, resamples=90)
    monkeypatch.setattr("autointerp.scoring.bootstrap._drawn", lambda n, k, s: _weights(n, k, np.random.default_rng(s)))
    assert score_explanation(explanation, held_out, seed=0, resamples=90) == kept
