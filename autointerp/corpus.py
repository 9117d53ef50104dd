"""Documents out of a file, one after the other.

A `.jsonl` or `.jsonl.gz` file holds one JSON object a line, its text under "text". Every other file is plain text:
blocks of lines separated by blank lines are documents of their own, and a file without blank lines is one document a
line. Documents of nothing but white space are left out and counted.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from dsl.errors import InputError


class Documents:
    """The documents of a file; every iteration reads it again, and afterwards `skipped` says how many were empty.

    >>> list(read_documents("corpus.txt"))  # doctest: +SKIP
    ['Once upon a time ...', 'One day ...']
    """

    def __init__(self, path: Path) -> None:
        self.path, self.skipped = path, 0
        self._length: int | None = None

    def __iter__(self) -> Iterator[str]:
        self.skipped, count = 0, 0
        for text in self._texts():
            if text.strip():
                count += 1
                yield text
            else:
                self.skipped += 1
        if not count:
            raise InputError(f"{self.path} holds no text; name a corpus of at least one document")

    def __len__(self) -> int:
        """How many documents there are, empty ones in a .jsonl file counted too: a quick look, for progress bars."""
        if self._length is None:
            with _mended(self.path), _open(self.path) as file:
                texts: Iterable[str] = file if _is_jsonl(self.path) else _blocks(self.path, file)
                self._length = sum(1 for text in texts if text.strip())
        return self._length

    def _texts(self) -> Iterator[str]:
        with _mended(self.path), _open(self.path) as file:
            yield from _json_texts(self.path, file) if _is_jsonl(self.path) else _blocks(self.path, file)


def read_documents(path: str | Path) -> Documents:
    """The documents of a text, .jsonl or .jsonl.gz file, read as they are asked for.

    Raises InputError at once where there is no such file, and while iterating for an empty corpus, a line that is not
    JSON (with its number) or text that is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f'{path} is not a file; name a text file, or a .jsonl file with a text under "text" a line')
    return Documents(path)


def _is_jsonl(path: Path) -> bool:
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def _open(path: Path) -> TextIOWrapper:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


@contextmanager
def _mended(path: Path) -> Iterator[None]:
    """What reading can run into, said so that it can be mended."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); convert it, e.g. with iconv") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is no whole gzip file ({error}); download it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _json_texts(path: Path, file: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: not JSON ({error}); mend or remove the line") from error
        text = value.get("text") if isinstance(value, dict) else None
        if not isinstance(text, str):
            raise InputError(f'{path}, line {number}: no string under "text"; give every line one')
        # JSON may spell half of a surrogate pair, which no encoding can write.
        yield text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def _blocks(path: Path, file: Iterable[str]) -> Iterator[str]:
    """Blocks between blank lines, or, where a first reading finds no blank line between texts, lines."""
    with _open(path) as first:
        by_line = not _has_blank_line_between(first)
    block: list[str] = []
    for line in file:
        if line.strip():
            block.append(line)
        if block and (by_line or not line.strip()):
            yield "".join(block).rstrip("\n")
            block = []
    if block:
        yield "".join(block).rstrip("\n")


def _has_blank_line_between(file: Iterable[str]) -> bool:
    """Whether a blank line stands between two lines of text; reads no further than needed."""
    text_seen = blank_seen = False
    for line in file:
        if not line.strip():
            blank_seen = text_seen
        elif blank_seen:
            return True
        else:
            text_seen = True
    return False
