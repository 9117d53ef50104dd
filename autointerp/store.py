"""The activation store: one pass of a subject model over a corpus, on disk, in bounded memory.

`collect` writes it shard by shard, so a killed run resumes and ends with the same bytes; `Store` reads it. Documents
are cut into contexts, each read by the model on its own after its prefix. Documents are split 50/20/30 into evidence,
dev and held-out by a hash of their text, near-copies on one side (`near_copies`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from autointerp.corpus_pass import SPLITS, Collectable, ContextShard, CorpusPass, Progress, Split
from autointerp.shards import FORMAT, Shard, discard, read_manifest, read_shard, write_manifest, write_shard, writing
from dsl.batch import Batch, Vocabulary
from dsl.errors import InputError, StoreError, SubjectError
from dsl.records import Thresholds

__all__ = ["SPLITS", "Column", "Contexts", "Split", "Store", "collect"]

LONGEST_CONTEXT = 255
SHARD_CONTEXTS = 512


@dataclass(frozen=True, eq=False)
class Contexts:
    """All contexts of a store, in the corpus's order: their lengths, documents and splits (indices into SPLITS)."""

    lengths: Int[np.ndarray, " contexts"]
    documents: Int[np.ndarray, " contexts"]
    splits: Int[np.ndarray, " contexts"]

    def rows(self, *splits: Split) -> Int[np.ndarray, " rows"]:
        """The contexts of the documents of these splits."""
        return np.flatnonzero(np.isin(self.splits, [SPLITS.index(split) for split in splits]))


@dataclass(frozen=True, eq=False)
class Column:
    """Every activation above zero of one feature: the context's row, the position in it, and the value; in order."""

    rows: Int[np.ndarray, " nonzero"]
    positions: Int[np.ndarray, " nonzero"]
    values: Float[np.ndarray, " nonzero"]

    def of(self, kept: Bool[np.ndarray, " contexts"]) -> Column:
        """The part in contexts for which `kept` is true."""
        chosen = kept[self.rows]
        return Column(self.rows[chosen], self.positions[chosen], self.values[chosen])

    def dense(self, rows: Int[np.ndarray, " rows"], width: int) -> Float[np.ndarray, "rows width"]:
        """The feature's activations in the contexts of `rows` (ascending or not, no repeats), zeros included."""
        values = np.zeros((len(rows), width), dtype=np.float32)
        if len(rows):
            order = np.argsort(rows, kind="stable")
            place = np.searchsorted(rows[order], self.rows).clip(max=len(rows) - 1)
            kept = rows[order][place] == self.rows
            values[order[place[kept]], self.positions[kept]] = self.values[kept]
        return values


