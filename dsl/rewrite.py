"""Every expression that differs from a given one in a single node: what local search moves by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dsl.nodes import And, Clause, Except, Expression, Modifier, Node, Not, Or, RightAfter, Within, conjunction, union

Vary = Callable[[Node], Iterator[Node]]
"""Other nodes to stand in a node's place: expressions for an expression, modifiers for a modifier."""


def rewrites(expression: Expression, vary: Vary) -> Iterator[Expression]:
    """Each variant of each node, the others left as they are.

    >>> from dsl.nodes import Tokens
    >>> shorter = lambda node: iter([Tokens(("a",))] if node == Tokens(("b",)) else [])
    >>> list(rewrites(Not(Tokens(("b",))), shorter))
    [Not(operand=Tokens(strings=('a',)))]
    """
    for variant in vary(expression):
        assert isinstance(variant, Expression)
        yield variant
    match expression:
        case Clause(phrase, modifiers):
            yield from (Clause(other, modifiers) for other in rewrites(phrase, vary))
            for number, modifier in enumerate(modifiers):
                kept = modifiers[:number] + modifiers[number + 1 :]
                yield from (Clause(phrase, (*kept, other)) for other in _modifiers(modifier, vary))
        case Not(operand):
            yield from map(Not, rewrites(operand, vary))
        case And(operands) | Or(operands):
            combine = conjunction if isinstance(expression, And) else union
            for number, operand in enumerate(operands):
                kept_operands = operands[:number] + operands[number + 1 :]
                yield from (combine(other, *kept_operands) for other in rewrites(operand, vary))
        case Except(kept_part, removed):
            yield from (Except(other, removed) for other in rewrites(kept_part, vary))
            yield from (Except(kept_part, other) for other in rewrites(removed, vary))
        case _:
            return


def _modifiers(modifier: Modifier, vary: Vary) -> Iterator[Modifier]:
    for variant in vary(modifier):
        assert isinstance(variant, Modifier)
        yield variant
    match modifier:
        case RightAfter(anchor):
            yield from map(RightAfter, rewrites(anchor, vary))
        case Within(anchor, distance):
            yield from (Within(other, distance) for other in rewrites(anchor, vary))
        case _:
            return
