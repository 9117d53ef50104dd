"""Planted activations mean what the program says: exactly without noise, and at the stated rates with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsl.nodes import PREDICTED
from dsl.records import Thresholds
from probes.planted_noise import Noise, activations


def thresholds(values: np.ndarray) -> Thresholds:
    """As the store sets them."""
    above = values[values > 0].astype(np.float64)
    tenth, top = np.quantile(above, [0.1, 0.999])
    return Thresholds.from_quantiles(float(tenth), float(top), float(above.max()))


def corpus(size: int, firing: int, weak: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    predicted = np.zeros(size, dtype=np.float32)
    places = rng.permutation(size)
    predicted[places[:firing]] = 1.0
    predicted[places[firing : firing + weak]] = 0.3
    return predicted, rng.integers(0, 50, size)


@given(firing=st.integers(20, 400), weak_share=st.floats(0, 5), seed=st.integers(0, 99))
def test_without_noise_a_position_fires_exactly_where_the_program_predicts(
    firing: int, weak_share: float, seed: int
) -> None:
    predicted, ids = corpus(4000, firing, int(weak_share * firing), seed)
    values = activations(predicted, ids, Noise(), np.random.default_rng(seed))
    fires = values >= thresholds(values).high
    assert (fires == (predicted >= PREDICTED)).all()
    assert ((values > 0) == (predicted > 0)).all()


def test_values_vary_within_a_token_and_between_tokens() -> None:
    predicted, ids = corpus(20_000, 2000, 0, 0)
    values = activations(predicted, ids, Noise(), np.random.default_rng(0))
    one = values[(ids == 7) & (values > 0)]
    assert len(np.unique(one)) > len(one) / 2
    means = [values[(ids == token) & (values > 0)].mean() for token in range(50)]
    assert np.std(means) > 0.15


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.05])
def test_labels_flip_at_the_stated_rate_on_both_sides(rate: float) -> None:
    predicted, ids = corpus(200_000, 4000, 0, 1)
    values = activations(predicted, ids, Noise.of(rate), np.random.default_rng(1))
    truth, fires = predicted >= PREDICTED, values >= thresholds(values).high
    assert (truth & ~fires).sum() == round(rate * 4000)
    assert (~truth & fires).sum() == round(rate * 4000)


def test_false_firings_are_mostly_on_look_alikes() -> None:
    ids = np.random.default_rng(2).integers(0, 1000, 200_000)
    predicted = ((ids < 40) & (np.random.default_rng(3).random(200_000) < 0.5)).astype(np.float32)
    values = activations(predicted, ids, Noise(labels=0.05), np.random.default_rng(2))
    false = (values >= thresholds(values).high) & (predicted == 0)
    assert 0.75 < (ids[false] < 40).mean() < 0.85


def test_weak_firings_are_scattered_below_the_threshold() -> None:
    predicted, ids = corpus(200_000, 4000, 0, 4)
    values = activations(predicted, ids, Noise.of(0.03), np.random.default_rng(4))
    below = (values > 0) & (values < thresholds(values).high)
    assert 0.9 * 4000 < below.sum() <= 1.01 * 4000


def test_a_program_that_fires_nowhere_shows_nothing() -> None:
    values = activations(np.zeros(10, np.float32), np.arange(10), Noise.of(0.05), np.random.default_rng(0))
    assert not values.any()


def test_the_same_seed_gives_the_same_bytes() -> None:
    predicted, ids = corpus(5000, 300, 100, 5)
    one, other = (activations(predicted, ids, Noise.of(0.02), np.random.default_rng(9)) for _ in range(2))
    assert one.tobytes() == other.tobytes()
