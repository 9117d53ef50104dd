"""The columns of a search: every construct that is no list of strings at a place, where the evidence gives it a chance.

Which words are enriched before firing positions is counted over contexts, not positions: all positions of a context
share its words, so a word that one context repeats is one witness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.atoms import Column, Condition, Lexis, Pool, before, information, make_slots, read_words, stack, token_slot
from agents.table import Table
from dsl.batch import UNKNOWN_START
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    AnyToken,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Enclosure,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Positions,
    RepeatedToken,
    RightAfter,
    TokensWith,
    Within,
    Words,
    WordsLike,
)

WINDOWS = (4, 10, CONTEXT_WINDOW)
"""Distances of `within N tokens after` that are tried; the last reads `in the context of`."""

WINDOW_WORDS = 60
"""Words tried at each distance: those that tell most."""

LEAST_CONTEXTS = 4
"""A word before firing positions of fewer contexts is noise far more often than not."""

_LEXICON_WORDS = 16
_AFFIXES = 30
_TOPICS = (3, 6, 12)
_FAR = 1 << 20


def make_pool(table: Table, lexicon: Lexicon | None) -> Pool:
    """Every literal worth trying on this evidence."""
    words, tokens = read_words(table), token_slot(table)
    columns: list[Column] = []
    truths: list[Bool[np.ndarray, " n"]] = []
    evaluator = Evaluator(table.batch)
    history = _history(table, words)
    topics = _about(table, words, history, lexicon)
    for column in (*_fixed(table), *_affixes(table), *_from_lexicon(table, words, lexicon), *topics):
        truth = evaluator.matches(_alone(column.condition)).reshape(-1)
        if (truth & table.fires).any() and (table.known & ~truth).any():
            columns.append(column)
            truths.append(truth)
    for column, truth in _windows(table, words, history):
        columns.append(column)
        truths.append(truth)
    slots = make_slots(table, tokens, words)
    return Pool(tuple(slots), tuple(columns), stack(truths, len(table.fires)), tokens)


def _alone(condition: Condition) -> Expression:
    """A modifier is tried on any token."""
    match condition:
        case RightAfter() | Within() | About() | Inside():
            return Clause(AnyToken(), (condition,))
        case _:
            return condition


def _fixed(table: Table) -> Iterator[Column]:
    """Classes, boundaries, enclosures, repetition and positions."""
    atoms: list[Expression] = [Class(name) for name in get_args(ClassName)]
    atoms += [Boundary(name) for name in get_args(BoundaryName)]
    for atom in atoms:
        yield Column(atom, 5.0, "semantic")
        yield Column(RightAfter(atom), 7.0, "context")
        for distance in WINDOWS[:-1]:
            yield Column(Within(atom, distance), 8.0, "context")
    yield Column(RepeatedToken(), 5.0, "lexical")
    for enclosure in get_args(Enclosure):
        yield Column(Inside(enclosure), 5.0, "context")
    if (table.batch.starts != UNKNOWN_START).any():
        for last in (1, 2, 4, 8, 16):
            yield Column(Positions(1, last), 5.0 if last == 1 else 7.0, "lexical")


def _affixes(table: Table) -> Iterator[Column]:
    """Beginnings and endings that several firing tokens share, and tokens that firing tokens followed before."""
    ids, strings = table.batch.ids, table.batch.vocabulary.strings
    fires = table.fires.reshape(ids.shape)
    firing = {strings[token] for token in np.unique(ids[fires]).tolist()}
    counts: dict[TokensWith, int] = {}
    for text in firing:
        for length in range(1, min(5, len(text)) + 1):
            for affix in (TokensWith("starting with", text[:length]), TokensWith("ending with", text[-length:])):
                if affix.text.strip():
                    counts[affix] = counts.get(affix, 0) + 1
    common = sorted(counts, key=lambda affix: (-counts[affix], affix.text, affix.part))
    for affix in common[:_AFFIXES]:
        if counts[affix] >= 3:
            yield Column(affix, 12.0, "lexical")
    previous, often = np.unique(before(ids.astype(np.int64), 1)[fires], return_counts=True)
    for token in previous[np.argsort(-often, kind="stable")][:3].tolist():
        if token >= 0 and strings[token]:
            yield Column(FollowedBefore(strings[token]), 12.0, "lexical")


def _from_lexicon(table: Table, words: Lexis, lexicon: Lexicon | None) -> Iterator[Column]:
    """Forms and fields of the words that tell most, here and before."""
    if lexicon is None or not words.texts:
        return
    for back in (0, 1):
        for word in _telling(table, words, back)[:_LEXICON_WORDS]:
            text = words.texts[word]
            atoms: list[Expression] = []
            if len(forms := lexicon.forms(text)) > 1:
                atoms.append(FormsOf(text, forms))
            if len(like := lexicon.like(text)) > 1:
                atoms.append(WordsLike(text, like))
            for atom in atoms:
                if back:
                    yield Column(RightAfter(atom), words.price + 3, "semantic")
                    yield Column(Within(atom, WINDOWS[1]), words.price + 4, "semantic")
                else:
                    yield Column(atom, words.price + 2, "semantic")


def _about(table: Table, words: Lexis, history: History, lexicon: Lexicon | None) -> Iterator[Column]:
    """Topics: the words that tell most from some way off, and what the lexicon says of the first few."""
    ranked = [words.texts[history.words[number]] for number in _ranked(table, history.distance <= CONTEXT_WINDOW)]
    for count in _TOPICS:
        if len(ranked) >= count:
            yield Column(About(ranked[0], tuple(ranked[:count])), words.price + 4 * count, "context")
    if lexicon is None:
        return
    for word in ranked[:4]:
        topic = lexicon.about(word)
        if len(topic) > 1:
            yield Column(About(word, topic), words.price + 3, "semantic")


def _windows(table: Table, words: Lexis, history: History) -> Iterator[tuple[Column, Bool[np.ndarray, " n"]]]:
    """Words that ended a few tokens before."""
    for reach in WINDOWS:
        held = history.distance <= reach
        for number in _ranked(table, held)[:WINDOW_WORDS]:
            text = words.texts[history.words[number]]
            yield Column(Within(Words((text,)), reach), words.price + 2, "context", text, reach), held[number]


class History(NamedTuple):
    """Words seen before firing positions of enough contexts, and how many tokens ago each last ended."""

    words: Int[np.ndarray, " chosen"]
    distance: Int[np.ndarray, "chosen n"]


def _history(table: Table, words: Lexis) -> History:
    rows, width = words.codes.shape
    near = np.zeros((len(words.texts) + 1, rows), dtype=np.bool_)
    row, column = np.nonzero(table.fires.reshape(rows, width))
    for back in range(1, CONTEXT_WINDOW + 1):
        inside = column >= back
        near[words.codes[row[inside], column[inside] - back], row[inside]] = True
    chosen = np.flatnonzero(near[:-1].sum(axis=1) >= LEAST_CONTEXTS)
    places = np.arange(width, dtype=np.int32)
    distance = np.full((len(chosen), rows, width), _FAR, dtype=np.int32)
    for number, word in enumerate(chosen.tolist()):
        last = np.maximum.accumulate(np.where(words.codes == word, places, -_FAR), axis=1)
        distance[number, :, 1:] = places[1:] - last[:, :-1]
    distance[:, ~table.batch.mask] = _FAR
    return History(chosen, distance.reshape(len(chosen), rows * width))


def _ranked(table: Table, held: Bool[np.ndarray, "chosen n"]) -> list[int]:
    """Which truths tell of firing, most telling first (Quinlan's information gain)."""
    right = held @ np.where(table.fires, table.weight, 0.0)
    return _by_information(right, held @ table.weight, table.firing_weight / float(table.weight.sum()))


def _telling(table: Table, words: Lexis, back: int) -> list[int]:
    """The words that stand at a place before firing positions more often than elsewhere, most telling first."""
    codes, size = before(words.codes, back).reshape(-1) + 1, len(words.texts) + 1
    total = np.bincount(codes, weights=table.weight, minlength=size)[1:]
    right = np.bincount(codes, weights=np.where(table.fires, table.weight, 0.0), minlength=size)[1:]
    return _by_information(right, total, table.firing_weight / float(table.weight.sum()))


def _by_information(right: Float[np.ndarray, " n"], total: Float[np.ndarray, " n"], share: float) -> list[int]:
    score = information(right, total, share)
    return [number for number in np.argsort(-score, kind="stable").tolist() if score[number] > 0]
