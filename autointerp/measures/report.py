"""The protocol report: everything that is measured of a run's debates, from its results alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from agents.procedure import Procedure
from autointerp.measures.biases import FEWEST, LengthBias, Shares, length_bias, letter_shares, slot_shares
from autointerp.measures.controls import Controls, controls
from autointerp.measures.judging import Judging, judging
from autointerp.measures.lines import FeatureLine, Spent, read_lines
from autointerp.measures.tallies import (
    VERIFIED,
    DebaterTally,
    debater_tallies,
    failures_by_kind,
    forfeits_by_reason,
    judge_spent,
    kind_of,
    quotes_by_status,
)
from autointerp.scoring import Score


@dataclass(frozen=True, slots=True)
class ProtocolReport:
    """What a run's debates were worth. Means are over features, intervals 95%, features resampled under `seed`.

    `judges` counts the features on which each voted, and how the debate was held where that is not the plain way.
    `failed` names the features that were not explained at all. `abstentions` counts why the judge chose nothing,
    `fallbacks` how often the best by dev score was reported for it.
    """

    seed: int
    judges: dict[str, int]
    features: int
    failed: tuple[str, ...]
    outcomes: dict[str, int]
    abstentions: dict[str, int]
    fallbacks: int
    judging: Judging
    slots: Shares
    letters: Shares
    length: LengthBias | None
    quotes: dict[str, int]
    forfeits: dict[str, int]
    failures: dict[str, int]
    debaters: tuple[DebaterTally, ...]
    judge_spent: Spent
    controls: Controls

    @property
    def verified(self) -> float | None:
        """The share of quotes that verified; None where none was asked for."""
        total = sum(self.quotes.values())
        return sum(count for status, count in self.quotes.items() if status in VERIFIED) / total if total else None

    @property
    def spent(self) -> Spent:
        """What all debaters and the judge spent, repairs and those of the control included."""
        parts = [part for tally in self.debaters for part in (tally.spent, tally.repairs, tally.control)]
        return sum(parts, self.judge_spent)

    @property
    def finding(self) -> str:
        """Whether the debate beats taking the explanation that is best on dev, said either way."""
        before = next((one for one in self.controls.before_repair if one.name == "best by dev"), None)
        after = self.controls.after_repair
        if after is None or before is None:
            return "Nothing can be said of debate against best-by-dev: no feature was scored."
        return (
            f"{_finding(after.lead)}: held-out F1 {_lead(after.lead)}, after repair; before {_lead(before.lead)}. "
            f"The judge's own {self.judge_spent.calls} calls come on top."
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """The biases whose intervals exclude none."""
        found = [
            f"{_leans(share.difference)} {kind} {share.name}: {_lead(share.difference)}"
            for kind, shares in (("place", self.slots), ("letter", self.letters))
            for share in shares.shares
            if share.flagged
        ]
        if self.length is not None and self.length.flagged and self.length.bias is not None:
            which = "longer" if self.length.bias.value > 0 else "shorter"
            found.append(f"towards {which} explanations: {_lead(self.length.bias)}")
        return tuple(found)

    def to_json(self) -> dict[str, object]:
        """JSON values, the same bytes for the same results and seed."""
        return {
            **{field.name: _json(getattr(self, field.name)) for field in fields(self)},
            "verified": _json(self.verified),
            "spent": _json(self.spent),
            "flags": list(self.flags),
            "finding": self.finding,
        }


def report(lines: Sequence[Mapping[str, Any]], seed: int) -> ProtocolReport:
    """Measure a run from its results: the JSON lines of its features, those that failed among them.

    Raises InputError on a line that is no result of a debate.

    >>> report([outcome.line for outcome in outcomes], seed=0).finding  # doctest: +SKIP
    'Debate does not beat best-by-dev ...'
    """
    read, failed = read_lines(lines)
    return ProtocolReport(
        seed=seed,
        judges=dict(sorted(Counter(_judge(line) for line in read if line.debate.votes).items())),
        features=len(read),
        failed=tuple(failed),
        outcomes={kind: sum(line.debate.outcome == kind for line in read) for kind in _OUTCOMES},
        abstentions=_abstentions(read),
        fallbacks=sum(line.debate.outcome == "abstained" and line.debate.winner is not None for line in read),
        judging=judging(read, seed),
        slots=slot_shares(read, seed),
        letters=letter_shares(read, seed),
        length=length_bias(read, seed),
        quotes=quotes_by_status(read),
        forfeits=forfeits_by_reason(read),
        failures=failures_by_kind(read),
        debaters=debater_tallies(read),
        judge_spent=judge_spent(read),
        controls=controls(read, seed),
    )


_OUTCOMES = ("chosen", "consensus", "abstained")


def _judge(line: FeatureLine) -> str:
    plain = Procedure()
    held = [f"{name} {value}" for name, value in line.debate.procedure.items() if value != getattr(plain, name, value)]
    return ", ".join([line.debate.judge, *held])


def _abstentions(lines: Sequence[FeatureLine]) -> dict[str, int]:
    reasons = Counter(kind_of(line.debate.reason) for line in lines if line.debate.outcome == "abstained")
    return dict(sorted(reasons.items()))


def _finding(lead: Score) -> str:
    if lead.n < FEWEST:
        return f"Too few features to tell debate from best-by-dev (fewer than {FEWEST})"
    if lead.low > 0:
        return "Debate beats best-by-dev at equal budget"
    if lead.high < 0:
        return "Debate is worse than best-by-dev at equal budget"
    return "Debate does not beat best-by-dev at equal budget"


def _leans(difference: Score) -> str:
    return "towards" if difference.value > 0 else "against"


def _lead(score: Score) -> str:
    return f"{score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}] over {score.n} features"


def _json(value: object) -> object:
    match value:
        case Score():
            return value.to_json()
        case Spent():
            return value.model_dump()
        case float():
            return round(value, 6)
        case dict():
            return {key: _json(one) for key, one in value.items()}
        case tuple():
            return [_json(one) for one in value]
        case _ if is_dataclass(value):
            return {field.name: _json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
