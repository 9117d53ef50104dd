"""Polishing an explanation by one edit at a time, each of which pays for its bits.

Growth picks from a pool; polishing moves freely in the language: other distances, other positions, a list for what it
has in common, a clause dropped or added. So it finds what no pool spells out, and it is how an explanation is mended
that was shown to be wrong somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import get_args

import numpy as np
from jaxtyping import Float, Int

from agents.atoms import Pool
from agents.cover import LENIENCE, Cover
from agents.growth import Budget, Prices, closed
from agents.rules import expression
from agents.stakes import MODERATE, WEAK, Stakes
from agents.table import Table
from dsl.classes import token_class, word_class
from dsl.complexity import bits
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.mutate import edits
from dsl.nodes import (
    LEVELS,
    MAX_DEPTH,
    MAX_DISTANCE,
    AnyToken,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    FormsOf,
    Node,
    Positions,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    conjunction,
    depth,
    fold,
    is_word,
    union,
)
from dsl.rewrite import rewrites

MOST_EDITS = 6
MOST_MOVES, TOKENS_TRIED = 600, 10_000_000
"""Moves tried for one edit, at most, and fewer where each has more tokens to run on."""

DISTANCES = (*range(1, 13), 14, 16, 18, 20, 24, 28, 32, 40, 48, 64, MAX_DISTANCE)
HEADS = 6
"""Words of a list whose forms and fields are tried in its place."""

_VALUES = np.array([0.0, *reversed(LEVELS.values())])


def levels_of(predicted: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Which level each prediction is: 0 for none, 1 for faint, up to 4 for strong."""
    return np.searchsorted((_VALUES[1:] + _VALUES[:-1]) / 2, predicted)


