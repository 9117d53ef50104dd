"""What becomes evidence, dev and held-out: drawn as said, and never from each other's documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autointerp.sampling import (
    WINDOW,
    Samples,
    _spread,
    held_out_of,
    neighbour_windows,
    sample,
    split_records,
    thresholds_of,
)
from autointerp.store import Store, collect
from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.records import Context, Dev, Evidence, Example, Feature, HeldOut
from probes.subject import TokenIds

WORDS = ("cat", "dog", "sun", "red", "run", "the", "a", "of")
CAT, DOG, ALWAYS, NEVER, RARE = range(5)


class Words:
    """Feature CAT is on at "cat", by its position; DOG at "dog" and "red"; ALWAYS everywhere; NEVER nowhere.

    RARE is on at the first token of a context when that is "sun" and the next is "cat".
    """

    prefix: TokenIds = ()
    max_tokens = 100
    d_sae = 5
    vocabulary = Vocabulary([f" {word}" for word in WORDS])
    fingerprint = {"model": "words"}  # noqa: RUF012

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[WORDS.index(word) for word in text.split()] for text in texts]

    def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        found = []
        for context in contexts:
            ids, positions = np.array(context), np.arange(len(context))
            dense = np.zeros((len(ids), self.d_sae), dtype=np.float32)
            dense[:, CAT] = (ids == 0) * (1 + positions)
            dense[:, DOG] = (ids == 1) | (ids == 3)
            dense[:, ALWAYS] = 1 + (ids == 4)
            dense[0, RARE] = len(ids) > 1 and tuple(ids[:2]) == (2, 0)
            where, features = dense.nonzero()
            found.append((where.astype(np.int32), features.astype(np.int32), dense[where, features]))
        return found


def feature(index: int) -> Feature:
    return Feature("words", "hook", "sae", index)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Documents of 60 random words; half hold no cat, a third no dog and no red."""
    rng = np.random.default_rng(0)
    documents = []
    for number in range(600):
        words = [word for word in WORDS if (number % 2 or word != "cat") and (number % 3 or word not in ("dog", "red"))]
        weights = np.array([0.2 if word in ("cat", "dog", "red") else 1.0 for word in words])
        documents.append(" ".join(rng.choice(words, size=60, p=weights / weights.sum())))
    return collect(Words(), documents, tmp_path_factory.mktemp("store") / "s")


@pytest.fixture(scope="module")
def samples(store: Store) -> Samples:
    return sample(store, Words.vocabulary, feature(CAT), seed=0)


def test_evidence_and_dev_are_forty_and_forty(samples: Samples) -> None:
    assert samples.notes == ()
    for drawn, kind in ((samples.evidence, Evidence), (samples.dev, Dev)):
        assert isinstance(drawn, kind)
        assert sum(example.peak >= drawn.thresholds.high for example in drawn.examples) == 40
        assert sum(example.peak <= drawn.thresholds.silent for example in drawn.examples) == 40
        assert len({example.context for example in drawn.examples}) == 80


def test_no_document_is_in_two_samples(store: Store, samples: Samples) -> None:
    evidence = {example.context.document for example in samples.evidence.examples}
    dev = {example.context.document for example in samples.dev.examples}
    held_out = {str(document) for document in samples.held_out.documents}
    assert not evidence & dev
    assert not evidence & held_out
    assert not dev & held_out
    assert held_out == {str(n) for n in store.contexts.documents[store.contexts.rows("held_out")]}


def test_examples_are_whole_contexts_from_the_start(samples: Samples) -> None:
    batch, activations = samples.evidence.batch, samples.evidence.activations
    assert (batch.starts == 0).all()
    for row, example in enumerate(samples.evidence.examples):
        assert len(example.context.tokens) == 60
        assert example.context.token_ids == tuple(batch.ids[row].tolist())
        assert example.context.text.split() == [WORDS[i] for i in batch.ids[row]]
        on = (batch.ids[row] == 0) * (1 + np.arange(60))
        np.testing.assert_array_equal(activations[row], on.astype(np.float32))


def test_held_out_is_every_position_of_its_documents(samples: Samples) -> None:
    held_out = samples.held_out
    assert isinstance(held_out, HeldOut)
    assert int(held_out.batch.lengths.sum()) == 60 * len(set(held_out.documents.tolist()))
    np.testing.assert_array_equal(held_out.activations > 0, (held_out.batch.ids == 0) & held_out.batch.mask)


