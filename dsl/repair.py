"""The valid text nearest to one that does not parse: a best-first search over small corrections where parsing stops.

Each correction is tried by parsing: it counts when the parser then gets further, and the search ends at the first text
that parses. So whatever is suggested is valid, and no rule of the grammar is written down twice.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from typing import get_args

from dsl.nodes import MAX_DISTANCE, ClassName, is_word, is_word_character
from dsl.render import quoted
from dsl.source import tidy

MAX_WORK = 40_000
"""Characters of candidates that a search parses before it gives up."""

MAX_REPAIRED = 3_000
"""Characters of the longest text that corrections are looked for in."""

QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019'`"
"""What people type, or their editors make of it, where a straight double quote is meant: six double, four single."""

Proposal = tuple[float, str]
"""What a correction costs, and the text it leads to."""


class ReadError(Exception):
    """Why the parser stopped: at `offset` of a tidied text. Without a `reason`, only `expected` could stand there.

    `expected` holds keywords as they are written, and names of terminals that are none: STRING, WORD, ..., $END.
    `meaning` is True where the text is well formed and what it says is wrong.
    """

    def __init__(
        self, reason: str, offset: int, expected: frozenset[str] = frozenset(), *, meaning: bool = False
    ) -> None:
        self.reason, self.offset, self.expected, self.meaning = reason, offset, expected, meaning
        super().__init__(reason)


FailureOf = Callable[[str], ReadError | None]


def nearest(text: str, failure: ReadError, failure_of: FailureOf) -> str | None:
    """A text that parses, as few corrections from `text` as a bounded search finds; None where it finds none."""
    if len(text) > MAX_REPAIRED or "\0" in text:
        return None
    work, entered = 0, 0
    seen = {text}
    pending: list[tuple[float, int, str, ReadError]] = [(0.0, 0, text, failure)]
    while pending:
        cost, _, text, failure = heapq.heappop(pending)
        for extra, proposed in sorted(_proposals(text, failure, failure_of)):
            candidate = tidy(proposed).text
            if candidate in seen:
                continue
            if work > MAX_WORK:
                return None
            seen.add(candidate)
            work += len(candidate)
            outcome = failure_of(candidate)
            if outcome is None:
                entered += 1
                heapq.heappush(pending, (cost + extra, entered, candidate, _DONE))
            elif _progress(candidate, outcome) > _progress(text, failure):
                entered += 1
                heapq.heappush(pending, (cost + extra, entered, candidate, outcome))
        if pending and pending[0][3] is _DONE:
            return _without_lone_bytes(pending[0][2])
    return None


_DONE = ReadError("", 0)


def _without_lone_bytes(text: str) -> str:
    """The same explanation in characters that print: lone bytes stand in literals only, where an escape means them."""
    return re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def _progress(text: str, failure: ReadError) -> tuple[bool, int, int]:
    """Further is better: through the grammar, then with less left to read, then with more read."""
    return failure.meaning, -max(len(text) - failure.offset, 0), failure.offset


def closest_keyword(text: str, failure: ReadError, failure_of: FailureOf) -> tuple[str, str] | None:
    """The words around the place of failure that are most likely a keyword misspelt, and the keyword."""
    best: tuple[float, str, str] | None = None
    if failure.expected <= {"STRING", "WORD", "REGEX"}:
        return None
    for start, expected in _starts(text, failure, failure_of):
        for likeness, typed, keyword in _alike(text[start:], expected):
            reaches = start + len(typed) > failure.offset
            if reaches and not typed.strip().startswith(keyword.strip(" ;")) and (best is None or likeness > best[0]):
                best = (likeness, typed, keyword)
    return None if best is None else best[1:]


def _starts(text: str, failure: ReadError, failure_of: FailureOf) -> Iterator[tuple[int, frozenset[str]]]:
    """Where the failing keyword may begin, and what is expected there: a wrong one may have begun like a right one."""
    yield failure.offset, failure.expected
    if len(text) > MAX_REPAIRED:  # every look back parses anew
        return
    head = text[: failure.offset].rstrip()
    for _ in range(4):
        cut = max(head.rfind(" "), head.rfind("("))
        if cut < 0 or '"' in head[cut:] or not head[cut + 1 :]:
            return
        for start in (cut + 1, cut):
            earlier = failure_of(text[:start])
            if earlier is not None and not earlier.reason and earlier.offset >= start:
                yield start, earlier.expected
        head = head[:cut].rstrip()


def _alike(unread: str, expected: frozenset[str]) -> Iterator[tuple[float, str, str]]:
    """Keywords that the unread text may begin with, misspelt: likeness, as typed, as meant."""
    pieces = re.match(r'[^"/,;()\[\]]{0,80}', unread)
    words = list(re.finditer(r"\S+", pieces[0] if pieces else ""))
    if unread[:1].isdigit():
        return
    for keyword in expected - {"STRING", "WORD", "REGEX", "NUMBER", "DISTANCE", "$END"}:
        for meant in get_args(ClassName) if keyword == "CLASS" else (keyword,):
            for other in _SYNONYMS.get(meant.strip(" ;"), ()):
                if said := re.match(rf" ?{other}\b", unread):
                    yield 0.95, said[0], meant
            count = len(meant.split())
            for number in range(max(1, count - 1), count + 2):
                if number > len(words) or not meant.strip(" ;,()[]"):
                    break
                typed = unread[: words[number - 1].end()]
                if (likeness := _likeness(typed.strip().casefold(), meant.strip(" ;"))) > _ALIKE:
                    yield likeness, typed, meant


_ALIKE = 0.7


@lru_cache(maxsize=100_000)  # one text's candidates ask for the same few again and again
def _likeness(typed: str, meant: str) -> float:
    """How alike two texts are, 0 where they are not alike enough to matter."""
    matcher = SequenceMatcher(None, typed, meant)
    return matcher.ratio() if matcher.quick_ratio() > _ALIKE else 0.0


def _proposals(text: str, failure: ReadError, failure_of: FailureOf) -> Iterator[Proposal]:
    """Corrections around where parsing stopped, each with what it costs."""
    if failure.meaning:
        yield from _other_meanings(text, failure)
        return
    head, unread = text[: failure.offset].ljust(failure.offset), text[failure.offset :]
    yield from _quoting(head, unread, failure.expected)
    yield from _grouping(head, unread, failure.expected)
    for start, expected in _starts(text, failure, failure_of):
        for likeness, typed, keyword in _alike(text[start:], expected):
            yield 1.1 - likeness, f"{text[:start]} {keyword} {text[start + len(typed) :]}".replace("( ", "(")
    for keyword, cost in _INSERTED:
        if keyword in failure.expected:
            yield cost, f"{head}{keyword}{unread.lstrip()}"
    if "activates " in failure.expected:
        yield 0.8, f"activates on {unread}"
    if not unread.strip():
        for literal in failure.expected & _PLACEHOLDERS.keys():
            yield 0.3, f"{head} {_PLACEHOLDERS[literal]}"
        if len(failure.expected) <= 3:
            yield from ((1.0, f"{head} {keyword} ") for keyword in failure.expected if keyword.islower())
    yield from _leaving_out(head, unread, failure.expected)


_PLACEHOLDERS = {"STRING": '"..."', "WORD": '"word"', "REGEX": "/.../", "NUMBER": "5", "DISTANCE": "5"}
_INSERTED = (
    ("the word ", 0.9), ("the token ", 1.0), (" or ", 1.2), (", ", 0.6), ("on ", 0.5), ("activates ", 0.5),
    ("any token", 1.5), (" before", 0.6), (" right after ", 1.6),
)  # fmt: skip
_SYNONYMS = {
    "activates": ("fires", "active", "responds to", "the feature activates", "this feature activates"),
    "on": ("when", "for", "at"),
    "right after": ("after", "following", "directly after", "immediately after"),
    "in the context of": ("near", "around", "in context of", "within the context of", "in contexts of"),
    "inside quotation marks": ("inside quotes", "in quotes", "in quotation marks", "within quotation marks"),
    "inside brackets": ("in brackets", "in parentheses", "inside parentheses", "within brackets"),
    "in text about": ("in texts about", "in contexts about", "about", "when talking about"),
    "except": ("but not", "unless", "excluding", "other than"),
    "tokens starting with": ("tokens beginning with", "tokens begining with", "words starting with"),
    "tokens containing": ("tokens with", "words containing"),
    "any form of": ("forms of", "any forms of", "inflections of"),
    "words like": ("words similar to", "synonyms of", "words related to"),
    "digits": ("numbers", "numerals"),
    "names": ("proper nouns", "proper names"),
    "newlines": ("line breaks", "new lines"),
    "any token": ("anything", "every token", "all tokens"),
    "promotes": (", and promotes", ", promotes"),
}
_BOUNDARY = re.compile(
    r" (?:in the context of|right after|within \d+ tokens? after|in text about|inside|or|and|except|before) ?"
    r"|[,;)\]]|\Z"
)


def _quoting(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
    """Quotes of other kinds, unclosed or missing quotes, empty strings, unknown escapes."""
    bare = unread.lstrip()
    if bare and bare[0] in QUOTES[:6]:
        yield 0.2, head + re.sub(f"[{QUOTES[:6]}]", '"', unread)
    if single := re.match(rf"[{QUOTES[6:]}]([^{QUOTES}\"]+)[{QUOTES[6:]}]", bare):
        yield 0.2, f"{head}{quoted(single[1])}{bare[single.end() :]}"
    if expected & {"STRING", "WORD"}:
        placeholder = '"..."' if "STRING" in expected else '"word"'
        if unread.startswith('""'):
            yield 0.5, head + placeholder + unread[2:]
        if unread.startswith('"'):
            yield 0.3, head + re.sub(r'\\(?!["\\nt]|x[0-9A-Fa-f]{2})', r"\\\\", unread)
            yield 0.3, head + re.sub(r'\n(?=[^"]*")', r"\\n", unread, count=1)
            for stop in _boundaries(unread):
                yield 0.4 + 0.01 * stop.start(), f'{head}{unread[: stop.start()]}"{unread[stop.start() :]}'
        else:
            yield 0.45, head + re.sub(r'^[^"]*(?=")', "", unread)
            for stop in _boundaries(unread):
                if stop.start():
                    words = unread[: stop.start()].strip(' "')
                    literal = quoted(words or "...")
                    yield 0.5 + 0.01 * stop.start() + 0.3 * words.count(" "), f"{head}{literal}{unread[stop.start() :]}"
    elif last := re.search(r'"[^"]*"$', head):  # a string that swallowed what comes after it
        for stop in _boundaries(last[0]):
            if 1 < stop.start() < len(last[0]) - 1:
                cut = last.start() + stop.start()
                yield 0.6, f'{head[:cut]}"{head[cut:]}{unread}'
    if "REGEX" in expected and unread:
        bounds = re.search(r"\Z|(?<=.)/", unread)
        assert bounds is not None
        yield 0.6, f"{head}/{unread[: bounds.start()].strip('/')}/{unread[bounds.end() :]}"
    if "the word " in expected and (word := re.match(r"[\w'\u2019]+", bare)):
        yield 1.3, f"{head}the word {quoted(word[0])}{bare[word.end() :]}"
        stop = next(_boundaries(bare))
        words = bare[: stop.start()].strip()
        yield 1.5 + 0.3 * words.count(" "), f"{head}the phrase {quoted(words)}{bare[stop.start() :]}"
    if bare.startswith('"') and "the word " in expected:
        inside = re.match(r'"([^"]*)"', bare)
        token = inside is not None and not is_word(inside[1])
        noun = re.findall(r"the (token|word)s? ", head)
        yield 0.7, f"{head}the {noun[-1] if noun else 'token' if token else 'word'} {bare}"


def _boundaries(text: str) -> Iterator[re.Match[str]]:
    yield from list(_BOUNDARY.finditer(text))[:8]


def _grouping(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
    """Parentheses and brackets, singular before a list, a second `except`, a number out of range."""
    if ")" in expected:
        yield 0.3, f"{head}){unread}"
    if "]" in expected:
        yield 0.3, f"{head}]{unread}"
    if unread[:1] in (")", "]"):
        yield 0.4, head + unread[1:]
    if singular := re.search(r"the (token|word) (?=\"[^\"]*\"$)", head):
        yield 0.3, f"{head[: singular.end() - 1]}s {head[singular.end() :]}{unread}"
    if unread.startswith(" except "):
        yield 0.3, f"{head} or {unread.removeprefix(' except ')}"
    if unread.startswith("promotes ") and head.endswith(" and "):
        yield 0.2, f"{head.removesuffix(' and ')}; {unread}"
    if number := re.search(r"within ?\d*$", head):
        digits = re.match(r" ?-?\d*", unread)
        assert digits is not None
        value = int(re.sub(r"\D", "", f"{number[0]}{digits[0]}") or 0)
        yield 0.3, f"{head[: number.start()]}within {min(max(value, 1), MAX_DISTANCE)}{unread[digits.end() :]}"
    if zero := re.match(r"0+(?=\d* to | ?$)|0+", unread):
        yield 0.3, f"{head}1{unread[zero.end() :]}"


def _leaving_out(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
    """The next word or string left out, or all that was not read."""
    piece = re.match(r'\s*("[^"]*"|[^\s",;()\[\]]+|.)', unread, re.DOTALL)
    if piece is not None:
        yield 2.0, f"{head}{unread[piece.end() :]}"
    if "$END" in expected:
        yield 2.5 + 0.02 * len(unread), head


def _other_meanings(text: str, failure: ReadError) -> Iterator[Proposal]:
    """A well-formed text that says what cannot be: another construct, or the literal trimmed to what it may hold."""
    head, unread = text[: failure.offset], text[failure.offset :]
    literal = re.match(r'"((?:[^"\\]|\\.)*)"', unread)
    if literal is not None:
        inside, tail = literal[1], unread[literal.end() :]
        words = [word for word in re.split(r"[^\w'\u2019]+", inside) if is_word(word)]
        if head.endswith("the phrase ") and len(words) == 1:
            yield 0.2, f"{head.removesuffix('the phrase ')}the word {quoted(words[0])}{tail}"
        if head.endswith("the word ") and len(words) > 1:
            yield 0.2, f"{head.removesuffix('the word ')}the phrase {quoted(' '.join(words))}{tail}"
        if head.endswith("the word ") and not any(map(is_word_character, inside)):
            yield 0.2, f"{head.removesuffix('the word ')}the token {literal[0]}{tail}"
        if words:
            yield 0.4, f"{head}{quoted(words[0])}{tail}"
            yield 0.5, f"{head}{quoted(' '.join(words))}{tail}"
        yield 1.0, re.sub(r", $", "", head) + tail
    if shorthand := re.search(r'"([^"]*)"$', head):
        words = [word for word in shorthand[1].split() if is_word(word)]
        if words:
            yield 0.1, f"{head} [{', '.join(map(quoted, words))}]{unread}"
    if span := re.match(r"(\d+) to (\d+)", unread):
        yield 0.1, f"{head}{span[2]} to {span[1]}{unread[span.end() :]}"
    if regex := re.match(r"/((?:[^/\\]|\\.)*)/", unread):
        kept = quoted(re.sub(r"\\(.)", r"\1", regex[1]) or "...")
        yield 0.5, f"{head.removesuffix('matching ')}containing {kept}{unread[regex.end() :]}"
