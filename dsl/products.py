"""Two flat readings of an expression, and the ways to spell them out again.

As a product: parts that must all hold (expressions and modifiers) and expressions that must not. As a sum: operands of
which any suffices. `P except Q`, `P and not Q` and `not Q` with a modifier are one product in three spellings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dsl.implication import NOWHERE
from dsl.nodes import (
    And,
    AnyToken,
    Clause,
    Except,
    Expression,
    Modifier,
    Node,
    Not,
    Or,
    RightAfter,
    conjunction,
    sort_key,
    union,
)

ANYWHERE = AnyToken()


@dataclass(frozen=True, slots=True)
class Product:
    """Holds where all of `holds` do and none of `fails`; of neither any, it holds anywhere."""

    holds: tuple[Node, ...]
    fails: tuple[Expression, ...]

    @classmethod
    def of(cls, expression: Expression) -> Product:
        """An expression taken apart as far as it is a product.

        >>> from dsl.nodes import Class
        >>> Product.of(Except(Class("digits"), Class("names")))
        Product(holds=(Class(name='digits'),), fails=(Class(name='names'),))
        """
        holds: list[Node] = []
        fails: list[Expression] = []
        _take_apart(expression, holds, fails)
        return cls.made(holds, fails)

    @classmethod
    def made(cls, holds: Iterable[Node], fails: Iterable[Expression]) -> Product:
        """Of parts in any order: sorted, each once."""
        ordered = tuple(sorted(dict.fromkeys(holds), key=sort_key))
        return cls(ordered, tuple(sorted(dict.fromkeys(fails), key=sort_key)))

    @property
    def phrases(self) -> tuple[Expression, ...]:
        """Of what must hold that which is no modifier."""
        return tuple(part for part in self.holds if not isinstance(part, Modifier))

    @property
    def modifiers(self) -> tuple[Modifier, ...]:
        """Of what must hold the modifiers."""
        return tuple(part for part in self.holds if isinstance(part, Modifier))


def operands_of(expression: Expression) -> tuple[Expression, ...]:
    """An expression taken apart as far as it is a sum: `not (P and Q)` is `not P or not Q`."""
    match expression:
        case Or(operands):
            return tuple(part for operand in operands for part in operands_of(operand))
        case Not(And(operands)):
            return tuple(part for operand in operands for part in operands_of(negated(operand)))
        case Not(Except(kept, removed)):
            return (*operands_of(negated(kept)), *operands_of(removed))
        case _:
            return (expression,)


def spelt(product: Product) -> Expression:
    """A product in its plainest spelling: a clause, and what it must not be after `except`."""
    return next(spellings(product, union(*product.fails) if product.fails else None))


def spellings(product: Product, fails: Expression | None) -> Iterator[Expression]:
    """All spellings of a product, the plainest first; `fails` says together what must not hold."""
    pair = product.fails if fails is not None and len(product.fails) == 2 else ()
    for modifiers in _modifier_sets(product.modifiers):
        if product.phrases or fails is None:
            phrase = all_of(product.phrases)
            clause = Clause(phrase, modifiers) if modifiers else phrase
            yield clause if fails is None else Except(clause, fails)
            if pair:
                yield Except(Except(clause, pair[0]), pair[1])
        else:
            yield Clause(Not(fails), modifiers) if modifiers else Not(fails)
            if pair:
                clause = Except(Not(pair[0]), pair[1])
                yield Clause(clause, modifiers) if modifiers else clause


def spellings_of_sum(operands: Iterable[Expression]) -> Iterator[Expression]:
    """All spellings of a sum: as it stands, and with the operands that are negated drawn together."""
    operands = tuple(operands)
    yield any_of(operands)
    denied = tuple(operand.operand for operand in operands if isinstance(operand, Not))
    if denied and len(operands) > 1:
        others = tuple(operand for operand in operands if not isinstance(operand, Not))
        both = all_of(denied)
        yield any_of((*others, negated(both)))
        if others:
            yield Not(Except(both, any_of(others)))


def all_of(parts: Iterable[Expression]) -> Expression:
    """A conjunction without what says nothing: of no parts, any token."""
    kept = [part for part in parts if part != ANYWHERE]
    if NOWHERE in kept:
        return NOWHERE
    return conjunction(*kept) if kept else ANYWHERE


def any_of(parts: Iterable[Expression]) -> Expression:
    """A union without what adds nothing: of no parts, nowhere."""
    kept = [part for part in parts if part != NOWHERE]
    if ANYWHERE in kept:
        return ANYWHERE
    return union(*kept) if kept else NOWHERE


def negated(expression: Expression) -> Expression:
    """Not P; of not P, P."""
    return expression.operand if isinstance(expression, Not) else Not(expression)


def _take_apart(expression: Expression, holds: list[Node], fails: list[Expression]) -> None:
    match expression:
        case AnyToken():
            pass
        case And(operands):
            for operand in operands:
                _take_apart(operand, holds, fails)
        case Clause(phrase, modifiers):
            _take_apart(phrase, holds, fails)
            for modifier in modifiers:
                holds.extend(_each_right_after(modifier))
        case Except(kept, removed):
            _take_apart(kept, holds, fails)
            _deny(removed, holds, fails)
        case Not(operand):
            _deny(operand, holds, fails)
        case _:
            holds.append(expression)


def _deny(expression: Expression, holds: list[Node], fails: list[Expression]) -> None:
    match expression:
        case Or(operands):
            for operand in operands:
                _deny(operand, holds, fails)
        case Not(operand):
            _take_apart(operand, holds, fails)
        case _:
            fails.append(expression)


def _each_right_after(modifier: Modifier) -> tuple[Modifier, ...]:
    """Right after P and Q: right after P, right after Q."""
    match modifier:
        case RightAfter(And(operands)):
            return tuple(RightAfter(operand) for operand in operands)
        case _:
            return (modifier,)


def _modifier_sets(modifiers: tuple[Modifier, ...]) -> Iterator[tuple[Modifier, ...]]:
    """As they are, and with all that stands right before drawn together."""
    yield modifiers
    anchors = [each.anchor for each in modifiers if isinstance(each, RightAfter)]
    if len(anchors) > 1:
        others = tuple(each for each in modifiers if not isinstance(each, RightAfter))
        yield (*others, RightAfter(all_of(anchors)))
