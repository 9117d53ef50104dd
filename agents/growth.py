"""Growing one clause: from single conditions, by one condition at a time, in a small beam.

What is sought is the largest sum of a utility over positions (see `stakes`). Sums add up, which makes the best list of
values for a slot, given all else, a matter of counting: take every value whose own sum pays its price. Extending a
clause looks only at the positions where it holds already.

Small samples flatter whatever is chosen from them, so gains are kept modest in three ways. Every bit has a price, as
naming one of many candidates fits noise the better the more there are. The standard error of a clause's gain is taken
off, counted over contexts, as the positions of one context are no independent witnesses. And what a value is worth is
shrunk a little towards what is around it, so that what was seen once counts less.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.atoms import Pool, Slot, information
from agents.rules import Rule, Truths, price
from agents.stakes import Utility
from agents.table import Table

SHRINK = 0.2
"""How many sightings what is around a value is worth against its own."""

SEEDS, BEAM, STEPS_EACH = 24, 8, 3
SEED_VALUES, SEED_COLUMNS = 6, 12
LONGEST_GROUP, GROUP_GAIN = 6, 0.5
MOST_BARRED = 2
EXCEPTED = 4
"""Rules beside the best for which exceptions are looked for."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What is taken off gains, in firing positions, and how long clauses and lists may be."""

    per_bit: float
    error: float = 1.0
    least_gain: float = 0.5
    conditions: int = 3
    longest_list: int = 12


Stopped = Literal["done", "candidates", "time"]


@dataclass(slots=True)
class Budget:
    """How many candidates may still be evaluated, and until when (on the monotonic clock), if that matters."""

    left: int
    until: float | None = None
    stopped: Stopped = "done"
    """What ended the search: it was done, or it ran out of candidates or of time."""

    @property
    def spent(self) -> bool:
        if self.left <= 0:
            self.stopped = "candidates"
        elif self.until is not None and time.monotonic() >= self.until:
            self.stopped = "time"
        return self.stopped != "done"


