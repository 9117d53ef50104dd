"""The activation store: what it keeps, that a killed run ends with the same bytes, and what it refuses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from at_hand import demo_subject, stories
from hypothesis import given, settings
from hypothesis import strategies as st

from autointerp.corpus import read_documents
from autointerp.near_copies import NearCopies, word_grams
from autointerp.store import Store, collect
from dsl.batch import Vocabulary
from dsl.errors import InputError, StoreError, SubjectError
from probes.subject import TokenIds

LETTERS = "abcdefghijklmnopqrstuvwxyz ."
FEATURES = len(LETTERS)


class Letters:
    """A subject whose tokens are characters; feature f is on at character f, and higher the later it comes."""

    prefix: TokenIds = (0,)
    max_tokens = 50
    d_sae = FEATURES
    vocabulary = Vocabulary(LETTERS)

    def __init__(self, version: str = "1") -> None:
        self.fingerprint = {"model": version}
        self.contexts_read = 0

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[LETTERS.index(character) for character in text if character in LETTERS] for text in texts]

    def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        self.contexts_read += len(contexts)
        return [
            (np.arange(len(c), dtype=np.int32), np.array(c, np.int32), 1 + np.arange(len(c), dtype=np.float32))
            for c in contexts
        ]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


class KilledLetters(Letters):
    """Dies when it has read so many contexts."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if self.contexts_read + len(contexts) > self.after:
            raise Killed
        return super().sparse(contexts)


