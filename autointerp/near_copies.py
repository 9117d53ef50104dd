"""Near-copies of documents, found while a corpus streams by: documents that share a 10-gram of words.

Sharing a 10-gram means copying in natural text, and little in text from a template: "Once upon a time, there was a
little girl named" stands in hundreds of stories nobody copied, and chains of such phrases tie 97% of the generated
stories of a small model into one group, which no split could divide. So documents are joined in the order of how many
10-grams they share, most first, and a join that would make a group larger than 0.5% of the corpus (10 documents, where
that is less) is left and counted: what stays apart is what shares least. A 10-gram in more than 50 documents is a
stock phrase and joins nothing. Equal documents are always together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int, UInt64

WORDS = 10
COMMON = 50
LARGEST_SHARE, LARGEST = 0.005, 10
CAPACITY = 2**24
"""10-grams held at once (12 bytes each); past it every second hash value is forgotten, then every second of those."""

BASE = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class NearCopies:
    """Add documents in order, then ask for `groups`."""

    capacity: int = CAPACITY
    kept_share: int = 1
    _hashes: list[np.ndarray] = field(default_factory=list)
    _documents: list[np.ndarray] = field(default_factory=list)
    _held: int = 0
    _first_equal: list[int] = field(default_factory=list)
    _seen: dict[bytes, int] = field(default_factory=dict)

    @property
    def _count(self) -> int:
        return len(self._first_equal)

    def add(self, text: str) -> None:
        """The next document."""
        hashes = np.unique(word_grams(text))
        hashes = hashes[hashes % np.uint64(self.kept_share) == 0]
        self._hashes.append(hashes)
        self._documents.append(np.full(len(hashes), self._count, dtype=np.int32))
        self._held += len(hashes)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self._first_equal.append(self._seen.setdefault(digest, self._count))
        while self._held > self.capacity:
            self._forget_half()

    def groups(self) -> tuple[Int[np.ndarray, " documents"], dict[str, int]]:
        """For every document the first document of its group, and counts of what was joined and what was not."""
        hashes = np.concatenate([*self._hashes, np.zeros(0, np.uint64)])
        documents = np.concatenate([*self._documents, np.zeros(0, np.int32)])
        order = np.lexsort((documents, hashes))
        hashes, documents = hashes[order], documents[order]
        first = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]][: len(hashes)])
        sizes = np.diff(np.r_[first, len(hashes)])
        stock = np.repeat(sizes > COMMON, sizes)
        pairs, shared = _pairs(hashes[~stock], documents[~stock])
        limit = max(LARGEST, int(LARGEST_SHARE * self._count))
        parents, apart = _join(np.array(self._first_equal, dtype=np.int64), pairs, limit)
        group_sizes = np.bincount(parents, minlength=1)
        return parents, {
            "documents_joined": int((group_sizes - 1).clip(0).sum()),
            "largest_group": int(group_sizes.max()),
            "stock_phrases": int((sizes > COMMON).sum()),
            "pairs_left_apart": int(apart.sum()),
            "most_grams_shared_by_a_pair_left_apart": int(shared[apart].max(initial=0)),
            "grams_kept_one_in": self.kept_share,
        }

    def _forget_half(self) -> None:
        self.kept_share *= 2
        for number, hashes in enumerate(self._hashes):
            kept = hashes % np.uint64(self.kept_share) == 0
            self._hashes[number], self._documents[number] = hashes[kept], self._documents[number][kept]
        self._held = sum(map(len, self._hashes))


def word_grams(text: str) -> UInt64[np.ndarray, " grams"]:
    """A 64-bit hash for every ten words in a row, ignoring case and what stands between words.

    >>> len(word_grams("one two three four five six seven eight nine ten eleven"))
    2
    """
    words = _word_hashes(text)
    count = len(words) - WORDS + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    total = np.zeros(count, np.uint64)
    for offset in range(WORDS):
        total = total * BASE + words[offset : offset + count]
    return _mixed(total)


def _word_hashes(text: str) -> UInt64[np.ndarray, " words"]:
    """A polynomial hash of every word's bytes, by prefix sums modulo 2**64: no loop over words."""
    letters = np.frombuffer(text.casefold().encode("utf-8", "surrogatepass"), dtype=np.uint8)
    inside = np.r_[False, _WORD_BYTES[letters], False]
    starts, stops = np.flatnonzero(inside[1:] & ~inside[:-1]), np.flatnonzero(inside[:-1] & ~inside[1:])
    powers, inverses = _powers(len(letters))
    sums = np.r_[np.uint64(0), np.cumsum((letters.astype(np.uint64) + np.uint64(1)) * powers[: len(letters)])]
    return _mixed((sums[stops] - sums[starts]) * inverses[starts])


_WORD_BYTES = np.array([chr(byte).isalnum() or byte == ord("'") for byte in range(128)] + [True] * 128)
_tables: list[np.ndarray] = [np.ones(1, np.uint64), np.ones(1, np.uint64)]


def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Powers of BASE and of its inverse modulo 2**64, up to count."""
    if len(_tables[0]) <= count:
        size = 2 * count + 1
        for number, base in enumerate((int(BASE), pow(int(BASE), -1, 2**64))):
            _tables[number] = np.cumprod(np.r_[np.uint64(1), np.full(size, base, np.uint64)])
    return _tables[0], _tables[1]


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser, so that every bit of a hash counts."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed


def _pairs(hashes: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbouring documents among those of a 10-gram, and how many 10-grams each pair shares; most first.

    Neighbours suffice: they tie all documents of a 10-gram together, with as many pairs as there are occurrences.
    """
    same = hashes[1:] == hashes[:-1]
    pairs, shared = np.unique(np.stack([documents[:-1][same], documents[1:][same]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-shared, kind="stable")
    return pairs[order], shared[order]


def _join(first_equal: np.ndarray, pairs: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """The first document of every document's group, and which pairs were left apart for the group's size."""
    parents: list[int] = first_equal.tolist()
    sizes = np.bincount(first_equal, minlength=len(parents)).tolist()
    apart = np.zeros(len(pairs), dtype=bool)

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for number, (left, right) in enumerate(pairs.tolist()):
        one, other = sorted((root(left), root(right)))
        if one == other:
            continue
        if sizes[one] + sizes[other] > largest:
            apart[number] = True
            continue
        parents[other] = one
        sizes[one] += sizes[other]
    return np.array([root(node) for node in range(len(parents))], dtype=np.int64), apart