def test_training_is_every_position_of_the_documents_for_evidence(store: Store, samples: Samples) -> None:
    batch, activations = samples.training()
    assert len(batch.ids) == len(store.contexts.rows("evidence"))
    np.testing.assert_array_equal(activations > 0, (batch.ids == 0) & batch.mask)
    high = samples.evidence.thresholds.high
    density = (activations >= high).sum() / batch.lengths.sum()
    assert samples.evidence.density == pytest.approx(density)


def test_activating_contexts_hold_the_top_and_spread_over_the_rest(samples: Samples) -> None:
    _, activations = samples.training()
    peaks = np.sort(activations.max(axis=1))
    peaks = peaks[peaks >= samples.evidence.thresholds.high]
    drawn = np.sort([e.peak for e in samples.evidence.examples if e.peak >= samples.evidence.thresholds.high])
    np.testing.assert_array_equal(drawn[-8:], peaks[-8:])
    ranks = np.searchsorted(peaks, drawn[:-8]) / (len(peaks) - 8)
    assert np.abs(ranks - np.linspace(0, 1, 32)).max() < 0.2


def test_the_seed_says_what_is_drawn_and_in_what_order(store: Store, samples: Samples) -> None:
    again = sample(store, Words.vocabulary, feature(CAT), seed=0)
    other = sample(store, Words.vocabulary, feature(CAT), seed=1)
    assert again.evidence == samples.evidence
    assert again.dev == samples.dev
    assert other.evidence != samples.evidence
    fires = [example.peak > 0 for example in samples.evidence.examples]
    assert fires != sorted(fires)
    assert fires != sorted(fires, reverse=True)


def test_what_is_missing_is_noted(store: Store) -> None:
    found = sample(store, Words.vocabulary, feature(RARE), seed=0)
    count = sum(example.peak > 0 for example in found.evidence.examples)
    assert 0 < count < 40
    assert f"evidence: {count} of 40 activating contexts" in found.notes
    assert sum(example.peak == 0 for example in found.evidence.examples) == 40


@given(st.integers(0, 200), st.integers(1, 60))
def test_as_many_are_drawn_as_there_are_or_as_asked(available: int, wanted: int) -> None:
    kinds = np.arange(available) % 3, np.arange(available) % 7
    chosen = _spread(kinds, wanted, np.random.default_rng(0)).tolist()
    assert len(chosen) == len(set(chosen)) == min(available, wanted)
    assert all(0 <= place < available for place in chosen)


def test_features_that_never_or_always_fire_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match="never fires in this corpus"):
        sample(store, Words.vocabulary, feature(NEVER), seed=0)
    with pytest.raises(InputError, match=r"always fires \(\d+ of \d+ positions\)"):
        sample(store, Words.vocabulary, feature(ALWAYS), seed=0)
    with pytest.raises(InputError, match="features 0 to 4"):
        sample(store, Words.vocabulary, feature(5), seed=0)


def test_a_feature_that_fires_only_where_it_may_not_be_seen_is_refused(tmp_path: Path) -> None:
    documents = [f"{'the a ' * (n % 50)} of run sun {'of ' * (n // 50)}" for n in range(300)]
    splits = collect(Words(), documents, tmp_path / "a").manifest["splits"]
    documents[splits.index("2")] = "cat " * 60
    found = collect(Words(), documents, tmp_path / "b")
    if found.manifest["splits"][splits.index("2")] == "2":
        with pytest.raises(InputError, match="never fires in the documents for evidence"):
            sample(found, Words.vocabulary, feature(CAT), seed=0)


def test_a_corpus_too_small_to_split_is_refused(tmp_path: Path) -> None:
    small = collect(Words(), ["cat dog the"], tmp_path)
    with pytest.raises(InputError, match="no documents for"):
        sample(small, Words.vocabulary, feature(CAT), seed=0)


def test_neighbour_windows_are_where_only_the_neighbour_fires(store: Store) -> None:
    windows = neighbour_windows(store, CAT, DOG, 50, np.random.default_rng(0))
    assert len(windows) == len({ids for ids, _ in windows}) == 50
    held_out, _ = store.ids(store.contexts.rows("held_out"))
    hidden = {tuple(row.tolist()) for row in held_out}
    for ids, position in windows:
        assert WORDS[ids[position]] in ("dog", "red")
        assert 0 not in ids[max(0, position - 1) : position + 2]
        assert len(ids) <= WINDOW
        assert position in (len(ids) - 1, len(ids) - 2)
        long = len(ids) > 12  # shorter ones also stand elsewhere by chance
        assert not any(
            long and ids == row[start : start + len(ids)] for row in hidden for start in range(60 - len(ids) + 1)
        )
    assert windows == neighbour_windows(store, CAT, DOG, 50, np.random.default_rng(0))
    assert neighbour_windows(store, CAT, NEVER, 50, np.random.default_rng(0)) == []
    assert neighbour_windows(store, ALWAYS, DOG, 50, np.random.default_rng(0)) == []
    assert neighbour_windows(store, NEVER, DOG, 5, np.random.default_rng(0))


