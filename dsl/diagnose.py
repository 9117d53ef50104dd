"""What is wrong with a text, for the one who can mend it: where, what was expected, and a valid text nearby."""

from __future__ import annotations

from collections.abc import Callable

from dsl.errors import ExplanationError
from dsl.source import Source


class ReadError(Exception):
    """Why the parser stopped: at `offset` of a tidied text. Without a `reason`, only `expected` could stand there.

    `expected` holds keywords as they are written, and names of terminals that are none: STRING, WORD, ..., $END.
    """

    def __init__(self, reason: str, offset: int, expected: frozenset[str] = frozenset()) -> None:
        self.reason, self.offset, self.expected = reason, offset, expected
        super().__init__(reason)


def diagnose(source: Source, failure: ReadError, failure_of: Callable[[str], ReadError | None]) -> ExplanationError:
    """Turn a failure into the error that people read; `failure_of` parses a candidate for the nearest valid text."""
    return ExplanationError(failure.reason or "does not parse", column=source.at(failure.offset) + 1)
