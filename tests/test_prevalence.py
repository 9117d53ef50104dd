"""How common each way of being wrong is: by clause and by token, in the documents for evidence and in no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from autointerp.prevalence import StorePrevalence
from autointerp.store import Store, collect
from dsl.batch import Vocabulary
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from probes.bank import Cluster, Prevalence, cluster_of
from probes.subject import TokenIds
from probes.trial import Reading, batch_of
from probes.verify import false_negatives, false_positives

LETTERS = "abcdefghij ."


class Letters:
    """A subject whose tokens are characters; feature f is on at character f, and higher the later it comes."""

    prefix: TokenIds = ()
    max_tokens = 40
    d_sae = len(LETTERS)
    vocabulary = Vocabulary(LETTERS)
    fingerprint: dict[str, str] = {"model": "letters"}  # noqa: RUF012

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[LETTERS.index(character) for character in text] for text in texts]

    def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return [
            (np.arange(len(c), dtype=np.int32), np.array(c, np.int32), 1 + np.arange(len(c), dtype=np.float32))
            for c in contexts
        ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    rng = np.random.default_rng(0)
    documents = ["".join(rng.choice(list(LETTERS), size=rng.integers(20, 120))) for _ in range(80)]
    folder: Path = tmp_path_factory.mktemp("letters") / "store"
    return collect(Letters(), documents, folder)  # type: ignore[arg-type]


def one_by_one(store: Store, explanation: Explanation, feature: int) -> dict[Cluster, float]:
    """By the definitions, a position at a time."""
    thresholds, rows = store.thresholds(feature), store.contexts.rows("evidence")
    ids, lengths = store.ids(rows)
    dense = store.column(feature).dense(rows, ids.shape[1])
    counts: Counter[Cluster] = Counter()
    for row, length in enumerate(lengths.tolist()):
        text = tuple(ids[row, :length].tolist())
        predicted = evaluate(explanation, batch_of([text], Letters.vocabulary))[0, :length]
        reading = Reading(text, dense[row, :length], predicted)
        for position in np.flatnonzero(false_positives(reading, thresholds)).tolist():
            counts[cluster_of(text, position, "false_positive", explanation, Letters.vocabulary)] += 1
        for position in np.flatnonzero(false_negatives(reading, thresholds)).tolist():
            counts[cluster_of(text, position, "false_negative", explanation, Letters.vocabulary)] += 1
    return {cluster: count / int(lengths.sum()) for cluster, count in counts.items()}


@pytest.mark.parametrize(
    "explanation",
    [
        'activates on the token "a"',
        'activates on the token "b"',
        'activates on the token "a" right after the token "b"',
        'activates on the token "c" or the token "d" right after the token "e" or tokens containing "c"',
        'activates strongly on the token "f"; weakly on the token "a"',
        "activates weakly on digits",
    ],
)
def test_shares_are_those_of_every_position_looked_at_alone(store: Store, explanation: str) -> None:
    known: Prevalence = StorePrevalence(store, Letters.vocabulary)
    assert isinstance(known, Prevalence)
    found = known.shares(parse(explanation), 0)
    expected = one_by_one(store, parse(explanation), 0)
    assert found == pytest.approx(expected)


def test_the_truth_is_wrong_nowhere_and_what_misses_everything_by_the_token(store: Store) -> None:
    known = StorePrevalence(store, Letters.vocabulary)
    assert known.shares(parse('activates on the token "a"'), 0) == {}
    assert {cluster for cluster, _ in known.shares(parse('activates on the token "b"'), 0)} == {
        "false_positive",
        "false_negative",
    }
