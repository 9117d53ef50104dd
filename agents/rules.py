"""A rule: one clause in the making, as chosen values of slots and chosen columns, with its truth and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from agents.atoms import Literal, Pool
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

LITERAL_PRICE = 2.0
"""Bits of saying that a clause has one more condition, beside the bits of what it names."""

Part = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Rule:
    """Conditions that must all hold: slots with lists of values, groups of columns any of which may hold, exceptions.

    `without` holds tokens at which the rule does not hold all the same.
    """

    slots: dict[int, tuple[int, ...]] = field(default_factory=dict)
    groups: tuple[tuple[int, ...], ...] = ()
    without: tuple[int, ...] = ()

    @property
    def conditions(self) -> int:
        return len(self.slots) + len(self.groups)

    @property
    def key(self) -> tuple[object, ...]:
        return tuple(sorted(self.slots.items())), tuple(sorted(self.groups)), self.without

    def having(self, slot: int, values: Sequence[int]) -> Rule:
        """The rule with other values of a slot; none: without the slot."""
        slots = {number: kept for number, kept in self.slots.items() if number != slot}
        if len(values):
            slots[slot] = tuple(int(value) for value in values)
        return Rule(slots, self.groups, self.without)

    def joined(self, group: tuple[int, ...]) -> Rule:
        return Rule(self.slots, (*self.groups, group), self.without)

    def lacking(self, group: int) -> Rule:
        return Rule(self.slots, self.groups[:group] + self.groups[group + 1 :], self.without)

    def excepting(self, tokens: Sequence[int]) -> Rule:
        return Rule(self.slots, self.groups, tuple(int(token) for token in tokens))


def truth(rule: Rule, table: Table, literals: Pool, leaving: int | None = None) -> Bool[np.ndarray, " n"]:
    """Where a rule holds; with `leaving`, were it not for that slot."""
    held = table.known
    for number, values in rule.slots.items():
        if number != leaving:
            held = held & _among(literals, number, values)
    for group in rule.groups:
        held = held & (literals.truth[list(group)].max(axis=0) > 0)
    if rule.without:
        held = held & ~_among(literals, 0, rule.without)
    return held


def _among(literals: Pool, slot: int, values: Sequence[int]) -> Bool[np.ndarray, " n"]:
    chosen = np.zeros(len(literals.slots[slot].values) + 1, dtype=np.bool_)
    chosen[list(values)] = True
    return chosen[literals.slots[slot].codes]


def price(rule: Rule, literals: Pool) -> float:
    """Bits of choosing this rule among those that could have been."""
    named = sum(literals.slots[number].price * len(values) for number, values in rule.slots.items())
    held = sum(literals.columns[column].price for group in rule.groups for column in group)
    excepted = literals.slots[0].price * len(rule.without) if rule.without else 0.0
    return named + held + excepted + LITERAL_PRICE * (rule.conditions + bool(rule.without))


def expression(rule: Rule, literals: Pool) -> Expression:
    """The rule in the language."""
    parts: list[Literal] = []
    for number, values in sorted(rule.slots.items()):
        slot = literals.slots[number]
        parts.append(slot.make(tuple(slot.values[value] for value in values)))
    for group in rule.groups:
        columns = [literals.columns[column] for column in group]
        if len(columns) == 1:
            parts.append(columns[0].literal)
        else:
            parts.append(Within(Words(tuple(column.word for column in columns)), columns[0].distance))
    modifiers: list[Modifier] = []
    phrases: list[Expression] = []
    for part in parts:
        if isinstance(part, RightAfter | Within | About | Inside):
            modifiers.append(part)
        else:
            phrases.append(part)
    phrase = conjunction(*phrases) if phrases else AnyToken()
    whole = Clause(phrase, tuple(modifiers)) if modifiers else phrase
    if rule.without:
        tokens = literals.slots[0]
        return Except(whole, Tokens(tuple(tokens.values[value] for value in rule.without)))
    return whole


def together(rules: Sequence[Rule], literals: Pool) -> Expression:
    """Any of the rules, in the language; rules that only list tokens, or only words, become one list."""
    tokens: list[str] = []
    words: list[str] = []
    others: list[Expression] = []
    for rule in rules:
        match expression(rule, literals):
            case Tokens(strings):
                tokens.extend(strings)
            case Words(strings):
                words.extend(strings)
            case other:
                others.append(other)
    lists: list[Expression] = [*([Tokens(tuple(tokens))] if tokens else []), *([Words(tuple(words))] if words else [])]
    return union(*lists, *others)
