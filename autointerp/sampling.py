"""Which examples become evidence, dev and held-out, for a feature of a store or for records that are strings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from autointerp.contrasts import Contrast, contrasts
from autointerp.corpus_pass import SHARES, Split
from autointerp.near_copies import NearCopies
from autointerp.store import Column, Store
from dsl.batch import Batch, Vocabulary
from dsl.errors import InputError
from dsl.records import Context, Dev, Evidence, Example, Feature, HeldOut, Thresholds
from probes.subject import TokenIds

CONTRAST_SHARE = 0.5
"""The share of non-activating contexts that are contrasts, where there are such."""

LOOKED_AT = 2_000
"""Non-activating contexts that are looked at, drawn by chance, where there are more."""

ALIKE_SHARE = 0.5
"""The share of the other ones that hold a token on which the feature fires elsewhere, where there are such."""

FIRING_SHARE = 0.9
"""The share of firing positions that those tokens make up, the most frequent first."""

TOP_SHARE = 0.2
"""The share of activating contexts that are the highest there are; the rest is spread over the quantiles below."""

ALWAYS = 0.99
"""A feature above silent at this share of positions says nothing by firing."""

WINDOW = 64
"""Tokens in a neighbour's window."""

Training = tuple[Batch, Float[np.ndarray, "batch ctx"]]


@dataclass(frozen=True, eq=False)
class Samples:
    """One feature's three samples; `notes` say where there was less to draw from than was asked for."""

    evidence: Evidence
    dev: Dev
    held_out: HeldOut
    notes: tuple[str, ...]
    _training: Callable[[], Training]

    def training(self) -> Training:
        """Every position of the documents that evidence was drawn from, and the feature's activations there."""
        return self._training()


def sample(
    store: Store,
    vocabulary: Vocabulary,
    feature: Feature,
    *,
    seed: int,
    activating: int = 40,
    non_activating: int = 40,
) -> Samples:
    """Draw a feature's samples from a store: whole contexts, from documents that no other sample touches.

    Activating contexts are those in which the feature fires: a fifth are the highest, the others are spread evenly over
    the quantiles of the rest, by each context's peak, with every token that it fires on in proportion. In
    non-activating ones it is silent throughout; half of them are contrasts, in which something is much like what it
    fires on (see `autointerp.contrasts`), and of the others half hold a token on which it fires elsewhere. `stands_for`
    keeps what each was drawn from, so that precision is still the corpus's own. Held-out is every position of the
    held-out documents.

    Raises InputError for a feature that never fires in the documents for evidence, for one that is hardly ever silent,
    and for a corpus with too few documents to split.

    >>> samples = sample(store, subject.vocabulary, subject.feature(17), seed=0)  # doctest: +SKIP
    >>> len(samples.evidence.examples)  # doctest: +SKIP
    80
    """
    thresholds = store.thresholds(feature.index)
    _check(store, feature.index, thresholds)
    rng = np.random.default_rng([seed, feature.index])
    density = store.density(feature.index, "evidence")
    notes: list[str] = []

    def drawn(split: Split) -> tuple[tuple[Example, ...], tuple[float, ...]]:
        rows, stands_for, asked = _draw(
            store, vocabulary, feature.index, thresholds, split, (activating, non_activating), rng
        )
        for kind, found, wanted in zip(
            ("activating", "non-activating"), asked, (activating, non_activating), strict=True
        ):
            if found < wanted:
                notes.append(f"{split}: {found} of {wanted} {kind} contexts")
        return _examples(store, vocabulary, feature.index, rows), stands_for

    (seen, seen_for), (tried, tried_for) = drawn("evidence"), drawn("dev")
    rows = store.contexts.rows("held_out")
    held_out_batch = store.split_batch("held_out", vocabulary)

    def training() -> Training:
        batch = store.split_batch("evidence", vocabulary)
        return batch, store.column(feature.index).dense(store.contexts.rows("evidence"), batch.ids.shape[1])

    return Samples(
        evidence=Evidence(feature.id, seen, thresholds, density, vocabulary, seen_for),
        dev=Dev(feature.id, tried, thresholds, density, vocabulary, tried_for),
        held_out=HeldOut(
            feature.id,
            held_out_batch,
            store.column(feature.index).dense(rows, held_out_batch.ids.shape[1]),
            store.contexts.documents[rows],
            thresholds,
        ),
        notes=tuple(notes),
        _training=training,
    )


