"""What debaters asked of language models outside the debate itself: to mend what probes found."""

from __future__ import annotations

from collections.abc import Sequence

from agents.debater import Debater, Metered
from agents.lm import Usage


def spent(debaters: Sequence[Debater]) -> tuple[Usage, ...]:
    """Everything that each debater spent so far, in the order of their seats; nothing where it does not count."""
    return tuple(debater.spent if isinstance(debater, Metered) else Usage() for debater in debaters)


def since(before: Sequence[Usage], now: Sequence[Usage]) -> tuple[Usage, ...]:
    """What came on top of `before`."""
    return tuple(later - earlier for earlier, later in zip(before, now, strict=True))
