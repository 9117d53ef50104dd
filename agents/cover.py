"""Growing clauses and covering the firing positions with them.

A set of positions with precision p raises F1 exactly if p > F/2, where F is the F1 reached in the end (Lipton,
Elkan & Narayanaswamy 2014). So a search for the best F1 is a search for the largest sum of a *utility*: 2 - F at each
firing position it predicts, -F at each other (Dinkelbach 1967, for fractional programmes). Utilities add up, which
makes the best list of values for a slot, given all else, a matter of counting: take every value whose own sum pays its
price. Clauses are grown by such steps in a small beam and added while they pay, and dropped when they no longer do.

Small samples flatter whatever is chosen from them. Three things are taken off: a price for each bit, as naming one of
many candidates fits noise the better the more there are; a share of the standard error, counted over contexts, as the
positions of one context are no independent witnesses; and a pseudo-count of a silent position for each value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from agents.atoms import Pool
from agents.rules import Rule, price, truth
from agents.table import Table


@dataclass(frozen=True, slots=True)
class Prices:
    """What is taken off a gain, in firing positions, and how far the search goes."""

    per_bit: float = 0.1
    error: float = 0.3
    value_error: float = 0.5
    pseudo: float = 0.3
    least_gain: float = 0.5
    longest_list: int = 12
    seeds: int = 30
    depth: int = 3
    alternatives: int = 2
    leniency: float = 0.5
    lexical: float = 1.0
    contextual: float = 1.0
    semantic: float = 1.0


@dataclass(slots=True)
class Budget:
    """How many candidates may still be evaluated."""

    left: int

    def spend(self, count: int = 1) -> None:
        self.left -= count

    @property
    def spent(self) -> bool:
        return self.left <= 0


class Cover:
    """Finds rules on one table; `tried` lists clauses with their gains, for the scratchpad."""

    def __init__(self, table: Table, literals: Pool, prices: Prices, budget: Budget) -> None:
        self.table, self.literals, self.prices, self.budget = table, literals, prices, budget
        self.tried: list[tuple[float, Rule]] = []

    def rules(self, target: float, covered: Bool[np.ndarray, " n"] | None = None, most: int = 8) -> list[Rule]:
        """Rules that raise F1 towards `target`, best first, beside what is `covered` already."""
        table = self.table
        before = np.zeros(len(table.fires), dtype=np.bool_) if covered is None else covered
        chosen: list[Rule] = []
        now = before.copy()
        while len(chosen) < most and not self.budget.spent:
            growth = _Growth(self, target, ~now)
            best = growth.best()
            if best is None or best[0] <= self.prices.least_gain:
                break
            self.tried.append(best)
            chosen.append(best[1])
            now |= truth(best[1], table, self.literals)
        return self._pruned(chosen, target, before)

    def _pruned(self, rules: list[Rule], target: float, before: Bool[np.ndarray, " n"]) -> list[Rule]:
        """Without the rules that the others have made superfluous."""
        truths = [truth(rule, self.table, self.literals) for rule in rules]
        kept = list(range(len(rules)))
        while len(kept) > 1:
            gains = []
            for number in kept:
                others = before.copy()
                for other in kept:
                    if other != number:
                        others |= truths[other]
                gains.append(_Growth(self, target, ~others).gain(rules[number]))
            worst = int(np.argmin(gains))
            if gains[worst] >= 0:
                break
            kept.pop(worst)
        return [rules[number] for number in kept]


class _Growth:
    """One clause being sought among positions that are still open."""

    def __init__(self, cover: Cover, target: float, open_: Bool[np.ndarray, " n"]) -> None:
        self.table, self.literals, self.prices, self.budget = cover.table, cover.literals, cover.prices, cover.budget
        self.target, self.open = target, open_ & cover.table.known
        self.utility = self._utility(target)
        self.lenient = self._utility(target * self.prices.leniency)

    def _utility(self, target: float) -> Float[np.ndarray, " n"]:
        per_position = np.where(self.table.fires, 2 - target, -target)
        return np.where(self.open, self.table.weight * per_position, 0.0)

    def best(self) -> tuple[float, Rule] | None:
        """The clause of the highest gain, and its gain."""
        found: tuple[float, Rule] | None = None
        for seed in self._seeds():
            if self.budget.spent:
                break
            for gain, rule in self._grown(seed):
                if found is None or gain > found[0]:
                    found = gain, rule
        return found

    def gain(self, rule: Rule) -> float:
        self.budget.spend()
        places = np.flatnonzero(truth(rule, self.table, self.literals))
        by_context = np.bincount(self.table.rows[places], weights=self.utility[places])
        error = float(np.sqrt((by_context**2).sum()))
        return float(by_context.sum()) - self.prices.per_bit * price(rule, self.literals) - self.prices.error * error

    def _seeds(self) -> list[Rule]:
        """Where growth starts: single literals, and lists of enriched values, by how much they tell (Quinlan's FOIL)."""
        table, scored = self.table, list[tuple[float, Rule]]()
        weight = np.where(self.open, table.weight, 0.0)
        right_weight = np.where(table.fires, weight, 0.0)
        share = float(right_weight.sum()) / max(float(weight.sum()), 1e-9)
        if share <= 0:
            return []
        scored.append((0.0, Rule()))
        for number, slot in enumerate(self.literals.slots):
            size = len(slot.values) + 1
            total = np.bincount(slot.codes + 1, weights=weight, minlength=size)[1:]
            right = np.bincount(slot.codes + 1, weights=right_weight, minlength=size)[1:]
            rate = (right + 0.5 * share) / (total + 0.5)
            score = np.where(right > 0, right * np.log(np.maximum(rate / share, 1e-9)), -1.0)
            for value in np.argsort(-score, kind="stable")[:6].tolist():
                if score[value] > 0:
                    scored.append((float(score[value]), Rule({number: (value,)})))
            for lift in (3, 10):
                values = np.flatnonzero((rate > lift * share) & (right >= 1.5))
                if len(values) > 1:
                    values = values[np.argsort(-score[values], kind="stable")[: 2 * self.prices.longest_list]]
                    ratio = right[values].sum() / max(total[values].sum(), 1e-9) / share
                    scored.append(
                        (float(right[values].sum() * np.log(max(ratio, 1e-9))), Rule().having(number, values))
                    )
        if len(self.literals.columns):
            total = self.literals.truth @ weight.astype(np.float32)
            right = self.literals.truth @ right_weight.astype(np.float32)
            rate = (right + 0.5 * share) / (total + 0.5)
            score = np.where(right > 0, right * np.log(np.maximum(rate / share, 1e-9)), -1.0)
            for column in np.argsort(-score, kind="stable")[:12].tolist():
                if score[column] > 0:
                    scored.append((float(score[column]), Rule(groups=((column,),))))
        scored.sort(key=lambda pair: -pair[0])
        return [rule for _, rule in scored[: self.prices.seeds]]

    def _grown(self, seed: Rule) -> Iterable[tuple[float, Rule]]:
        """Clauses along the way from a seed: each step adds the condition that helps most, then mends the lists."""
        rule = seed
        for depth in range(self.prices.depth):
            finished = self._mended(self._mended(rule, self.utility), self.utility) if depth else rule
            finished = self._mended(finished, self.utility)
            yield self.gain(finished), finished
            steps = self._steps(rule)
            if not steps:
                return
            for _, other in steps[1 : 1 + self.prices.alternatives]:
                mended = self._mended(self._mended(other, self.utility), self.utility)
                yield self.gain(mended), mended
            rule = steps[0][1]
            if depth + 1 < self.prices.depth:
                rule = self._mended(rule, self.lenient)
        finished = self._mended(self._mended(rule, self.utility), self.utility)
        yield self.gain(finished), finished
        excepting = self._excepting(finished)
        if excepting is not finished:
            yield self.gain(excepting), excepting

    def _steps(self, rule: Rule) -> list[tuple[float, Rule]]:
        """Rules with one more condition, by lenient utility, best first."""
        places = np.flatnonzero(truth(rule, self.table, self.literals))
        steps: list[tuple[float, Rule]] = []
        for number in range(len(self.literals.slots)):
            if number not in rule.slots:
                values, gain = self._best_values(number, places, self.lenient)
                if len(values):
                    steps.append((gain, rule.having(number, values)))
        steps += [(gain, rule.joined(group)) for group, gain in self._best_groups(places)]
        steps.sort(key=lambda pair: -pair[0])
        return steps

    def _best_values(
        self, number: int, places: Int[np.ndarray, " places"], utility: Float[np.ndarray, " n"]
    ) -> tuple[Int[np.ndarray, " values"], float]:
        """The values of a slot that pay for themselves at given positions, and what they gain."""
        self.budget.spend()
        slot, prices = self.literals.slots[number], self.prices
        codes, size = slot.codes[places] + 1, len(slot.values) + 1
        here = utility[places]
        gain = np.bincount(codes, weights=here, minlength=size)[1:]
        error = np.sqrt(np.bincount(codes, weights=here * here, minlength=size)[1:])
        seen = np.bincount(codes, minlength=size)[1:] > 0
        factor = prices.lexical if slot.lexical else prices.contextual
        net = (
            gain
            - factor * prices.per_bit * slot.price
            - prices.value_error * error
            - prices.pseudo * self.target * seen
        )
        values = np.flatnonzero(net > 0)
        if len(values) > prices.longest_list:
            values = values[np.argsort(-net[values], kind="stable")[: prices.longest_list]]
        return values, float(net[values].sum())

    def _best_groups(self, places: Int[np.ndarray, " places"]) -> list[tuple[tuple[int, ...], float]]:
        """The columns that help most at given positions; words at one distance join while that helps."""
        columns = self.literals.columns
        if not columns or not len(places):
            return []
        self.budget.spend()
        here = self.literals.truth[:, places]
        utility = self.lenient[places].astype(np.float32)
        cost = np.array([self.prices.per_bit * column.price for column in columns])
        gains = here @ utility - cost
        groups = []
        for best in np.argsort(-gains, kind="stable")[:2].tolist():
            group, gain = [best], float(gains[best])
            mates = [
                number
                for number, column in enumerate(columns)
                if columns[best].kind == "window" == column.kind and column.distance == columns[best].distance
            ]
            held = here[best] > 0
            while len(mates) > 1 and len(group) < 6:
                more = here[mates] @ np.where(held, 0, utility) - cost[mates]
                mate = int(np.argmax(more))
                if more[mate] <= 0.5:
                    break
                group.append(mates[mate])
                gain += float(more[mate])
                held |= here[mates[mate]] > 0
            groups.append((tuple(group), gain))
        return groups

    def _mended(self, rule: Rule, utility: Float[np.ndarray, " n"]) -> Rule:
        """Each list chosen anew given the other conditions; a condition that costs more than it gives is dropped."""
        for number in list(rule.slots):
            places = np.flatnonzero(truth(rule, self.table, self.literals, leaving=number))
            values, gain = self._best_values(number, places, utility)
            if rule.conditions > 1 and float(utility[places].sum()) >= gain:
                rule = rule.having(number, ())
            elif len(values):
                rule = rule.having(number, values)
        return rule

    def _excepting(self, rule: Rule) -> Rule:
        """The rule except at the tokens that cost more than naming them."""
        if 0 in rule.slots or not self.literals.slots:
            return rule
        places = np.flatnonzero(truth(rule, self.table, self.literals))
        values, _ = self._best_values(0, places, -self.utility)
        return rule.excepting(values) if len(values) else rule


def with_strategy(prices: Prices, strategy: str) -> Prices:
    """Prices under which a strategy's constructs come first."""
    match strategy:
        case "lexical":
            return replace(prices, contextual=2.0)
        case "context":
            return replace(prices, lexical=2.0)
        case _:
            return prices
