"""What a translation gives: candidates with reasons, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass

from dsl.errors import InputError
from dsl.nodes import Explanation


class TranslationError(InputError):
    """A text that is not in the notation it should be translated from."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An explanation that the text may mean, and why it was read so."""

    explanation: Explanation
    reason: str


@dataclass(frozen=True, slots=True)
class Translation:
    """Candidates, the likeliest first; where there are none, `why_none` says why."""

    candidates: tuple[Candidate, ...]
    why_none: str = ""
