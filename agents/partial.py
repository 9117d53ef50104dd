"""An explanation run on a text whose beginning is cut off: what it certainly predicts, and what it might.

Quotes are short spans. Whether " pizza" stands in the context of "crust" cannot be said where "crust" could stand in
the part that was cut off. Three values say so: the lower bound holds whatever came before, the upper bound for
something that could have come before. Words are taken as they stand: the first token is not read as a cut-off word.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch
from dsl.evaluate import Evaluator
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    Clause,
    Except,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Modifier,
    Not,
    Or,
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

Mask = Bool[np.ndarray, "batch ctx"]
Bounds = tuple[Mask, Mask]


def bounds(expression: Expression, batch: Batch) -> Bounds:
    """Where the expression surely holds, and where it may hold, whatever stood before each context of the batch.

    >>> lower, upper = bounds(parse('activates on " pizza" in the context of "crust"').strong, batch)  # doctest: +SKIP
    >>> bool(lower[0, 2]), bool(upper[0, 2])  # " pizza" at token 2, nothing of a crust in sight  # doctest: +SKIP
    (False, True)
    """
    lower, upper = _expression(expression, Evaluator(batch))
    return lower & batch.mask, upper & batch.mask


def _expression(expression: Expression, on: Evaluator) -> Bounds:
    seen = _seen(on)
    match expression:
        case Tokens() | Words() | FormsOf() | WordsLike() | TokensWith() | TokensMatching() | Class() | AnyToken():
            holds = on.matches(expression)
            return holds, holds
        case Phrase(words):
            holds = on.matches(expression)
            return holds, holds | (on.matches(Words(words[-1:])) & (seen < len(words)))
        case Boundary(name):
            holds = on.matches(expression)
            return holds, holds if name == "the end of a sentence" else holds | _may_open(on)
        case Positions():
            return np.zeros_like(on.batch.mask), on.batch.mask
        case RepeatedToken() | FollowedBefore():
            return on.matches(expression), on.batch.mask
        case Not(operand):
            lower, upper = _expression(operand, on)
            return ~upper, ~lower
        case And(operands):
            return _combined(np.logical_and, [_expression(operand, on) for operand in operands])
        case Or(operands):
            return _combined(np.logical_or, [_expression(operand, on) for operand in operands])
        case Except(kept, removed):
            return _combined(np.logical_and, [_expression(kept, on), _expression(Not(removed), on)])
        case Clause(phrase, modifiers):
            conditions = [_modifier(modifier, on) for modifier in modifiers]
            return _combined(np.logical_and, [_expression(phrase, on), *conditions])
    assert_never(expression)


def _modifier(modifier: Modifier, on: Evaluator) -> Bounds:
    match modifier:
        case RightAfter(anchor):
            return _within(anchor, 1, on)
        case Within(anchor, distance):
            return _within(anchor, distance, on)
        case About():
            holds = on.matches(Clause(AnyToken(), (modifier,)))
            return holds, holds | (_seen(on) + 1 < CONTEXT_WINDOW)
        case Inside(enclosure):
            # A straight quotation mark in sight may open or close; what a bracket opened in sight is surely inside.
            holds = on.matches(Clause(AnyToken(), (modifier,)))
            return (holds if enclosure == "brackets" else np.zeros_like(holds)), on.batch.mask
    assert_never(modifier)


def _within(anchor: Expression, distance: int, on: Evaluator) -> Bounds:
    """The anchor in the window of tokens before; it may stand there unseen where the window goes beyond the cut."""
    lower, upper = (on.batch.mask & side for side in _expression(anchor, on))
    return _window(lower, distance), _window(upper, distance) | (_seen(on) < distance)


def _window(holds: Mask, distance: int) -> Mask:
    """Whether it held at any of the `distance` tokens before."""
    counts = np.cumsum(np.pad(holds, ((0, 0), (distance + 1, 0))), axis=1)
    width = holds.shape[1]
    within: Mask = counts[:, distance : distance + width] > counts[:, :width]
    return within


def _combined(operation: np.ufunc, parts: list[Bounds]) -> Bounds:
    lowers, uppers = zip(*parts, strict=True)
    return operation.reduce(lowers), operation.reduce(uppers)


def _seen(on: Evaluator) -> Int[np.ndarray, "1 ctx"]:
    """How many tokens are in sight before each position."""
    return np.arange(on.batch.ids.shape[1])[None, :]


def _may_open(on: Evaluator) -> Mask:
    """Up to the first token in sight that has a word in it, a sentence may have ended just before the cut."""
    wordy = on.matches(TokensMatching(r"[\pL\pM\pN]"))
    before: Mask = np.cumsum(wordy, axis=1) - wordy == 0
    return before
