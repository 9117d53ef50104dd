"""What the command line asks for, as values: what to explain, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.procedure import Procedure

WAITING_AT_ONCE = 8
"""Features that a process has at hand while language models are waited for."""


@dataclass(frozen=True, slots=True)
class CorpusOptions:
    """A model, its dictionary, its text, and where its activations are kept; nothing named means the embedded demo.

    `context_tokens` is the length that documents are cut to (None: what the model reads, at most 255).
    """

    model: str | None = None
    sae: Path | None = None
    corpus: Path | None = None
    mlm: Path | None = None
    store: Path | None = None
    device: str = "cpu"
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How features are chosen, who debates, who judges, and how much work an attack may do.

    `named` are feature ids; where there are none, `features` live ones are drawn under the seed. `probe_tokens` is the
    budget of one attack in tokens that the subject model reads, `probes` the most texts that it may try (None: as many
    as that allows), `rounds` how often at most an explanation is mended and attacked again. `judge_thinks` lets a judge
    that is a language model write before it answers; of `candidates` explanations a language model hands in the best;
    with `picks`, quotes are picked for one that showed nothing that fires; `writer` is the language model that writes
    texts for probes. `workers` is the number of processes (None: as many as there are cores, at most one a feature),
    `at_once` how many features each has at hand (None: one, or eight where a language model is waited for). With
    `in_step` there is one process, in which the probes of so many features run as one batch.
    """

    debaters: tuple[str, ...] = ()
    judge: str = "builtin"
    seed: int = 0
    features: int = 5
    named: tuple[str, ...] = ()
    probe_tokens: int = 50_000
    workers: int | None = None
    rounds: int = 3
    probes: int | None = None
    procedure: Procedure = field(default_factory=Procedure)
    judge_thinks: bool = False
    candidates: int = 1
    picks: bool = False
    writer: str | None = None
    at_once: int | None = None
    in_step: int = 1

    @property
    def specs(self) -> tuple[str, ...]:
        """All that may be language models."""
        return (*self.debaters, self.judge, *([self.writer] if self.writer else []))

    def abreast(self, waiting: bool) -> int:
        """How many features a process has at hand, with or without language models that are waited for."""
        return self.at_once or (WAITING_AT_ONCE if waiting else 1)
