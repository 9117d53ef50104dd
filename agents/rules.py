"""A rule: one clause in the making, as chosen values of slots and chosen columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from agents.atoms import Pool, Slot
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

    `without` lists tokens (values of the pool's `tokens`) at which the rule does not hold all the same.
    """

    slots: tuple[tuple[int, tuple[int, ...]], ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    without: tuple[int, ...] = ()

    @property
    def conditions(self) -> int:
        return len(self.slots) + len(self.groups)

    def having(self, slot: int, values: Sequence[int] | Int[np.ndarray, " values"]) -> Rule:
        """The rule with other values of a slot; with none, without the slot."""
        slots = {number: kept for number, kept in self.slots if number != slot}
        if len(values):
            slots[slot] = tuple(int(value) for value in values)
        return Rule(tuple(sorted(slots.items())), self.groups, self.without)

    def joined(self, group: tuple[int, ...]) -> Rule:
        """The rule with one more group of columns."""
        return Rule(self.slots, tuple(sorted({*self.groups, tuple(sorted(group))})), self.without)

    def lacking(self, group: tuple[int, ...]) -> Rule:
        return Rule(self.slots, tuple(each for each in self.groups if each != group), self.without)

    def excepting(self, tokens: Sequence[int] | Int[np.ndarray, " values"]) -> Rule:
        return Rule(self.slots, self.groups, tuple(int(token) for token in tokens))


class Truths:
    """Where rules hold, among positions that are known."""

    def __init__(self, table: Table, pool: Pool) -> None:
        self._known, self._pool = table.known, pool
        self._columns = pool.truth > 0
        self._kept: dict[tuple[int, tuple[int, ...]], Bool[np.ndarray, " n"]] = {}

    def __call__(self, rule: Rule, leaving: int | None = None) -> Bool[np.ndarray, " n"]:
        """Where a rule holds; with `leaving`, were it not for that slot."""
        held = self._known.copy()
        for number, values in rule.slots:
            if number != leaving:
                held &= self._among(number, values)
        for group in rule.groups:
            held &= self._columns[list(group)].any(axis=0) if len(group) > 1 else self._columns[group[0]]
        if rule.without:
            held &= ~_among(self._pool.tokens, rule.without)
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
    excepted = pool.tokens.price * len(rule.without)
    return named + held + excepted + CONDITION_PRICE * (rule.conditions + bool(rule.without))


def expression(rule: Rule, pool: Pool) -> Expression:
    """The rule in the language."""
    modifiers: list[Modifier] = []
    phrases: list[Expression] = []
    conditions = [pool.slots[number].make(_texts(pool.slots[number], values)) for number, values in rule.slots]
    for group in rule.groups:
        columns = [pool.columns[column] for column in group]
        joined = Within(Words(tuple(column.word for column in columns)), columns[0].distance) if columns[1:] else None
        conditions.append(joined or columns[0].condition)
    for condition in conditions:
        match condition:
            case RightAfter() | Within() | About() | Inside():
                modifiers.append(condition)
            case _:
                phrases.append(condition)
    phrase = conjunction(*phrases) if phrases else AnyToken()
    whole = Clause(phrase, tuple(modifiers)) if modifiers else phrase
    return Except(whole, Tokens(_texts(pool.tokens, rule.without))) if rule.without else whole


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