class Growth:
    """One clause being sought: the one of the largest `utility`, grown under a more lenient one.

    Positions whose utility is 0 are closed: nothing is to be won or lost there.
    """

    def __init__(
        self,
        table: Table,
        pool: Pool,
        truths: Truths,
        prices: Prices,
        budget: Budget,
        utility: Utility,
        lenient: Utility,
    ) -> None:
        self._rows, self._pool, self._truths, self._prices, self._budget = table.rows, pool, truths, prices, budget
        self._utility, self._lenient = utility, lenient
        self._open = utility != 0
        self._weight = np.where(self._open, table.weight, 0.0)
        self._wanted = np.where(utility > 0, self._weight, 0.0)
        self._costs = (prices.per_bit * np.array([column.price for column in pool.columns])).astype(np.float32)
        self._excepting = (pool.tokens, *pool.barring)
        self._best: tuple[float, Rule] | None = None
        self._seen: dict[Rule, float] = {}

    def best(self) -> tuple[float, Rule] | None:
        """The clause of the highest gain, and its gain."""
        everywhere = np.flatnonzero(self._open)
        self._finish(Rule())
        for number, slot in enumerate(self._pool.slots):
            self._finish(Rule().having(number, self._best_values(slot, everywhere, self._utility)[0]))
        frontier = self._seeds()
        for rule in frontier:
            if not rule.slots:
                self._finish(rule)
        for _ in range(1, self._prices.conditions):
            extended: dict[Rule, float] = {}
            for rule in frontier:
                if self._budget.spent:
                    return self._best
                for gain, longer in self._extensions(rule)[:STEPS_EACH]:
                    extended.setdefault(longer, gain)
            frontier = []
            for rule in sorted(extended, key=lambda each: -extended[each])[:BEAM]:
                self._finish(rule)
                frontier.append(self._mended(rule, self._lenient))
        for rule in self._promising():
            self._offer_exceptions(rule)
        return self._best

    def gain(self, rule: Rule) -> float:
        """What a rule gains, in firing positions."""
        self._budget.left -= 1
        places = np.flatnonzero(self._truths(rule) & self._open)
        by_context = np.bincount(self._rows[places], weights=self._utility[places])
        error = float(np.sqrt((by_context**2).sum()))
        return float(by_context.sum()) - self._prices.per_bit * price(rule, self._pool) - self._prices.error * error

    def _finish(self, rule: Rule) -> None:
        """Mend a rule and keep it if it is the best so far."""
        rule = self._mended(self._mended(rule, self._utility), self._utility)
        if rule not in self._seen:
            self._seen[rule] = self._offer(rule)

    def _offer(self, rule: Rule) -> float:
        gain = self.gain(rule)
        if self._best is None or gain > self._best[0]:
            self._best = gain, rule
        return gain

    def _promising(self) -> list[Rule]:
        """The best rule, and those that would gain most with exceptions for strings here or before.

        What is broad looks worse than a list of what it holds at until the exceptions are named.
        """
        if self._best is None:
            return []
        hopes: list[tuple[float, Rule]] = []
        for rule, gain in self._seen.items():
            if self._budget.spent:
                break
            places = self._places(rule)
            lost = -float(np.minimum(self._utility[places], 0).sum())
            if gain + lost <= self._best[0]:
                continue
            saved = max(self._best_values(slot, places, -self._utility)[1] for slot in self._excepting)
            if saved > 0 and gain + saved > self._best[0]:
                hopes.append((gain + saved, rule))
        hopes.sort(key=lambda pair: -pair[0])
        return [self._best[1], *(rule for _, rule in hopes[:EXCEPTED] if rule != self._best[1])]

    def _places(self, rule: Rule) -> Int[np.ndarray, " places"]:
        """Where a rule holds and something is to be won or lost."""
        return np.flatnonzero(self._truths(rule) & self._open)

    def _offer_exceptions(self, rule: Rule) -> None:
        """The rule except at the strings, after them and where the columns hold that cost more than naming them."""
        places = self._places(rule)
        values, _ = self._best_values(self._pool.tokens, places, -self._utility)
        if len(values):
            self._offer(rule.excepting(values))
        for number, slot in enumerate(self._pool.barring):
            values, _ = self._best_values(slot, places, -self._utility)
            if len(values):
                self._offer(rule.staying_outside(number, values))
        for _ in range(MOST_BARRED):
            places = self._places(rule)
            group, gain = self._best_groups(places, -self._utility, alone=True)[0] if len(places) else ((), 0.0)
            if gain <= 0:
                break
            rule = rule.barring(group)
            self._offer(rule)

    def _seeds(self) -> list[Rule]:
        """Where growth starts: single literals and lists of enriched values, those that tell most."""
        share = float(self._wanted.sum()) / max(float(self._weight.sum()), 1e-9)
        if share <= 0:
            return []
        scored: list[tuple[float, Rule]] = []
        for number, slot in enumerate(self._pool.slots):
            size = len(slot.values) + 1
            total = np.bincount(slot.codes + 1, weights=self._weight, minlength=size)[1:]
            right = np.bincount(slot.codes + 1, weights=self._wanted, minlength=size)[1:]
            told = information(right, total, share)
            telling = np.argsort(-told, kind="stable")[:SEED_VALUES].tolist()
            scored += [(float(told[value]), Rule().having(number, [value])) for value in telling]
            for lift in (3, 10):
                values = np.flatnonzero((right + 0.5 * share > lift * share * (total + 0.5)) & (right >= 1.5))
                values = values[np.argsort(-told[values], kind="stable")[: 2 * self._prices.longest_list]]
                if len(values) > 1:
                    listed = information(right[values].sum(keepdims=True), total[values].sum(keepdims=True), share)
                    scored.append((float(listed[0]), Rule().having(number, values)))
        told = information(
            self._pool.truth @ self._wanted.astype(np.float32),
            self._pool.truth @ self._weight.astype(np.float32),
            share,
        )
        telling = np.argsort(-told, kind="stable")[:SEED_COLUMNS].tolist()
        scored += [(float(told[column]), Rule().joined((column,))) for column in telling]
        scored.sort(key=lambda pair: -pair[0])
        return [rule for told, rule in scored[:SEEDS] if told > 0]

    def _extensions(self, rule: Rule) -> list[tuple[float, Rule]]:
        """Rules with one more condition, best first."""
        places = np.flatnonzero(self._truths(rule) & self._open)
        paid = self._prices.per_bit * price(rule, self._pool)
        has = {number for number, _ in rule.slots}
        longer: list[tuple[float, Rule]] = []
        for number, slot in enumerate(self._pool.slots):
            if number not in has:
                values, gain = self._best_values(slot, places, self._lenient)
                if len(values):
                    longer.append((gain - paid, rule.having(number, values)))
        longer += [(gain - paid, rule.joined(group)) for group, gain in self._best_groups(places, self._lenient)]
        longer.sort(key=lambda pair: -pair[0])
        return longer

    def _best_values(
        self, slot: Slot, places: Int[np.ndarray, " places"], utility: Utility
    ) -> tuple[Int[np.ndarray, " values"], float]:
        """The values of a slot that pay for themselves at given positions, and what they gain together."""
        self._budget.left -= 1
        codes, size = slot.codes[places] + 1, len(slot.values) + 1
        weight, worth = self._weight[places], utility[places]
        total = np.bincount(codes, weights=weight, minlength=size)[1:]
        own = np.bincount(codes, weights=worth, minlength=size)[1:]
        around = float(worth.sum()) / max(float(weight.sum()), 1e-9)
        gain = total * (own + SHRINK * around) / (total + SHRINK)
        net = np.where(total > 0, gain - self._prices.per_bit * slot.price, -1.0)
        values = np.flatnonzero(net > 0)
        if len(values) > self._prices.longest_list:
            values = np.sort(values[np.argsort(-net[values], kind="stable")[: self._prices.longest_list]])
        return values, float(net[values].sum())

    def _best_groups(
        self, places: Int[np.ndarray, " places"], utility: Utility, *, alone: bool = False
    ) -> list[tuple[tuple[int, ...], float]]:
        """The columns that help most at given positions; those of one series join while that helps."""
        columns = self._pool.columns
        if not columns or not len(places):
            return [((), 0.0)] if alone else []
        self._budget.left -= 1
        here: Float[np.ndarray, "columns places"] = self._pool.truth[:, places]
        worth = utility[places].astype(np.float32)
        gains = here @ worth - self._costs
        groups = []
        for best in np.argsort(-gains, kind="stable")[: 1 if alone else 2].tolist():
            group, gain, held = [best], float(gains[best]), here[best] > 0
            mates = [] if alone else self._mates(columns[best].series)
            while mates and len(group) < LONGEST_GROUP:
                more = here[mates] @ np.where(held, np.float32(0), worth) - self._costs[mates]
                mate = int(np.argmax(more))
                if more[mate] <= GROUP_GAIN:
                    break
                group.append(mates[mate])
                gain += float(more[mate])
                held = held | (here[mates[mate]] > 0)
            groups.append((tuple(group), gain))
        return groups

    def _mates(self, series: str) -> list[int]:
        return [number for number, column in enumerate(self._pool.columns) if series and column.series == series]

    def _mended(self, rule: Rule, utility: Utility) -> Rule:
        """Each list chosen anew given the other conditions; a condition that costs more than it gives is dropped."""
        for number, _ in rule.slots:
            places = np.flatnonzero(self._truths(rule, leaving=number) & self._open)
            values, gain = self._best_values(self._pool.slots[number], places, utility)
            if rule.conditions > 1 and float(utility[places].sum()) >= gain:
                rule = rule.having(number, ())
            elif len(values):
                rule = rule.having(number, values)
        return rule


def closed(held: Bool[np.ndarray, " n"], utility: Utility) -> Utility:
    """The utility with nothing to be won or lost where something is held already."""
    return np.where(held, 0.0, utility)
