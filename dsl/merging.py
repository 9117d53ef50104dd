"""Operands of a union drawn together: lists merged into one, and what several operands share said once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dsl.complexity import bits
from dsl.nodes import Expression, Modifier, Node, Or, Positions, RightAfter, Tokens, Within, Words, sort_key
from dsl.products import Product, all_of, any_of, spelt


def merged_lists(operands: Iterable[Expression]) -> list[Expression]:
    """All lists of tokens in one, all lists of words in one, positions that touch in one.

    >>> merged_lists([Tokens(("a",)), Positions(1, 2), Tokens(("b",)), Positions(3, 9)])
    [Positions(first=1, last=9), Tokens(strings=('a', 'b'))]
    """
    strings: list[str] = []
    words: list[str] = []
    ranges: list[Positions] = []
    others: list[Expression] = []
    for operand in operands:
        match operand:
            case Tokens(these):
                strings += these
            case Words(these):
                words += these
            case Positions():
                ranges.append(operand)
            case _:
                others.append(operand)
    if strings:
        others.append(Tokens(tuple(strings)))
    if words:
        others.append(Words(tuple(words)))
    return sorted(dict.fromkeys([*others, *_joined(ranges)]), key=sort_key)


def _joined(ranges: Iterable[Positions]) -> list[Positions]:
    joined: list[Positions] = []
    for each in sorted(ranges, key=lambda positions: positions.first):
        if joined and each.first <= joined[-1].last + 1:
            joined[-1] = Positions(joined[-1].first, max(joined[-1].last, each.last))
        else:
            joined.append(each)
    return joined


T = TypeVar("T")
Part = tuple[bool, Node]
"""A factor of an operand: something that must hold (True) or must not (False)."""


@dataclass(frozen=True)
class _Merger:
    """Some operands said as one, and the bits that saves."""

    numbers: tuple[int, ...]
    result: Expression
    saved: float


def factored(operands: Sequence[Expression]) -> list[Expression]:
    """Operands that share factors drawn together, the most bits saved first, each operand once.

    >>> from dsl.nodes import Class, Clause, Inside
    >>> inside = (Inside("brackets"),)
    >>> factored([Clause(Class("digits"), inside), Clause(Class("names"), inside)])[0] == Clause(
    ...     any_of((Class("digits"), Class("names"))), inside
    ... )
    True
    """
    if len(operands) < 2:
        return list(operands)
    factors = [_factors(operand) for operand in operands]
    lengths = list(map(bits, operands))
    return _best(operands, [*_windows_joined(factors, lengths), *_shared_taken_out(factors, lengths)])


def unions_joined(operands: Sequence[Expression]) -> list[Expression]:
    """Operands of a conjunction: (P or Q) and (P or R) is P or (Q and R).

    >>> from dsl.nodes import Class
    >>> digits, names, articles = Class("digits"), Class("names"), Class("articles")
    >>> unions_joined([Or((digits, names)), Or((articles, digits))]) == [any_of((digits, all_of((articles, names))))]
    True
    """
    sets = [frozenset(operand.operands) if isinstance(operand, Or) else frozenset() for operand in operands]
    lengths = list(map(bits, operands))
    mergers = []
    for numbers in _sharing(sets):
        shared = frozenset.intersection(*(sets[number] for number in numbers))
        rests = [any_of(_sorted(sets[number] - shared)) for number in numbers]
        mergers.append(_merger(numbers, any_of((*_sorted(shared), all_of(rests))), lengths))
    return _best(operands, mergers)


def _best(operands: Sequence[Expression], mergers: Iterable[_Merger]) -> list[Expression]:
    """The operands, some drawn together: what saves most first, each operand once."""
    left, drawn = set(range(len(operands))), []
    for merger in sorted(mergers, key=lambda merger: (-round(merger.saved, 6), merger.numbers)):
        if merger.saved > 0 and left.issuperset(merger.numbers):
            left.difference_update(merger.numbers)
            drawn.append(merger.result)
    return [*drawn, *(operands[number] for number in sorted(left))]


def _sharing(sets: Sequence[frozenset[T]]) -> list[tuple[int, ...]]:
    """Of each thing that is in several sets, in which."""
    having: dict[T, list[int]] = {}
    for number, things in enumerate(sets):
        for thing in _sorted(things):
            having.setdefault(thing, []).append(number)
    return sorted({tuple(found) for found in having.values() if len(found) > 1})


def _sorted(things: Iterable[T]) -> list[T]:
    return sorted(things, key=sort_key)


def _factors(operand: Expression) -> frozenset[Part]:
    product = Product.of(operand)
    return frozenset([(True, part) for part in product.holds] + [(False, part) for part in product.fails])


def _shared_taken_out(factors: Sequence[frozenset[Part]], lengths: Sequence[float]) -> list[_Merger]:
    """P and Q or P and R: P and (Q or R)."""
    mergers = []
    for numbers in _sharing(factors):
        shared = frozenset.intersection(*(factors[number] for number in numbers))
        rests = [_spelt(factors[number] - shared) for number in numbers]
        result = _spelt(shared | {(True, any_of(rests))})
        mergers.append(_merger(numbers, result, lengths))
    return mergers


def _windows_joined(factors: Sequence[frozenset[Part]], lengths: Sequence[float]) -> list[_Merger]:
    """P right after Q or P right after R: P right after (Q or R)."""
    alike: dict[tuple[frozenset[Part], int], list[tuple[int, RightAfter | Within]]] = {}
    for number, parts in enumerate(factors):
        for part in _sorted(parts):
            window = part[1]
            if part[0] and isinstance(window, RightAfter | Within):
                distance = 1 if isinstance(window, RightAfter) else window.distance
                alike.setdefault((parts - {part}, distance), []).append((number, window))
    mergers = []
    for (rest, _), found in alike.items():
        if len(found) > 1:
            anchor, window = any_of(window.anchor for _, window in found), found[0][1]
            joined = RightAfter(anchor) if isinstance(window, RightAfter) else Within(anchor, window.distance)
            result = _spelt(rest | {(True, joined)})
            mergers.append(_merger(tuple(number for number, _ in found), result, lengths))
    return mergers


def _merger(numbers: tuple[int, ...], result: Expression, lengths: Sequence[float]) -> _Merger:
    return _Merger(numbers, result, sum(lengths[number] for number in numbers) - bits(result))


def _spelt(parts: Iterable[Part]) -> Expression:
    holds = [part for held, part in parts if held]
    fails = [part for held, part in parts if not (held or isinstance(part, Modifier))]
    return spelt(Product.made(holds, fails))
