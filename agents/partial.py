"""An explanation run on a text whose beginning is cut off: what it certainly predicts, and what it might.

Quotes are short spans. Whether " pizza" stands in the context of "crust" cannot be said where "crust" could stand in
the part that was cut off. Three values say so: the lower bound holds whatever came before, the upper bound for
something that could have come before. Words are taken as they stand: the first token is not read as a cut-off word.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
from jaxtyping import Bool

from dsl.batch import Batch
from dsl.evaluate import matches
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

Bounds = tuple[Bool[np.ndarray, "batch ctx"], Bool[np.ndarray, "batch ctx"]]


def bounds(expression: Expression, batch: Batch) -> Bounds:
    """Where the expression surely holds, and where it may hold, whatever stood before each context of the batch.

    >>> lower, upper = bounds(parse('activates on " pizza" in the context of "crust"').strong, batch)  # doctest: +SKIP
    >>> bool(lower[0, 2]), bool(upper[0, 2])  # " pizza" at token 2, nothing of a crust in sight  # doctest: +SKIP
    (False, True)
    """
    lower, upper = _expression(expression, batch)
    return lower & batch.mask, upper & batch.mask


def _expression(expression: Expression, batch: Batch) -> Bounds:
    seen = np.arange(batch.ids.shape[1])[None, :]  # tokens in sight before each position
    match expression:
        case (
            Tokens() | Words() | FormsOf() | WordsLike() | TokensWith() | TokensMatching() | Class() | AnyToken()
        ):
            holds = matches(expression, batch)
            return holds, holds
        case Phrase(words):
            holds = matches(expression, batch)
            return holds, holds | (matches(Words(words[-1:]), batch) & (seen < len(words)))
        case Boundary():
            holds = matches(expression, batch)
            if expression.name == "the end of a sentence":
                return holds, holds
            return holds & (seen > 0), holds | (seen == 0)
        case Positions():
            return np.zeros_like(batch.mask), batch.mask
        case RepeatedToken() | FollowedBefore():
            return matches(expression, batch), batch.mask
        case Not(operand):
            lower, upper = _expression(operand, batch)
            return ~upper, ~lower
        case And(operands):
            lowers, uppers = zip(*(_expression(operand, batch) for operand in operands), strict=True)
            return np.logical_and.reduce(lowers), np.logical_and.reduce(uppers)
        case Or(operands):
            lowers, uppers = zip(*(_expression(operand, batch) for operand in operands), strict=True)
            return np.logical_or.reduce(lowers), np.logical_or.reduce(uppers)
        case Except(kept, removed):
            return _expression_both(kept, Not(removed), batch)
        case Clause(phrase, modifiers):
            lower, upper = _expression(phrase, batch)
            for modifier in modifiers:
                modifier_lower, modifier_upper = _modifier(modifier, batch, seen)
                lower, upper = lower & modifier_lower, upper & modifier_upper
            return lower, upper
    assert_never(expression)


def _expression_both(one: Expression, other: Expression, batch: Batch) -> Bounds:
    (lower, upper), (other_lower, other_upper) = _expression(one, batch), _expression(other, batch)
    return lower & other_lower, upper & other_upper


def _modifier(modifier: Modifier, batch: Batch, seen: np.ndarray) -> Bounds:
    match modifier:
        case RightAfter(anchor):
            return _within(anchor, 1, batch, seen)
        case Within(anchor, distance):
            return _within(anchor, distance, batch, seen)
        case About():
            holds = matches(Clause(AnyToken(), (modifier,)), batch)
            return holds, holds | (seen + 1 < CONTEXT_WINDOW)
        case Inside(enclosure):
            # A quotation mark in sight may open or close; a bracket that opened in sight is open.
            holds = matches(Clause(AnyToken(), (modifier,)), batch)
            return (holds if enclosure == "brackets" else np.zeros_like(holds)), batch.mask
    assert_never(modifier)


def _within(anchor: Expression, distance: int, batch: Batch, seen: np.ndarray) -> Bounds:
    lower, upper = _expression(anchor, batch)
    return _window(lower, distance), _window(upper, distance) | (seen < distance)


def _window(holds: Bool[np.ndarray, "batch ctx"], distance: int) -> Bool[np.ndarray, "batch ctx"]:
    """Whether it held at any of the `distance` tokens before."""
    before = np.cumsum(np.pad(holds, ((0, 0), (distance + 1, 0))), axis=1)[:, : holds.shape[1] + distance]
    return before[:, distance:] > before[:, : holds.shape[1]]
