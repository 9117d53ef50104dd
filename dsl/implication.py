"""What follows from what: proofs that one part of an explanation holds wherever another does, in every text.

Three questions, each answered by taking either side apart: does P hold only where Q does (`implies`), can they hold
together (`disjoint`), does one of them hold everywhere (`covers`). A True is a proof, a False is none: the rules know
each construct and the boolean laws, and do not search. Answers are remembered, so that the work is bounded by the pairs
of parts that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dsl.atomic import atom_implies, atoms_disjoint, word_set
from dsl.nodes import (
    And,
    AnyToken,
    Clause,
    Except,
    Expression,
    FollowedBefore,
    Node,
    Not,
    Or,
    RepeatedToken,
    RightAfter,
    Tokens,
    Within,
    Words,
)

NOWHERE = Not(AnyToken())
"""What holds at no token, as shortly as it can be said."""


def implies(one: Expression, other: Expression) -> bool:
    """Whether it is proven that `other` holds wherever `one` does.

    >>> implies(Tokens((" pizza",)), Words(("pasta", "pizza"))), implies(Words(("pizza",)), Tokens((" pizza",)))
    (True, False)
    """
    return Prover().implies(one, other)


FEW = 8
"""Operands of a union up to which it is asked whether one holds where the others do not."""

_Compound = Or | And | Clause | Except | Not

Known = dict[tuple[int, int], tuple[bool, Node, Node]]
"""Answers by the identity of what was asked about (values would be hashed over and over), which they keep alive."""


class Prover:
    """Remembers what it has been asked, for many questions about the parts of a few expressions."""

    def __init__(self) -> None:
        self._implied: Known = {}
        self._apart: Known = {}
        self._covered: Known = {}

    def implies(self, one: Node, other: Node) -> bool:
        """Whether it is proven that `other` holds wherever `one` does."""
        if isinstance(other, AnyToken) or one == other:
            return True
        return self._remembered(self._implied, self._implies, one, other)

    def disjoint(self, one: Node, other: Node) -> bool:
        """Whether it is proven that both hold at no token."""
        return self._remembered(self._apart, self._disjoint, one, other)

    def covers(self, one: Node, other: Node) -> bool:
        """Whether it is proven that one of them holds at every token."""
        if isinstance(one, AnyToken) or isinstance(other, AnyToken):
            return True
        if not (isinstance(one, _Compound) or isinstance(other, _Compound)):
            return False
        return self._remembered(self._covered, self._covers, one, other)

    def _remembered(self, known: Known, ask: Callable[[Node, Node], bool], one: Node, other: Node) -> bool:
        key = (id(one), id(other))
        found = known.get(key)
        if found is None:
            found = known[key] = (ask(one, other), one, other)
        return found[0]

    def _implies(self, one: Node, other: Node) -> bool:
        if isinstance(one, Or):
            return all(self.implies(operand, other) for operand in one.operands)
        match other:
            case And(operands):
                return all(self.implies(one, operand) for operand in operands)
            case Clause(phrase, modifiers):
                return all(self.implies(one, part) for part in (phrase, *modifiers))
            case Except(kept, removed):
                return self.implies(one, kept) and self.disjoint(one, removed)
            case Not(operand):
                return self.disjoint(one, operand)
            case RightAfter(And(operands)):  # there is one token right before: all hold there, or not all
                return all(self.implies(one, RightAfter(operand)) for operand in operands)
            case Or(operands):
                if any(self.implies(one, operand) for operand in operands) or self._else(one, operands):
                    return True
        match one:
            case And(operands):
                return any(self.implies(operand, other) for operand in operands)
            case Clause(phrase, modifiers):
                return any(self.implies(part, other) for part in (phrase, *modifiers))
            case Except(kept, removed):
                return self.implies(kept, other) or self.covers(removed, other)
            case Not(operand):
                return self.covers(operand, other)
        if isinstance(other, Or):  # the strings or words of a list may be spread over several operands
            split = singles(one)
            return len(split) > 1 and all(self.implies(each, other) for each in split)
        if isinstance(other, RightAfter | Within):
            return self._window_implies(one, other)
        return atom_implies(one, other)

    def _else(self, one: Node, operands: tuple[Expression, ...]) -> bool:
        """Whether some operand holds wherever `one` does and the other operands do not."""
        if len(operands) > FEW:
            return False
        return any(
            isinstance(operand, And | Clause | Except)
            and self._holds_but_for(one, operands[:number] + operands[number + 1 :], operand)
            for number, operand in enumerate(operands)
        )

    def _holds_but_for(self, one: Node, others: tuple[Expression, ...], goal: Node) -> bool:
        match goal:
            case And(operands):
                return all(self._holds_but_for(one, others, operand) for operand in operands)
            case Clause(phrase, modifiers):
                return all(self._holds_but_for(one, others, part) for part in (phrase, *modifiers))
            case Except(kept, removed):
                return self._holds_but_for(one, others, kept) and (
                    self.disjoint(one, removed) or any(self.implies(removed, other) for other in others)
                )
            case _:
                return self.implies(one, goal) or any(self.covers(other, goal) for other in others)

    def _window_implies(self, one: Node, window: RightAfter | Within) -> bool:
        if isinstance(window.anchor, AnyToken):  # holds at every token but the first of a text
            return isinstance(one, RightAfter | Within | RepeatedToken | FollowedBefore)
        return isinstance(one, RightAfter | Within) and self._reaches(one.anchor, reach(one), window)

    def _reaches(self, anchor: Expression, distance: int, window: RightAfter | Within) -> bool:
        """Whether the window holds wherever `anchor` held at one of the `distance` tokens before."""
        if distance > reach(window):
            return False
        if self.implies(anchor, window.anchor):
            return True
        match anchor:
            case Or(operands):
                return all(self._reaches(operand, distance, window) for operand in operands)
            case Clause(phrase, modifiers):
                further = [each for each in modifiers if isinstance(each, RightAfter | Within)]
                return any(self._reaches(each.anchor, distance + reach(each), window) for each in further) or (
                    self._reaches(phrase, distance, window)
                )
            case And(operands):
                return any(self._reaches(operand, distance, window) for operand in operands)
            case Except(kept, _):
                return self._reaches(kept, distance, window)
            case _:
                return False

    def _disjoint(self, one: Node, other: Node) -> bool:
        for here, there in ((one, other), (other, one)):
            match here:
                case Or(operands):
                    return all(self.disjoint(operand, there) for operand in operands)
                case Not(operand):
                    return self.implies(there, operand)
                case RightAfter(anchor) | Within(anchor) if self.implies(anchor, NOWHERE):
                    return True
        for here, there in ((one, other), (other, one)):
            match here:
                case And(operands):
                    apart = any(self.disjoint(operand, there) for operand in operands)
                case Clause(phrase, modifiers):
                    apart = any(self.disjoint(part, there) for part in (phrase, *modifiers))
                case Except(kept, removed):
                    apart = self.disjoint(kept, there) or self._together(kept, there, removed)
                case _:
                    apart = False
            if apart:
                return True
        if isinstance(one, RightAfter) and isinstance(other, RightAfter):
            return self.disjoint(one.anchor, other.anchor)
        return atoms_disjoint(one, other)

    def _together(self, one: Node, other: Node, goal: Node) -> bool:
        """Whether the goal holds wherever both do, each of its parts for the sake of either."""
        match goal:
            case And(operands):
                return all(self._together(one, other, operand) for operand in operands)
            case Clause(phrase, modifiers):
                return all(self._together(one, other, part) for part in (phrase, *modifiers))
            case Or(operands):
                return any(self._together(one, other, operand) for operand in operands)
            case _:
                return self.implies(one, goal) or self.implies(other, goal)

    def _covers(self, one: Node, other: Node) -> bool:
        for here, there in ((one, other), (other, one)):
            match here:
                case And(operands):
                    return all(self.covers(operand, there) for operand in operands)
                case Clause(phrase, modifiers):
                    return all(self.covers(part, there) for part in (phrase, *modifiers))
                case Except(kept, removed):
                    return self.covers(kept, there) and self.implies(removed, there)
                case Not(operand):
                    return self.implies(operand, there)
        for here, there in ((one, other), (other, one)):
            if isinstance(here, Or):
                return any(self.covers(operand, there) for operand in here.operands)
        return False


def reach(window: RightAfter | Within) -> int:
    """Over how many tokens a window looks back."""
    return 1 if isinstance(window, RightAfter) else window.distance


def singles(node: Node) -> tuple[Expression, ...]:
    """A list of tokens or of words as one expression for each; of anything else nothing."""
    if isinstance(node, Tokens):
        return tuple(Tokens((text,)) for text in node.strings)
    words: Iterable[str] = sorted(word_set(node) or ())
    return tuple(Words((word,)) for word in words)
