"""What search recovers of planted truths, and how long it takes: `python benchmarks/search.py [--seeds 3]`.

Each truth labels generated texts (those of the tests); every strategy sees 40 activating and 40 other contexts and is
scored on 300 unseen texts. The baseline is token lookup on the same evidence. Seconds are of one process, one search.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from stories import Lexis, contexts, evidence

from agents.search import STRATEGIES, search
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.parse import parse
from dsl.records import Evidence

TRUTHS = (
    'the word "kitchen"',
    'the word "dog" right after the word "the"',
    'the word "cat" in the context of the word "bank"',
    'words like "red" ["crimson", "red", "scarlet"]',
    'capitalised words right after the word "day"',
    'the words "boat", "stone" within 4 tokens after the word "a"',
    'the word "boat" right after the word "the" in the context of the word "old"',
    'the token " in" or the word "dog" in the context of the word "school"',
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=20_000)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{'unseen token F1, mean over ' + str(options.seeds) + ' seeds':<80}",
        *(f"{name:>9}" for name in STRATEGIES),
        "   lookup",
    )
    seconds: list[float] = []
    unseen = Batch.of(contexts(300, 10_000))
    for truth in TRUTHS:
        wanted = evaluate(parse(f"activates on {truth}"), unseen) > 0
        reached: dict[str, list[float]] = {name: [] for name in (*STRATEGIES, "lookup")}
        for seed in range(options.seeds):
            sample = evidence(f"activates on {truth}", seed)
            reached["lookup"].append(_f1(wanted, _lookup(sample, unseen)))
            for strategy in STRATEGIES:
                began = time.perf_counter()
                found = search(
                    sample, strategy=strategy, lexicon=Lexis(), budget=options.budget, rng=random.Random(seed)
                )
                seconds.append(time.perf_counter() - began)
                reached[strategy].append(_f1(wanted, evaluate(found.explanation, unseen) >= 0.5))
        print(f"  {truth:<78}", *(f"{np.mean(values):>9.3f}" for values in reached.values()))
    print(f"seconds a search: median {np.median(seconds):.2f}, longest {max(seconds):.2f} ({len(seconds)} searches)")


def _f1(wanted: np.ndarray, predicted: np.ndarray) -> float:
    return 2 * float((wanted & predicted).sum()) / max(1.0, float(wanted.sum() + predicted.sum()))


def _lookup(sample: Evidence, unseen: Batch) -> np.ndarray:
    """Tokens that fire at least every second time in the evidence."""
    seen: dict[str, list[bool]] = {}
    for example in sample.examples:
        for token, value in zip(example.context.tokens, example.activations, strict=True):
            seen.setdefault(token, []).append(value >= sample.thresholds.high)
    fires = {token for token, values in seen.items() if 2 * sum(values) >= len(values)}
    return unseen.look_up(unseen.vocabulary.having(sorted(fires))) & unseen.mask


if __name__ == "__main__":
    main()
