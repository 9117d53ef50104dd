"""How well the built-in judge does under each procedure, given the same proposals: `python benchmarks/procedures.py`.

Features of the embedded model are drawn and searched as `autointerp demo` does, once; then the same proposals are
debated plainly, with one and two rounds of rebuttals, and as a consultancy. Every side is scored on the held-out
documents. Over the features whose sides differ there, printed with 95% intervals that resample features:

- chosen: how many debates ended in a choice; in the others the side of the best dev score is reported;
- reported: F1 of the side that is reported, less that of the side of the best dev score;
- preferred: F1 of the side that the judge scores highest, whatever its lead, less that of the best side (the regret).

Beside them stand the regrets of the best dev score, and of a side drawn at random.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch

from agents.debate import debate
from agents.debater import Debater, Respondent
from agents.procedure import Procedure
from agents.quotes import QuoteRequest
from agents.transcript import Transcript
from agents.turns import Argument, Proposal
from agents.views import JudgeView
from autointerp.features import open_court, winning_sides
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pipeline import choose_features
from autointerp.scoring import Score, features_interval, score_explanation
from autointerp.workspace import open_workspace
from dsl.records import Counterexample, Evidence

PROCEDURES = {
    "plain": Procedure(),
    "1 rebuttal": Procedure(rebuttals=1),
    "2 rebuttals": Procedure(rebuttals=2),
    "consultancy": Procedure(format="consultancy"),
}


class Once:
    """A debater that thinks once, and says the same again in every debate about the same examples."""

    def __init__(self, debater: Debater) -> None:
        self.name = debater.name
        self._debater = debater
        self._said: dict[str, Proposal] = {}

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        if problem not in self._said:
            self._said[problem] = self._debater.propose(evidence, rng, problem)
        return self._said[problem]

    def repair(
        self, evidence: Evidence, argument: Argument, counterexamples: Sequence[Counterexample], rng: random.Random
    ) -> Proposal:
        return self._debater.repair(evidence, argument, counterexamples, rng)

    def further_quotes(
        self, evidence: Evidence, own: Argument, view: JudgeView, rng: random.Random, question: str = ""
    ) -> Sequence[QuoteRequest]:
        if not isinstance(self._debater, Respondent):
            return ()
        return self._debater.further_quotes(evidence, own, view, rng, question)


@dataclass(frozen=True, slots=True)
class Held:
    """One debate: the number of the side that is reported, and the one that the judge scores highest."""

    chosen: bool
    reported: int
    preferred: int


@dataclass(frozen=True, slots=True)
class Line:
    """One feature: each side's F1 on held-out documents, the side of the best dev score, and a debate a procedure."""

    f1: tuple[float, ...]
    best_by_dev: int
    held: dict[str, Held]

    def regret(self, side: int) -> float:
        return max(self.f1) - self.f1[side]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = measure(RunOptions(seed=options.seed, features=options.features))
    differ = [line for line in lines if max(line.f1) > min(line.f1)]
    print(f"{options.features} features, {len(lines)} with two sides that have an F1, of which {len(differ)} differ")
    print(f"regret of the best dev score  {_mean([line.regret(line.best_by_dev) for line in differ])}")
    print(f"regret of a side at random    {_mean([max(line.f1) - fmean(line.f1) for line in differ])}")
    for name in PROCEDURES:
        held = [line.held[name] for line in differ]
        pairs = list(zip(differ, held, strict=True))
        print(f"{name}: {sum(one.chosen for one in held)} chosen")
        print(f"  reported   {_mean([line.f1[one.reported] - line.f1[line.best_by_dev] for line, one in pairs])}")
        print(f"  preferred  {_mean([-line.regret(one.preferred) for line, one in pairs])}")


def measure(run: RunOptions) -> list[Line]:
    """One line a feature, those left out of which any side has no F1, or which only one side stood."""
    workspace = open_workspace(CorpusOptions())
    lines: list[Line] = []
    for index in choose_features(workspace, run):
        court = open_court(workspace, index, run)
        debaters = [Once(debater) for debater in court.debaters]
        transcripts = {
            name: debate(
                court.samples.evidence,
                debaters,
                court.judge,
                court.dev_score,
                court.rng("debate"),
                lexicon=workspace.lexicon,
                procedure=procedure,
            )
            for name, procedure in PROCEDURES.items()
        }
        plain = transcripts["plain"]
        scores = [
            score_explanation(side.argument.explanation, court.samples.held_out, seed=run.seed).token_f1
            for side in plain.sides
        ]
        f1 = tuple(score.value for score in scores if isinstance(score, Score))
        if len(f1) == len(plain.sides) > 1:
            best = plain.sides.index(winning_sides(plain)[1])
            lines.append(Line(f1, best, {name: _held(one) for name, one in transcripts.items()}))
    return lines


def _held(transcript: Transcript) -> Held:
    scores = {label: score for vote in transcript.votes for label, score in vote.scores}
    labels = [side.label for side in transcript.sides]
    preferred = max(range(len(labels)), key=lambda number: scores[labels[number]])
    return Held(transcript.outcome == "chosen", transcript.sides.index(winning_sides(transcript)[0]), preferred)


def _mean(values: Sequence[float]) -> str:
    one = features_interval(values, np.random.default_rng(0))
    return f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}]"


if __name__ == "__main__":
    main()
