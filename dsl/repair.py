"""The valid text nearest to one that does not parse: a best-first search over small corrections where parsing stops.

Each correction is tried by parsing: it counts when the parser then gets further, and the search ends at the first text
that parses. So whatever is suggested is valid, and no rule of the grammar is written down twice.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import cache, lru_cache
from typing import get_args

from dsl.corrections import Proposal, grouping, leaving_out, other_meanings, quoting
from dsl.idioms import NO_CLASSES, SYNONYMS, idioms
from dsl.nodes import ClassName
from dsl.source import tidy

MAX_WORK = 40_000
"""Characters of candidates that a search parses before it gives up."""

MAX_REPAIRED = 3_000
"""Characters of the longest text that corrections are looked for in."""


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
    failure_of = cache(failure_of)
    work, entered = 0, 0
    seen = {text}
    pending: list[tuple[float, int, str, tuple[bool, int, int]]] = []
    reached: ReadError | None = failure
    cost = 0.0
    while reached is not None:
        progress = _progress(text, reached)
        for extra, proposed in sorted(_proposals(text, reached, failure_of)):
            candidate = tidy(proposed).text
            if candidate in seen:
                continue
            if work > MAX_WORK:
                return None
            seen.add(candidate)
            work += len(candidate)
            entered += 1
            heapq.heappush(pending, (cost + extra, entered, candidate, progress))
        while pending:  # a candidate is read when its turn comes: most never are
            cost, _, text, before = heapq.heappop(pending)
            reached = failure_of(text)
            if reached is None:
                return _without_lone_bytes(text)
            if _progress(text, reached) > before:
                break
        else:
            return None
    return None


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


def _alike(unread: str, expected: frozenset[str]) -> tuple[tuple[float, str, str], ...]:
    """Keywords that the unread text may begin with, misspelt: likeness, as typed, as meant."""
    return _beginnings(unread[:_BEGINNING], expected)


_ALIKE = 0.7
_BEGINNING = 200
"""Characters of the unread text that are looked at: more than any keyword, or what stands for one, has."""


@lru_cache(maxsize=20_000)  # one text's candidates have most of their unread text in common
def _beginnings(unread: str, expected: frozenset[str]) -> tuple[tuple[float, str, str], ...]:
    if unread[:1].isdigit():
        return ()
    pieces = re.match(r'[^"/,;()\[\]]{0,80}', unread)
    ends = [word.end() for word in re.finditer(r"\S+", pieces[0] if pieces else "")]
    typed = [(unread[:end], unread[:end].strip().casefold()) for end in ends]
    unlike = bool(ends) and unread[: ends[0]].strip() in NO_CLASSES
    found: list[tuple[float, str, str]] = []
    for keyword, of_class in _keywords(expected):
        spelt = keyword.strip(" ;")
        found.extend((0.95, said[0], keyword) for other in _synonyms(spelt) if (said := other.match(unread)))
        if (unlike and of_class) or not spelt.strip(",()[]"):
            continue
        count = len(keyword.split())
        for written, folded in typed[max(0, count - 2) : count + 1]:
            if (likeness := _likeness(folded, spelt)) > _ALIKE:
                found.append((likeness, written, keyword))
    return tuple(found)


@lru_cache(maxsize=1_000)
def _keywords(expected: frozenset[str]) -> tuple[tuple[str, bool], ...]:
    """The keywords among what is expected, each class one of them, and whether it is a class."""
    return tuple(
        (meant, keyword == "CLASS")
        for keyword in sorted(expected - {"STRING", "WORD", "REGEX", "NUMBER", "DISTANCE", "$END"})
        for meant in (get_args(ClassName) if keyword == "CLASS" else (keyword,))
    )


@cache
def _synonyms(keyword: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf" ?{other}\b") for other in SYNONYMS.get(keyword, ()))


@lru_cache(maxsize=100_000)  # one text's candidates ask for the same few again and again
def _likeness(typed: str, meant: str) -> float:
    """How alike two texts are, 0 where they are not alike enough to matter."""
    if 2 * min(len(typed), len(meant)) <= _ALIKE * (len(typed) + len(meant)):  # no letters in common make up for that
        return 0.0
    matcher = SequenceMatcher(None, typed, meant)
    return matcher.ratio() if matcher.quick_ratio() > _ALIKE else 0.0


def _proposals(text: str, failure: ReadError, failure_of: FailureOf) -> Iterator[Proposal]:
    """Corrections around where parsing stopped, each with what it costs."""
    if failure.meaning:
        yield from other_meanings(text[: failure.offset], text[failure.offset :])
        return
    head, unread = text[: failure.offset].ljust(failure.offset), text[failure.offset :]
    yield from idioms(text, failure.offset)
    yield from quoting(head, unread, failure.expected)
    yield from grouping(head, unread, failure.expected)
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
    yield from leaving_out(head, unread, failure.expected)


_PLACEHOLDERS = {"STRING": '"..."', "WORD": '"word"', "REGEX": "/.../", "NUMBER": "5", "DISTANCE": "5"}
_INSERTED = (
    ("the word ", 0.9), ("the token ", 1.0), (" or ", 1.2), (", ", 0.6), ("on ", 0.5), ("activates ", 0.5),
    ("any token", 1.5), (" before", 0.6), (" right after ", 1.6),
)  # fmt: skip
