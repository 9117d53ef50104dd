"""`autointerp check` and `autointerp format`: explanations against the grammar, from arguments, files and pipes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autointerp import terminal
from autointerp.lexicons import DefaultLexicon
from dsl.complexity import bits, size
from dsl.digest import digest
from dsl.errors import ExplanationError, InputError
from dsl.layout import layout
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.plain import plain_words
from dsl.render import render

_PIPE = Path("-")


@dataclass(frozen=True, slots=True)
class Given:
    """An explanation as it was given, the file it stands in, if any, and the line it begins on there."""

    text: str
    file: str = ""
    line: int = 0


def gather(texts: Sequence[str], files: Sequence[Path]) -> list[Given]:
    """The explanations of the arguments, then those of the files, `-` being standard input.

    Where there is neither and something is piped in, that is read. Raises InputError where there is no explanation.
    """
    if not texts and not files:
        if sys.stdin.isatty():
            raise InputError("give an explanation, or --file FILE, or pipe explanations in")
        files = (_PIPE,)
    given = [Given(text) for text in texts]
    for file in files:
        found = list(explanations_in(_content(file), "standard input" if file == _PIPE else str(file)))
        if not found:
            raise InputError(f"{'standard input' if file == _PIPE else file} holds no explanation; give one a line")
        given.extend(found)
    return given


def explanations_in(content: str, file: str = "") -> Iterator[Given]:
    """The explanations of a text: one a line, indented lines going on with the one above, `#` lines being comments.

    >>> [given.text for given in explanations_in("# two\\nactivates on\\n    digits\\n\\nactivates on names\\n")]
    ['activates on\\n    digits', 'activates on names']
    """
    numbered = [(number, line) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for _, line in numbered), default=0)
    lines: list[str] = []
    start = 0
    for number, line in numbered:
        own = line[margin:]
        if own.startswith("#"):
            continue
        if lines and not own[0].isspace():
            yield Given("\n".join(lines), file, start)
            lines = []
        if not lines:
            start = number
        lines.append(own)
    if lines:
        yield Given("\n".join(lines), file, start)


def check_all(given: Iterable[Given], *, as_json: bool, explain: bool) -> int:
    """Print each explanation's canonical text, and in plain words if asked; return how many were in error."""

    def show(explanation: Explanation) -> str:
        return f"{render(explanation)}\n    {plain_words(explanation)}" if explain else render(explanation)

    def describe(explanation: Explanation) -> dict[str, object]:
        return {
            "canonical": render(explanation),
            "digest": digest(explanation),
            "bits": bits(explanation),
            "size": size(explanation),
            "plain": plain_words(explanation),
        }

    return _each(list(given), show, describe, as_json=as_json)


def format_all(given: Iterable[Given], *, width: int, as_json: bool) -> int:
    """Print each explanation over indented lines; return how many were in error."""
    return _each(
        list(given),
        lambda explanation: layout(explanation, width),
        lambda explanation: {"layout": layout(explanation, width)},
        as_json=as_json,
    )


def _each(
    given: Sequence[Given],
    show: Callable[[Explanation], str],
    describe: Callable[[Explanation], dict[str, object]],
    *,
    as_json: bool,
) -> int:
    """Results on stdout, errors on stderr; with `as_json` both on stdout.

    The short forms (`words like "red"`) are expanded by the default lexicon, which loads only when one needs it.
    """
    lexicon = DefaultLexicon()
    failures = 0
    for number, one in enumerate(given, start=1):
        try:
            explanation = parse(one.text, lexicon)
        except ExplanationError as error:
            failures += 1
            if as_json:
                terminal.print_line({**_source(one), "valid": False, "error": error_as_json(error)})
            else:
                where = f" ({one.file}, line {one.line})" if one.file else ""
                label = f"explanation {number}{where}: " if one.file or len(given) > 1 else ""
                terminal.console.print(f"{label}{error}", markup=False, soft_wrap=True)
        else:
            if as_json:
                terminal.print_line({**_source(one), "valid": True, **describe(explanation)})
            else:
                print(show(explanation))
    return failures


def _content(file: Path) -> str:
    try:
        if file == _PIPE:
            return sys.stdin.read()
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}; give a UTF-8 text file with one explanation a line") from error


def _source(one: Given) -> dict[str, object]:
    text = one.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # arguments may hold any bytes
    return {"text": text} | ({"file": one.file, "line": one.line} if one.file else {})


def error_as_json(error: ExplanationError) -> dict[str, object]:
    """What is wrong with a text, field by field."""
    return {
        "reason": error.reason,
        "line": error.line,
        "column": error.column,
        "expected": list(error.expected),
        "nearest": error.nearest,
    }
