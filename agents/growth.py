"""Growing one clause.

A set of positions with precision p raises F1 exactly if p > F/2, where F is the F1 reached in the end (Lipton,
Elkan & Narayanaswamy 2014). So a search for the best F1 is a search for the largest sum of a *utility*: 2 - F at each
firing position it predicts, -F at each other (Dinkelbach 1967, for fractional programmes). Utilities add up, which
makes the best list of values for a slot, given all else, a matter of counting: take every value whose own sum pays its
price. Clauses are grown by such steps in a small beam.

Small samples flatter whatever is chosen from them, so gains are kept modest in three ways. Every bit has a price, as
naming one of many candidates fits noise the better the more there are. The standard error of a clause's gain is taken
off, counted over contexts, as the positions of one context are no independent witnesses. And the rate at which a value
fires is shrunk a little towards the rate around it, so that what was seen once counts less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.atoms import Pool, Slot, information
from agents.rules import Rule, Truths, price
from agents.table import Table

SHRINK = 0.2
"""How many sightings the rate around a value is worth against its own."""

LENIENCY = 0.5
"""While a clause is growing, its values are chosen for this share of the F1 aimed at: more conditions are to come."""

SEEDS, BEAM, STEPS_EACH = 24, 8, 3
SEED_VALUES, SEED_COLUMNS = 6, 12
LONGEST_GROUP, GROUP_GAIN = 6, 0.5


@dataclass(frozen=True, slots=True)
class Prices:
    """What is taken off gains, in firing positions, and how long clauses and lists may be."""

    per_bit: float
    error: float = 1.0
    least_gain: float = 0.5
    conditions: int = 3
    longest_list: int = 12


@dataclass(slots=True)
class Budget:
    """How many candidates may still be evaluated."""

    left: int

    @property
    def spent(self) -> bool:
        return self.left <= 0


class Growth:
    """One clause being sought for what `fires`, among the positions that are `open`."""

    def __init__(
        self,
        table: Table,
        pool: Pool,
        truths: Truths,
        prices: Prices,
        budget: Budget,
        target: float,
        open_: Bool[np.ndarray, " n"],
        fires: Bool[np.ndarray, " n"] | None = None,
    ) -> None:
        self._rows, self._pool, self._truths, self._prices, self._budget = table.rows, pool, truths, prices, budget
        self._target = target
        self._weight = np.where(open_, table.weight, 0.0)
        self._firing = np.where(table.fires if fires is None else fires, self._weight, 0.0)
        self._open = self._weight > 0
        self._costs = prices.per_bit * np.array([column.price for column in pool.columns])
        self._best: tuple[float, Rule] | None = None
        self._seen: set[Rule] = set()

    def best(self) -> tuple[float, Rule] | None:
        """The clause of the highest gain, and its gain."""
        lenient = self._target * LENIENCY
        everywhere = np.flatnonzero(self._open)
        self._finish(Rule())
        for number, slot in enumerate(self._pool.slots):
            self._finish(Rule().having(number, self._best_values(slot, everywhere, self._target)[0]))
        frontier = self._seeds()
        for rule in frontier:
            if not rule.slots:
                self._finish(rule)
        for _ in range(1, self._prices.conditions):
            steps: dict[Rule, float] = {}
            for rule in frontier:
                if self._budget.spent:
                    return self._best
                for gain, longer in self._steps(rule, lenient)[:STEPS_EACH]:
                    steps.setdefault(longer, gain)
            frontier = []
            for rule in sorted(steps, key=lambda each: -steps[each])[:BEAM]:
                self._finish(rule)
                frontier.append(self._mended(rule, lenient))
        if self._best is not None:
            self._offer_exceptions(self._best[1])
        return self._best

    def gain(self, rule: Rule) -> float:
        """What a rule gains, in firing positions."""
        self._budget.left -= 1
        places = np.flatnonzero(self._truths(rule) & self._open)
        by_context = np.bincount(self._rows[places], weights=self._utility(places, self._target))
        error = float(np.sqrt((by_context**2).sum()))
        return float(by_context.sum()) - self._prices.per_bit * price(rule, self._pool) - self._prices.error * error

    def _utility(self, places: Int[np.ndarray, " places"], target: float) -> Float[np.ndarray, " places"]:
        utility: Float[np.ndarray, " places"] = 2 * self._firing[places] - target * self._weight[places]
        return utility

    def _finish(self, rule: Rule) -> None:
        """Mend a rule and keep it if it is the best so far."""
        rule = self._mended(self._mended(rule, self._target), self._target)
        if rule not in self._seen:
            self._seen.add(rule)
            self._offer(rule)

    def _offer(self, rule: Rule) -> None:
        gain = self.gain(rule)
        if self._best is None or gain > self._best[0]:
            self._best = gain, rule

    def _offer_exceptions(self, rule: Rule) -> None:
        """The rule except at the tokens that cost more than naming them."""
        places = np.flatnonzero(self._truths(rule) & self._open)
        values, _ = self._best_values(self._pool.tokens, places, self._target, cost=True)
        if len(values):
            self._offer(rule.excepting(values))

    def _seeds(self) -> list[Rule]:
        """Where growth starts: single literals and lists of enriched values, those that tell most."""
        share = float(self._firing.sum()) / max(float(self._weight.sum()), 1e-9)
        if share <= 0:
            return []
        scored: list[tuple[float, Rule]] = []
        for number, slot in enumerate(self._pool.slots):
            size = len(slot.values) + 1
            total = np.bincount(slot.codes + 1, weights=self._weight, minlength=size)[1:]
            right = np.bincount(slot.codes + 1, weights=self._firing, minlength=size)[1:]
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
            self._pool.truth @ self._firing.astype(np.float32),
            self._pool.truth @ self._weight.astype(np.float32),
            share,
        )
        telling = np.argsort(-told, kind="stable")[:SEED_COLUMNS].tolist()
        scored += [(float(told[column]), Rule().joined((column,))) for column in telling]
        scored.sort(key=lambda pair: -pair[0])
        return [rule for told, rule in scored[:SEEDS] if told > 0]

    def _steps(self, rule: Rule, target: float) -> list[tuple[float, Rule]]:
        """Rules with one more condition, best first."""
        places = np.flatnonzero(self._truths(rule) & self._open)
        paid = self._prices.per_bit * price(rule, self._pool)
        has = {number for number, _ in rule.slots}
        steps: list[tuple[float, Rule]] = []
        for number, slot in enumerate(self._pool.slots):
            if number not in has:
                values, gain = self._best_values(slot, places, target)
                if len(values):
                    steps.append((gain - paid, rule.having(number, values)))
        steps += [(gain - paid, rule.joined(group)) for group, gain in self._best_groups(places, target)]
        steps.sort(key=lambda pair: -pair[0])
        return steps

    def _best_values(
        self, slot: Slot, places: Int[np.ndarray, " places"], target: float, *, cost: bool = False
    ) -> tuple[Int[np.ndarray, " values"], float]:
        """The values of a slot that pay for themselves at given positions (for `cost`, that pay for leaving them out),
        and what they gain together."""
        self._budget.left -= 1
        codes, size = slot.codes[places] + 1, len(slot.values) + 1
        weight, firing = self._weight[places], self._firing[places]
        total = np.bincount(codes, weights=weight, minlength=size)[1:]
        right = np.bincount(codes, weights=firing, minlength=size)[1:]
        around = float(firing.sum()) / max(float(weight.sum()), 1e-9)
        expected = total * (right + SHRINK * around) / (total + SHRINK)
        gain = 2 * expected - target * total
        net = np.where(total > 0, (-gain if cost else gain) - self._prices.per_bit * slot.price, -1.0)
        values = np.flatnonzero(net > 0)
        if len(values) > self._prices.longest_list:
            values = np.sort(values[np.argsort(-net[values], kind="stable")[: self._prices.longest_list]])
        return values, float(net[values].sum())

    def _best_groups(self, places: Int[np.ndarray, " places"], target: float) -> list[tuple[tuple[int, ...], float]]:
        """The columns that help most at given positions; words at one distance join while that helps."""
        columns = self._pool.columns
        if not columns or not len(places):
            return []
        self._budget.left -= 1
        here = self._pool.truth[:, places]
        utility = self._utility(places, target).astype(np.float32)
        gains = here @ utility - self._costs
        groups = []
        for best in np.argsort(-gains, kind="stable")[:2].tolist():
            group, gain, held = [best], float(gains[best]), here[best] > 0
            distance = columns[best].distance
            mates = [number for number, column in enumerate(columns) if distance and column.distance == distance]
            while mates and len(group) < LONGEST_GROUP:
                more = here[mates] @ np.where(held, 0, utility) - self._costs[mates]
                mate = int(np.argmax(more))
                if more[mate] <= GROUP_GAIN:
                    break
                group.append(mates[mate])
                gain += float(more[mate])
                held = held | (here[mates[mate]] > 0)
            groups.append((tuple(group), gain))
        return groups

    def _mended(self, rule: Rule, target: float) -> Rule:
        """Each list chosen anew given the other conditions; a condition that costs more than it gives is dropped."""
        for number, _ in rule.slots:
            places = np.flatnonzero(self._truths(rule, leaving=number) & self._open)
            values, gain = self._best_values(self._pool.slots[number], places, target)
            if rule.conditions > 1 and float(self._utility(places, target).sum()) >= gain:
                rule = rule.having(number, ())
            elif len(values):
                rule = rule.having(number, values)
        return rule