class Store:
    """A finished store; `open` one or get one from `collect`."""

    def __init__(self, folder: Path, manifest: dict[str, Any], shards: Sequence[Shard]) -> None:
        self.folder, self.manifest, self._shards = folder, manifest, shards
        self._first_rows = np.cumsum([0, *(len(shard.documents) for shard in shards)])
        self._batches: dict[Split, Batch] = {}
        self._columns: dict[int, Column] = {}

    @classmethod
    def open(cls, folder: str | Path, *, verify: bool = True) -> Store:
        """Open a finished store, its shards checked against their checksums unless told not to.

        Raises StoreError where there is none, where it is unfinished, or where a file is damaged.

        >>> Store.open("runs/store").contexts.rows("held_out")[:3]  # doctest: +SKIP
        array([2, 7, 8])
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        if manifest is None:
            raise StoreError(f"{folder} holds no activation store; collect one first")
        if "splits" not in manifest:
            raise StoreError(f"{folder} is unfinished; run the same collection again, and it goes on where it stopped")
        entries = manifest["shards"]
        shards = [read_shard(folder, n, entry["sha256"] if verify else None) for n, entry in enumerate(entries)]
        return cls(folder, manifest, shards)

    @property
    def d_sae(self) -> int:
        return int(self.manifest["configuration"]["features"])

    @cached_property
    def contexts(self) -> Contexts:
        """Lengths, documents and splits of all contexts."""
        documents = np.concatenate([shard.documents for shard in self._shards])
        splits = np.frombuffer(self.manifest["splits"].encode("ascii"), dtype=np.int8) - ord("0")
        lengths = np.concatenate([np.diff(shard.offsets) for shard in self._shards])
        return Contexts(lengths.astype(np.int64), documents, splits[documents])

    @cached_property
    def tokens(self) -> int:
        """Positions in all contexts, the prefix not counted."""
        return int(self.contexts.lengths.sum())

    @cached_property
    def counts(self) -> Int[np.ndarray, " features"]:
        """At how many positions every feature is above zero."""
        counts: np.ndarray = np.stack([np.diff(shard.starts) for shard in self._shards]).sum(axis=0)
        return counts

    def live_features(self, minimum: int = 1) -> Int[np.ndarray, " live"]:
        """Features above zero at `minimum` positions or more."""
        return np.flatnonzero(self.counts >= minimum)

    def column(self, feature: int) -> Column:
        """All activations of a feature; the last few asked for are kept."""
        if not 0 <= feature < self.d_sae:
            raise InputError(f"the dictionary has features 0 to {self.d_sae - 1}, not {feature}")
        if feature not in self._columns:
            if len(self._columns) >= 8:
                del self._columns[next(iter(self._columns))]
            self._columns[feature] = self._read_column(feature)
        return self._columns[feature]

    def thresholds(self, feature: int) -> Thresholds:
        """When the feature fires, from the 10th and 99.9th percentile of its activations above zero over the corpus.

        Raises InputError for a feature that is never above zero.
        """
        values = self.column(feature).values
        if not len(values):
            raise InputError(f"feature {feature} never fires in this corpus (its maximum is 0); choose another one")
        tenth, top = np.quantile(values.astype(np.float64), [0.1, 0.999])
        return Thresholds.from_quantiles(float(tenth), float(top), float(values.max()))

    def density(self, feature: int, *splits: Split) -> float:
        """The share of positions at which the feature fires, over the documents of these splits (all by default)."""
        chosen = np.isin(self.contexts.splits, [SPLITS.index(split) for split in splits or SPLITS])
        positions = int(self.contexts.lengths[chosen].sum())
        fires = int((self.column(feature).of(chosen).values >= self.thresholds(feature).high).sum())
        return fires / positions if positions else 0.0

    def batch(self, rows: Int[np.ndarray, " rows"], vocabulary: Vocabulary) -> Batch:
        """The contexts of these rows, in this order, as a batch."""
        ids, lengths = self.ids(rows)
        return Batch(ids, lengths, np.zeros(len(rows), dtype=np.int64), vocabulary)

    def ids(self, rows: Int[np.ndarray, " rows"]) -> tuple[Int[np.ndarray, "rows ctx"], Int[np.ndarray, " rows"]]:
        """Token ids of the contexts of these rows, padded at the right with 0, and their lengths."""
        lengths = self.contexts.lengths[rows]
        ids = np.zeros((len(rows), int(lengths.max(initial=0))), dtype=np.int32)
        shards = np.searchsorted(self._first_rows, rows, side="right") - 1
        for number in np.unique(shards):
            shard, chosen = self._shards[number], np.flatnonzero(shards == number)
            begin = shard.offsets[rows[chosen] - self._first_rows[number]]
            mask = np.arange(ids.shape[1]) < lengths[chosen, None]
            cells = (begin[:, None] + np.arange(ids.shape[1]))[mask]
            part = np.zeros((len(chosen), ids.shape[1]), dtype=np.int32)
            part[mask] = shard.ids[cells]
            ids[chosen] = part
        return ids, lengths

    def split_batch(self, split: Split, vocabulary: Vocabulary) -> Batch:
        """All contexts of a split, in the order of `contexts.rows(split)`; made once and shared."""
        held = self._batches.get(split)
        if held is None or held.vocabulary is not vocabulary:
            held = self._batches[split] = self.batch(self.contexts.rows(split), vocabulary)
        return held

    def _read_column(self, feature: int) -> Column:
        rows, positions, values = [], [], []
        for shard, first in zip(self._shards, self._first_rows, strict=False):
            cells, found = shard.column(feature)
            local = np.searchsorted(shard.offsets, cells, side="right") - 1
            rows.append(local + first)
            positions.append(cells - shard.offsets[local])
            values.append(found)
        return Column(np.concatenate(rows), np.concatenate(positions), np.concatenate(values))


def collect(
    subject: Collectable,
    documents: Iterable[str],
    folder: str | Path,
    *,
    context_tokens: int | None = None,
    shard_contexts: int = SHARD_CONTEXTS,
    progress: Progress | None = None,
) -> Store:
    """Run the subject once over the documents and keep every activation above zero; returns the finished store.

    Contexts have at most `context_tokens` tokens (default: what the model reads, at most 255). Where the folder holds
    an unfinished store of the same configuration the run goes on with the next shard; where it holds the finished
    store nothing is run. Memory is bounded by one shard plus 12 bytes a word of the corpus, at most 200 MB.

    Raises InputError for an empty corpus or a context longer than the model's, and StoreError where the folder holds
    something else, a store made otherwise or a damaged one, or where it cannot be written.

    >>> collect(subject, ["Once upon a time ..."], "runs/store").tokens  # doctest: +SKIP
    4
    """
    folder = Path(folder)
    width = min(subject.max_tokens, LONGEST_CONTEXT) if context_tokens is None else context_tokens
    if not 1 <= width <= subject.max_tokens:
        raise InputError(
            f"contexts of {width} tokens: this model reads 1 to {subject.max_tokens}; choose a length there"
        )
    configuration: dict[str, Any] = {
        **subject.fingerprint,
        "features": subject.d_sae,
        "context_tokens": width,
        "shard_contexts": shard_contexts,
    }
    manifest = _manifest_for(folder, configuration)
    reading = CorpusPass(documents, progress)
    if "splits" in manifest:
        reading.to_end()
        _check_same(folder, "the corpus", manifest["corpus"], reading.corpus)
        return Store.open(folder)
    read = 0
    for number, contexts in enumerate(reading.shards(subject, width, shard_contexts)):
        read += 1
        if number < len(manifest["shards"]):
            entry = manifest["shards"][number]
            _check_same(folder, "the corpus", entry["contexts_sha256"], contexts.digest)
            read_shard(folder, number, entry["sha256"])
            continue
        shard = _run(subject, contexts)
        entry = {"contexts_sha256": contexts.digest, "sha256": write_shard(folder, number, shard)}
        manifest["shards"].append(entry)
        write_manifest(folder, manifest)
    if not manifest["shards"]:
        discard(folder)
        raise InputError("the corpus has no token in it; name a corpus of at least one document with text")
    _check_same(folder, "the corpus", len(manifest["shards"]), read)
    manifest |= {"corpus": reading.corpus, **reading.split()}
    write_manifest(folder, manifest)
    return Store.open(folder, verify=False)


def _run(subject: Collectable, shard: ContextShard) -> Shard:
    """Activations of the shard's contexts, sorted by feature."""
    offsets = np.cumsum([0, *map(len, shard.contexts)]).astype(np.int64)
    found = subject.sparse(shard.contexts)
    cells = np.concatenate([positions + start for (positions, _, _), start in zip(found, offsets, strict=False)])
    features = np.concatenate([columns for _, columns, _ in found])
    values = np.concatenate([numbers for _, _, numbers in found])
    if not np.isfinite(values).all():
        raise SubjectError("the model gives activations that are not finite; check its weights")
    order = np.lexsort((cells, features))
    return Shard(
        ids=np.concatenate([np.asarray(context, dtype=np.int32) for context in shard.contexts]),
        offsets=offsets,
        documents=np.array(shard.documents, dtype=np.int64),
        starts=np.concatenate([[0], np.cumsum(np.bincount(features, minlength=subject.d_sae))]).astype(np.int64),
        cells=cells[order].astype(np.int32),
        values=values[order].astype(np.float32),
    )


def _manifest_for(folder: Path, configuration: dict[str, Any]) -> dict[str, Any]:
    """The folder's manifest, or a new one in a folder that is made for it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        strange = [path.name for path in folder.iterdir() if not path.name.startswith((".", "shard-"))]
    manifest = read_manifest(folder)
    if manifest is None:
        if strange:
            raise StoreError(f"{folder} holds other things ({strange[0]}) and no store; choose an empty or new folder")
        manifest = {"format": FORMAT, "configuration": configuration, "shards": []}
        write_manifest(folder, manifest)
    for name in sorted(configuration.keys() | manifest["configuration"].keys()):
        _check_same(folder, name, manifest["configuration"].get(name), configuration.get(name))
    return manifest


def _check_same(folder: Path, what: str, stored: object, now: object) -> None:
    if stored != now:
        detail = "" if isinstance(now, str | dict) else f" ({stored}, now {now})"
        raise StoreError(
            f"{folder} was collected otherwise: {what.replace('_', ' ')} has changed{detail}; "
            "remove the folder or choose another one"
        )