def neighbour_windows(
    store: Store, feature: int, neighbour: int, count: int, rng: np.random.Generator
) -> list[tuple[TokenIds, int]]:
    """Texts of evidence and dev documents where the neighbour fires, at the position given, and the feature is silent.

    Silent at that token and one either side. A text holds up to 64 tokens and ends one after the position, where the
    document goes on. At most `count`, one a context, in random order.
    """
    ours, theirs = store.column(feature), store.column(neighbour)
    if not len(theirs.values):
        return []
    silent = store.thresholds(feature).silent if len(ours.values) else 0.0
    fires = theirs.values >= store.thresholds(neighbour).high
    kept = np.isin(theirs.rows, store.contexts.rows("evidence", "dev")) & fires
    rows, positions = theirs.rows[kept], theirs.positions[kept]
    width = int(store.contexts.lengths.max()) + 2
    loud = ours.values > silent
    spots = (ours.rows * width + ours.positions + 1)[loud]
    near = [np.isin(rows * width + positions + 1 + step, spots) for step in (-1, 0, 1)]
    quiet = np.flatnonzero(~np.any(near, axis=0))
    order = rng.permutation(quiet)
    _, first = np.unique(rows[order], return_index=True)
    chosen = order[np.sort(first)][:count]
    found = []
    for ids, length, position in zip(*store.ids(rows[chosen]), positions[chosen], strict=True):
        stop = min(int(length), int(position) + 2)
        start = max(0, stop - WINDOW)
        found.append((tuple(ids[start:stop].tolist()), int(position) - start))
    return found


def split_records(feature: str, examples: Sequence[Example], seed: int) -> Samples:
    """Split the examples of a record of strings 50/20/30 by a seeded hash of their documents, near-copies on one side.

    An example that names no document is a document of its own. Shares are kept among the examples that fire and among
    those that do not, as far as whole documents allow, so that a record of few examples has some of each on every side.
    Raises InputError for a feature that never fires, and for fewer than three documents.

    >>> one = lambda text, value: Example(Context((text,)), (value,))
    >>> samples = split_records("f", [one(f"text {i}", float(i % 2)) for i in range(20)], seed=0)
    >>> len(samples.evidence.examples), len(samples.dev.examples), len(samples.held_out.batch.ids)
    (10, 4, 6)
    """
    thresholds = thresholds_of(feature, examples)
    names = [example.context.document or f"\0{number}" for number, example in enumerate(examples)]
    documents = {name: [n for n, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}
    copies = NearCopies()
    for members in documents.values():
        copies.add("\n".join(examples[number].context.text for number in members))
    groups: dict[int, list[int]] = {}
    for leader, members in zip(copies.groups()[0].tolist(), documents.values(), strict=True):
        groups.setdefault(leader, []).extend(members)
    if len(groups) < 3:
        raise InputError(f"{feature}: {len(groups)} documents that are no near-copies; a split needs at least three")
    sides = _sides(_by_hash(examples, list(groups.values()), seed), lambda n: examples[n].peak >= thresholds.high)
    evidence, dev, held_out = (tuple(examples[number] for number in sorted(side)) for side in sides)
    order = {name: number for number, name in enumerate(documents)}
    owners = np.array([order[names[number]] for number in sorted(sides[2])], dtype=np.int64)
    ours = Evidence(feature, evidence, thresholds)
    return Samples(
        evidence=ours,
        dev=Dev(feature, dev, thresholds),
        held_out=held_out_of(feature, held_out, thresholds, owners),
        notes=(),
        _training=lambda: (ours.batch, ours.activations),
    )


def thresholds_of(feature: str, examples: Sequence[Example]) -> Thresholds:
    """For records: a feature fires above a tenth of its maximum. Raises InputError where it never does."""
    maximum = max((example.peak for example in examples), default=0.0)
    if maximum <= 0:
        raise InputError(f"{feature} never fires: none of its {len(examples)} examples has an activation above 0")
    return Thresholds.from_maximum(maximum)


def held_out_of(
    feature: str,
    examples: Sequence[Example],
    thresholds: Thresholds,
    documents: Int[np.ndarray, " batch"] | None = None,
) -> HeldOut:
    """Records as what scoring accepts; without `documents` every example is one, unless it names its own."""
    if documents is None:
        names = [example.context.document or f"\0{number}" for number, example in enumerate(examples)]
        order = {name: number for number, name in enumerate(dict.fromkeys(names))}
        documents = np.array([order[name] for name in names], dtype=np.int64)
    sample = Evidence(feature, tuple(examples), thresholds)
    return HeldOut(feature, sample.batch, sample.activations, documents, thresholds)


def _check(store: Store, feature: int, thresholds: Thresholds) -> None:
    contexts = store.contexts
    for split in ("evidence", "dev", "held_out"):
        if not len(contexts.rows(split)):
            raise InputError(
                f"the corpus has no documents for {split.replace('_', '-')}; use one of 20 documents or more"
            )
    kept = np.isin(np.arange(len(contexts.lengths)), contexts.rows("evidence"))
    column, positions = store.column(feature).of(kept), int(contexts.lengths[kept].sum())
    if not (column.values >= thresholds.high).any():
        raise InputError(
            f"feature {feature} never fires in the documents for evidence (its maximum in the corpus is "
            f"{thresholds.maximum:.3g}); choose another one or use a longer corpus"
        )
    loud = int((column.values > thresholds.silent).sum())
    if loud >= ALWAYS * positions:
        raise InputError(
            f"feature {feature} always fires ({loud} of {positions} positions); choose one that is silent somewhere"
        )


def _draw(
    store: Store,
    vocabulary: Vocabulary,
    feature: int,
    thresholds: Thresholds,
    split: Split,
    wanted: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, " rows"], tuple[float, ...], tuple[int, int]]:
    """Rows of activating and non-activating contexts, shuffled together, of how many contexts each is one, and how
    many there are of each kind."""
    rows, column = store.contexts.rows(split), store.column(feature)
    peaks = _peaks(column, len(store.contexts.lengths))[rows]
    firing = np.flatnonzero(peaks >= thresholds.high)
    # Equal peaks in an order of chance, not of the corpus.
    firing = firing[np.lexsort((rng.permutation(len(firing)), -peaks[firing]))]
    activating = rows[firing[_spread(_loudest(store, column, rows[firing]), wanted[0], rng)]]
    quiet = rng.permutation(rows[peaks <= thresholds.silent])[:LOOKED_AT]
    often = _firing_tokens(store, column, activating, thresholds)
    shown = _contrasts(store, vocabulary, column, rows[firing], quiet, often, thresholds, wanted[1], rng)
    groups = [quiet[contrast.stands_for] for contrast in shown]
    drawn, shares = [activating], [np.ones(len(activating))]
    for contrast in shown:
        drawn.append(quiet[[contrast.row]])
        shares.append(np.array([float(len(contrast.stands_for))]))
    quiet = quiet[~np.isin(quiet, np.concatenate(groups))] if groups else quiet
    alike = _holding(store, quiet, often)
    near, far = quiet[alike], quiet[~alike]
    left = wanted[1] - len(shown)
    taken = min(len(near), max(round(ALIKE_SHARE * left), left - len(far)))
    for kind, some in ((near, near[:taken]), (far, far[: left - taken])):
        drawn.append(some)
        shares.append(np.full(len(some), len(kind) / max(1, len(some))))
    every, stands_for = np.concatenate(drawn), np.concatenate(shares)
    order = rng.permutation(len(every))
    return every[order], tuple(stands_for[order].tolist()), (len(activating), len(every) - len(activating))


