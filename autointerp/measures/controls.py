"""What the debate has to beat: other ways of getting an explanation from the same proposals.

All stand on the same held-out documents. A control that is indifferent between sides scores their mean, which is what
drawing one of them would come to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from autointerp.measures.lines import FeatureLine, SideLine
from autointerp.measures.tallies import Seat, seats
from autointerp.scoring import Score, features_interval


@dataclass(frozen=True, slots=True)
class Control:
    """Held-out token F1 of one way to an explanation beside the debate's, over the features that have both.

    `lead` is the debate's F1 less the control's, paired, None for the debate itself; `ahead`, `level` and `behind`
    count features by its sign. `missing` counts the features that the control has no explanation for (a debater that
    forfeited): they enter neither mean.
    """

    name: str
    f1: Score
    debate: Score
    lead: Score
    ahead: int
    level: int
    behind: int
    missing: int


@dataclass(frozen=True, slots=True)
class Controls:
    """`before_repair` as the debates left things; `after_repair` the debate's explanation and the best by dev score,
    both probed and repaired with budgets of the same size. `unscored` features fire nowhere in the held-out documents.
    """

    before_repair: tuple[Control, ...]
    after_repair: Control | None
    unscored: int


def controls(lines: Sequence[FeatureLine], seed: int) -> Controls:
    """Every control beside the debate."""
    scored = [line for line in lines if line.held_out]
    ways: list[tuple[str, Callable[[FeatureLine], Sequence[str]]]] = [
        ("random side", lambda line: [side.label for side in line.debate.sides]),
        ("shortest side", _shortest),
        ("plurality", _plurality),
        *((f"{seat.shown} alone", _alone(seat)) for seat in seats(lines)),
        ("best by dev", lambda line: [line.debate.best_by_dev] if line.debate.best_by_dev else []),
    ]
    found = [
        _control(name, [(_mean_f1(line, _winner(line)), _mean_f1(line, way(line))) for line in scored], seed)
        for name, way in ways
    ]
    after = [(_own(line), _baseline(line, "best_by_dev")) for line in lines]
    after = [pair for pair in after if pair[0] is not None]
    return Controls(
        before_repair=tuple(control for control in found if control is not None),
        after_repair=_control("best by dev, repaired", after, seed),
        unscored=len(lines) - len(scored),
    )


def _control(name: str, pairs: Sequence[tuple[float | None, float | None]], seed: int) -> Control | None:
    both = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
    if not both:
        return None
    leads = [round(ours - theirs, 6) for ours, theirs in both]  # as exact as the scores themselves are written
    return Control(
        name=name,
        f1=features_interval([theirs for _, theirs in both], np.random.default_rng(seed)),
        debate=features_interval([ours for ours, _ in both], np.random.default_rng(seed)),
        lead=features_interval(leads, np.random.default_rng(seed)),
        ahead=sum(lead > 0 for lead in leads),
        level=sum(lead == 0 for lead in leads),
        behind=sum(lead < 0 for lead in leads),
        missing=len(pairs) - len(both),
    )


def _winner(line: FeatureLine) -> Sequence[str]:
    return [line.debate.winner] if line.debate.winner else []


def _shortest(line: FeatureLine) -> Sequence[str]:
    return _lowest(line.debate.sides, lambda side: side.bits)


def _plurality(line: FeatureLine) -> Sequence[str]:
    """The sides that most debaters proposed."""
    return _lowest(line.debate.sides, lambda side: -len(side.seats))


def _lowest(sides: Sequence[SideLine], key: Callable[[SideLine], float]) -> Sequence[str]:
    lowest = min(map(key, sides), default=0.0)
    return [side.label for side in sides if key(side) == lowest]


def _alone(seat: Seat) -> Callable[[FeatureLine], Sequence[str]]:
    return lambda line: [side.label for side in line.debate.sides if seat.on(side)]


def _mean_f1(line: FeatureLine, labels: Sequence[str]) -> float | None:
    return sum(line.held_out[label] for label in labels) / len(labels) if labels else None


def _own(line: FeatureLine) -> float | None:
    return None if line.scores.token_f1 is None else line.scores.token_f1.value


def _baseline(line: FeatureLine, name: str) -> float | None:
    scored = line.scores.baselines.get(name)
    return None if scored is None or scored.token_f1 is None else scored.token_f1.value
