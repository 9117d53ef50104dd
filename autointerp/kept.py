"""Answers by key in a file, kept between runs, so that a run that was killed replays in seconds.

One SQLite file, written through by any number of threads and processes. Nothing in it is needed: entries that fail
their checksum are asked again, a file that is no database is made anew, and a folder that cannot be written to means
that nothing is kept.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LIMIT = 2**30
"""Bytes that a file may take."""

SWEEP = 64
"""Answers written between two looks at the file's size."""

FORMAT = 2
"""Where the checksum starts from: an entry of another format fails it."""

SCHEMA = "CREATE TABLE IF NOT EXISTS answers (number INTEGER PRIMARY KEY, key BLOB UNIQUE, answer BLOB)"


class Kept:
    """Bytes by bytes, compressed, behind a checksum; the oldest dropped where they would take more than `limit`.

    `failures` counts what could not be read or written; `remade` how often the file was no database and was made anew.

    >>> kept = Kept(Path(":memory:"))
    >>> kept.put(b"key", b"answer")
    >>> kept.get(b"key"), kept.get(b"other")
    (b'answer', None)
    """

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self.failures = self.remade = 0
        self._writes = 0
        self._process = os.getpid()
        self._turn = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def get(self, key: bytes) -> bytes | None:
        """The answer kept under the key; None where there is none, or none that can be trusted."""

        def look(connection: sqlite3.Connection) -> bytes | None:
            found = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
            answer = None if found is None else _unpacked(found[0])
            self.failures += found is not None and answer is None
            return answer

        return self._with_file(look)

    def put(self, key: bytes, answer: bytes) -> None:
        """Keep an answer; where that is not possible, the next run will ask again."""

        def write(connection: sqlite3.Connection) -> None:
            row = (key, _packed(answer))
            connection.execute("INSERT OR REPLACE INTO answers (key, answer) VALUES (?, ?)", row)
            if self._writes % SWEEP == 0:
                self._sweep(connection)
            self._writes += 1

        self._with_file(write)

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._taking_turns():
            self._let_go()

    def _with_file(self, use: Callable[[sqlite3.Connection], T]) -> T | None:
        """Use this process's connection, one thread at a time; what goes wrong with the file is counted."""
        with self._taking_turns():
            try:
                return use(self._connection())
            except (sqlite3.Error, OSError) as error:
                self.failures += 1
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                    # No database, or a damaged one. Whoever else has it open goes on with the old file until it
                    # closes it.
                    self._let_go()
                    for suffix in ("", "-wal", "-shm"):
                        Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                    self.remade += 1
                return None

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        if self._process != os.getpid():
            # SQLite's connections must not be carried across a fork, and a thread that had its turn is not there to end
            # it.
            self._process, self._turn, self._opened = os.getpid(), threading.Lock(), None
        with self._turn:
            yield

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=10, isolation_level=None, check_same_thread=False)
            try:
                # A killed process loses nothing that was committed; a machine that loses power, the latest at most.
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._opened = connection
        return self._opened

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

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


def _packed(answer: bytes) -> bytes:
    packed = zlib.compress(answer, level=1)
    return zlib.crc32(packed, FORMAT).to_bytes(4, "little") + packed


def _unpacked(kept: object) -> bytes | None:
    if not isinstance(kept, bytes) or zlib.crc32(kept[4:], FORMAT) != int.from_bytes(kept[:4], "little"):
        return None
    try:
        return zlib.decompress(kept[4:])
    except zlib.error:
        return None
