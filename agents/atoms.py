"""What clauses are made of: the literals that the evidence suggests, each as an array over its positions.

A **slot** asks which string stands at a place (this token, the word that ends here, the token before, ...) and takes a
list of strings for an answer, so the best list is found from counts alone. A **column** is any other construct, with
its truth at every position. Both know how to be written in the language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Bool, Float32, Int

from agents.table import Table
from dsl.batch import UNKNOWN_START
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import (
    About,
    AnyToken,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Enclosure,
    Expression,
    FormsOf,
    Inside,
    Modifier,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensWith,
    Within,
    Words,
    WordsLike,
    fold,
)
from dsl.words import word_view
from dsl.wordtable import word_spans

Literal = Expression | Modifier
WINDOWS = (4, 10, 32)
"""Distances of `within N tokens after` that are tried; 32 reads `in the context of`."""

WINDOW_WORDS = 60
"""Words that are tried at each distance: those most enriched before firing positions."""

_LEAST_CONTEXTS = 4  # a word seen before firing positions of fewer contexts is noise far more often than not
_LEXICON_WORDS = 40
_FAR = 1 << 20


@dataclass(frozen=True, eq=False)
class Slot:
    """Which of `values` stands at a place, at every position (-1: none); `price` is the bits of naming one."""

    name: str
    codes: Int[np.ndarray, " n"]
    values: tuple[str, ...]
    price: float
    make: Callable[[tuple[str, ...]], Literal]
    lexical: bool


@dataclass(frozen=True, eq=False)
class Column:
    """A construct with the bits of naming it; columns of one `distance` join into one list of words."""

    literal: Literal
    price: float
    kind: str
    word: str = ""
    distance: int = 0


@dataclass(frozen=True, eq=False)
class Pool:
    """All literals of a search; `truth` has a row of zeros and ones for each column."""

    slots: tuple[Slot, ...]
    columns: tuple[Column, ...]
    truth: Float32[np.ndarray, "columns n"]


def pool(table: Table, lexicon: Lexicon | None) -> Pool:
    """Every literal worth trying on this evidence."""
    words, codes = _words(table)
    slots = _slots(table, words, codes)
    columns, truths = _windows(table, words, codes)
    for column, truth in _constructs(table, words, codes, lexicon):
        columns.append(column)
        truths.append(truth)
    size = len(table.fires)
    stacked = np.array(truths, dtype=np.float32) if truths else np.zeros((0, size), dtype=np.float32)
    return Pool(tuple(slots), tuple(columns), stacked)


def _words(table: Table) -> tuple[tuple[str, ...], Int[np.ndarray, "batch ctx"]]:
    """The words that end in the evidence, and which one ends at each position (-1: none; of several, the last)."""
    batch, strings = table.batch, table.batch.vocabulary.strings
    found: dict[str, None] = {}
    for row, length in zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True):
        _collect("".join(strings[token] for token in row[:length]), found)
    for token in np.unique(batch.ids[batch.mask]).tolist():
        _collect(strings[token], found)
    words = tuple(found)
    ends = word_view(batch).find(words)
    codes = np.full(batch.ids.size, -1, dtype=np.int32)
    codes[ends.positions] = ends.which
    return words, codes.reshape(batch.ids.shape)


def _collect(text: str, found: dict[str, None]) -> None:
    for start, stop in word_spans(text):
        found.setdefault(fold(text[start:stop].replace("\u2019", "'")))


def _slots(table: Table, words: tuple[str, ...], word_codes: Int[np.ndarray, "batch ctx"]) -> list[Slot]:
    batch = table.batch
    present, codes = np.unique(batch.vocabulary.same[batch.ids], return_inverse=True)
    strings = tuple(batch.vocabulary.strings[number] for number in present)
    nameable = np.array([bool(text) for text in strings], dtype=np.bool_)
    token_codes = np.where(batch.mask & nameable[codes.reshape(batch.ids.shape)], codes.reshape(batch.ids.shape), -1)
    places: list[tuple[str, Callable[[Expression], Literal], int]] = [
        ("here", lambda phrase: phrase, 0),
        ("before", RightAfter, 1),
        ("two before", lambda phrase: RightAfter(Clause(AnyToken(), (RightAfter(phrase),))), 2),
    ]
    slots = []
    for place, wrap, back in places:
        kinds: list[tuple[str, type[Tokens] | type[Words], Int[np.ndarray, "batch ctx"], tuple[str, ...]]] = [
            ("token", Tokens, token_codes, strings),
            ("word", Words, word_codes, words),
        ]
        for kind, node, here, values in kinds:
            if values:
                price = float(np.log2(len(values) + 1))
                shifted = _shift(here, back).reshape(-1).astype(np.int64)
                slots.append(Slot(f"{kind} {place}", shifted, values, price, _maker(node, wrap), back == 0))
    return slots


def _maker(
    node: type[Tokens] | type[Words], wrap: Callable[[Expression], Literal]
) -> Callable[[tuple[str, ...]], Literal]:
    return lambda values: wrap(node(values))


def _shift(array: Int[np.ndarray, "batch ctx"], back: int) -> Int[np.ndarray, "batch ctx"]:
    if not back:
        return array
    shifted = np.full_like(array, -1)
    shifted[:, back:] = array[:, :-back]
    return shifted


def _windows(
    table: Table, words: tuple[str, ...], codes: Int[np.ndarray, "batch ctx"]
) -> tuple[list[Column], list[Bool[np.ndarray, " n"]]]:
    """Words that ended a few tokens before, enriched before firing positions.

    Enrichment counts contexts, not positions: the positions of one context share its words.
    """
    columns: list[Column] = []
    truths: list[Bool[np.ndarray, " n"]] = []
    shape, mask = table.batch.ids.shape, table.batch.mask
    fires, weight = table.fires.reshape(shape), table.weight.reshape(shape)
    near = np.zeros((len(words) + 1, shape[0]), dtype=np.bool_)
    row, column = np.nonzero(fires)
    for back in range(1, max(WINDOWS) + 1):
        inside = column >= back
        near[codes[row[inside], column[inside] - back], row[inside]] = True
    chosen = np.flatnonzero(near[:-1].sum(axis=1) >= _LEAST_CONTEXTS)
    if not len(chosen):
        return columns, truths
    places = np.arange(shape[1], dtype=np.int32)
    distance = np.full((len(chosen), *shape), _FAR, dtype=np.int32)
    for number, word in enumerate(chosen.tolist()):
        last = np.maximum.accumulate(np.where(codes == word, places, -_FAR), axis=1)
        distance[number, :, 1:] = places[1:] - last[:, :-1]
    share = table.firing_weight / weight.sum()
    price = float(np.log2(len(words) + 1)) + 2
    for reach in WINDOWS:
        held = (distance <= reach) & mask
        right = (held & fires).reshape(len(chosen), -1) @ weight.reshape(-1)
        total = held.reshape(len(chosen), -1) @ weight.reshape(-1)
        score = right * np.log(np.maximum(right, 1e-9) / np.maximum(total * share, 1e-9))
        for number in np.argsort(-score, kind="stable")[:WINDOW_WORDS].tolist():
            if score[number] > 0:
                word_text = words[chosen[number]]
                columns.append(Column(Within(Words((word_text,)), reach), price, "window", word_text, reach))
                truths.append(held[number].reshape(-1))
    return columns, truths


def _constructs(
    table: Table, words: tuple[str, ...], codes: Int[np.ndarray, "batch ctx"], lexicon: Lexicon | None
) -> Iterable[tuple[Column, Bool[np.ndarray, " n"]]]:
    """Classes, boundaries, parts of tokens, positions and what the lexicon adds, where they hold at all."""
    evaluator = Evaluator(table.batch)
    for literal, price, kind in _candidates(table, words, codes, lexicon):
        if isinstance(literal, RightAfter | Within | About | Inside):
            truth = evaluator.matches(Clause(AnyToken(), (literal,))).reshape(-1)
        else:
            truth = evaluator.matches(literal).reshape(-1)
        if (truth & table.fires).any() and not (truth >= table.known).all():
            yield Column(literal, price, kind), truth


def _candidates(
    table: Table, words: tuple[str, ...], codes: Int[np.ndarray, "batch ctx"], lexicon: Lexicon | None
) -> Iterable[tuple[Literal, float, str]]:
    plain: list[Expression] = [Class(name) for name in get_args(ClassName)]
    plain += [Boundary(name) for name in get_args(BoundaryName)]
    for atom in plain:
        yield atom, 5.0, "class"
        yield RightAfter(atom), 7.0, "context"
        for reach in WINDOWS[:-1]:
            yield Within(atom, reach), 8.0, "context"
    yield RepeatedToken(), 5.0, "class"
    for enclosure in get_args(Enclosure):
        yield Inside(enclosure), 5.0, "context"
    for part in _affixes(table):
        yield part, 12.0, "class"
    if (table.batch.starts != UNKNOWN_START).any():
        yield Positions(1, 1), 5.0, "class"
        for last in (2, 4, 8, 16):
            yield Positions(1, last), 7.0, "class"
    if lexicon is not None:
        yield from _from_lexicon(table, words, codes, lexicon)


def _affixes(table: Table) -> Iterable[TokensWith]:
    """Beginnings and endings that firing tokens share."""
    strings = table.batch.vocabulary.strings
    firing = {strings[token] for token in np.unique(table.batch.ids.reshape(-1)[table.fires]).tolist()} - {""}
    counts: dict[TokensWith, int] = {}
    for text in firing:
        for length in range(1, min(5, len(text)) + 1):
            for part in (text[:length], text[-length:]):
                if part.strip():
                    kind: TokensWith = (
                        TokensWith("starting with", part) if text.startswith(part) else TokensWith("ending with", part)
                    )
                    counts[kind] = counts.get(kind, 0) + 1
    common = sorted(counts, key=lambda each: (-counts[each], each.text, each.part))
    return [each for each in common if counts[each] >= 3][:_LEXICON_WORDS]


def _from_lexicon(
    table: Table, words: tuple[str, ...], codes: Int[np.ndarray, "batch ctx"], lexicon: Lexicon
) -> Iterable[tuple[Literal, float, str]]:
    """Forms and fields of the words that firing positions end, and of the words before them."""
    price = float(np.log2(len(words) + 1))
    shape = table.batch.ids.shape
    fires = table.fires.reshape(shape)
    for back, wrap in ((0, None), (1, RightAfter), (10, Within)):
        places = fires.copy()
        if back:
            places[:, :-1] = fires[:, 1:]
        for word in _enriched(table, codes, places, len(words)):
            forms, like = lexicon.forms(words[word]), lexicon.like(words[word])
            atoms: list[Expression] = []
            if len(forms) > 1:
                atoms.append(FormsOf(words[word], forms))
            if len(like) > 1:
                atoms.append(WordsLike(words[word], like))
            for atom in atoms:
                match wrap:
                    case None:
                        yield atom, price + 2, "lexicon"
                    case _:
                        yield wrap(atom), price + 4, "lexicon context"


def _enriched(
    table: Table, codes: Int[np.ndarray, "batch ctx"], places: Bool[np.ndarray, "batch ctx"], count: int
) -> Sequence[int]:
    """The words that stand at given places much more often than elsewhere, most telling first."""
    weight = table.weight.reshape(codes.shape)
    here = np.bincount(codes[places] + 1, weights=weight[places], minlength=count + 1)[1:]
    everywhere = np.bincount(codes.reshape(-1) + 1, weights=weight.reshape(-1), minlength=count + 1)[1:]
    share = max(float(here.sum()), 1e-9) / max(float(everywhere.sum()), 1e-9)
    score = here * np.log(np.maximum(here, 1e-9) / np.maximum(everywhere * share, 1e-9))
    order = np.argsort(-score, kind="stable")[: _LEXICON_WORDS // 2]
    return [int(number) for number in order if score[number] > 0]
