"""What is wrong with a text, for the one who can mend it: where, what was expected, and a valid text nearby."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import get_args

from dsl.corrections import QUOTES
from dsl.errors import ExplanationError
from dsl.nodes import MAX_DISTANCE, ClassName
from dsl.repair import ReadError, closest_keyword, nearest
from dsl.source import Source

_WIDTH = 100
"""Characters of a long line that an excerpt shows."""


def diagnose(source: Source, failure: ReadError, failure_of: Callable[[str], ReadError | None]) -> ExplanationError:
    """Turn a failure into the error that people read; `failure_of` parses candidates for the nearest valid text."""
    text, offset = source.text, failure.offset
    place = source.at(
        offset + 1 if text[offset : offset + 1] == " " else offset
    )  # keywords bring the space before them
    line = source.typed.count("\n", 0, place) + 1
    column = place - (source.typed.rfind("\n", 0, place) + 1) + 1
    return ExplanationError(
        printable(failure.reason or _reason(text, failure, failure_of)),
        line=line,
        column=column,
        excerpt=_excerpt(source.typed, place),
        expected=_in_words(failure.expected),
        nearest=nearest(text, failure, failure_of),
    )


def _reason(text: str, failure: ReadError, failure_of: Callable[[str], ReadError | None]) -> str:
    unread = text[failure.offset :]
    literal = bool(failure.expected & {"STRING", "WORD"})
    if not text:
        return "the explanation is empty"
    if not unread.strip():
        return "the explanation ends too early"
    if literal and unread.startswith('""'):
        return "an empty string"
    if literal and unread.startswith('"'):
        return _bad_string(unread)
    marked = f"{text[: failure.offset]}\0{unread}"
    if habit := next((said for pattern, said in _HABITS if re.search(pattern, marked)), None):
        return habit
    if unread.lstrip()[0] in QUOTES:
        return "strings stand in straight double quotes; did you mean those?"
    if unread.lstrip().startswith('"') and not literal:
        return f"the string {_shown(unread.lstrip())} stands where none is expected"
    if unread[0] == "," and re.search(r'the (?:token|word) "[^"]*"$', text[: failure.offset]):
        return "a list follows `the tokens` or `the words`"
    if re.search(r"within \d*$", text[: failure.offset]) and unread.strip()[0] in "-0123456789":
        return f"the distance runs from 1 to {MAX_DISTANCE}"
    if unread.startswith(")"):
        return "a closing parenthesis without an opening one"
    if unread.startswith(" except "):
        return "a second `except`; group the first with parentheses, or join what it removes with `or`"
    keyword = closest_keyword(text, failure, failure_of)
    found = _shown(unread.strip())
    if keyword is not None:
        typed, meant = keyword
        return f'"{typed.strip(" ;")}" is no part of the language; did you mean "{meant.strip(" ;")}"?'
    plural = re.match(r" ?([a-z]+s)\b", unread)
    if plural is not None and "CLASS" in failure.expected and plural[1] not in ("tokens", "words", "promotes"):
        return f'"{plural[1]}" is no class; there are {", ".join(get_args(ClassName))}'
    return f"{found} does not fit here"


_HABITS = (
    (r"^\0`", "an explanation stands alone, without Markdown around it"),
    (r'^\0"activates ', "an explanation stands without quotes around it"),
    (r"^\0.*[:.] ?activates ", "an explanation begins with `activates`, and nothing stands before it"),
    (
        r"\0 ?,? ?(?:is |when )?(?:immediately |directly |right )?(?:followed by|before|preceding) ",
        "explanations look back only: say of the later one that it is `right after` the earlier",
    ),
    (r"(?:after|context of) \0not ", "a condition takes one phrase: put `not ...` into parentheses"),
    (r"\0; (?:strongly|moderately|weakly|faintly) on", "levels go from strongly over moderately and weakly to faintly"),
    (r"\0,? ?(?:and )?(?:strongly|moderately|weakly|faintly) on ", "levels are set apart by semicolons"),
    (r"\0,? ?(?:and )?promotes ", "what the feature promotes stands behind a semicolon"),
    (r'[^"]\0, ', "parts are joined with `or` or `and`: commas stand in lists of strings"),
    (r"\0(?:[.!] [A-Za-z]| \([^\"]*\)$| because | since )", "an explanation says nothing but the explanation itself"),
)
"""What people and models often do, the place of failure marked by a null, and what is said about it."""


def _bad_string(unread: str) -> str:
    closed = re.match(r'"(?:[^"\\\n]|\\.)*("|\n|\Z)', unread, re.DOTALL)
    if closed is None or closed[1] == "":
        return "this quote is never closed"
    if closed[1] == "\n":
        return r"a string ends on the line it begins on; write \n for a line break"
    return r"an escape that the language does not have; there are \" \\ \n \t and \xNN"


def _shown(unread: str) -> str:
    """The first word or string of what could not be read."""
    piece = re.match(r'"(?:[^"\\\n]|\\.){0,30}"?|[^\s",;()\[\]]{1,30}|.', unread, re.DOTALL)
    assert piece is not None
    return piece[0] if piece[0].startswith('"') else f'"{printable(piece[0])}"'


def printable(text: str) -> str:
    """The text with one printable character for each of its own: U+FFFD for what has none."""
    return "".join(
        " " if character in "\t\r\n" else "\ufffd" if unicodedata.category(character)[0] == "C" else character
        for character in text
    )


def _excerpt(typed: str, place: int) -> str:
    """The line, or a window of it, and below it a caret under the place; wide characters count two columns."""
    start = typed.rfind("\n", 0, place) + 1
    stop = typed.find("\n", place)
    stop = len(typed) if stop < 0 else stop
    before, after = max(start, place - _WIDTH // 2), min(stop, max(place + _WIDTH // 2, start + _WIDTH))
    head = printable(typed[before:place])
    ellipsis = "…" if before > start else ""
    line = f"{ellipsis}{head}{printable(typed[place:after])}{'…' if after < stop else ''}"
    if not line.strip():
        return ""
    return f"  {line}\n  {' ' * sum(map(_columns, ellipsis + head))}^"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


_LITERALS = {
    "STRING": 'a string in straight double quotes, such as " pizza"',
    "WORD": 'a word in straight double quotes, such as "pizza"',
    "REGEX": "a regular expression between slashes, such as /^ [A-Z]/",
    "DISTANCE": "a number of tokens from 1 to 99",
    "NUMBER": "a position, counted from 1",
    "CLASS": "a class such as digits or names",
    "$END": "the end",
}
_GROUPS = (
    (
        frozenset(("the token ", "the word ", "any token", "CLASS", "tokens ")),
        ('what to match, such as the token "x", the word "x", any form of "x", words like "x", digits',),
    ),
    (
        frozenset((" right after ", " within ", " in the context of ")),
        ("a condition: right after, within N tokens after, in the context of, in text about, inside",),
    ),
)


def _in_words(expected: frozenset[str]) -> tuple[str, ...]:
    """What may stand there in plain words: many alternatives by their kind, few by name, the end last."""
    words: list[str] = []
    rest = set(expected)
    if rest >= _GROUPS[0][0]:
        words.extend(_GROUPS[0][1])
        rest = {item for item in rest if item.startswith((" ", ";", "$")) or item in _LITERALS} - {"CLASS"}
    if rest >= _GROUPS[1][0]:
        words.extend(_GROUPS[1][1])
        rest = {item for item in rest if not item.startswith((" in", " right", " within"))}
    after_semicolon = sorted(item.strip("; ") for item in rest if item.startswith(";"))
    if after_semicolon:
        words.append(f"a semicolon and {' or '.join(after_semicolon)}")
        rest = {item for item in rest if not item.startswith(";")}
    named = sorted(rest - {"$END"}, key=lambda item: (item not in _LITERALS, item))
    words.extend(_LITERALS.get(item) or _keyword(item) for item in named)
    return (*words, _LITERALS["$END"]) if "$END" in rest else tuple(words)


def _keyword(item: str) -> str:
    return item.strip(" ;") if any(map(str.isalpha, item)) else f'"{item.strip()}"'
