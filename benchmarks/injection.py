"""Trigger tokens put into unrelated text: how many features fire, and did their explanations say so?

    python benchmarks/injection.py [--features 200] [--texts 50] [--repair] [--workers 1]

The protocol is that of Ma, Liang, Chen and Sojoudi, "Falsifying Sparse Autoencoder Reasoning Features in Language
Models" (2026, arXiv:2601.05679), on features of the embedded model drawn as `autointerp demo` draws them: the ten
tokens with the highest mean activation in the feature's evidence, three at a time, in natural texts of training
documents in which the feature is silent throughout. The explanation is the one that the debate chose; with `--repair`
the one that is left after attack and repair.

Rows, by strategy: the share of features that respond (Cohen's d of at least 0.2) and respond strongly (0.8); that fire
in at least half of the texts; whose explanation predicts something in at least half of them; and over texts the share
that fires, that is predicted, of the firing ones predicted there (recall) and of the predicted ones firing (precision).
As texts are chosen silent, d counts any firing as a response; the published baseline was not filtered so. The last row
is of features for which any of the three holds, its shares over all texts. Intervals (95%) resample features.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context

import numpy as np
import torch

from agents.debate import debate
from autointerp.features import Court, open_court, winning_sides
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pipeline import choose_features
from autointerp.windows import unrelated_texts
from autointerp.workspace import Workspace, open_workspace
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.render import render
from probes.injection import STRATEGIES, Response, respond, triggers
from probes.trial import Reading

RESPONDS, STRONGLY = 0.2, 0.8
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: its explanation, its triggers, and what each strategy did."""

    index: int
    explanation: str
    triggers: tuple[str, ...]
    responses: tuple[Response, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """One process's way from a feature's index to its row."""

    run: RunOptions
    texts: int
    repair: bool
    opened: list[Workspace] = field(default_factory=list)

    def __call__(self, index: int) -> Row:
        if not self.opened:
            torch.set_num_threads(1)
            self.opened.append(open_workspace(CorpusOptions(), collecting=False))
        workspace = self.opened[0]
        court = open_court(workspace, index, self.run)
        explanation = _explanation(court, repair=self.repair)
        evidence = court.samples.evidence
        subject = workspace.subject
        top = triggers(_readings(court, explanation))
        rng = np.random.default_rng([self.run.seed, index])
        texts = unrelated_texts(workspace.store, index, self.texts, rng)
        drawn = random.Random(f"{self.run.seed} {index} injection")
        responses = respond(subject, index, explanation, evidence.thresholds, top, texts, drawn) if top else ()
        return Row(index, render(explanation), tuple(subject.vocabulary.strings[token] for token in top), responses)


def main() -> None:
    options = _options()
    run = RunOptions(seed=options.seed, features=options.features)
    workspace = open_workspace(CorpusOptions())
    chosen = choose_features(workspace, run)
    work = Work(run, options.texts, options.repair)
    start = time.perf_counter()
    rows: list[Row] = []
    with get_context("spawn").Pool(options.workers) as pool:
        for row in pool.imap(work, chosen):
            rows.append(row)
            if options.rows:
                print(json.dumps(asdict(row)), flush=True)
        pool.close()
        pool.join()
    _print(rows, np.random.default_rng(options.seed))
    print(f"{len(rows)} features, {options.texts} texts each, {time.perf_counter() - start:.0f} s")


def _explanation(court: Court, *, repair: bool) -> Explanation:
    samples = court.samples
    transcript = debate(
        samples.evidence, court.debaters, court.judge, court.dev_score, court.rng("debate"),
        lexicon=court.workspace.lexicon,
    )  # fmt: skip
    winner, _ = winning_sides(transcript)
    if not repair:
        return winner.argument.explanation
    rivals = [side.argument.explanation for side in transcript.sides]
    return court.defend(winner.argument.explanation, rivals).after


def _readings(court: Court, explanation: Explanation) -> list[Reading]:
    """The evidence as texts that were read: the corpus pass has read them."""
    evidence = court.samples.evidence
    predicted = evaluate(explanation, evidence.batch)
    return [
        Reading(
            example.context.token_ids or (), np.array(example.activations), predicted[row, : len(example.activations)]
        )
        for row, example in enumerate(evidence.examples)
    ]


def _print(rows: Sequence[Row], rng: np.random.Generator) -> None:
    heads = ("respond", "strongly", "fire", "predicted", "texts fire", "predicted", "recall", "precision")
    print(f"{'':12}" + "".join(f"{head:>22}" for head in heads))
    for strategy in (*STRATEGIES, "any"):
        some = [[one for one in row.responses if strategy in ("any", one.strategy)] for row in rows if row.responses]
        measured = np.array([_measures(responses) for responses in some if any(one.texts for one in responses)])
        drawn = rng.integers(len(measured), size=(1000, len(measured)))
        resampled = np.array([_table(measured[places]) for places in drawn])
        low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
        cells = [f"{v:.3f} [{a:.3f}, {b:.3f}]" for v, a, b in zip(_table(measured), low, high, strict=True)]
        print(f"{strategy:12}" + "".join(f"{cell:>22}" for cell in cells))
    print(f"{sum(not row.responses for row in rows)} features without triggers are left out")


def _measures(responses: Sequence[Response]) -> list[float]:
    """Of one feature: four verdicts, then texts, firing, predicted, both."""
    # Where nothing varies either nothing fired, or all texts fired alike.
    effects = [(np.inf if one.fired else 0.0) if one.effect is None else one.effect for one in responses]
    texts, fired, predicted, both = (
        sum(getattr(one, name) for one in responses) for name in ("texts", "fired", "predicted", "both")
    )
    return [
        float(max(effects) >= RESPONDS),
        float(max(effects) >= STRONGLY),
        float(any(one.texts and one.fired >= HALF * one.texts for one in responses)),
        float(any(one.texts and one.predicted >= HALF * one.texts for one in responses)),
        texts, fired, predicted, both,
    ]  # fmt: skip


def _table(measured: np.ndarray) -> list[float]:
    shares = measured[:, :4].mean(axis=0).tolist()
    texts, fired, predicted, both = measured[:, 4:].sum(axis=0)
    return [*shares, fired / texts, predicted / texts, _over(both, fired), _over(both, predicted)]


def _over(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--texts", type=int, default=50)
    parser.add_argument("--repair", action="store_true")
    parser.add_argument("--rows", action="store_true", help="print a JSON line for every feature, too")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
