"""Natural texts for probes: never of held-out documents, the feature silent where it is said to be."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from at_hand import demo_subject

from autointerp.at_hand import at_hand
from autointerp.lexicons import DefaultLexicon
from autointerp.sampling import WINDOW
from autointerp.store import Store, collect
from autointerp.windows import firing_together, quiet_windows, unrelated_texts
from autointerp.workspace import Workspace
from dsl.batch import Vocabulary
from probes.generators import Together
from probes.subject import TokenIds

WORDS = ("cat", "dog", "sun", "red", "run", "the", "a", "of")
CAT, AFTER_SUN, NEVER = range(3)


class Words:
    """CAT is on at "cat"; AFTER_SUN at "cat" right after "sun", and at "dog"; NEVER nowhere."""

    prefix: TokenIds = ()
    max_tokens = 100
    d_sae = 3
    vocabulary = Vocabulary([f" {word}" for word in WORDS])
    fingerprint = {"model": "words"}  # noqa: RUF012

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[WORDS.index(word) for word in text.split()] for text in texts]

    def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        found = []
        for context in contexts:
            ids = np.array(context)
            dense = np.zeros((len(ids), self.d_sae), dtype=np.float32)
            dense[:, CAT] = ids == 0
            dense[1:, AFTER_SUN] = (ids[1:] == 0) & (ids[:-1] == 2)
            dense[:, AFTER_SUN] += ids == 1
            where, features = dense.nonzero()
            found.append((where.astype(np.int32), features.astype(np.int32), dense[where, features]))
        return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, size=int(rng.integers(3, 90)))) for _ in range(200)]
    folder: Path = tmp_path_factory.mktemp("store")
    return collect(Words(), documents, folder / "store")  # type: ignore[arg-type]


def training_texts(store: Store) -> list[TokenIds]:
    ids, lengths = store.ids(store.contexts.rows("evidence", "dev"))
    return [tuple(row[:length].tolist()) for row, length in zip(ids, lengths, strict=True)]


def holds(whole: TokenIds, part: TokenIds) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def test_together_counts_what_counting_by_hand_does(store: Store) -> None:
    texts = training_texts(store)
    cats = sum(text.count(0) for text in texts)
    after_sun = sum(one == 2 and other == 0 for text in texts for one, other in pairwise(text))
    dogs = sum(text.count(1) for text in texts)
    assert firing_together(store, AFTER_SUN, CAT) == Together(cats, after_sun)
    assert firing_together(store, CAT, AFTER_SUN) == Together(after_sun + dogs, after_sun)
    assert firing_together(store, CAT, NEVER) == Together(0, 0)
    assert firing_together(store, NEVER, CAT) == Together(cats, 0)
    assert firing_together(store, AFTER_SUN, CAT).alone == pytest.approx(1 - after_sun / cats)


def test_quiet_windows_hold_the_token_and_the_feature_is_silent_about_it(store: Store) -> None:
    found = quiet_windows(store, AFTER_SUN, [0], 30, np.random.default_rng(0))
    assert len(found) == 30
    texts = training_texts(store)
    for text, position in found:
        assert text[position] == 0
        assert position == len(text) - 2
        assert len(text) <= WINDOW
        assert position == 0 or text[position - 1] != 2
        assert 1 not in text[max(0, position - 1) : position + 2]
        assert any(holds(whole, text) for whole in texts)
    assert quiet_windows(store, AFTER_SUN, [], 30, np.random.default_rng(0)) == []
    assert quiet_windows(store, CAT, [0], 30, np.random.default_rng(0)) == []
    assert len(quiet_windows(store, NEVER, [0], 10_000, np.random.default_rng(0))) <= len(texts)


def test_unrelated_texts_are_silent_throughout(store: Store) -> None:
    found = unrelated_texts(store, CAT, 500, np.random.default_rng(0))
    texts = training_texts(store)
    assert sorted(found) == sorted(text[:WINDOW] for text in texts if 0 not in text)
    assert len(unrelated_texts(store, CAT, 3, np.random.default_rng(0))) == 3


def test_what_is_drawn_depends_on_the_seed_and_not_on_who_asked_before(store: Store) -> None:
    workspace = Workspace(demo_subject(), store, DefaultLexicon(), None)
    one, two, other = at_hand(workspace, 0), at_hand(workspace, 0), at_hand(workspace, 1)
    assert one.unrelated is not None
    assert two.unrelated is not None
    assert other.unrelated is not None
    assert one.quiet_windows is not None
    assert two.quiet_windows is not None
    first = one.unrelated(CAT, 5)
    one.quiet_windows(AFTER_SUN, [0, 4], 9)
    assert two.quiet_windows(AFTER_SUN, [4, 0], 9) == one.quiet_windows(AFTER_SUN, [0, 4], 9)
    assert two.unrelated(CAT, 5) == first == one.unrelated(CAT, 5)
    assert other.unrelated(CAT, 5) != first