class Polisher:
    """Edits explanations of one table, priced per bit; all candidates count against the budget."""

    def __init__(
        self,
        table: Table,
        pool: Pool,
        cover: Cover,
        evaluator: Evaluator,
        lexicon: Lexicon | None,
        budget: Budget,
    ) -> None:
        self._table, self._pool, self._cover, self._evaluator = table, pool, cover, evaluator
        self._lexicon, self._budget = lexicon, budget
        self._most = min(MOST_MOVES, TOKENS_TRIED // max(1, table.batch.ids.size))

    def polish(
        self, start: Explanation, stakes: Stakes, prices: Prices, *, mending: bool = False
    ) -> tuple[Explanation, ...]:
        """The explanations on the way from `start`, each one edit from the last and better; the last is the best.

        An edit is a mutant, another distance, position or list; and a further clause, an exception or a condition
        grown for it, where none of the others helps. In `mending` those are tried at once, and being shorter is no
        reason for an edit: what is right is left alone.
        """
        path, worth = [start], self._worth(start, stakes)
        while len(path) <= MOST_EDITS and not self._budget.spent:
            best: Explanation | None = None
            gain, least = 1e-9, worth if mending else -np.inf
            mutants = (mutant.explanation for mutant in edits(path[-1], self._lexicon))
            moves = islice(chain(self._rewritten(path[-1]), mutants), self._most)
            now = worth - prices.per_bit * bits(path[-1])
            for some in (moves, self._additions(path[-1], stakes, prices)):
                if best is None or mending:
                    for edit in dict.fromkeys(some):
                        other = self._worth(edit, stakes)
                        gained = other - prices.per_bit * bits(edit) - now
                        if gained > gain and other > least + 1e-9:
                            gain, best, reached = gained, edit, other
            if best is None:
                break
            worth = reached
            path.append(best)
        return tuple(path)

    def _worth(self, explanation: Explanation, stakes: Stakes) -> float:
        """What an explanation is worth, in firing positions, its bits aside."""
        self._budget.left -= 1
        return stakes.value(levels_of(self._table.take(self._evaluator.evaluate(explanation))))

    def _rewritten(self, explanation: Explanation) -> Iterator[Explanation]:
        levels = {name: part for name, _, part in explanation.levels}
        for name, part in levels.items():
            for edited in rewrites(part, self._variants):
                if depth(edited) <= MAX_DEPTH:
                    yield Explanation.of({**levels, name: edited}, explanation.promotes)

    def _variants(self, node: Node) -> Iterator[Node]:
        """What else could stand in a node's place."""
        match node:
            case RightAfter(anchor):
                yield from (Within(anchor, distance) for distance in DISTANCES[1:4])
            case Within(anchor, distance):
                yield RightAfter(anchor)
                yield from (Within(anchor, other) for other in DISTANCES if other not in (1, distance))
            case Positions(first, last):
                for other in dict.fromkeys((first - 2, first - 1, first + 1, first + 2, 1)):
                    if 1 <= other <= last:
                        yield Positions(other, last)
                yield from (Positions(first, last + step) for step in (-2, -1, 1, 2) if last + step >= first)
            case Tokens(strings):
                words = tuple(dict.fromkeys(fold(text.strip()) for text in strings))
                if all(map(is_word, words)):
                    yield Words(words)
                    yield from self._fields(words)
                yield from map(Class, get_args(ClassName))
                yield from _in_common(strings, Tokens)
            case Words(words):
                yield from self._fields(words)
                yield from map(Class, get_args(ClassName))
                yield from _in_common(tuple(f" {word}" for word in words), Words)
            case TokensWith() | TokensMatching():
                yield from map(Class, get_args(ClassName))
            case _:
                return

    def _fields(self, words: Sequence[str]) -> Iterator[Expression]:
        if self._lexicon is None:
            return
        for word in words[:HEADS]:
            if len(forms := self._lexicon.forms(word)) > 1:
                yield FormsOf(word, forms)
            if len(like := self._lexicon.like(word)) > 1:
                yield WordsLike(word, like)

    def _additions(self, explanation: Explanation, stakes: Stakes, prices: Prices) -> Iterator[Explanation]:
        """The explanation with the clause that adds most, with the exception that saves most, and narrowed."""
        strong, size = explanation.strong, len(self._table.fires)
        below, above = np.full(size, WEAK), np.full(size, MODERATE)
        gained = stakes.utility(MODERATE, below)
        held = np.zeros(size, dtype=np.bool_)
        if explanation.predicted is not None:
            held = self._table.take(self._evaluator.matches(explanation.predicted))
        grown: list[Expression] = []
        more = self._cover.best(
            closed(held, gained), stakes.utility(MODERATE, np.where(held, above, below), 0.5), prices
        )
        if more is not None:
            grown.append(
                expression(more, self._pool) if strong is None else union(strong, expression(more, self._pool))
            )
        if strong is not None and held.any():
            lost = closed(~held, -gained)
            less = self._cover.best(lost, lost, prices)
            if less is not None:
                grown.append(_without(strong, expression(less, self._pool)))
            kept = closed(~held, gained)
            narrower = self._cover.best(kept, closed(~held, stakes.utility(MODERATE, below, LENIENCE)), prices)
            if narrower is not None:
                grown.append(_narrowed(strong, expression(narrower, self._pool)))
        yield from (replace(explanation, strong=edit) for edit in grown if depth(edit) <= MAX_DEPTH)


def _in_common(strings: Sequence[str], kind: type[Tokens] | type[Words]) -> Iterator[Expression]:
    """What at least two of the strings begin or end with, or a class they are of, beside the list of the rest."""
    kinds: dict[Expression, list[str]] = {}
    for text in strings:
        for length in range(1, len(text) + 1):
            if text[:length].strip():
                kinds.setdefault(TokensWith("starting with", text[:length]), []).append(text)
            if text[-length:].strip():
                kinds.setdefault(TokensWith("ending with", text[-length:]), []).append(text)
        for name in get_args(ClassName):
            test = token_class(name) or word_class(name)
            if test is not None and text.strip() and test(text.strip()):
                kinds.setdefault(Class(name), []).append(text)
    for shared, members in kinds.items():
        if len(members) > 1:
            rest = tuple(text for text in strings if text not in members)
            if kind is Words:
                rest = tuple(text.strip() for text in rest)
            yield union(shared, kind(rest)) if rest else shared


def _narrowed(strong: Expression, to: Expression) -> Expression:
    match to:
        case Clause(AnyToken(), modifiers):
            return Clause(strong, modifiers)
        case _:
            return conjunction(strong, to)


def _without(strong: Expression, less: Expression) -> Expression:
    match strong:
        case Except(kept, removed):
            return Except(kept, union(removed, less))
        case _:
            return Except(strong, less)
