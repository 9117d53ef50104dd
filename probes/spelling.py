"""Between tokens and text: the words of a text with the tokens that they lie in, and edits of the text re-tokenised.

The subject must read an edited text as it would read it from a user, so an edit is made on characters and tokenised
again. What the tokeniser leaves alone stays, token for token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from dsl.nodes import is_word_character
from probes.edits import Replacement, columns_of, edited
from probes.subject import SubjectModel, TokenIds

_APOSTROPHES = "'\u2019"


@dataclass(frozen=True, slots=True)
class Word:
    """A word, the tokens `first` to `last` that it lies in, and what else those hold `before` and `after` it."""

    text: str
    first: int
    last: int
    before: str
    after: str


def words_of(strings: Sequence[str]) -> list[Word]:
    """The words of a text given as its tokens' strings.

    >>> words_of([" riv", "er", "."])
    [Word(text='river', first=0, last=1, before=' ', after='')]
    """
    return list(_words_of(tuple(strings)))


@lru_cache(maxsize=1024)  # half the generators ask about the same parents
def _words_of(strings: tuple[str, ...]) -> tuple[Word, ...]:
    text = "".join(strings)
    owner = [index for index, string in enumerate(strings) for _ in string]
    starts = [0]
    for string in strings:
        starts.append(starts[-1] + len(string))
    words: list[Word] = []
    begin = 0
    while begin < len(text):
        if not is_word_character(text[begin]):
            begin += 1
            continue
        end = begin + 1
        while end < len(text) and (
            is_word_character(text[end])
            or (text[end] in _APOSTROPHES and end + 1 < len(text) and is_word_character(text[end + 1]))
        ):
            end += 1
        first, last = owner[begin], owner[end - 1]
        words.append(Word(text[begin:end], first, last, text[starts[first] : begin], text[end : starts[last + 1]]))
        begin = end
    return tuple(words)


def in_case_of(model: str, word: str) -> str:
    """`word` in the case of `model`: `in_case_of("Red", "blue") == "Blue"`."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def spelt(subject: SubjectModel, token_ids: TokenIds) -> list[str]:
    strings = subject.vocabulary.strings
    return [strings[token] for token in token_ids]


def respelt(subject: SubjectModel, token_ids: TokenIds, start: int, stop: int, text: str) -> Replacement | None:
    """The replacement that makes the text of tokens `start` to `stop` (exclusive) read `text`; None where none can.

    The whole edited text is tokenised. Where that changes tokens far from the edit (the text was a window whose tokens
    are not the tokeniser's own choice), only `text` is, as long as its tokens spell it.
    """
    strings = spelt(subject, token_ids)
    whole = _decoded("".join(strings[:start]) + text + "".join(strings[stop:]))
    if whole is not None:
        found = _difference(token_ids, tuple(subject.tokenize(whole)))
        if found is None:
            return None
        if found.start >= start - 1 and found.stop <= stop + 1:
            return found
    piece = _decoded(text)
    if piece is None:
        return None
    local = tuple(subject.tokenize(piece)) if piece else ()
    if "".join(spelt(subject, local)) != text or local == token_ids[start:stop]:
        return None
    return Replacement(start, stop, local)


def respelt_all(
    subject: SubjectModel, token_ids: TokenIds, changes: Iterable[tuple[int, int, str]]
) -> tuple[Replacement, ...] | None:
    """The replacements that make several changes (start, stop, text) at once, in order; None where none change a thing.

    Pieces that do not touch stay apart, so that shrinking can take them back one by one.
    """
    ordered = sorted(changes)
    found = [piece for change in ordered if (piece := respelt(subject, token_ids, *change)) is not None]
    apart = all(before.stop <= after.start for before, after in pairwise(found))
    if len(found) < 2 or (apart and _reads_as_written(subject, token_ids, found)):
        return tuple(found) or None
    strings = spelt(subject, token_ids)
    start, stop = ordered[0][0], max(end for _, end, _ in ordered)
    text, done = "", start
    for begin, end, put in ordered:
        if begin < done:
            return None
        text += "".join(strings[done:begin]) + put
        done = end
    whole = respelt(subject, token_ids, start, stop, text)
    return None if whole is None else (whole,)


def _reads_as_written(subject: SubjectModel, token_ids: TokenIds, found: Sequence[Replacement]) -> bool:
    """Whether the tokeniser would make these tokens of the edited text; of a window it may not have made the old."""
    text = _decoded("".join(spelt(subject, edited(columns_of(token_ids, found)))))
    before = _decoded("".join(spelt(subject, token_ids)))
    if text is None or before is None or tuple(subject.tokenize(before)) != token_ids:
        return True
    return tuple(subject.tokenize(text)) == edited(columns_of(token_ids, found))


def _decoded(text: str) -> str | None:
    """Tokens may end inside a character; together they are text, or there is none to tokenise."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError:
        return None


def _difference(old: TokenIds, new: TokenIds) -> Replacement | None:
    if old == new:
        return None
    shorter = min(len(old), len(new))
    head = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    room = shorter - head
    tail = next((index for index in range(room) if old[-1 - index] != new[-1 - index]), room)
    return Replacement(head, len(old) - tail, new[head : len(new) - tail])
