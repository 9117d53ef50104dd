"""What a million features cost without a language model: `python benchmarks/cost.py [--features 1000] [--workers 4]`.

Live features of the embedded demo model are drawn under a seed. For each its samples are drawn from the store, one
search explains it at the default budget, and the explanation gets five scores with intervals on every held-out
position. Prints processor seconds a feature for each of the three, memory, and what a million features would take and
cost at a price per core-hour, next to what explaining and scoring by language models was published to cost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import random
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from agents.search import STRATEGIES, search
from autointerp.options import CorpusOptions
from autointerp.sampling import sample
from autointerp.scoring import Score, score_explanation
from autointerp.specs import SEARCH_BUDGET
from autointerp.workspace import Workspace, open_workspace
from dsl.errors import InputError

MILLION = 1_000_000
PUBLISHED_EXPLAIN, PUBLISHED_SCORE = (160, 3_400), (125, 2_540)
"""Dollars for a million features by language models, from the cheapest to the dearest model that was published."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds of one feature, what came of it, and the most memory its process has held."""

    sampling: float
    searching: float
    scoring: float
    f1: float | None
    bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strategy", choices=list(STRATEGIES), default=next(iter(STRATEGIES)))
    parser.add_argument("--budget", type=int, default=SEARCH_BUDGET)
    parser.add_argument("--price", type=float, default=0.04, help="dollars a core-hour, as clouds ask for one vCPU")
    options = parser.parse_args()

    workspace = open_workspace(CorpusOptions())
    live = workspace.store.live_features()
    chosen = np.random.default_rng(options.seed).permutation(live)[: options.features].tolist()
    cores = os.cpu_count() or 1
    print(f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()}")
    print(
        f"{len(chosen):,} of {len(live):,} live features, {workspace.store.tokens:,} tokens in the store, seed "
        f"{options.seed}, {options.strategy} search, budget {options.budget:,}, {options.workers} processes"
    )
    del workspace
    began = time.perf_counter()
    spent = _all(chosen, options)
    _report([each for each in spent if each is not None], time.perf_counter() - began, cores, options)
    print(f"{sum(each is None for each in spent)} features had too little to draw from and are left out")


def _all(chosen: Sequence[int], options: argparse.Namespace) -> list[Spent | None]:
    settings = (options.seed, options.strategy, options.budget)
    # Fresh processes: a fork would share the parent's memory and hide what each one needs.
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.workers, initializer=_open, initargs=settings) as pool:
        return list(pool.imap_unordered(_explain, chosen))


def _open(seed: int, strategy: str, budget: int) -> None:
    global _workspace, _settings
    threadpool_limits(1)
    _workspace, _settings = open_workspace(CorpusOptions(), collecting=False), (seed, strategy, budget)


_workspace: Workspace
_settings: tuple[int, str, int]


def _explain(index: int) -> Spent | None:
    """One feature from the store to its scores; None where its samples cannot be drawn."""
    seed, strategy, budget = _settings
    feature = _workspace.subject.feature(index)
    times = [time.process_time()]
    try:
        samples = sample(_workspace.store, _workspace.subject.vocabulary, feature, seed=seed)
    except InputError:
        return None
    times.append(time.process_time())
    found = search(
        samples.evidence,
        strategy=strategy,
        lexicon=_workspace.lexicon,
        budget=budget,
        rng=random.Random(f"{seed} {feature}"),
    )
    times.append(time.process_time())
    f1 = score_explanation(found.explanation, samples.held_out, seed=seed).token_f1
    times.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sampling, searching, scoring = np.diff(times).tolist()
    return Spent(sampling, searching, scoring, f1.value if isinstance(f1, Score) else None, peak)


def _report(spent: Sequence[Spent], wall: float, cores: int, options: argparse.Namespace) -> None:
    columns = {
        "sampling": [each.sampling for each in spent],
        "search": [each.searching for each in spent],
        "scoring": [each.scoring for each in spent],
        "together": [each.sampling + each.searching + each.scoring for each in spent],
    }
    print(f"{'seconds a feature, one core':<30}{'mean':>9}{'median':>9}{'p95':>9}{'core-hours and $ a million':>30}")
    for name, seconds in columns.items():
        hours = float(np.mean(seconds)) * MILLION / 3600
        median, p95 = np.quantile(seconds, [0.5, 0.95])
        cost = f"{hours:,.0f} h   ${hours * options.price:,.2f}"
        print(f"  {name:<28}{np.mean(seconds):>9.4f}{median:>9.4f}{p95:>9.4f}{cost:>30}")
    f1 = [each.f1 for each in spent if each.f1 is not None]
    days = float(np.mean(columns["together"])) * MILLION / cores / 86_400
    print(
        f"held-out F1 {np.mean(f1):.3f} over {len(f1):,}; {wall:.0f} s by the clock, set-up of the processes included"
    )
    print(f"a million features on these {cores} cores: {days:.1f} days, at ${options.price:g} a core-hour")
    first, last = (max(each.bytes for each in some) / 2**20 for some in (spent[: (len(spent) + 1) // 2], spent))
    print(f"memory: {last:,.0f} MB in the largest process, {first:,.0f} MB when half of the features were done")
    explain, score = (f"{low:,}-{high:,}" for low, high in (PUBLISHED_EXPLAIN, PUBLISHED_SCORE))
    print(f"published for language models, dollars a million features: {explain} to explain, {score} to score")


if __name__ == "__main__":
    main()
