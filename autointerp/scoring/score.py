"""What a scorer answers: a number with its interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Score:
    """A score, its 95% bootstrap interval, and `n`: how many held-out positions it was computed on, all of them.

    >>> Score(0.8, 0.7123456789, 0.85, 1000).to_json()
    {'value': 0.8, 'low': 0.712346, 'high': 0.85, 'n': 1000}
    """

    value: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int]:
        """Rounded to six decimals: the last bits of a sum depend on the machine's number of cores."""
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6), "n": self.n}


@dataclass(frozen=True, slots=True)
class Unscored:
    """There is no such score, for this reason. Never a number: averages leave it out and count it."""

    reason: str


Scored = Score | Unscored


@dataclass(frozen=True, slots=True)
class Scores:
    """The five scores that need no language model, over every position of the held-out documents.

    Conventions: with no firing position everything is unscored. An explanation that predicts nothing has no precision,
    recall 0 and F1 0; its AUPRC is the prevalence. Predictions that are the same everywhere have no correlation.
    """

    token_f1: Scored
    precision: Scored
    recall: Scored
    auprc: Scored
    pearson: Scored

    def to_json(self) -> dict[str, dict[str, float | int] | None]:
        """Name to `{"value", "low", "high", "n"}`, or to None where unscored: `unscored` has the reasons."""
        return {name: score.to_json() if isinstance(score, Score) else None for name, score in self._items()}

    def unscored(self) -> dict[str, str]:
        """Name to reason, of the scores that `to_json` gives as None."""
        return {name: score.reason for name, score in self._items() if isinstance(score, Unscored)}

    def _items(self) -> list[tuple[str, Scored]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]
