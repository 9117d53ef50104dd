"""What is known of one feature at the end, and the JSON line that says it. The keys are a fixed contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from agents.lm import Usage
from agents.transcript import Transcript
from autointerp.defence import Defence
from autointerp.measures.side_scores import SideScore
from autointerp.scoring import Scores
from dsl.nodes import Explanation
from dsl.render import render
from probes.attack import Attack
from probes.bank import to_json
from probes.subject import TokenIds


@dataclass(frozen=True, slots=True)
class FeatureResult:
    """One feature's debate, defence and scores.

    `baselines` names what the scores are to be compared with; a baseline that was not run is None. `before_repair` are
    the scores of the explanation as the debate left it, where a repair was accepted. `sides_held_out` is what each side
    of the debate scores, before any repair: what the judge's choice is measured against. `repair_usage` is what each
    debater, by seat, asked of a language model to mend the explanation (of records, to fit it to all of them), and
    `control_usage` the same for the best by dev score where that is another one. `skipped` says, by name, which parts
    of the work were not done and why.
    """

    feature: str
    explanation: Explanation
    transcript: Transcript
    defence: Defence
    scores: Scores
    baselines: Mapping[str, Scores | None]
    before_repair: Scores | None = None
    sides_held_out: tuple[SideScore, ...] = ()
    repair_usage: tuple[Usage, ...] = ()
    control_usage: tuple[Usage, ...] = ()
    prefix: TokenIds = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        canonical = render(self.explanation)
        standing = self.defence.standing
        scores: dict[str, object] = dict(self.scores.to_json())
        scores["baselines"] = {
            name: None if scored is None else scored.to_json() for name, scored in self.baselines.items()
        }
        scores["before_repair"] = None if self.before_repair is None else self.before_repair.to_json()
        scores["unscored"] = self.scores.unscored()
        return {
            "feature": self.feature,
            "explanation": canonical,
            "canonical": canonical,
            "debate": self.transcript.to_json()
            | {
                "before_repair": render(self.defence.before),
                "repairs": [repair.to_json() for repair in self.defence.repairs],
                "repair_usage": [asdict(usage) for usage in self.repair_usage],
                "control_usage": [asdict(usage) for usage in self.control_usage],
            },
            "scores": scores,
            "sides_held_out": [score.to_json() for score in self.sides_held_out],
            "counterexamples": [to_json(one, self.prefix) for one in standing.counterexamples] if standing else [],
            "probes": [attack_json(attack) for attack in self.defence.attacks],
            "skipped": dict(self.skipped),
        }


def attack_json(attack: Attack) -> dict[str, object]:
    """What an attack cost and how far each generator's texts came."""
    return {
        "probes": attack.probes,
        "subject_tokens": attack.tokens,
        "disagreeing": attack.disagreeing,
        "disagreements_per_thousand": attack.disagreements_per_thousand,
        "first": attack.first,
        "boundary": attack.boundary,
        "confirming": attack.confirming,
        "overturned": attack.overturned,
        "funnel": {name: asdict(funnel) for name, funnel in attack.funnel.items()},
    }