def example(text: str, *values: float, document: str = "") -> Example:
    tokens = tuple(f" {word}" for word in text.split())
    return Example(Context(tokens, document=document), values or (0.0,) * len(tokens))


def parts(found: Samples) -> tuple[set[str], set[str], set[str]]:
    batch = found.held_out.batch
    held_out = {
        "".join(batch.vocabulary.strings[i] for i in ids[:n]) for ids, n in zip(batch.ids, batch.lengths, strict=True)
    }
    return (
        {one.context.text for one in found.evidence.examples},
        {one.context.text for one in found.dev.examples},
        held_out,
    )


def test_records_split_five_two_three_with_firing_examples_on_every_side() -> None:
    examples = [example(f"word {n}", 0.0, float(n < 20)) for n in range(60)]
    found = split_records("f", examples, seed=0)
    assert [len(part) for part in parts(found)] == [30, 12, 18]
    assert [sum(one.peak > 0 for one in drawn.examples) for drawn in (found.evidence, found.dev)] == [10, 4]
    assert (found.held_out.activations.max(axis=1) > 0).sum() == 6
    assert found.evidence.thresholds == thresholds_of("f", examples)
    assert found.evidence.density is None
    assert set.union(*parts(found)) == {one.context.text for one in examples}


def test_the_split_of_records_depends_on_seed_and_texts_only() -> None:
    examples = [example(f"word {n}", 0.0, 1.0) for n in range(40)]
    first = parts(split_records("f", examples, seed=0))
    assert parts(split_records("f", examples[::-1], seed=0)) == first
    assert parts(split_records("f", examples, seed=1)) != first


def test_windows_of_one_document_and_near_copies_stay_together() -> None:
    rng = np.random.default_rng(0)
    named = [example(f"window {n}", 0.0, 1.0, document=f"d{n // 3}") for n in range(60)]
    copies = []
    for number in range(20):
        body = " ".join(f"w{n}" for n in rng.integers(0, 1000, size=12))
        copies += [example(f"{body} one{number}"), example(f"two{number} {body}")]
    found = split_records("f", named + copies, seed=0)
    sides = parts(found)
    for group in [named[n : n + 3] for n in range(0, 60, 3)] + [copies[n : n + 2] for n in range(0, 40, 2)]:
        assert sum(any(one.context.text in side for one in group) for side in sides) == 1
    held_out = found.held_out
    assert len(set(held_out.documents.tolist())) < len(held_out.documents)


def test_records_without_ids_are_scored_on_their_own_strings() -> None:
    examples = [example("a b", 0.0, 1.0, document="d"), example("c", 0.5, document="d"), example("d d", 0.0, 0.0)]
    held_out = held_out_of("f", examples, thresholds_of("f", examples))
    assert held_out.documents.tolist() == [0, 0, 1]
    assert held_out.activations.tolist() == [[0, 1], [0.5, 0], [0, 0]]


def test_records_that_cannot_be_split_are_refused() -> None:
    with pytest.raises(InputError, match="never fires: none of its 4 examples"):
        split_records("f", [example(f"word {n}") for n in range(4)], seed=0)
    with pytest.raises(InputError, match="at least three"):
        split_records("f", [example("same", 1.0)] * 9, seed=0)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=3, max_size=40), st.integers(0, 5))
@settings(deadline=None)
def test_no_document_of_a_record_is_ever_on_two_sides(given_: list[tuple[int, bool]], seed: int) -> None:
    examples = [
        example(f"word {n}", 0.0, float(fires), document=f"d{document}") for n, (document, fires) in enumerate(given_)
    ]
    if not any(fires for _, fires in given_) or len({document for document, _ in given_}) < 3:
        return
    found = split_records("f", examples, seed)
    where = {one.context.text: one.context.document for one in examples}
    documents = [{where[text] for text in side} for side in parts(found)]
    assert sum(map(len, documents)) == len(set.union(*documents)) == len({document for document, _ in given_})
    assert all(documents), "no side is empty"


@given(st.integers(0, 2**32 - 1), st.integers(60, 300))
def test_a_kind_of_a_twentieth_is_always_shown(seed: int, available: int) -> None:
    """One in twenty, spread over a list in an order of chance; a sample of chance would miss it one time in eight."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(np.arange(available) % 20 == 0).astype(np.int64)
    chosen = _spread((kinds, np.zeros_like(kinds)), 40, rng)
    assert 1 <= kinds[chosen].sum() <= 10
