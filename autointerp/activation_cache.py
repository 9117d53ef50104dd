"""What batches of probes were answered, kept on disk between runs, so that a run that was killed replays in seconds.

The key is the whole batch, not one text: a number's last bit depends on what it was run with, and a result must be the
same bytes whether the cache was cold, warm or lost half way. A run that is repeated asks the same batches in the same
order, so it finds them all.

One SQLite file, written through by any number of processes. Nothing in it is needed: entries that fail their checksum
are asked again, a file that is no database is made anew, and a folder that cannot be written to means no cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from probes.subject import TokenIds

LIMIT = 2**30
"""Bytes that the file may take."""

SWEEP = 64
"""Answers written between two looks at the file's size."""

SCHEMA = "CREATE TABLE IF NOT EXISTS answers (number INTEGER PRIMARY KEY, key BLOB UNIQUE, rows INTEGER, answer BLOB)"


def key_of(numerics: Mapping[str, object], features: Sequence[int], contexts: Sequence[TokenIds]) -> bytes:
    """A digest of everything that determines a batch's numbers: what runs it, the features, the batch itself.

    >>> key_of({}, [17], [(1, 2)]) == key_of({}, [17], [(1,), (2,)])
    False
    """
    digest = hashlib.sha256(json.dumps([dict(numerics), list(features)], sort_keys=True).encode())
    lengths = np.array([len(context) for context in contexts], dtype=np.int64)
    digest.update(lengths.tobytes())
    digest.update(np.array([token for context in contexts for token in context], dtype=np.int64).tobytes())
    return digest.digest()


class ActivationCache:
    """Answers by key, the oldest dropped where they would take more than `limit` bytes.

    `failures` counts what could not be read or written; `remade` how often the file was no database and was made anew.

    >>> cache = ActivationCache(Path("activations.sqlite3"))  # doctest: +SKIP
    >>> cache.put(key, np.zeros((3, 1), np.float32))  # doctest: +SKIP
    >>> cache.get(key).shape  # doctest: +SKIP
    (3, 1)
    """

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self.failures = self.remade = 0
        self._writes = 0
        self._opened: tuple[int, sqlite3.Connection] | None = None

    def get(self, key: bytes) -> Float[np.ndarray, "rows width"] | None:
        """The answer kept under the key; None where there is none, or none that can be trusted."""
        try:
            found = self._connection().execute("SELECT rows, answer FROM answers WHERE key = ?", (key,)).fetchone()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return None
        if found is None:
            return None
        rows, answer = found
        checked = _unpacked(answer, rows) if isinstance(answer, bytes) and isinstance(rows, int) else None
        self.failures += checked is None
        return checked

    def put(self, key: bytes, answer: Float[np.ndarray, "rows width"]) -> None:
        """Keep an answer; where that is not possible, the next run will ask again."""
        try:
            connection = self._connection()
            row = (key, len(answer), _packed(answer))
            connection.execute("INSERT OR REPLACE INTO answers (key, rows, answer) VALUES (?, ?, ?)", row)
            if self._writes % SWEEP == 0:
                self._sweep(connection)
            self._writes += 1
        except (sqlite3.Error, OSError) as error:
            self._failed(error)

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].close()
        self._opened = None

    def _connection(self) -> sqlite3.Connection:
        """This process's own: SQLite's connections must not be carried across a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=10, isolation_level=None)
            try:
                # A killed process loses nothing that was committed; a machine that loses power, the latest at most.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._opened = os.getpid(), connection
        return self._opened[1]

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Drop the oldest quarter as often as it takes; SQLite uses their pages again, so the file stops growing."""
        while self._taken(connection) > self.limit:
            dropped = connection.execute(
                "DELETE FROM answers WHERE number <= (SELECT number FROM answers ORDER BY number LIMIT 1 "
                "OFFSET (SELECT count(*) / 4 FROM answers))"
            )
            if dropped.rowcount <= 0:
                return

    def _taken(self, connection: sqlite3.Connection) -> int:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            # No database, or a damaged one. Whoever else has it open goes on with the old file until it closes it.
            self.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self.remade += 1


def _packed(answer: Float[np.ndarray, "rows width"]) -> bytes:
    """Compressed, since most activations are zero, behind a checksum of what is compressed."""
    packed = zlib.compress(np.ascontiguousarray(answer, dtype="<f4").tobytes(), level=1)
    return zlib.crc32(packed).to_bytes(4, "little") + packed


def _unpacked(answer: bytes, rows: int) -> Float[np.ndarray, "rows width"] | None:
    packed = answer[4:]
    if rows <= 0 or zlib.crc32(packed) != int.from_bytes(answer[:4], "little"):
        return None
    numbers = np.frombuffer(zlib.decompress(packed), dtype="<f4")
    return None if len(numbers) % rows else numbers.reshape(rows, -1).astype(np.float32)
