"""Whose turn is how long: generators that bring new causes to light write more, and none falls silent.

Many generators share one budget. Equal turns would give most of it to those that find nothing on this explanation, and
turns by what a generator found before would give it to one that finds the same cause a hundred times. So what counts is
novelty: of a cause that was found n times before, one more find is worth 1 / (1 + n). Each turn is a few edits for
everyone and a share of the rest by worth per edit, the past counting half as much with every round. All of it is
counting: the same finds give the same turns.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

TURN, LEAST = 8, 3
"""Edits a generator writes in a round on average, and at least."""

PRIOR_WORTH, PRIOR_EDITS = 0.5, 8.0
"""What a generator is taken to have found, and to have written, before it has written anything."""

MEMORY = 0.5
"""What a round counts after one more."""


class Turns:
    """The lengths of turns, and what they are learnt from.

    >>> turns = Turns(["a", "b"])
    >>> turns.lengths(["a", "b"])
    {'a': 8, 'b': 8}
    >>> turns.learn("a", run=8, causes=["x", "y", "y"])
    >>> turns.learn("b", run=8, causes=[])
    >>> turns.lengths(["a", "b"])
    {'a': 12, 'b': 4}
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._worth = dict.fromkeys(names, 0.0)
        self._edits = dict.fromkeys(self._worth, 0.0)
        self._found: dict[Hashable, int] = {}

    def learn(self, name: str, *, run: int, causes: Iterable[Hashable]) -> None:
        """What a generator's turn came to: how many of its edits were run, and the cause of each disagreement."""
        worth = 0.0
        for cause in causes:
            before = self._found.get(cause, 0)
            self._found[cause] = before + 1
            worth += 1 / (1 + before)
        self._worth[name] = MEMORY * self._worth[name] + worth
        self._edits[name] = MEMORY * self._edits[name] + run

    def lengths(self, names: Iterable[str]) -> dict[str, int]:
        """How many edits each of these writes next, in their order; on average TURN."""
        waiting = list(names)
        rate = {name: (self._worth[name] + PRIOR_WORTH) / (self._edits[name] + PRIOR_EDITS) for name in waiting}
        total = sum(rate.values())
        shared = (TURN - LEAST) * len(waiting)
        return {name: LEAST + round(shared * rate[name] / total) for name in waiting}
