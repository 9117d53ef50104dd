"""What batches of probes were answered, kept on disk between runs.

The key is the whole batch, not one text: a number's last bit depends on what it was run with, and a result must be the
same bytes whether the cache was cold, warm or lost half way. What several threads asked for and was run as one is one
batch. A run that is repeated asks the same batches in the same order, so it finds them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from autointerp.kept import LIMIT, Kept
from probes.subject import TokenIds


@dataclass(frozen=True, slots=True)
class Request:
    """Activations of features, in their order, at every token of contexts: distinct ones, in a fixed order."""

    contexts: tuple[TokenIds, ...]
    features: tuple[int, ...]


def keys_of(numerics: Mapping[str, object], requests: Sequence[Request]) -> list[bytes]:
    """For each request a digest of all that determines its numbers: what runs it, itself, what it is run with.

    >>> keys_of({}, [Request(((1, 2),), (17,))]) == keys_of({}, [Request(((1,), (2,)), (17,))])
    False
    """
    batch = hashlib.sha256(json.dumps(dict(numerics), sort_keys=True).encode())
    for request in requests:
        # Counts first, so that no two batches are the same numbers in a row.
        lengths = [len(context) for context in request.contexts]
        tokens = [token for context in request.contexts for token in context]
        for numbers in (request.features, lengths, tokens):
            batch.update(np.array([len(numbers), *numbers], dtype=np.int64).tobytes())
    return [hashlib.sha256(batch.digest() + number.to_bytes(8, "little")).digest() for number in range(len(requests))]


class ActivationCache:
    """Answers by key, safe for threads and processes; see `autointerp.kept` for what may happen to the file.

    >>> cache = ActivationCache(Path("activations.sqlite3"))  # doctest: +SKIP
    >>> cache.put(key, np.zeros((3, 1), np.float32))  # doctest: +SKIP
    >>> cache.get(key).shape  # doctest: +SKIP
    (3, 1)
    """

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self.path = path
        self._kept = Kept(path, limit=limit)
        self._misshapen = 0

    @property
    def failures(self) -> int:
        """How many answers could not be read or written."""
        return self._kept.failures + self._misshapen

    @property
    def remade(self) -> int:
        """How often the file was no database and was made anew."""
        return self._kept.remade

    def get(self, key: bytes) -> Float[np.ndarray, "rows width"] | None:
        """The answer kept under the key; None where there is none, or none that can be trusted."""
        found = self._kept.get(key)
        if found is None:
            return None
        rows, numbers = int.from_bytes(found[:4], "little"), found[4:]
        if rows == 0 or len(numbers) % (4 * rows):
            self._misshapen += 1
            return None
        return np.frombuffer(numbers, dtype="<f4").reshape(rows, -1).astype(np.float32)

    def put(self, key: bytes, answer: Float[np.ndarray, "rows width"]) -> None:
        """Keep an answer; where that is not possible, the next run will ask again."""
        self._kept.put(key, len(answer).to_bytes(4, "little") + np.ascontiguousarray(answer, dtype="<f4").tobytes())

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        self._kept.close()
