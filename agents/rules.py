"""A rule: one clause in the making, as chosen values of slots and chosen columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from agents.atoms import Column, Condition, Pool, Slot
from agents.table import Table
from dsl.nodes import (
    About,
    AnyToken,
    Clause,
    Except,
    Expression,
    Inside,
    Modifier,
    RightAfter,
    Tokens,
    Within,
    Words,
    conjunction,
    union,
)

CONDITION_PRICE = 2.0
"""Bits of saying that a clause has one more condition, beside the bits of what it names."""

LISTS_KEPT = 1_000
"""How many lists of values stay looked up; searches return to the same few again and again."""


@dataclass(frozen=True)
class Rule:
    """Conditions that must all hold: slots with lists of values, and groups of columns any of which may hold.

    `without` lists tokens (values of the pool's `tokens`), `barred` columns, and `outside` values of the pool's
    `barring`, where it does not hold all the same.
    """

    slots: tuple[tuple[int, tuple[int, ...]], ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    without: tuple[int, ...] = ()
    barred: tuple[int, ...] = ()
    outside: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def conditions(self) -> int:
        return len(self.slots) + len(self.groups)

    def having(self, slot: int, values: Sequence[int] | Int[np.ndarray, " values"]) -> Rule:
        """The rule with other values of a slot; with none, without the slot."""
        slots = {number: kept for number, kept in self.slots if number != slot}
        if len(values):
            slots[slot] = tuple(int(value) for value in values)
        return replace(self, slots=tuple(sorted(slots.items())))

    def joined(self, group: tuple[int, ...]) -> Rule:
        """The rule with one more group of columns."""
        return replace(self, groups=tuple(sorted({*self.groups, tuple(sorted(group))})))

    def excepting(self, tokens: Sequence[int] | Int[np.ndarray, " values"]) -> Rule:
        return replace(self, without=tuple(int(token) for token in tokens))

    def staying_outside(self, slot: int, values: Sequence[int] | Int[np.ndarray, " values"]) -> Rule:
        """The rule except where values of a barring slot stand."""
        return replace(self, outside=(*self.outside, (slot, tuple(int(value) for value in values))))

    def barring(self, columns: Sequence[int]) -> Rule:
        return replace(self, barred=tuple(sorted({*self.barred, *columns})))


class Truths:
    """Where rules hold."""

    def __init__(self, table: Table, pool: Pool) -> None:
        self._size, self._pool = len(table.places), pool
        self._columns = pool.truth > 0
        self._kept: dict[tuple[int, tuple[int, ...]], Bool[np.ndarray, " n"]] = {}

    def __call__(self, rule: Rule, leaving: int | None = None) -> Bool[np.ndarray, " n"]:
        """Where a rule holds; with `leaving`, were it not for that slot."""
        held = np.ones(self._size, dtype=np.bool_)
        for number, values in rule.slots:
            if number != leaving:
                held &= self._among(number, values)
        for group in rule.groups:
            held &= self._columns[list(group)].any(axis=0) if len(group) > 1 else self._columns[group[0]]
        if rule.without:
            held &= ~_among(self._pool.tokens, rule.without)
        for column in rule.barred:
            held &= ~self._columns[column]
        for number, values in rule.outside:
            held &= ~_among(self._pool.barring[number], values)
        return held

    def _among(self, slot: int, values: tuple[int, ...]) -> Bool[np.ndarray, " n"]:
        kept = self._kept.get((slot, values))
        if kept is None:
            kept = self._kept[slot, values] = _among(self._pool.slots[slot], values)
            if len(self._kept) > LISTS_KEPT:
                del self._kept[next(iter(self._kept))]
        return kept


def _among(slot: Slot, values: Sequence[int]) -> Bool[np.ndarray, " n"]:
    chosen = np.zeros(len(slot.values) + 1, dtype=np.bool_)  # the last stands for -1, none of the values
    chosen[list(values)] = True
    held: Bool[np.ndarray, " n"] = chosen[slot.codes]
    return held


def price(rule: Rule, pool: Pool) -> float:
    """Bits of choosing this rule among those that could have been."""
    named = sum(pool.slots[number].price * len(values) for number, values in rule.slots)
    held = sum(pool.columns[column].price for group in rule.groups for column in group)
    excepted = pool.tokens.price * len(rule.without) + sum(pool.columns[column].price for column in rule.barred)
    excepted += sum(pool.barring[number].price * len(values) for number, values in rule.outside)
    exceptions = bool(rule.without) + len(rule.barred) + len(rule.outside)
    return named + held + excepted + CONDITION_PRICE * (rule.conditions + exceptions)


def expression(rule: Rule, pool: Pool) -> Expression:
    """The rule in the language."""
    modifiers: list[Modifier] = []
    phrases: list[Expression] = []
    conditions = [pool.slots[number].make(_texts(pool.slots[number], values)) for number, values in rule.slots]
    for group in rule.groups:
        columns = [pool.columns[column] for column in group]
        conditions.append(_joined(columns) if columns[1:] else columns[0].condition)
    for condition in conditions:
        match condition:
            case RightAfter() | Within() | About() | Inside():
                modifiers.append(condition)
            case _:
                phrases.append(condition)
    phrase = conjunction(*phrases) if phrases else AnyToken()
    whole = Clause(phrase, tuple(modifiers)) if modifiers else phrase
    removed: list[Expression] = [Tokens(_texts(pool.tokens, rule.without))] if rule.without else []
    removed += [alone(pool.columns[column].condition) for column in rule.barred]
    barring = [(pool.barring[number], values) for number, values in rule.outside]
    removed += [alone(slot.make(_texts(slot, values))) for slot, values in barring]
    return Except(whole, union(*removed)) if removed else whole


def alone(condition: Condition) -> Expression:
    """A condition as an expression: a modifier is said of any token."""
    match condition:
        case RightAfter() | Within() | About() | Inside():
            return Clause(AnyToken(), (condition,))
        case _:
            return condition


def _joined(columns: Sequence[Column]) -> Condition:
    """One condition for columns of one series."""
    strings = tuple(column.string for column in columns)
    match columns[0].condition:
        case Within(Words(), distance):
            return Within(Words(strings), distance)
        case Within(Tokens(), distance):
            return Within(Tokens(strings), distance)
        case other:
            raise AssertionError(f"{other} is of no series")


def _texts(slot: Slot, values: Sequence[int]) -> tuple[str, ...]:
    return tuple(slot.values[value] for value in values)


def together(rules: Sequence[Rule], pool: Pool) -> Expression:
    """Any of the rules, in the language; rules that only list tokens, or only words, become one list."""
    tokens, words, others = list[str](), list[str](), list[Expression]()
    for rule in rules:
        match expression(rule, pool):
            case Tokens(strings):
                tokens += strings
            case Words(strings):
                words += strings
            case other:
                others.append(other)
    if tokens:
        others.append(Tokens(tuple(tokens)))
    if words:
        others.append(Words(tuple(words)))
    return union(*others)
