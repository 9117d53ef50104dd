"""The shortest way found to say the same: `simplify` changes an explanation's text and never what it predicts.

Every expression is read in one of two flat forms: as a product (what must hold, what must not) or as a sum (any of
these). There what is proven to follow from the rest is dropped, lists are merged, shared parts are taken out, and the
flat form is spelt in each of the few ways that the language has for it. The shortest in bits stands; what was there
before stays where nothing is shorter. Passes repeat until one changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dsl.atomic import LISTED, word_set
from dsl.complexity import bits
from dsl.implication import NOWHERE, Prover, singles
from dsl.merging import factored, merged_lists, unions_joined
from dsl.nodes import (
    MAX_DEPTH,
    And,
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    FormsOf,
    LevelName,
    Modifier,
    Node,
    Not,
    Or,
    Positions,
    RightAfter,
    Tokens,
    TokensWith,
    Within,
    Words,
    WordsLike,
    depth,
    sort_key,
    union,
)
from dsl.products import (
    ANYWHERE,
    Product,
    all_of,
    any_of,
    negated,
    operands_of,
    spellings,
    spellings_of_sum,
)

MOST_PASSES = 50
"""Passes after which the shortest form met so far stands; few explanations take more than three."""

MANY = 32
"""Parts of a sum or product up to which each is looked into in the light of the others; of more, only as a whole."""

ROUNDING = 1e-6
"""Bits by which two lengths may differ and still be the same, since sums of floats depend on their order."""


def simplify(explanation: Explanation) -> Explanation:
    """The same predictions on every text, in as few bits as the rules of this file can say it; never in more.

    What is promoted stays. Deterministic, and a second call changes nothing.

    >>> from dsl.parse import parse
    >>> from dsl.render import render
    >>> text = 'activates strongly on the token "a" or not not the tokens "a", "b"; weakly on the token "b" or digits'
    >>> render(simplify(parse(text)))
    'activates strongly on the tokens "a", "b"; weakly on digits'
    """
    met = [explanation]
    while len(met) <= MOST_PASSES:
        following = _shorter(met[-1])
        if following in met:  # most often the last; else forms of one length that lead to each other
            return min(met[met.index(following) :], key=_rank)
        met.append(following)
    return met[-1]


def simplify_expression(expression: Expression) -> Expression:
    """As `simplify`, for a part of an explanation.

    >>> simplify_expression(Or((Class("names"), Tokens(("a",)), Tokens(("a", "b")))))
    Or(operands=(Class(name='names'), Tokens(strings=('a', 'b'))))
    """
    simplified = simplify(Explanation(expression)).strong
    assert simplified is not None
    return simplified


def _rank(explanation: Explanation) -> tuple[object, ...]:
    return sort_key(explanation)


def _shorter(explanation: Explanation) -> Explanation:
    """One pass. Taking out what parts share may nest deeper: where that breaks the limit, without it."""
    for deepening in (True, False):
        levels = _levels(explanation, _Simplifier(deepening=deepening))
        if all(depth(expression) <= MAX_DEPTH for expression in levels.values()):
            found = Explanation.of(levels, explanation.promotes)
            if bits(found) <= bits(explanation) + ROUNDING:
                return found
    return explanation


def _levels(explanation: Explanation, simplifier: _Simplifier) -> dict[LevelName, Expression]:
    """Each level in the light of the stronger ones: where they hold, it does not matter what it says."""
    levels: dict[LevelName, Expression] = {}
    for name, _, expression in explanation.levels:
        simple = simplifier.expression(expression)
        if levels:
            simple = simplifier.expression(simplifier.given(simple, (), tuple(levels.values())))
        if simple != NOWHERE:
            levels[name] = simple
    return levels or {"strong": NOWHERE}


class _Simplifier:
    """One pass over expressions, each looked at once."""

    def __init__(self, *, deepening: bool) -> None:
        self._deepening = deepening
        self._prover = Prover()
        self._done: dict[Expression, Expression] = {}

    def expression(self, expression: Expression) -> Expression:
        """The shortest form found in one pass, parts first."""
        done = self._done.get(expression)
        if done is None:
            done = self._done[expression] = self._simplified(expression)
        return done

    def _simplified(self, expression: Expression) -> Expression:
        match expression:
            case Clause(phrase, modifiers):
                same: Expression = Clause(self.expression(phrase), tuple(map(self._modifier, modifiers)))
            case Not(operand):
                same = negated(self.expression(operand))
            case And(operands):
                same = all_of(map(self.expression, operands))
            case Or(operands):
                same = any_of(map(self.expression, operands))
            case Except(kept, removed):
                same = Except(self.expression(kept), self.expression(removed))
            case _:
                return _atom(expression)
        return self._shortest(same)

    def _modifier(self, modifier: Modifier) -> Modifier:
        match modifier:
            case RightAfter(anchor):
                return RightAfter(self.expression(anchor))
            case Within(anchor, distance):
                anchor = self.expression(anchor)
                return RightAfter(anchor) if distance == 1 or anchor == ANYWHERE else Within(anchor, distance)
            case _:
                return modifier

    def _shortest(self, expression: Expression) -> Expression:
        """Of the spellings of both flat forms and what is there, the shortest; of equals the first."""
        forms: list[Expression] = []
        if isinstance(expression, And | Clause | Except | Not):
            forms += self._product(expression)
        if isinstance(expression, Or) or (isinstance(expression, Not) and len(operands_of(expression)) > 1):
            forms += self._sum(expression)
        forms.append(expression)
        if not self._deepening:
            limit = depth(expression)
            forms = [form for form in forms if depth(form) <= limit]
        lengths = list(map(bits, forms))
        least = min(lengths) + ROUNDING
        return next(form for form, length in zip(forms, lengths, strict=True) if length <= least)

    def _product(self, expression: Expression) -> list[Expression]:
        product, fails = self._reduced(Product.of(expression)), None
        if product is not None and product.fails:
            fails = self.expression(union(*product.fails))
            if isinstance(fails, Not):  # not to be not P: to be P
                inner = Product.of(fails.operand)
                product = self._reduced(Product.made((*product.holds, *inner.holds), inner.fails))
                fails = union(*product.fails) if product is not None and product.fails else None
        if product is None:
            return [NOWHERE]
        joined = Product.made((*unions_joined(product.phrases), *product.modifiers), product.fails)
        return [form for each in dict.fromkeys((joined, product)) for form in spellings(each, fails)]

    def _reduced(self, product: Product) -> Product | None:
        """Each part in the light of the others, the longest first; None where the product holds nowhere."""
        holds, fails = list(product.holds), list(product.fails)
        for part in _longest_first((*holds, *fails)):
            if part in holds:
                holds.remove(part)
                kept = self._part_given(part, holds, fails)
                if kept == NOWHERE:
                    return None
                if kept != ANYWHERE:
                    holds.append(kept)
            if part in fails:
                fails.remove(part)
                denied = self._part_given(part, holds, fails)
                if denied == ANYWHERE:
                    return None
                if denied != NOWHERE:
                    assert not isinstance(denied, Modifier)
                    fails.append(denied)
        return Product.made(holds, fails)

    def _part_given(self, part: Node, holds: Sequence[Node], fails: Sequence[Expression]) -> Node:
        many = len(holds) + len(fails) > MANY and not isinstance(part, Tokens | Words)
        if many or isinstance(part, Modifier):
            return self._decided(part, holds, fails) or part
        return self.given(part, holds, fails)

    def _sum(self, expression: Expression) -> list[Expression]:
        operands = merged_lists(operands_of(expression))
        for operand in _longest_first(operands):
            if operand in operands:
                operands.remove(operand)
                kept = self._part_given(operand, (), operands)
                if kept == ANYWHERE:
                    return [ANYWHERE]
                if kept != NOWHERE:
                    assert not isinstance(kept, Modifier)
                    operands.append(kept)
        operands = merged_lists(operands)
        return [*spellings_of_sum(factored(operands)), *spellings_of_sum(operands)]

    def given(self, expression: Expression, holds: Sequence[Node], fails: Sequence[Expression]) -> Expression:
        """What says the same as an expression wherever all of `holds` hold and none of `fails`."""
        decided = self._decided(expression, holds, fails)
        if decided is not None:
            return decided
        match expression:
            case Tokens() | Words():
                return self._listed_given(expression, holds, fails)
            case Positions():
                return _positions_given(expression, holds, fails)
            case And(operands):
                return all_of(self.given(operand, holds, fails) for operand in operands)
            case Or(operands):
                return any_of(self.given(operand, holds, fails) for operand in operands)
            case Except(kept, removed):
                removed = self.given(removed, holds, fails)
                kept = self.given(kept, holds, fails)
                return kept if removed == NOWHERE else NOWHERE if removed == ANYWHERE else Except(kept, removed)
            case Not(operand):
                return negated(self.given(operand, holds, fails))
            case Clause(phrase, modifiers):
                needed = tuple(each for each in modifiers if self._decided(each, holds, fails) is None)
                phrase = self.given(phrase, holds, fails)
                return Clause(phrase, needed) if needed and phrase != NOWHERE else phrase
            case _:
                return expression

    def _decided(self, part: Node, holds: Sequence[Node], fails: Sequence[Expression]) -> Expression | None:
        """Anywhere or nowhere, where what is given proves it."""
        prover = self._prover
        for constant in (ANYWHERE, NOWHERE):
            if part == constant:
                return constant
        if prover.implies(part, NOWHERE):
            return NOWHERE
        if any(prover.disjoint(part, given) for given in holds) or any(prover.implies(part, given) for given in fails):
            return NOWHERE
        if any(prover.implies(given, part) for given in holds) or any(prover.covers(given, part) for given in fails):
            return ANYWHERE
        return None

    def _listed_given(self, listed: Tokens | Words, holds: Sequence[Node], fails: Sequence[Expression]) -> Expression:
        items = listed.strings if isinstance(listed, Tokens) else listed.words
        if len(items) == 1:
            return listed
        singled = zip(items, singles(listed), strict=True)
        kept = tuple(item for item, single in singled if self._decided(single, holds, fails) != NOWHERE)
        if len(kept) == len(items):
            return listed
        return NOWHERE if not kept else Tokens(kept) if isinstance(listed, Tokens) else Words(kept)


def _positions_given(range_: Positions, holds: Iterable[Node], fails: Iterable[Expression]) -> Expression:
    first, last = range_.first, range_.last
    for given in holds:
        if isinstance(given, Positions):
            first, last = max(first, given.first), min(last, given.last)
    for given in fails:
        if isinstance(given, Positions):
            first = given.last + 1 if given.first <= first <= given.last else first
            last = given.first - 1 if given.first <= last <= given.last else last
    return Positions(first, last) if first <= last else NOWHERE


def _atom(atom: Expression) -> Expression:
    """A list that has a shorter name, or a name that has a shorter list."""
    match atom:
        case TokensWith("containing", "\n"):
            return Class("newlines")
        case Words() | FormsOf() | WordsLike():
            words = word_set(atom)
            named = [Class(name) for name, listed in LISTED.items() if listed == words]
            return min((atom, *named, Words(tuple(words or ()))), key=bits)
        case _:
            return atom


def _longest_first(parts: Iterable[Node]) -> list[Node]:
    return sorted(sorted(parts, key=sort_key), key=_length, reverse=True)


def _length(part: Node) -> float:
    return round(bits(Clause(ANYWHERE, (part,)) if isinstance(part, Modifier) else part), 6)
