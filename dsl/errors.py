"""Everything that a user can cause, as one tree of errors, each with one clear line and an exit code of its own.

AutointerpError              what is wrong and what to do about it                                  exit 1
├── InputError               records, a corpus, a folder or an option that cannot be used           exit 2
├── ExplanationError         a text that is no explanation: where, what was expected, a nearby one  exit 2
├── SubjectError             a model, a dictionary or a hookpoint that does not work, NaN weights   exit 3
└── StoreError               an activation store that is corrupt or changed, an unwritable folder   exit 4

What only a bug can cause stays a ValueError or an AssertionError.
"""

from __future__ import annotations

from typing import ClassVar


class AutointerpError(Exception):
    """What is wrong and what to do, in one line; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class InputError(AutointerpError):
    """Records, a corpus, a folder or an option that cannot be used."""

    exit_code: ClassVar[int] = 2


class ExplanationError(AutointerpError):
    """A text that is no explanation, said so that a person or a language model can mend it.

    `line` and `column` count from 1, columns in characters. `excerpt` is the line with a caret under the column.
    `expected` says in plain words what may stand there. `nearest` is a valid explanation close to the text, or None
    where none was found; it always parses. `reason` is the one line of what is wrong.

    >>> print(ExplanationError("a word is missing", column=14, nearest="activates on digits"))
    line 1, column 14: a word is missing
    nearest valid explanation: activates on digits
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        reason: str,
        *,
        line: int = 1,
        column: int = 1,
        excerpt: str = "",
        expected: tuple[str, ...] = (),
        nearest: str | None = None,
    ) -> None:
        self.reason, self.line, self.column = reason, line, column
        self.excerpt, self.expected, self.nearest = excerpt, expected, nearest
        super().__init__(self._message())

    def _message(self) -> str:
        """Of several lines where there is an excerpt: a caret needs a line of its own."""
        first = f"line {self.line}, column {self.column}: {self.reason}"
        if self.expected:
            first += f"; expected {_listed(self.expected)}"
        lines = [first]
        if self.excerpt:
            lines.append(self.excerpt)
        if self.nearest is not None:
            lines.append(f"nearest valid explanation: {self.nearest}")
        elif self.excerpt or self.expected:
            lines.append(f"an explanation looks like this: {_EXAMPLE}")
        return "\n".join(lines)


class SubjectError(AutointerpError):
    """A model, a dictionary or a hookpoint that does not work."""

    exit_code: ClassVar[int] = 3


class StoreError(AutointerpError):
    """An activation store that is corrupt or was made otherwise, or a folder that cannot be written."""

    exit_code: ClassVar[int] = 4


_EXAMPLE = 'activates on the token " pizza" in the context of the word "crust"'


def _listed(items: tuple[str, ...]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"
