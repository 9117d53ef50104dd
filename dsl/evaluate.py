"""What explanations mean: predicted activations of contexts, without a language model and without a loop over tokens.

Every construct becomes an array of one byte a token. Constructs on the token's text are a table over the vocabulary
read at every token id; the rest are shifts and cumulative operations along the rows (see `words`, `characters`).
Everything looks back only, and rows are padded at the right, so the padding is simply cut off at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import assert_never

import numpy as np
import re2
from jaxtyping import Bool, Float, Integer, UInt8

from dsl.batch import Batch, Vocabulary
from dsl.classes import token_class, word_class
from dsl.enclosure import inside
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Node,
    Not,
    Or,
    Part,
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
)
from dsl.positions import followed_before, positions, repeated
from dsl.sentences import boundary
from dsl.words import word_view

EVALUATOR_BYTES = 64 * 2**20
"""What an `Evaluator` keeps of answers, by default."""

CHUNK_TOKENS = 2**18
"""Tokens worked on at once: few enough for a processor's cache, enough for numpy."""


def evaluate(explanation: Explanation, batch: Batch) -> Float[np.ndarray, "batch ctx"]:
    """Predicted activations as shares of the feature's maximum, [batch, ctx]: the level that holds, 0 in the padding.

    >>> from dsl.records import Context
    >>> batch = Batch.of([Context(("Hot", " pizza", " crust"))])
    >>> evaluate(Explanation(strong=Words(("pizza",)), weak=AnyToken()), batch)
    array([[0.3, 1. , 0.3]], dtype=float32)
    """
    return Evaluator(batch).evaluate(explanation)


