"""The defence of an explanation: attacked, mended with what was found, and attacked again while mending helps.

Every attack has a budget of the same size. The defence ends when an attack finds nothing ("unfalsified in so many
probes"), when no repair is accepted, or after a number of rounds. What was mended is remembered and shown again, so
that a fixed explanation stays fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autointerp.repair import RepairOutcome
from dsl.nodes import Explanation
from dsl.records import Counterexample
from probes.attack import Attack


@dataclass(frozen=True, slots=True)
class Defence:
    """An explanation before and after it was attacked.

    `attacks` are in the order in which they ran, the last on what is left; `repairs` are what came of each but the last
    (and of the last, where its repair was not accepted).
    """

    before: Explanation
    after: Explanation
    attacks: tuple[Attack, ...] = ()
    repairs: tuple[RepairOutcome, ...] = ()

    @property
    def standing(self) -> Attack | None:
        """The attack on what is left: its counterexamples stand."""
        return self.attacks[-1] if self.attacks else None

    @property
    def repaired(self) -> bool:
        return self.after != self.before


def defend(
    explanation: Explanation,
    attack: Callable[[Explanation, int], Attack],
    repair: Callable[[Explanation, Sequence[Counterexample], Sequence[Counterexample], int], RepairOutcome],
    *,
    rounds: int,
) -> Defence:
    """Attack and mend in turns, at most `rounds` repairs.

    `attack` gets an explanation and the number of the round; `repair` the explanation, what was found against it, what
    earlier rounds mended, and the number of the round.

    >>> defend(explanation, attack, repair, rounds=3).repaired  # doctest: +SKIP
    True
    """
    now = explanation
    attacks, repairs = [attack(now, 0)], list[RepairOutcome]()
    remembered: list[Counterexample] = []
    for number in range(rounds):
        found = [*attacks[-1].counterexamples, *attacks[-1].mates]
        if not found:
            break
        outcome = repair(now, found, remembered, number)
        repairs.append(outcome)
        if not outcome.accepted:
            break
        now = outcome.explanation
        remembered += outcome.mended
        attacks.append(attack(now, number + 1))
    return Defence(explanation, now, tuple(attacks), tuple(repairs))
