"""Covering the firing positions with clauses, while clauses pay."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from agents.atoms import Pool
from agents.growth import Budget, Growth, Prices
from agents.rules import Rule, Truths
from agents.table import Table


class Cover:
    """Finds rules on one table; `tried` lists clauses with their gains, for the scratchpad."""

    def __init__(self, table: Table, pool: Pool, budget: Budget) -> None:
        self._table, self._pool, self._budget = table, pool, budget
        self._truths = Truths(table, pool)
        self.tried: list[tuple[float, Rule]] = []

    def held(self, rules: list[Rule]) -> Bool[np.ndarray, " n"]:
        """Where any of the rules holds."""
        held = np.zeros(len(self._table.fires), dtype=np.bool_)
        for rule in rules:
            held |= self._truths(rule)
        return held

    def rules(self, target: float, covered: Bool[np.ndarray, " n"], prices: Prices, most: int) -> list[Rule]:
        """Rules that raise F1 towards `target`, beside what is `covered` already; none that the others make idle."""
        chosen: list[Rule] = []
        now = covered.copy()
        while len(chosen) < most and not self._budget.spent:
            best = self._growth(target, ~now, prices).best()
            if best is None or best[0] <= prices.least_gain:
                break
            self.tried.append(best)
            chosen.append(best[1])
            now |= self._truths(best[1])
        while len(chosen) > 1:
            gains = [
                self._growth(target, ~(covered | self.held(chosen[:number] + chosen[number + 1 :])), prices).gain(rule)
                for number, rule in enumerate(chosen)
            ]
            worst = int(np.argmin(gains))
            if gains[worst] >= 0:
                break
            chosen.pop(worst)
        return chosen

    def more(self, target: float, held: Bool[np.ndarray, " n"], prices: Prices) -> Rule | None:
        """The clause that adds most to what is `held`."""
        found = self._growth(target, ~held, prices).best()
        return found[1] if found else None

    def within(self, target: float, held: Bool[np.ndarray, " n"], prices: Prices) -> Rule | None:
        """The clause that what is `held` is best narrowed to."""
        found = self._growth(target, held, prices).best()
        return found[1] if found else None

    def less(self, target: float, held: Bool[np.ndarray, " n"], prices: Prices) -> Rule | None:
        """The clause that is best left out of what is `held`: the same search with the signs turned.

        Leaving a position out gains F where the feature is silent and loses 2 - F where it fires, which is the utility
        of firing at the silent ones under a target of 2 - F.
        """
        found = self._growth(2 - target, held, prices, ~self._table.fires).best()
        return found[1] if found else None

    def _growth(
        self,
        target: float,
        open_: Bool[np.ndarray, " n"],
        prices: Prices,
        fires: Bool[np.ndarray, " n"] | None = None,
    ) -> Growth:
        return Growth(self._table, self._pool, self._truths, prices, self._budget, target, open_, fires)
