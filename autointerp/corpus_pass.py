"""One pass over a corpus: documents to shards of contexts, and the split of the documents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from autointerp.near_copies import NearCopies
from probes.subject import TokenIds

Split = Literal["evidence", "dev", "held_out"]
SPLITS: tuple[Split, ...] = ("evidence", "dev", "held_out")
SHARES = (0.5, 0.7)
"""Where evidence ends and where dev ends, of hashes between 0 and 1."""

Progress = Callable[[int, int], None]
"""Called with the documents read so far and their number (0 where the corpus has no length)."""


@runtime_checkable
class Collectable(Protocol):
    """What `collect` asks of a subject model."""

    @property
    def prefix(self) -> TokenIds: ...

    @property
    def max_tokens(self) -> int: ...

    @property
    def d_sae(self) -> int: ...

    @property
    def fingerprint(self) -> dict[str, str]:
        """Named digests of everything that determines the numbers."""
        ...

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]: ...

    def sparse(
        self, contexts: Sequence[TokenIds]
    ) -> list[tuple[Int[np.ndarray, " nonzero"], Int[np.ndarray, " nonzero"], Float[np.ndarray, " nonzero"]]]:
        """Positions, features and values of all activations above zero, for every context."""
        ...


@dataclass(frozen=True)
class ContextShard:
    """Contexts that go into one shard, and the documents that they come from."""

    contexts: list[TokenIds]
    documents: list[int]

    @property
    def digest(self) -> str:
        lengths = np.array([[len(context) for context in self.contexts], self.documents], dtype=np.int64)
        ids = np.fromiter((i for context in self.contexts for i in context), dtype=np.int64)
        return hashlib.sha256(lengths.tobytes() + ids.tobytes()).hexdigest()


@dataclass
class CorpusPass:
    """One pass over the documents: cuts them into shards and remembers what the split needs."""

    documents: Iterable[str]
    progress: Progress | None
    texts: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    digests: list[tuple[int, int]] = field(default_factory=list)
    copies: NearCopies = field(default_factory=NearCopies)

    @property
    def corpus(self) -> dict[str, Any]:
        return {"documents": self.texts, "sha256": self.digest.hexdigest()}

    def to_end(self) -> None:
        """Read on without cutting or splitting anything."""
        for text in self.documents:
            self._note(text)

    def shards(self, subject: Collectable, width: int, size: int) -> Iterator[ContextShard]:
        """Contexts of at most `width` tokens, `size` to a shard."""
        contexts: list[TokenIds] = []
        owners: list[int] = []
        for first, texts in self._blocks():
            for number, ids in enumerate(subject.tokenize_many(texts), start=first):
                pieces = [tuple(ids[start : start + width]) for start in range(0, len(ids), width)]
                contexts += pieces
                owners += [number] * len(pieces)
            while len(contexts) >= size:
                yield ContextShard(contexts[:size], owners[:size])
                del contexts[:size], owners[:size]
            if self.progress is not None:
                self.progress(self.texts, len(self.documents) if isinstance(self.documents, Sized) else 0)
        if contexts:
            yield ContextShard(contexts, owners)

    def split(self) -> dict[str, Any]:
        """The split of every document, and how near-copies were dealt with."""
        groups, report = self.copies.groups()
        # A group goes where its document of the least digest goes, whatever the order of the documents. The side comes
        # from other bytes of that digest: the least of many first bytes is small, and would always mean evidence.
        digests = np.array(self.digests, dtype=[("rank", np.uint64), ("side", np.uint64)])
        order = np.lexsort((digests["side"], digests["rank"], groups))
        _, leaders = np.unique(groups[order], return_index=True)
        sides = np.searchsorted(SHARES, digests["side"][order[leaders]] / 2.0**64, side="right")
        sides = sides[np.unique(groups, return_inverse=True)[1]]
        return {"splits": "".join(map(str, sides)), "near_copies": report}

    def _blocks(self, size: int = 64) -> Iterator[tuple[int, list[str]]]:
        """Documents by the block: a tokeniser works on many at a time."""
        block: list[str] = []
        for text in self.documents:
            digest = self._note(text)
            self.digests.append((int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")))
            self.copies.add(text)
            block.append(text)
            if len(block) == size:
                yield self.texts - size, block
                block = []
        if block:
            yield self.texts - len(block), block

    def _note(self, text: str) -> bytes:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        self.digest.update(digest)
        self.texts += 1
        return digest