def _contrasts(
    store: Store,
    vocabulary: Vocabulary,
    column: Column,
    active: Int[np.ndarray, " active"],
    quiet: Int[np.ndarray, " quiet"],
    often: Int[np.ndarray, " tokens"],
    thresholds: Thresholds,
    wanted: int,
    rng: np.random.Generator,
) -> list[Contrast]:
    """Contrasts among the quiet contexts, where there are more of these than are wanted."""
    if len(quiet) <= wanted:
        return []
    active = np.sort(active)
    ids, _ = store.ids(active)
    row, position = np.nonzero(column.dense(active, ids.shape[1])[:, : ids.shape[1]] >= thresholds.high)
    firing = [
        np.where(position >= back, ids[row, (position - back).clip(0)], -1).astype(np.int64) for back in (0, 1, 2)
    ]
    return contrasts(
        *store.ids(quiet),
        (firing[0], firing[1], firing[2]),
        often,
        vocabulary,
        round(CONTRAST_SHARE * wanted),
        len(quiet) // wanted,
        rng,
    )


def _firing_tokens(
    store: Store, column: Column, rows: Int[np.ndarray, " rows"], thresholds: Thresholds
) -> Int[np.ndarray, " tokens"]:
    """The token ids on which the feature fires in these contexts, but for those on which it hardly ever does."""
    ids, _ = store.ids(np.sort(rows))
    fires = column.dense(np.sort(rows), ids.shape[1])[:, : ids.shape[1]] >= thresholds.high
    tokens, counts = np.unique(ids[fires], return_counts=True)
    common = np.argsort(-counts, kind="stable")
    reached = np.cumsum(counts[common]) - counts[common]
    kept: np.ndarray = tokens[common[reached < FIRING_SHARE * counts.sum()]]
    return kept


