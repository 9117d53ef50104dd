"""Covering positions with clauses, level by level, while clauses pay."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from agents.atoms import Pool
from agents.growth import Budget, Growth, Prices, closed
from agents.rules import Rule, Truths
from agents.stakes import MODERATE, Stakes, Utility
from agents.table import Table

LENIENCE = 0.5
"""While a clause is growing, its values are chosen for this share of the boundary: more conditions are to come."""


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

    def rules(self, stakes: Stakes, level: int, now: Int[np.ndarray, " n"], prices: Prices, most: int) -> list[Rule]:
        """Rules worth raising to `level` what stands at the levels of `now`; none that the others make idle.

        Only the step to this level counts where the explanation predicts in any case, or does not in any case: what
        lower levels are worth is for their own rules to win.
        """
        floor = np.maximum(now, min(level, MODERATE) - 1)
        utility, lenient = stakes.utility(level, floor), stakes.utility(level, floor, LENIENCE)
        chosen: list[Rule] = []
        held = np.zeros(len(utility), dtype=np.bool_)
        while len(chosen) < most and not self._budget.spent:
            best = self._growth(closed(held, utility), closed(held, lenient), prices).best()
            if best is None or best[0] <= prices.least_gain:
                break
            self.tried.append(best)
            chosen.append(best[1])
            held |= self._truths(best[1])
        while len(chosen) > 1:
            gains = []
            for number, rule in enumerate(chosen):
                others = self.held(chosen[:number] + chosen[number + 1 :])
                gains.append(self._growth(closed(others, utility), lenient, prices).gain(rule))
            worst = int(np.argmin(gains))
            if gains[worst] >= 0:
                break
            chosen.pop(worst)
        return chosen

    def best(self, utility: Utility, lenient: Utility, prices: Prices) -> Rule | None:
        """The one clause of the largest utility."""
        found = self._growth(utility, lenient, prices).best()
        return found[1] if found else None

    def _growth(self, utility: Utility, lenient: Utility, prices: Prices) -> Growth:
        return Growth(self._table, self._pool, self._truths, prices, self._budget, utility, lenient)
