"""What every command prints and how it ends: results on stdout, progress and errors on stderr, exit codes by kind."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dsl.errors import AutointerpError, StoreError

T = TypeVar("T")

INTERRUPTED = 130
"""The exit code of a command that ctrl-C ended: 128 + SIGINT, as shells report it."""

console = Console(stderr=True, highlight=False, markup=False, emoji=False)  # what is told may come from a server

Advance = Callable[[int, int], None]
"""Called with (done, total) as long work goes on."""


def print_line(value: object) -> None:
    """One JSON value on one line of stdout; floats to six significant digits, so that equal runs print equal bytes."""
    sys.stdout.write(json.dumps(rounded(value), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def rounded(value: object) -> object:
    """The value with every float at six significant digits.

    >>> rounded({"value": 0.123456789})
    {'value': 0.123457}
    """
    match value:
        case bool():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is not a result: say why there is none instead")
            return float(f"{value:.6g}")
        case dict():
            return {key: rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [rounded(item) for item in value]
        case _:
            return value


@contextmanager
def progress(label: str) -> Iterator[Advance]:
    """A bar on stderr with count, time spent and time left; nothing where stderr is no terminal."""
    with steps() as advance:
        yield lambda done, total: advance(label, done, total)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """As `progress`, for work of several steps: called with (step, done, total), it keeps a bar for each step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=None)
            bar.update(tasks[step], completed=done, total=total or None)

        yield advance


def counted(label: str, items: Sequence[T]) -> Iterator[T]:
    """The items, with a progress bar that counts those finished."""
    with progress(label) as advance:
        advance(0, len(items))
        for number, item in enumerate(items):
            yield item
            advance(number + 1, len(items))


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command; say what went wrong in one clear line, never a traceback for what a user can cause."""
    try:
        command()
    except AutointerpError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted; finished work is kept, run the same command again to go on", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): that is its choice. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR):
            raise
        where = f" {error.filename}" if error.filename else ""
        return _complain(f"cannot write{where}: {error.strerror}; choose another folder", StoreError.exit_code)
    return 0


def complain(message: str) -> None:
    """Say on stderr what went wrong."""
    console.print(f"error: {message}", style="bold red", markup=False, soft_wrap=True)


def _complain(message: str, code: int) -> int:
    complain(message)
    return code
