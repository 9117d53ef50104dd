"""Small corrections around the place where parsing stopped: quotes, groups, words left out, literals that cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dsl.nodes import MAX_DISTANCE, is_word, is_word_character
from dsl.render import quoted

QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019'`"
"""What people type, or their editors make of it, where a straight double quote is meant: six double, four single."""

Proposal = tuple[float, str]
"""What a correction costs, and the text it leads to."""

_BOUNDARY = re.compile(
    r" (?:in the context of|right after|within \d+ tokens? after|in text about|inside|or|and|except|before) ?"
    r"|[,;)\]]|\Z"
)


def quoting(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
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


def grouping(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
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


def leaving_out(head: str, unread: str, expected: frozenset[str]) -> Iterator[Proposal]:
    """The next word or string left out, or all that was not read."""
    piece = re.match(r'\s*("[^"]*"|[^\s",;()\[\]]+|.)', unread, re.DOTALL)
    if piece is not None:
        yield 2.0, f"{head}{unread[piece.end() :]}"
    if "$END" in expected:
        yield 2.5 + 0.02 * len(unread), head


def other_meanings(head: str, unread: str) -> Iterator[Proposal]:
    """A well-formed text that says what cannot be: another construct, or the literal trimmed to what it may hold."""
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