def evaluate_chunks(
    explanation: Explanation,
    ids: Integer[np.ndarray, "rows ctx"],
    lengths: Integer[np.ndarray, " rows"],
    starts: Integer[np.ndarray, " rows"],
    vocabulary: Vocabulary,
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Iterator[Float[np.ndarray, "some ctx"]]:
    """As `evaluate`, some rows at a time, in memory that does not grow with the corpus: `ids` may be a mapped file.

    Together the chunks are the rows of `ids` in order. Ids are of any integer type.

    >>> chunks = evaluate_chunks(
    ...     Explanation(AnyToken()), np.zeros((5, 2), np.uint16), np.full(5, 2), np.zeros(5, int), Vocabulary(["a"]),
    ...     chunk_tokens=4,
    ... )
    >>> [len(chunk) for chunk in chunks]
    [2, 2, 1]
    """
    step = max(1, chunk_tokens // max(1, ids.shape[1]))
    for first in range(0, len(ids), step):
        rows = slice(first, first + step)
        some = ids[rows].astype(np.int32), lengths[rows].astype(np.int64), starts[rows].astype(np.int64)
        yield evaluate(explanation, Batch(*some, vocabulary))


def matches(expression: Expression, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """Where an expression holds, [batch, ctx]; False in the padding.

    >>> from dsl.records import Context
    >>> matches(Clause(AnyToken(), (RightAfter(Tokens(("a",))),)), Batch.of([Context(("a", "b", "c"))]))
    array([[False,  True, False]])
    """
    return Evaluator(batch).matches(expression)


class Evaluator:
    """Many expressions on one batch: each sub-expression is worked out once and kept while there is room.

    >>> from dsl.records import Context
    >>> evaluator = Evaluator(Batch.of([Context(("a", "b", "a"))]))
    >>> evaluator.matches(RepeatedToken())
    array([[False, False,  True]])
    """

    def __init__(self, batch: Batch, *, keep_bytes: int = EVALUATOR_BYTES) -> None:
        self.batch = batch
        self._room = keep_bytes // max(1, batch.ids.size)
        self._kept: OrderedDict[Node, Bool[np.ndarray, "batch ctx"]] = OrderedDict()

    def evaluate(self, explanation: Explanation) -> Float[np.ndarray, "batch ctx"]:
        """As `evaluate` does: the strongest level that holds at every token, 0 in the padding."""
        predicted = np.zeros(self.batch.ids.shape, dtype=np.float32)
        for _, value, expression in reversed(explanation.levels):
            predicted[self.matches(expression)] = value
        return predicted

    def matches(self, expression: Expression) -> Bool[np.ndarray, "batch ctx"]:
        """Where the expression holds, False in the padding."""
        held: Bool[np.ndarray, "batch ctx"] = self._holds(expression) & self.batch.mask
        return held

    def packed(self, expression: Expression) -> UInt8[np.ndarray, " bytes"]:
        """Where the expression holds: a bit for each token in reading order, padding left out, eight to a byte."""
        return np.packbits(self._holds(expression)[self.batch.mask])

    def _holds(self, node: Node) -> Bool[np.ndarray, "batch ctx"]:
        """The answer for a node, anything in the padding; read-only, since it may be shared."""
        kept = self._kept.get(node)
        if kept is not None:
            self._kept.move_to_end(node)
            return kept
        result = self._work_out(node)
        result.flags.writeable = False
        self._kept[node] = result
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return result

    def _work_out(self, node: Node) -> Bool[np.ndarray, "batch ctx"]:
        batch = self.batch
        match node:
            case Tokens(strings):
                return batch.look_up(batch.vocabulary.having(strings))
            case TokensWith() | TokensMatching():
                return batch.look_up(_token_table(node, batch.vocabulary))
            case Words(words) | FormsOf(_, words) | WordsLike(_, words):
                return word_view(batch).ends(words)
            case Phrase(words):
                return word_view(batch).phrase(words)
            case Class(name):
                return _class(name, batch)
            case AnyToken():
                return np.ones(batch.ids.shape, dtype=np.bool_)
            case Positions(first, last):
                return positions(first, last, batch)
            case Boundary(name):
                return boundary(name, batch)
            case RepeatedToken():
                return repeated(batch)
            case FollowedBefore(token):
                return followed_before(token, batch)
            case Clause(phrase, modifiers):
                return _all([self._holds(phrase), *map(self._holds, modifiers)])
            case RightAfter(anchor):
                return _held_within(self._holds(anchor), 1)
            case Within(anchor, distance):
                return _held_within(self._holds(anchor), distance)
            case About(_, words):
                return _about(words, batch)
            case Inside(enclosure):
                return inside(enclosure, batch)
            case Not(operand):
                return ~self._holds(operand)
            case And(operands):
                return _all([self._holds(operand) for operand in operands])
            case Or(operands):
                return _any([self._holds(operand) for operand in operands])
            case Except(kept, removed):
                return _all([self._holds(kept), ~self._holds(removed)])
        assert_never(node)


def _all(parts: Sequence[Bool[np.ndarray, "batch ctx"]]) -> Bool[np.ndarray, "batch ctx"]:
    result = parts[0].copy()
    for part in parts[1:]:
        result &= part
    return result


def _any(parts: Sequence[Bool[np.ndarray, "batch ctx"]]) -> Bool[np.ndarray, "batch ctx"]:
    result = parts[0].copy()
    for part in parts[1:]:
        result |= part
    return result


def _held_within(anchor: Bool[np.ndarray, "batch ctx"], distance: int) -> Bool[np.ndarray, "batch ctx"]:
    """True where the anchor held at one of the `distance` tokens before."""
    result = np.zeros_like(anchor)
    result[:, 1:] = anchor[:, :-1]
    reach = 1
    while reach < distance:
        further = min(reach, distance - reach)  # the windows may overlap, so doubling them ends on any distance
        result[:, further:] |= result[:, :-further].copy()
        reach += further
    return result


def _about(words: Sequence[str], batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    """True where at least two of the words ended in the last `CONTEXT_WINDOW` tokens, this one among them."""
    ends, width = word_view(batch).find(words), batch.ids.shape[1]
    painted = np.zeros(batch.ids.size + 1, dtype=np.int32)
    if len(ends.positions):
        # The latest end of another word than this one: just before the run of ends of this same word began.
        changes = np.ones(len(ends.which), dtype=np.bool_)
        changes[1:] = ends.which[1:] != ends.which[:-1]
        run_begins = np.maximum.accumulate(np.where(changes, np.arange(len(changes)), 0))
        other = np.where(run_begins > 0, ends.positions[run_begins - 1], -1)
        row_begins = ends.positions // width * width
        until = np.minimum(other + CONTEXT_WINDOW, row_begins + width)
        valid = (other >= row_begins) & (until > ends.positions)
        np.add.at(painted, ends.positions[valid], 1)
        np.add.at(painted, until[valid], -1)
    return (np.cumsum(painted[:-1], dtype=np.int32) > 0).reshape(batch.ids.shape)


def _class(name: ClassName, batch: Batch) -> Bool[np.ndarray, "batch ctx"]:
    test = token_class(name)
    if test is not None:
        table = batch.vocabulary.cache.get(test, lambda: batch.vocabulary.where(test))
        return batch.look_up(table)
    word_test = word_class(name)
    if word_test is None:
        raise AssertionError(f"the class {name!r} is neither of tokens nor of words")
    return word_view(batch).ends_where(word_test)


def _token_table(node: TokensWith | TokensMatching, vocabulary: Vocabulary) -> Bool[np.ndarray, " vocabulary"]:
    """Which token ids a construct on the token's text holds at; kept with the vocabulary."""
    return vocabulary.cache.get(node, lambda: _make_token_table(node, vocabulary))


def _make_token_table(node: TokensWith | TokensMatching, vocabulary: Vocabulary) -> Bool[np.ndarray, " vocabulary"]:
    match node:
        case TokensWith(part, text):
            return _with_part(part, text, vocabulary)
        case TokensMatching(pattern):
            options = re2.Options()
            options.log_errors = False
            search = re2.compile(pattern, options).search
            shown = (raw.decode("utf-8", "replace") for raw in vocabulary.bytes)
            return np.fromiter((search(text) is not None for text in shown), dtype=np.bool_, count=len(vocabulary))
    assert_never(node)


def _with_part(part: Part, text: str, vocabulary: Vocabulary) -> Bool[np.ndarray, " vocabulary"]:
    match part:
        case "starting with":
            return vocabulary.where(lambda string: string.startswith(text))
        case "ending with":
            return vocabulary.where(lambda string: string.endswith(text))
        case "containing":
            return vocabulary.where(lambda string: text in string)
    assert_never(part)