def texts(count: int = 60, seed: int = 0) -> list[str]:
    """Documents of random words, of one to five contexts each."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(LETTERS), size=rng.integers(1, 240))) for _ in range(count)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_activation_above_zero_is_kept(tmp_path: Path) -> None:
    documents = texts()
    store = collect(Letters(), documents, tmp_path / "s", shard_contexts=16)
    expected = [
        (number, start, text[start : start + 50])
        for number, text in enumerate(documents)
        for start in range(0, len(text), 50)
    ]
    assert store.contexts.documents.tolist() == [number for number, _, _ in expected]
    assert store.contexts.lengths.tolist() == [len(part) for _, _, part in expected]
    assert store.tokens == sum(map(len, documents))
    rows = np.arange(len(expected))
    batch = store.batch(rows, Letters.vocabulary)
    assert ["".join(LETTERS[i] for i in ids[:n]) for ids, n in zip(batch.ids, batch.lengths, strict=True)] == [
        part for _, _, part in expected
    ]
    assert batch.starts.tolist() == [0] * len(rows)
    for feature in (0, 5, FEATURES - 1):
        dense = store.column(feature).dense(rows, batch.ids.shape[1])
        on = (batch.ids == feature) & batch.mask
        np.testing.assert_array_equal(dense, on * (1 + np.arange(dense.shape[1], dtype=np.float32)))
        assert store.counts[feature] == on.sum()


def test_chosen_contexts_come_in_the_order_asked(tmp_path: Path) -> None:
    store = collect(Letters(), texts(), tmp_path / "s", shard_contexts=16)
    everything = store.batch(np.arange(len(store.contexts.lengths)), Letters.vocabulary)
    dense = store.column(3).dense(np.arange(len(everything.ids)), 50)
    rows = np.array([40, 3, 17, 100])
    chosen = store.batch(rows, Letters.vocabulary)
    np.testing.assert_array_equal(chosen.ids, everything.ids[rows][:, : chosen.ids.shape[1]])
    np.testing.assert_array_equal(store.column(3).dense(rows, 50), dense[rows])
    assert store.column(3).dense(rows[:0], 50).shape == (0, 50)


def test_thresholds_are_quantiles_of_what_is_above_zero(tmp_path: Path) -> None:
    store = collect(Letters(), texts(), tmp_path / "s")
    values = store.column(2).values
    thresholds = store.thresholds(2)
    assert thresholds.high == pytest.approx(max(np.quantile(values, 0.1), 0.1 * np.quantile(values, 0.999)))
    assert thresholds.silent == pytest.approx(0.1 * thresholds.high)
    assert thresholds.maximum == values.max()
    assert store.density(2) == pytest.approx((values >= thresholds.high).sum() / store.tokens)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = collect(Letters(), texts(), tmp_path / "whole", shard_contexts=16)
    with pytest.raises(Killed):
        collect(KilledLetters(after=40), texts(), tmp_path / "killed", shard_contexts=16)
    with pytest.raises(StoreError, match="unfinished"):
        Store.open(tmp_path / "killed")
    subject = Letters()
    collect(subject, texts(), tmp_path / "killed", shard_contexts=16)
    assert subject.contexts_read == len(whole.contexts.lengths) - 32
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_shard_that_was_renamed_but_not_entered_is_written_again(tmp_path: Path) -> None:
    collect(Letters(), texts(), tmp_path / "whole", shard_contexts=16)
    with pytest.raises(Killed):
        collect(KilledLetters(after=40), texts(), tmp_path / "killed", shard_contexts=16)
    (tmp_path / "killed" / "shard-00002").mkdir()
    (tmp_path / "killed" / "shard-00002" / "ids.npy").write_bytes(b"half")
    (tmp_path / "killed" / ".shard-00003.part").mkdir()
    collect(Letters(), texts(), tmp_path / "killed", shard_contexts=16)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_finished_store_is_not_collected_again(tmp_path: Path) -> None:
    collect(Letters(), texts(), tmp_path / "s")
    subject = Letters()
    again = collect(subject, iter(texts()), tmp_path / "s")
    assert subject.contexts_read == 0
    assert again.tokens == sum(map(len, texts()))


def killed(folder: Path) -> None:
    with pytest.raises(Killed):
        collect(KilledLetters(after=140), texts(), folder, shard_contexts=16)


def finished(folder: Path) -> None:
    collect(Letters(), texts(), folder, shard_contexts=16)


@pytest.mark.parametrize("before", [killed, finished])
@pytest.mark.parametrize(
    ("subject", "documents", "options", "what"),
    [
        (Letters("2"), texts(), {}, "model has changed"),
        (Letters(), texts(), {"context_tokens": 20}, "context tokens has changed"),
        (Letters(), texts(), {"shard_contexts": 8}, "shard contexts has changed"),
        (Letters(), texts(seed=1), {}, "corpus has changed"),
        (Letters(), texts()[:20], {}, "corpus has changed"),
    ],
)
def test_a_store_made_otherwise_is_never_reused(
    tmp_path: Path,
    before: Callable[[Path], None],
    subject: Letters,
    documents: list[str],
    options: dict[str, int],
    what: str,
) -> None:
    before(tmp_path)
    kept = contents(tmp_path)
    with pytest.raises(StoreError, match=what):
        collect(subject, documents, tmp_path, **({"shard_contexts": 16} | options))
    assert contents(tmp_path) == kept


@pytest.mark.parametrize("documents", [texts()[:-1], [*texts(), "one more"], texts()[::-1]])
def test_a_corpus_of_other_documents_is_noticed_however_alike(tmp_path: Path, documents: list[str]) -> None:
    finished(tmp_path)
    with pytest.raises(StoreError, match="corpus has changed"):
        collect(Letters(), documents, tmp_path, shard_contexts=16)


def test_a_damaged_shard_is_found_by_its_checksum(tmp_path: Path) -> None:
    collect(Letters(), texts(), tmp_path, shard_contexts=16)
    path = tmp_path / "shard-00001" / "values.npy"
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="shard-00001 is corrupt"):
        Store.open(tmp_path)
    path.unlink()
    with pytest.raises(StoreError, match="shard-00001 cannot be read"):
        Store.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 0}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"manifest\.json"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match=r"manifest\.json"):
        collect(Letters(), texts(), tmp_path)


def test_a_folder_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no activation store"):
        Store.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        collect(Letters(), texts(), tmp_path / "file" / "store")
    with pytest.raises(StoreError, match="holds other things"):
        collect(Letters(), texts(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = np.save
    count = 0

    def full(file: object, array: np.ndarray) -> None:
        nonlocal count
        count += 1
        if count == 9:
            raise OSError(28, "No space left on device")
        saved(file, array)

    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(StoreError, match="No space left on device"):
        collect(Letters(), texts(), tmp_path / "s", shard_contexts=16)
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["manifest.json", "shard-00000"]
    monkeypatch.undo()
    collect(Letters(), texts(), tmp_path / "s", shard_contexts=16)
    collect(Letters(), texts(), tmp_path / "whole", shard_contexts=16)
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")


def test_an_empty_corpus_leaves_no_folder(tmp_path: Path) -> None:
    for documents in ([], ["", "#"]):
        with pytest.raises(InputError, match="no token"):
            collect(Letters(), documents, tmp_path / "s")
        assert not (tmp_path / "s").exists()


def test_contexts_longer_than_the_models_are_refused(tmp_path: Path) -> None:
    for length in (0, 51):
        with pytest.raises(InputError, match="1 to 50"):
            collect(Letters(), texts(), tmp_path / "s", context_tokens=length)


def test_activations_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    class Broken(Letters):
        def sparse(self, contexts: Sequence[TokenIds]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            return [(p, f, v * np.nan) for p, f, v in super().sparse(contexts)]

    with pytest.raises(SubjectError, match="not finite"):
        collect(Broken(), texts(), tmp_path)


def test_progress_counts_documents(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    collect(Letters(), texts(100), tmp_path / "s", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 100), (100, 100)]


def test_the_corpus_is_read_by_the_stream(tmp_path: Path) -> None:
    """No more than a block of documents and a shard of contexts ahead of the model."""
    subject = Letters()
    ahead = []

    def stream() -> Iterator[str]:
        for number in range(1000):
            ahead.append(number - subject.contexts_read)
            yield "abc"

    collect(subject, stream(), tmp_path, shard_contexts=16)
    assert max(ahead) <= 64 + 16


def test_documents_are_split_in_halves_fifths_and_thirds(tmp_path: Path) -> None:
    store = collect(Letters(), texts(2000), tmp_path / "a")
    shares = np.bincount(store.contexts.splits) / len(store.contexts.splits)
    np.testing.assert_allclose(shares, [0.5, 0.2, 0.3], atol=0.04)
    for split in range(3):
        owners = set(store.contexts.documents[store.contexts.splits == split])
        others = set(store.contexts.documents[store.contexts.splits != split])
        assert not owners & others


def test_the_split_of_a_document_does_not_depend_on_the_others(tmp_path: Path) -> None:
    documents = texts(200)
    first = collect(Letters(), documents, tmp_path / "a")
    second = collect(Letters(), documents[::-1][:150], tmp_path / "b")
    assert first.manifest["splits"][::-1][:150] == second.manifest["splits"]


def words(rng: np.random.Generator, count: int) -> list[str]:
    return ["".join(rng.choice(list("abcdefgh"), size=6)) for _ in range(count)]


def test_near_copies_are_on_one_side(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    documents = []
    for _ in range(150):
        body = words(rng, 30)
        documents += [
            " ".join(body),
            " ".join([*words(rng, 20), *body[5:16], *words(rng, 9)]),
            " ".join(body[:12]) + ".",
        ]
    store = collect(Letters(), documents, tmp_path)
    splits = store.manifest["splits"]
    assert all(splits[i] == splits[i + 1] == splits[i + 2] for i in range(0, len(documents), 3))
    assert store.manifest["near_copies"]["pairs_left_apart"] == 0
    assert set(splits) == {"0", "1", "2"}


def test_stock_phrases_do_not_tie_a_corpus_together() -> None:
    """Every story begins alike, and shares a rarer phrase with the next; real copies share far more."""
    rng = np.random.default_rng(0)
    opening, links = words(rng, 12), [words(rng, 10) for _ in range(1001)]
    stories = [" ".join([*opening, *links[n], *words(rng, 40), *links[n + 1]]) for n in range(1000)]
    copies = NearCopies()
    for story in [*stories, stories[3][40:] + " and on", stories[900] + "!"]:
        copies.add(story)
    groups, report = copies.groups()
    assert groups[1000] == groups[3]
    assert groups[1001] == groups[900]
    assert np.bincount(groups).max() <= 10
    assert report["stock_phrases"] == 3
    assert report["most_grams_shared_by_a_pair_left_apart"] <= 2


def test_equal_documents_are_together_however_short_and_many() -> None:
    copies = NearCopies()
    for number in range(100):
        copies.add("a b" if number % 2 else f"{number}")
    groups, _ = copies.groups()
    assert set(groups[1::2]) == {1}
    assert groups[::2].tolist() == list(range(0, 100, 2))


def test_memory_for_near_copies_is_bounded() -> None:
    rng = np.random.default_rng(0)
    copies = NearCopies(capacity=1000)
    bodies = [" ".join(words(rng, 100)) for _ in range(60)]
    for body in [*bodies, *bodies]:
        copies.add(body + " " + words(rng, 1)[0])
        assert copies._held <= 1000
    groups, report = copies.groups()
    assert groups[60:].tolist() == groups[:60].tolist() == list(range(60))
    assert report["grams_kept_one_in"] > 1


@given(st.lists(st.sampled_from(["one", "Two", "naïve", "don't", "漢字", "4"]), max_size=14), st.data())
@settings(deadline=None)
def test_grams_are_of_words_whatever_stands_between_them(chosen: list[str], data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.sampled_from([" ", "\n", ", ", " -- "]), min_size=len(chosen), max_size=len(chosen)))
    text = "".join(word + gap for word, gap in zip(chosen, gaps, strict=True))
    grams = word_grams(text)
    assert len(grams) == max(0, len(chosen) - 9)
    assert grams.tolist() == word_grams(" ".join(chosen).upper()).tolist()
    windows = [tuple(word.casefold() for word in chosen[i : i + 10]) for i in range(len(grams))]
    assert len(set(grams.tolist())) == len(set(windows))


def test_the_store_holds_what_the_subject_answers(tmp_path: Path) -> None:
    subject = demo_subject()
    store = collect(subject, stories(12), tmp_path)
    features = store.counts.argsort()[-5:].tolist()
    rows = np.arange(len(store.contexts.lengths))
    batch = store.batch(rows, subject.vocabulary)
    contexts = [tuple(ids[:n].tolist()) for ids, n in zip(batch.ids, batch.lengths, strict=True)]
    answers = subject.activations(contexts, features)
    unsure = subject.near_boundary(contexts, features)
    for column, feature in enumerate(features):
        dense = store.column(feature).dense(rows, batch.ids.shape[1])
        for row, (values, doubt) in enumerate(zip(answers, unsure, strict=True)):
            close = np.abs(dense[row, : len(values)] - values[:, column]) < 1e-3
            assert (close | doubt[:, column]).all()


def test_documents_come_from_text_and_json_lines(tmp_path: Path) -> None:
    def read(name: str, content: bytes) -> list[str]:
        (tmp_path / name).write_bytes(content)
        return list(read_documents(tmp_path / name))

    assert read("a.txt", b"\n\none\ntwo\n\n \nthree\n") == ["one\ntwo", "three"]
    assert read("b.txt", b"one\ntwo\n") == ["one", "two"]
    assert read("c.txt", b"one\r\ntwo\r\n\r\nthree") == ["one\ntwo", "three"]
    assert read("d.jsonl", b'{"text": "one"}\n\n{"text": "caf\\u00e9", "x": 1}\n{"text": " "}') == ["one", "café"]
    assert read("e.jsonl.gz", gzip.compress(b'{"text": "one"}\n')) == ["one"]
    documents = read_documents(tmp_path / "d.jsonl")
    assert len(documents) == 3
    assert len(list(documents)) == 2
    assert documents.skipped == 1
    assert len(read_documents(tmp_path / "a.txt")) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "holds no text"),
        ("a.txt", b" \n \n", "holds no text"),
        ("a.jsonl", b'{"text": ""}', "holds no text"),
        ("a.jsonl", b'{"text": "x"}\n\n{"text": }', "line 3: not JSON"),
        ("a.jsonl", b'{"body": "x"}', 'line 1: no string under "text"'),
        ("a.jsonl", b"[1]", 'line 1: no string under "text"'),
        ("a.txt", "café".encode("latin-1"), "not UTF-8"),
        ("a.jsonl.gz", b'{"text": "x"}', "no whole gzip file"),
        ("a.jsonl.gz", gzip.compress(json.dumps({"text": "x" * 99}).encode(), mtime=0)[:-9], "no whole gzip file"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_documents(tmp_path / name))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_corpus_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt"):
        with pytest.raises(InputError, match="is not a file"):
            read_documents(path)
