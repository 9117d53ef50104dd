"""What the page shows of one feature, as plain data: the caller fills these in, the page computes nothing but layout.

Nothing here needs to be escaped or shortened beforehand; token texts may hold any string, lone surrogates included.
Explanations are canonical texts. Scores are as `Scores.to_json()` gives them: name to `value`, `low`, `high`, `n`, or
to None where there is no such score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ScoreTable = Mapping[str, Mapping[str, float | int] | None]


@dataclass(frozen=True, slots=True)
class ExampleView:
    """A text with what the feature did (`activations`) and what the explanation says (`predicted`, 0 to 1)."""

    tokens: tuple[str, ...]
    activations: tuple[float, ...]
    predicted: tuple[float, ...]
    source: str = ""
    """Where it comes from, for readers: "document 412"."""

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.activations) == len(self.predicted):
            raise ValueError("tokens, activations and predictions differ in number")


@dataclass(frozen=True, slots=True)
class QuoteView:
    """Tokens `start` to `stop - 1` of the evidence example numbered `example`, and how the quote was verified."""

    example: int
    start: int
    stop: int
    status: str


@dataclass(frozen=True, slots=True)
class SideView:
    """One explanation on trial: who proposed it, what was said for it, and the notes that the judge never saw."""

    label: str
    explanation: str
    argument: str = ""
    quotes: tuple[QuoteView, ...] = ()
    debaters: tuple[str, ...] = ()
    dev_score: float | None = None
    scratchpad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteView:
    """What the judge answered to one order of the sides: a side, or None; and its score of each side.

    `shown` are the labels under which it saw them, in the same order; empty where they were the sides' own.
    """

    order: tuple[str, ...]
    label: str | None
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    shown: tuple[str, ...] = ()
    none: float | None = None
    """Its score of answering NONE, where it gave one."""
    answered: bool = True
    thoughts: str = ""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What one side added in a round, and how many of the quotes it asked for came to nothing."""

    side: str
    quotes: tuple[QuoteView, ...]
    refused: int = 0


@dataclass(frozen=True, slots=True)
class RoundView:
    """A rebuttal, or a question of the judge and the answers; a question calls the sides by `names`."""

    kind: Literal["rebuttal", "question"]
    question: str = ""
    names: tuple[tuple[str, str], ...] = ()
    answers: tuple[AnswerView, ...] = ()
    reason: str = ""
    """Why the round came to nothing."""


@dataclass(frozen=True, slots=True)
class CounterexampleView:
    """A text on which the model itself disagrees with the explanation at `position`, beside the text it came from.

    Where it came from none, `contrast` is the text with another token in one place, about which the explanation is
    right. `trail` holds the texts between the generator's and this one, as tokens, first to last.
    """

    kind: Literal["false_positive", "false_negative"]
    generator: str
    example: ExampleView
    position: int
    original: ExampleView | None = None
    original_position: int | None = None
    trail: tuple[tuple[str, ...], ...] = ()
    reason: str = ""
    """Why it is one, in a line."""
    notes: tuple[str, ...] = ()
    contrast: ExampleView | None = None


STAGES = ("generated", "valid", "run", "disagreeing", "confirmed", "shrunk", "unique")


@dataclass(frozen=True, slots=True)
class AttackView:
    """How hard the explanation that the counterexamples stand against was tried."""

    probes: int
    disagreements_per_thousand: float
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Generators that could not run, and why."""
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By generator, how many of its texts reached each of STAGES."""


@dataclass(frozen=True, slots=True)
class RepairView:
    """The proposal that came furthest, and whether it was accepted or why not."""

    accepted: bool
    reason: str
    before: str
    proposal: str | None
    shown: int
    fixed_shown: int
    held_back: int
    fixed_held_back: int
    dev_before: float
    dev_after: float


@dataclass(frozen=True, slots=True)
class HistogramView:
    """Counts of activations above zero between `edges`, of which there is one more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One feature's page.

    `baselines` maps token_lookup, token_lookup_full, best_by_dev and shuffled to their scores. `evidence` maps the
    number of an evidence example to it; those that are quoted are enough. A position fires from `high` on.
    """

    feature: str
    explanation: str
    outcome: Literal["chosen", "consensus", "abstained"]
    fallback: bool
    scores: ScoreTable
    high: float
    maximum: float
    baselines: Mapping[str, ScoreTable | None] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    winner: str | None = None
    """The label of the side that is reported."""
    verdict: str = ""
    """Why the judge abstained, or by how much the winner won: one plain sentence."""
    held_out: tuple[ExampleView, ...] = ()
    evidence: Mapping[int, ExampleView] = field(default_factory=dict)
    sides: tuple[SideView, ...] = ()
    rounds: tuple[RoundView, ...] = ()
    votes: tuple[VoteView, ...] = ()
    forfeits: tuple[tuple[str, str], ...] = ()
    """Debaters that handed in nothing that could stand, and why."""
    counterexamples: tuple[CounterexampleView, ...] = ()
    attack: AttackView | None = None
    repairs: tuple[RepairView, ...] = ()
    density: float | None = None
    histogram: HistogramView | None = None
    promoted: tuple[tuple[str, float], ...] = ()
    """Tokens that the feature raises in the logits, and by how much."""
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def none_scored(self) -> bool:
        """Whether the judge scored answering NONE in any vote."""
        return any(vote.none is not None for vote in self.votes)
