"""Attacks of several features in step, against the same attacks one after another in the same process.

    python benchmarks/gathering.py                                      # the embedded model: 1, 8 and 32 features
    python benchmarks/gathering.py --features 8 --threads 4 --model DIR --sae DIR --corpus F
    python benchmarks/gathering.py --device cuda

Attacks are on the explanations that search proposes, with all generators. One after another each attack's texts are
merged among themselves; in step (`autointerp.gathering`) those of all features are, between two steps. Times are the
best of `--repeats`, taken in turns; on one thread they are seconds of the processor. `tokens_saved` is the share of the
tokens run one after another that is not run in step; forwards are those of such batches, not of verdicts, which are run
alone either way. Found alike: how many attacks brought back the very same texts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from autointerp.features import Court, open_court
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pool import available_cores
from autointerp.workspace import open_workspace
from dsl.nodes import Explanation
from probes.attack import Attack


def main() -> None:
    options = _options()
    workspace = open_workspace(
        CorpusOptions(model=options.model, sae=options.sae, corpus=options.corpus, device=options.device)
    )
    subject = workspace.subject
    subject.cache = None  # what is measured is run
    live = workspace.store.live_features().tolist()
    chosen = random.Random(options.seed).sample(live, min(max(options.features), len(live)))
    run = RunOptions(seed=options.seed, probe_tokens=options.tokens)
    courts = [open_court(workspace, index, run) for index in chosen]
    explanations = [
        court.debaters[0].propose(court.samples.evidence, court.rng("benchmark")).explanation for court in courts
    ]
    courts[0].attack(explanations[0], "warm up")
    for threads in options.threads or dict.fromkeys((1, available_cores())):
        torch.set_num_threads(threads)
        for count in options.features:
            tasks = [partial(_attack, *pair) for pair in zip(courts[:count], explanations[:count], strict=True)]
            apart, together = (
                _Way(lambda tasks=tasks: [task() for task in tasks]),
                _Way(lambda tasks=tasks: subject.gathering.run(tasks)),
            )
            clock = time.process_time if threads == 1 and options.device == "cpu" else time.perf_counter
            for _ in range(options.repeats):
                for way in (apart, together):
                    before, forwards = subject.work.run, subject.work.forwards
                    way.go(clock)
                    way.tokens, way.forwards = subject.work.run - before, subject.work.forwards - forwards
            print(
                json.dumps(
                    {
                        "device": options.device,
                        "load": round(os.getloadavg()[0], 1),
                        "threads": threads,
                        "features": len(tasks),
                        "tokens_apart": apart.tokens,
                        "tokens_in_step": together.tokens,
                        "tokens_saved": round(1 - together.tokens / apart.tokens, 3),
                        "forwards_apart": apart.forwards,
                        "forwards_in_step": together.forwards,
                        "seconds_an_attack_apart": round(apart.seconds / len(tasks), 2),
                        "seconds_an_attack_in_step": round(together.seconds / len(tasks), 2),
                        "times_as_fast_in_step": round(apart.seconds / together.seconds, 3),
                        "found_alike": sum(map(_alike, apart.found, together.found)),
                    }
                ),
                flush=True,
            )


class _Way:
    """One way to run the attacks: the best time so far, and what the last run found."""

    def __init__(self, run: Callable[[], list[Attack]]) -> None:
        self.run, self.seconds, self.tokens, self.forwards = run, float("inf"), 0, 0
        self.found: list[Attack] = []

    def go(self, clock: Callable[[], float]) -> None:
        start = clock()
        self.found = self.run()
        self.seconds = min(self.seconds, clock() - start)


def _attack(court: Court, explanation: Explanation) -> Attack:
    return court.attack(explanation, "attack 1")


def _alike(one: Attack, other: Attack) -> bool:
    def texts(attack: Attack) -> list[object]:
        return [
            (found.kind, found.position, found.generator, found.example.context)
            for found in (*attack.counterexamples, *attack.mates)
        ]

    return texts(one) == texts(other)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--sae", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+")
    parser.add_argument("--features", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=20_000, help="budget of an attack in subject tokens")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