def _holding(
    store: Store, rows: Int[np.ndarray, " rows"], tokens: Int[np.ndarray, " tokens"]
) -> Bool[np.ndarray, " rows"]:
    """Whether each context holds one of the tokens."""
    ids, lengths = store.ids(rows)
    inside = np.arange(ids.shape[1]) < lengths[:, None]
    held: np.ndarray = np.any(np.isin(ids, tokens) & inside, axis=1)
    return held


def _loudest(
    store: Store, column: Column, rows: Int[np.ndarray, " rows"]
) -> tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"]]:
    """The token on which the feature is highest in each context, the first of such, and the one before (-1: none)."""
    ids, _ = store.ids(rows)
    peaks = column.dense(rows, ids.shape[1]).argmax(axis=1) if len(rows) else np.zeros(0, dtype=np.int64)
    every = np.arange(len(rows))
    return ids[every, peaks], np.where(peaks > 0, ids[every, peaks - 1], -1)


def _spread(
    kinds: Sequence[Int[np.ndarray, " contexts"]], wanted: int, rng: np.random.Generator
) -> Int[np.ndarray, " chosen"]:
    """Places in a list sorted from the highest: the first ones, then one from each of equal parts of the rest.

    Of each part the context is taken whose kinds are furthest below their shares of the list so far. So the sample has
    each kind in proportion, where chance would miss one of a twentieth in every eighth sample of forty.
    """
    count = len(kinds[0])
    if count <= wanted:
        return np.arange(count)
    top = int(np.ceil(TOP_SHARE * wanted))
    edges = top + np.arange(wanted - top + 1) * (count - top) // max(wanted - top, 1)
    codes = [np.unique(kind, return_inverse=True)[1] for kind in kinds]
    shares = [np.bincount(code) / count for code in codes]
    shown = [np.bincount(code[:top], minlength=len(share)) for code, share in zip(codes, shares, strict=True)]
    chosen = list(range(top))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        due = len(chosen) + 1
        owed = sum((due * share - had)[code[first:last]] for code, share, had in zip(codes, shares, shown, strict=True))
        place = first + int(np.lexsort((rng.random(last - first), -np.asarray(owed)))[0])
        chosen.append(place)
        for code, had in zip(codes, shown, strict=True):
            had[code[place]] += 1
    return np.array(chosen)


def _peaks(column: Column, contexts: int) -> Float[np.ndarray, " contexts"]:
    peaks = np.zeros(contexts, dtype=np.float32)
    np.maximum.at(peaks, column.rows, column.values)
    return peaks


def _examples(
    store: Store, vocabulary: Vocabulary, feature: int, rows: Int[np.ndarray, " rows"]
) -> tuple[Example, ...]:
    batch = store.batch(rows, vocabulary)
    values = store.column(feature).dense(rows, batch.ids.shape[1])
    examples = []
    for number, row in enumerate(rows.tolist()):
        ids = tuple(batch.ids[number, : batch.lengths[number]].tolist())
        texts = tuple(vocabulary.strings[i] for i in ids)
        document = str(store.contexts.documents[row])
        activations = tuple(values[number, : len(ids)].tolist())
        examples.append(Example(Context(texts, ids, start=0, document=document), activations))
    return tuple(examples)


def _by_hash(examples: Sequence[Example], groups: list[list[int]], seed: int) -> list[list[int]]:
    """Groups of examples in an order that depends on the seed and on their texts only."""

    def key(members: list[int]) -> str:
        texts = sorted(examples[number].context.text for number in members)
        return hashlib.sha256(repr((seed, texts)).encode("utf-8", "surrogatepass")).hexdigest()

    return sorted(groups, key=key)


def _sides(groups: list[list[int]], fires: Callable[[int], bool]) -> tuple[list[int], ...]:
    """Groups dealt to evidence, dev and held-out, those that fire first: each to the side furthest below its share.

    While there are groups enough no side stays without one that fires, and none stays empty.
    """
    sides: tuple[list[int], ...] = ([], [], [])
    shares = np.diff([0.0, *SHARES, 1.0])
    for kind in (True, False):
        alike = [members for members in groups if any(map(fires, members)) == kind]
        dealt = np.zeros(3)
        for number, members in enumerate(alike):
            need = np.round(shares * (dealt.sum() + len(members)) - dealt, 9)
            bare = np.array([not side for side in sides])
            if len(alike) - number <= bare.sum():
                need[~bare] = -np.inf
            side = int(np.argmax(need))
            sides[side].extend(members)
            dealt[side] += len(members)
    return sides
