"""A whole run with language models: is anybody waiting who need not?

Explains features of the embedded model with debaters and a judge on an OpenAI-compatible server, once as runs are held
(several features at hand in each process) and once one after another, and prints how many calls were in flight, how
busy the subject was, how many prompt tokens came out of the server's prefix cache, and the ratio of the two runs.

    python benchmarks/lm_run.py --server http://127.0.0.1:8000/v1 --model small --features 50 --workers 3 --at-once 8

Both runs draw other features, so that no cache of ours has their calls. Needs a server with `/metrics` as vLLM has it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from autointerp.features import explain_feature, open_court
from autointerp.lms.opening import open_models
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pipeline import ModelWork, choose_features
from autointerp.pool import Failed, Finished, Outcome, work_through
from autointerp.report.fill import feature_view
from autointerp.workspace import complete, open_workspace

GAUGES = ("vllm:num_requests_running", "vllm:num_requests_waiting")
COUNTERS = ("vllm:prefix_cache_queries", "vllm:prefix_cache_hits", "vllm:prompt_tokens", "vllm:generation_tokens")
EVERY = 0.25


@dataclass(frozen=True, slots=True)
class TimedWork(ModelWork):
    """As `ModelWork`, and each line says how long the subject ran for its feature."""

    def open(self) -> Callable[[int], Finished]:
        workspace = open_workspace(self.corpus, collecting=False)
        subject, spent = workspace.subject, threading.local()
        run_subject = subject.activations

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return run_subject(*arguments, **named)
            finally:
                spent.seconds += time.perf_counter() - started

        subject.activations = timed  # type: ignore[method-assign]

        def explain(index: int) -> Finished:
            spent.seconds, started = 0.0, time.perf_counter()
            court = open_court(workspace, index, self.run, self.models)
            result = explain_feature(court)
            line = result.to_json()
            timing = {"subject": spent.seconds, "whole": time.perf_counter() - started}
            return Finished({**line, "timing": timing}, feature_view(result, court.samples))

        return explain


class Watching(threading.Thread):
    """Reads the server's metrics every quarter of a second."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.over = url, threading.Event()
        self.in_flight: list[float] = []
        self.first = self.last = self.read()

    def read(self) -> dict[str, float]:
        with urllib.request.urlopen(self.url, timeout=30) as reply:
            text = reply.read().decode()
        found: dict[str, float] = {}
        for name, value in re.findall(r"^(vllm:\w+?)(?:_total)?(?:\{[^}]*\})? ([0-9.eE+-]+)$", text, re.MULTILINE):
            found[name] = found.get(name, 0.0) + float(value)
        return found

    def run(self) -> None:
        while not self.over.wait(EVERY):
            self.last = self.read()
            self.in_flight.append(sum(self.last.get(name, 0.0) for name in GAUGES))

    def end(self) -> dict[str, float]:
        """What the counters counted meanwhile."""
        self.over.set()
        self.join()
        self.last = self.read()
        return {name: self.last.get(name, 0.0) - self.first.get(name, 0.0) for name in COUNTERS}


def measured(corpus: CorpusOptions, run: RunOptions, hookpoint: str, indices: tuple[int, ...], url: str) -> float:
    """Explain the features, print what was seen, and return seconds a feature."""
    watching = Watching(url)
    watching.start()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["AUTOINTERP_CACHE"], before = cache, os.environ.get("AUTOINTERP_CACHE")
        try:
            with open_models(run.specs) as models:
                work = TimedWork(corpus, run, hookpoint, models)
                outcomes: list[Outcome] = list(
                    work_through(work, indices, run.workers, abreast=run.abreast(waiting=True))
                )
        finally:
            os.environ.pop("AUTOINTERP_CACHE")
            if before is not None:
                os.environ["AUTOINTERP_CACHE"] = before
    wall = time.perf_counter() - started
    counted = watching.end()
    lines: list[dict[str, Any]] = [outcome.line for outcome in outcomes if isinstance(outcome, Finished)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    for outcome in failed[:5]:
        print(f"  failed: {outcome.feature}: {outcome.reason}")
    subject = sum(line["timing"]["subject"] for line in lines)
    workers = min(run.workers or 1, len(indices))
    queries = counted["vllm:prefix_cache_queries"]
    usage = [line["debate"]["measures"]["usage"] for line in lines]
    calls = sum(spent["calls"] for used in usage for spent in (*used["debaters"], used["judge"]))
    flight = watching.in_flight
    print(f"  {len(lines)} features explained, {len(failed)} failed, in {wall:.1f} s; {calls} calls in debates")
    print(f"  calls in flight at the server: mean {sum(flight) / len(flight):.1f}, most {max(flight):.0f}")
    print(f"  subject idle: {1 - subject / (workers * wall):.1%} of {workers} processes' time ({subject:.1f} s run)")
    print(f"  prefix cache: {counted['vllm:prefix_cache_hits'] / queries if queries else 0:.1%} of prompt tokens")
    tokens = counted["vllm:generation_tokens"]
    print(f"  {counted['vllm:prompt_tokens']:.0f} prompt and {tokens:.0f} new tokens, {tokens / wall:.0f} new a second")
    return wall / len(indices)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, metavar="URL")
    parser.add_argument("--model", required=True)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--baseline-features", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--probe-tokens", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    spec = f"openai:{asked.model}@{asked.server}"
    run = RunOptions(
        debaters=(spec, spec, spec),
        judge=spec,
        seed=asked.seed,
        features=asked.features + asked.baseline_features,
        probe_tokens=asked.probe_tokens,
        workers=asked.workers,
        at_once=asked.at_once,
        picks=True,  # so that a model without skill, too, has sides to judge and explanations to attack
    )
    workspace = open_workspace(CorpusOptions())
    indices = choose_features(workspace, run)
    corpus = replace(complete(CorpusOptions()), store=workspace.store.folder)
    hookpoint, url = workspace.subject.hookpoint, asked.server.removesuffix("/v1") + "/metrics"
    print(f"{platform.platform()}, {os.cpu_count()} cores; {json.dumps(vars(asked))}")
    print(f"several at once: {asked.workers} processes, {asked.at_once} features in each")
    many = measured(corpus, run, hookpoint, indices[: asked.features], url)
    print("one call at a time: 1 process, 1 feature")
    one = measured(corpus, replace(run, workers=1, at_once=1), hookpoint, indices[asked.features :], url)
    print(f"{many:.2f} s a feature against {one:.2f}: {one / many:.1f} times as fast")


if __name__ == "__main__":
    main()
