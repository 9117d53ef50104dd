"""One round of repair: debaters see some of the counterexamples, and what they propose is tried on the others.

Half of each cluster is held back, so a repair that only names what it was shown gives itself away; it may grow by a
bounded number of bits a cluster, so lists of exceptions do not pay; and what earlier rounds mended must stay mended.
After an accepted repair the caller attacks again (`defence`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dsl.batch import Vocabulary
from dsl.complexity import bits
from dsl.nodes import Explanation
from dsl.records import Counterexample, Evidence, Thresholds
from dsl.render import render
from probes.bank import clusters, replay

BITS_PER_CLUSTER = 48.0
"""What a repair may add for each cluster it was shown: about one modifier that names one word."""

MAX_DEV_DROP = 0.01
"""How far token F1 on dev may fall."""

SHOWN_CLUSTERS, SHOWN_PER_CLUSTER = 3, 3
"""Causes that one round is about, the most common of the corpus first, and counterexamples that are shown of each: few,
so that one proposal can mend them all. The other causes are left to the next round."""


@runtime_checkable
class Repairer(Protocol):
    """Who proposes repairs: a debater, whatever it thinks with."""

    def repair(
        self, evidence: Evidence, explanation: Explanation, shown: Sequence[Counterexample], rng: random.Random
    ) -> Sequence[Explanation]: ...


@dataclass(frozen=True, slots=True)
class RepairOutcome:
    """What one round came to: the proposal that came furthest, what it mended, and whether it was accepted, or why not.

    `explanation` is what stands after the round: the proposal where accepted, else the explanation as it was.
    `remembered` counterexamples were mended by earlier rounds; `regressions` of them stand again under the proposal.
    `mended` are those shown that no longer stand, where it was accepted.
    """

    before: Explanation
    explanation: Explanation
    proposal: Explanation | None
    accepted: bool
    reason: str
    proposals: int
    clusters: int
    shown: int
    held_back: int
    fixed_shown: int
    fixed_held_back: int
    remembered: int
    regressions: int
    dev_before: float
    dev_after: float
    bits_before: float
    bits_after: float
    mended: tuple[Counterexample, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "before": render(self.before),
            "after": render(self.explanation),
            "proposal": None if self.proposal is None else render(self.proposal),
            "accepted": self.accepted,
            "reason": self.reason,
            "proposals": self.proposals,
            "clusters": self.clusters,
            "shown": self.shown,
            "held_back": self.held_back,
            "fixed_shown": self.fixed_shown,
            "fixed_held_back": self.fixed_held_back,
            "remembered": self.remembered,
            "regressions": self.regressions,
            "dev_before": self.dev_before,
            "dev_after": self.dev_after,
            "bits_before": round(self.bits_before, 2),
            "bits_after": round(self.bits_after, 2),
        }


@dataclass(frozen=True, slots=True)
class _Tried:
    """A proposal and how it did; the explanation itself is tried first, as what there is to beat."""

    explanation: Explanation
    fixed_shown: int
    fixed_held_back: int
    regressions: int
    dev: float
    bits: float

    @property
    def order(self) -> tuple[object, ...]:
        return (-self.fixed_shown, -self.dev, self.bits, render(self.explanation))


def repair(
    explanation: Explanation,
    counterexamples: Sequence[Counterexample],
    evidence: Evidence,
    repairers: Sequence[Repairer],
    dev_score: Callable[[Explanation], float],
    vocabulary: Vocabulary,
    rng: random.Random,
    *,
    remembered: Sequence[Counterexample] = (),
    thresholds: Thresholds | None = None,
) -> RepairOutcome:
    """Ask every repairer once and keep the best proposal that mends what was shown and costs little.

    A repair must mend most of what was shown: of those that pass, the one that mends most is taken, so all wherever one
    proposal mends all. (Counterexamples of a real feature have several causes, and half a mend is worth keeping.)
    `counterexamples` come ranked; the best of each cluster is always shown. `remembered` are those that earlier rounds
    showed and mended: they are shown again, and none may come back. `dev_score` is token F1 on dev.

    >>> outcome = repair(explanation, found.counterexamples, evidence, debaters, f1, vocabulary, random.Random(0))
    ... # doctest: +SKIP
    """
    thresholds = evidence.thresholds if thresholds is None else thresholds
    grouped = _commonest(list(clusters(counterexamples, explanation, vocabulary).values()))
    shown, held_back = _split(grouped, rng)
    proposals: dict[Explanation, None] = {}
    for repairer in repairers if shown else ():
        found = repairer.repair(evidence, explanation, [*remembered, *shown], random.Random(rng.getrandbits(64)))
        proposals.update(dict.fromkeys(one for one in found if one != explanation))

    def tried(one: Explanation) -> _Tried:
        still_shown = replay(shown, one, thresholds, vocabulary)
        still_held = replay(held_back, one, thresholds, vocabulary)
        regressions = replay(remembered, one, thresholds, vocabulary).count(True)
        return _Tried(one, still_shown.count(False), still_held.count(False), regressions, dev_score(one), bits(one))

    now = tried(explanation)
    allowed = now.bits + BITS_PER_CLUSTER * len(grouped)
    ranking = sorted((tried(one) for one in proposals), key=lambda one: one.order)
    passing = [one for one in ranking if _refusal(one, now, len(shown), allowed) is None]
    best = passing[0] if passing else ranking[0] if ranking else None
    if best is None:
        reason = "nobody proposed another explanation" if shown else "no counterexample to repair"
    else:
        reason = _refusal(best, now, len(shown), allowed) or f"mends {best.fixed_shown} of {len(shown)} shown"
    of = now if best is None else best
    return RepairOutcome(
        before=explanation,
        explanation=passing[0].explanation if passing else explanation,
        proposal=None if best is None else best.explanation,
        accepted=bool(passing),
        reason=reason,
        proposals=len(proposals),
        clusters=len(grouped),
        shown=len(shown),
        held_back=len(held_back),
        fixed_shown=of.fixed_shown,
        fixed_held_back=of.fixed_held_back,
        remembered=len(remembered),
        regressions=of.regressions,
        dev_before=now.dev,
        dev_after=of.dev,
        bits_before=now.bits,
        bits_after=of.bits,
        mended=_mended(shown, passing[0].explanation, thresholds, vocabulary) if passing else (),
    )


def _commonest(grouped: list[tuple[Counterexample, ...]]) -> list[tuple[Counterexample, ...]]:
    """Those whose cause is the most common in the corpus; in the order in which they came where nobody knows."""

    def share(mates: Sequence[Counterexample]) -> float:
        return max((one.prevalence or 0.0 for one in mates), default=0.0)

    return sorted(grouped, key=lambda mates: -share(mates))[:SHOWN_CLUSTERS]


def _split(
    grouped: Sequence[Sequence[Counterexample]], rng: random.Random
) -> tuple[list[Counterexample], list[Counterexample]]:
    """Half of each cluster shown, the best ranked of it in any case and never more than a few; half held back."""
    shown, held_back = list[Counterexample](), list[Counterexample]()
    for mates in grouped:
        best, others = mates[0], list(mates[1:])
        rng.shuffle(others)
        more = min((len(mates) + 1) // 2, SHOWN_PER_CLUSTER) - 1
        shown += [best, *others[:more]]
        held_back += others[more:]
    return shown, held_back


def _mended(
    shown: Sequence[Counterexample], explanation: Explanation, thresholds: Thresholds, vocabulary: Vocabulary
) -> tuple[Counterexample, ...]:
    standing = replay(shown, explanation, thresholds, vocabulary)
    return tuple(one for one, stands in zip(shown, standing, strict=True) if not stands)


def _refusal(one: _Tried, now: _Tried, shown: int, allowed: float) -> str | None:
    if one.regressions:
        return f"brings back {one.regressions} counterexamples that were mended before"
    if 2 * one.fixed_shown <= shown:
        return f"mends only {one.fixed_shown} of the {shown} counterexamples shown"
    if not one.dev >= now.dev - MAX_DEV_DROP:
        return f"dev F1 would fall from {now.dev:.3f} to {one.dev:.3f}"
    if one.bits > allowed:
        return f"{one.bits - now.bits:.0f} bits longer, where {allowed - now.bits:.0f} are allowed"
    return None
