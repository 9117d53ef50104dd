"""The columns of a search: every construct that is no list of strings at a place, where the evidence gives it a chance.

Which words are enriched before firing positions is counted over contexts, not positions: all positions of a context
share its words, so a word that one context repeats is one witness.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.atoms import (
    Column,
    Cues,
    Lexis,
    Pool,
    before,
    information,
    make_barring,
    make_slots,
    read_words,
    stack,
    token_slot,
)
from agents.rules import alone
from agents.table import Table
from dsl.batch import UNKNOWN_START
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Enclosure,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    fold,
    is_word,
    string,
)
from dsl.wordtable import word_spans

WINDOWS = (4, 10, CONTEXT_WINDOW)
"""Distances of `within N tokens after` that are tried; the last reads `in the context of`."""

WINDOW_WORDS = 60
"""Words, and tokens that are no words, tried at each distance: those that tell most."""

LEAST_CONTEXTS = 4
"""A word before firing positions of fewer contexts is noise far more often than not."""

PATTERNS = (
    "^ ", "^[a-z]", "^ ?[A-Z]", "^ ?[A-Z]+$", "^ ?[A-Z][a-z]+$", "[0-9]", "^ ?[0-9]+$", "[^ -~]", "^ ?[a-z]{1,2}$",
    "^ ?[a-z]{3}$", "^ ?[a-z]{4}$", "^ ?[a-z]{7,}$", "[aeiou]$", "[^aeiou]$", "^ ?[aeiouAEIOU]",
)  # fmt: skip
"""Shapes of tokens that are tried as regular expressions: nothing in the evidence spells them out."""

NARROW = 0.5
"""A range of positions says something where at most this share of all positions lies in it."""

_LEXICON_WORDS = 16
_AFFIXES, _PHRASES, _LONGEST_PHRASE, _FOLLOWED = 30, 20, 4, 8
_TOPICS, _TOPIC_WORDS = (3, 6, 12), 8
_FAR = 1 << 20


def make_pool(table: Table, lexicon: Lexicon | None) -> Pool:
    """Every literal worth trying on this evidence."""
    words, tokens = read_words(table), token_slot(table)
    columns: list[Column] = []
    truths: list[Bool[np.ndarray, " n"]] = []
    evaluator = Evaluator(table.batch)
    history = _history(table, words.texts, words.codes)
    named = np.array([not is_word(text.strip()) for text in tokens.slot.values] or [False])
    marks = np.where((tokens.codes >= 0) & named[tokens.codes], tokens.codes, -1)
    signs = _history(table, tokens.slot.values, marks)
    asked = (
        *_fixed(table),
        *_affixes(table),
        *_phrases(table, words),
        *_from_lexicon(table, words, history, lexicon),
        *_about(table, words, history, lexicon),
    )
    for column in {column.condition: column for column in asked}.values():
        truth = table.take(evaluator.matches(alone(column.condition)))
        if (truth & table.fires).any() and not truth.all():
            columns.append(column)
            truths.append(truth)
    for kind, seen, price in ((Words, history, words.price), (Tokens, signs, tokens.slot.price)):
        for column, truth in _windows(table, kind, seen, price):
            columns.append(column)
            truths.append(truth)
    slots = make_slots(table, tokens, words)
    truth = stack(truths, len(table.fires))
    codes = tuple(table.take(before(each, back)) for back in (0, 1, 2) for each in (tokens.codes, words.codes))
    sizes = (len(tokens.slot.values), len(words.texts)) * 3
    barring = tuple(make_barring(table, tokens, words))
    return Pool(tuple(slots), tuple(columns), truth, tokens.slot, Cues(codes, sizes, truth), barring)


def _fixed(table: Table) -> Iterator[Column]:
    """Classes, boundaries, enclosures, repetition and positions."""
    atoms: list[Expression] = [Class(name) for name in get_args(ClassName)]
    atoms += [Boundary(name) for name in get_args(BoundaryName)]
    for atom in atoms:
        yield Column(atom, 5.0, "semantic")
        yield Column(RightAfter(atom), 7.0, "context")
        for distance in WINDOWS:
            yield Column(Within(atom, distance), 8.0, "context")
    yield Column(RepeatedToken(), 5.0, "lexical")
    for pattern in PATTERNS:
        yield Column(TokensMatching(pattern), 8.0, "lexical")
    for enclosure in get_args(Enclosure):
        yield Column(Inside(enclosure), 5.0, "context")
    if (table.batch.starts != UNKNOWN_START).any():
        for last in (1, 2, 4, 8, 16):
            yield Column(Positions(1, last), 5.0 if last == 1 else 7.0, "lexical")
        # Where the feature fires in a narrow part of what was read, the part itself.
        place = table.places % table.batch.ids.shape[1] + table.batch.starts[table.rows] + 1
        first, last = int(place[table.fires].min()), int(place[table.fires].max())
        if first >= 1 and np.mean((first <= place) & (place <= last)) < NARROW:
            yield Column(Positions(first, last), 14.0, "lexical")


def _affixes(table: Table) -> Iterator[Column]:
    """Parts that several firing tokens share, or those before them, and tokens that firing tokens followed before."""
    ids, strings = table.batch.ids, table.batch.vocabulary.strings
    previous = table.take(before(ids.astype(np.int64), 1))
    for affix in _shared(strings[token] for token in np.unique(table.take(ids)[table.fires]).tolist()):
        yield Column(affix, 12.0, "lexical")
    for affix in _shared(strings[token] for token in np.unique(previous[table.fires]).tolist() if token >= 0):
        yield Column(RightAfter(affix), 14.0, "context")
    for token in _followed(table):
        yield Column(FollowedBefore(token), 12.0, "lexical")


def _shared(texts: Iterable[str]) -> list[TokensWith]:
    """Beginnings, endings and middles of at least three of the texts, those that most of them share."""
    counts: dict[TokensWith, int] = {}
    for text in texts:
        parts: dict[TokensWith, None] = {}
        for length in range(1, min(5, len(text)) + 1):
            parts[TokensWith("starting with", text[:length])] = None
            parts[TokensWith("ending with", text[-length:])] = None
        for start in range(len(text)):
            for stop in range(start + 1, min(start + 4, len(text)) + 1):
                parts[TokensWith("containing", text[start:stop])] = None
        for part in parts:
            if part.text.strip():
                counts[part] = counts.get(part, 0) + 1
    # Of parts that as many share the longer says more: "ing" before "ng".
    common = sorted(counts, key=lambda part: (-counts[part], -len(part.text), part.text, part.part))
    return [part for part in common if counts[part] >= 3][:_AFFIXES]


def _followed(table: Table) -> list[str]:
    """Tokens that firing tokens came right after before, in most contexts."""
    ids, strings = table.batch.ids, table.batch.vocabulary.strings
    counts: dict[str, int] = {}
    width = ids.shape[1]
    for place in table.places[table.fires][:400].tolist():
        row, position = divmod(place, width)
        earlier = np.flatnonzero(ids[row, 1:position] == ids[row, position])
        for text in dict.fromkeys(strings[token] for token in ids[row, earlier].tolist()):
            counts[text] = counts.get(text, 0) + 1
    return sorted((text for text in counts if text), key=lambda text: (-counts[text], text))[:_FOLLOWED]


def _phrases(table: Table, words: Lexis) -> Iterator[Column]:
    """Phrases that end where the feature fires, in several contexts."""
    strings, width = table.batch.vocabulary.strings, table.batch.ids.shape[1]
    contexts: dict[tuple[str, ...], set[int]] = {}
    for place in table.places[table.fires].tolist():
        row, position = divmod(place, width)
        tokens = table.batch.ids[row, max(0, position - 8 * _LONGEST_PHRASE) : position + 1].tolist()
        text = "".join(strings[token] for token in tokens)
        text = string(text) if text else text
        spans = word_spans(text)
        if spans and spans[-1][1] == len(text):
            said = [fold(text[start:stop].replace("\u2019", "'")) for start, stop in spans[-_LONGEST_PHRASE:]]
            for length in range(2, len(said) + 1):
                contexts.setdefault(tuple(said[-length:]), set()).add(row)
    often = {phrase: len(rows) for phrase, rows in contexts.items() if len(rows) >= LEAST_CONTEXTS - 1}
    for phrase in sorted(often, key=lambda phrase: (-often[phrase] * len(phrase), phrase))[:_PHRASES]:
        yield Column(Phrase(phrase), words.price * len(phrase), "lexical")


def _from_lexicon(table: Table, words: Lexis, history: History, lexicon: Lexicon | None) -> Iterator[Column]:
    """Forms and fields of the words that tell most: here, right before, and some way before."""
    if lexicon is None or not words.texts:
        return
    for word in _telling(table, words, 0)[:_LEXICON_WORDS]:
        for atom in _fields(words.texts[word], lexicon):
            yield Column(atom, words.price + 2, "semantic")
    for word in _telling(table, words, 1)[:_LEXICON_WORDS]:
        for atom in _fields(words.texts[word], lexicon):
            yield Column(RightAfter(atom), words.price + 3, "semantic")
    for number in _ranked(table, history.distance <= WINDOWS[1])[: _LEXICON_WORDS // 2]:
        for atom in _fields(history.texts[number], lexicon):
            for distance in WINDOWS:
                yield Column(Within(atom, distance), words.price + 4, "semantic")


def _fields(word: str, lexicon: Lexicon) -> Iterator[Expression]:
    if len(forms := lexicon.forms(word)) > 1:
        yield FormsOf(word, forms)
    if len(like := lexicon.like(word)) > 1:
        yield WordsLike(word, like)


def _about(table: Table, words: Lexis, history: History, lexicon: Lexicon | None) -> Iterator[Column]:
    """Topics: the words that tell most from some way off, and what the lexicon says of the first few."""
    ranked = [history.texts[number] for number in _ranked(table, history.distance <= CONTEXT_WINDOW)]
    for count in _TOPICS:
        if len(ranked) >= count:
            yield Column(About(ranked[0], tuple(ranked[:count])), words.price + 4 * count, "context")
    if lexicon is None:
        return
    for word in ranked[:_TOPIC_WORDS]:
        topic = lexicon.about(word)
        if len(topic) > 1:
            yield Column(About(word, topic), words.price + 3, "semantic")


def _windows(
    table: Table, kind: type[Words] | type[Tokens], history: History, price: float
) -> Iterator[tuple[Column, Bool[np.ndarray, " n"]]]:
    """Strings that ended a few tokens before."""
    for reach in WINDOWS:
        held = history.distance <= reach
        for number in _ranked(table, held)[:WINDOW_WORDS]:
            text = history.texts[number]
            series = f"{kind.__name__} {reach}"
            yield Column(Within(kind((text,)), reach), price + 2, "context", text, series), held[number]


class History(NamedTuple):
    """Strings seen before firing positions of enough contexts, and how many tokens ago each last ended."""

    texts: tuple[str, ...]
    distance: Int[np.ndarray, "chosen n"]


def _history(table: Table, texts: Sequence[str], codes: Int[np.ndarray, "batch ctx"]) -> History:
    rows, width = codes.shape
    near = np.zeros((len(texts) + 1, rows), dtype=np.bool_)
    row, column = np.divmod(table.places[table.fires], max(1, width))
    for back in range(1, CONTEXT_WINDOW + 1):
        inside = column >= back
        near[codes[row[inside], column[inside] - back], row[inside]] = True
    chosen = np.flatnonzero(near[:-1].sum(axis=1) >= LEAST_CONTEXTS).tolist()
    stops = np.arange(width, dtype=np.int32)
    distance = np.full((len(chosen), len(table.places)), _FAR, dtype=np.int32)
    for number, code in enumerate(chosen):
        last = np.maximum.accumulate(np.where(codes == code, stops, -_FAR), axis=1)
        ago = np.full(codes.shape, _FAR, dtype=np.int32)
        ago[:, 1:] = stops[1:] - last[:, :-1]
        distance[number] = table.take(ago)
    return History(tuple(texts[code] for code in chosen), distance)


def _ranked(table: Table, held: Bool[np.ndarray, "chosen n"]) -> list[int]:
    """Which truths tell of firing, most telling first (Quinlan's information gain)."""
    rows = held.astype(np.float32)
    right = rows @ np.where(table.fires, table.weight, 0.0).astype(np.float32)
    return _by_information(right, rows @ table.weight.astype(np.float32), table.share)


def _telling(table: Table, words: Lexis, back: int) -> list[int]:
    """The words that stand at a place before firing positions more often than elsewhere, most telling first."""
    codes, size = table.take(before(words.codes, back)) + 1, len(words.texts) + 1
    total = np.bincount(codes, weights=table.weight, minlength=size)[1:]
    right = np.bincount(codes, weights=np.where(table.fires, table.weight, 0.0), minlength=size)[1:]
    return _by_information(right, total, table.share)


def _by_information(right: Float[np.ndarray, " n"], total: Float[np.ndarray, " n"], share: float) -> list[int]:
    score = information(right, total, share)
    return [number for number in np.argsort(-score, kind="stable").tolist() if score[number] > 0]
