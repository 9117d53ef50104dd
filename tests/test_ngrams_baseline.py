"""The n-gram baseline of `benchmarks/search.py` against what it is said to be, one position at a time."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ngrams import Ngrams
from dsl.batch import Batch
from dsl.records import Context, Thresholds

THRESHOLDS = Thresholds(1.0, 0.1, 10.0)
START = "<start>"


def _batch(rng: np.random.Generator, letters: str, rows: int) -> Batch:
    return Batch.of([Context(tuple(rng.choice(list(letters), size=rng.integers(1, 9)).tolist())) for _ in range(rows)])


def _endings(batch: Batch, row: int, position: int) -> list[tuple[str, ...]]:
    before = [START, START, *(batch.vocabulary.strings[token] for token in batch.ids[row])]
    return [tuple(before[position + 3 - length : position + 3]) for length in (1, 2, 3)]


def _positions(batch: Batch) -> list[tuple[int, int]]:
    return [(row, position) for row in range(len(batch.ids)) for position in range(batch.lengths[row])]


@pytest.mark.parametrize("seed", range(20))
def test_the_longest_known_sequence_decides_and_leans_on_the_next_shorter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, unseen, top = _batch(rng, "abcd", 6), _batch(rng, "abcdxy", 6), 3
    activations = np.where(seen.mask & (rng.random(seen.ids.shape) < 0.4), rng.uniform(0, 5, seen.ids.shape), 0)
    values: dict[tuple[str, ...], list[float]] = {(): [float(activations[place]) for place in _positions(seen)]}
    for row, position in _positions(seen):
        for ending in _endings(seen, row, position):
            values.setdefault(ending, []).append(float(activations[row, position]))

    def estimate(ending: tuple[str, ...]) -> np.ndarray:
        """Firing rate and mean, smoothed."""
        own = np.array([[value >= 1, value] for value in values[ending]])
        return own.mean(axis=0) if not ending else (own.sum(axis=0) + estimate(ending[1:])) / (len(own) + 1)

    tokens = [ending for ending in values if len(ending) == 1]
    ids = {string: number for number, string in enumerate(seen.vocabulary.strings)}
    known = set(sorted(tokens, key=lambda token: (-estimate(token)[0], ids[token[0]]))[:top])
    known |= {ending for ending, these in values.items() if len(ending) > 1 and max(these) >= 1}

    predicted, graded = Ngrams.fit(seen, activations, THRESHOLDS, top=top).predict(unseen)
    for row, position in _positions(unseen):
        found = [ending for ending in _endings(unseen, row, position) if ending in known]
        rate, mean = estimate(found[-1]) if found else (0.0, 0.0)
        assert graded[row, position] == pytest.approx(mean)
        assert predicted[row, position] == (rate >= 0.5 - 1e-12)


def test_what_was_never_seen_is_not_predicted() -> None:
    seen = Batch.of([Context(("a", "b"))])
    table = Ngrams.fit(seen, np.array([[0.0, 5.0]]), THRESHOLDS, top=1)
    predicted, graded = table.predict(Batch.of([Context(("x", "y", "z", "b")), Context(("a", "b"))]))
    assert predicted.tolist() == [[False, False, False, True], [False, True, False, False]]
    assert graded[0, :3].tolist() == [0.0, 0.0, 0.0]
