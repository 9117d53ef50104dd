"""`autointerp check`: explanations against the grammar."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from autointerp import terminal
from autointerp.lexicons import DefaultLexicon
from dsl.errors import ExplanationError, InputError
from dsl.parse import parse
from dsl.render import render


def lines_of(file: Path | None) -> Iterator[str]:
    """The lines of a text file that are not blank; `-` is standard input."""
    if file is None or str(file) == "-":
        lines = sys.stdin.read().splitlines()
    else:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot read {file}: {error}; give a UTF-8 text file with one explanation a line"
            ) from error
    return (line for line in lines if line.strip())


def check_all(texts: Iterable[str], *, as_json: bool, numbered: bool) -> int:
    """Print each explanation's canonical text on stdout, or its error on stderr; return how many were in error.

    The short forms (`words like "red"`) are expanded by the default lexicon, which loads only when one needs it.
    """
    lexicon = DefaultLexicon()
    failures = 0
    for number, text in enumerate(texts, start=1):
        try:
            canonical = render(parse(text, lexicon))
        except ExplanationError as error:
            failures += 1
            if as_json:
                terminal.print_line({"text": text, "valid": False, "error": _as_json(error)})
            else:
                place = f"explanation {number}: " if numbered else ""
                terminal.console.print(f"{place}{error}", markup=False, soft_wrap=True)
        else:
            if as_json:
                terminal.print_line({"text": text, "valid": True, "canonical": canonical})
            else:
                print(canonical)
    return failures


def _as_json(error: ExplanationError) -> dict[str, object]:
    return {
        "reason": error.reason,
        "line": error.line,
        "column": error.column,
        "expected": list(error.expected),
        "nearest": error.nearest,
    }
