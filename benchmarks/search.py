"""How well search explains real features, and how fast: `python benchmarks/search.py --records FILE --demo 100`.

Records (lines of JSON: `id` and `examples` of `tokens` and `acts`) are explained from half of their examples, drawn
under the seed, and tested on the other half; a feature fires at a tenth of its maximum over the half that was seen.
Features of the embedded model are drawn and sampled as `autointerp demo` does and tested on all held-out positions.

Rows: each strategy alone; "search", which is the best of the default debaters by dev score; and what it has to beat,
on the same evidence unless a row says otherwise. `--previous DIR` adds the search of an earlier commit, checked out
there. Differences are paired by feature; intervals (95%) resample features. Times are of one process with one thread,
with `--workers` of them side by side. A correlation that does not exist, as one prediction is made everywhere, is 0.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import platform
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ngrams import Ngrams
from previous_search import PreviousSearch

from agents.search import STRATEGIES, search
from autointerp.lexicons import DefaultLexicon
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pipeline import choose_features
from autointerp.records_file import FeatureRecord
from autointerp.records_run import all_as_evidence
from autointerp.sampling import Samples, sample
from autointerp.scoring import TokenLookup, dev_score, features_interval
from autointerp.scoring.bootstrap import whole
from autointerp.scoring.correlation import pearson
from autointerp.scoring.counts import count, token_f1
from autointerp.scoring.positions import Positions
from autointerp.scoring.ranking import auprc
from autointerp.specs import SEARCH_BUDGET, default_debaters
from autointerp.workspace import Workspace, open_workspace
from dsl.complexity import bits, order
from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.parse import parse
from dsl.records import Context, Evidence, Example
from dsl.render import render

MEASURES = ("f1", "auprc", "pearson")


def defaults(examples: int) -> tuple[str, ...]:
    """The strategies of those who debate a feature of so many examples when nobody is named."""
    return tuple(spec.partition(":")[2] or STRATEGIES[0] for spec in default_debaters(examples))


SEARCH, PREVIOUS, PREVIOUS_THEN = "search", "previous search", "previous, its own evidence"
LOOKUP, LOOKUP_FULL, NGRAMS = "token lookup", "token lookup, all training", "top-k tokens, n-grams"
BASELINES = (LOOKUP, LOOKUP_FULL, NGRAMS, PREVIOUS, PREVIOUS_THEN)

Row = dict[str, Any]
Line = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="features as lines of JSON")
    parser.add_argument("--features", type=int, default=300, help="how many of the records, drawn under the seed")
    parser.add_argument("--demo", type=int, default=0, metavar="N", help="features of the embedded model")
    parser.add_argument(
        "--previous", type=Path, help="checkout of an earlier commit, as `git worktree add DIR COMMIT` makes"
    )
    parser.add_argument("--top", type=int, default=20, help="tokens that the n-gram baseline knows on their own")
    parser.add_argument("--budget", type=int, default=SEARCH_BUDGET)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write a line a feature here")
    options = parser.parse_args()
    if options.records is None and not options.demo:
        parser.error("name --records FILE, --demo N or both")

    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"seed {options.seed}, budget {options.budget}, {options.workers} workers of one thread each")
    lines: list[Line] = []
    if options.records is not None:
        lexicon = DefaultLexicon()
        lexicon.prepare()
        lines += run("records", Records.read(options.records, options.features, options.seed), lexicon, options)
    if options.demo:
        workspace = open_workspace(CorpusOptions())
        indices = choose_features(workspace, RunOptions(seed=options.seed, features=options.demo))
        lines += run("demo", DemoFeatures(workspace, indices, options.seed), workspace.lexicon, options)
    if options.json:
        options.json.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Records:
    """Features that came as strings; there is no dev sample, so evidence takes its place."""

    records: Sequence[Mapping[str, Any]]
    seed: int
    vocabulary: None = None
    store: None = None

    @classmethod
    def read(cls, path: Path, features: int, seed: int) -> Records:
        with path.open(encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        return cls(random.Random(f"{seed} records").sample(records, min(features, len(records))), seed)

    def __len__(self) -> int:
        return len(self.records)

    def samples(self, number: int) -> Samples:
        record = self.records[number]
        name = str(record["id"])
        examples = [
            Example(Context(tuple(example["tokens"])), tuple(max(0.0, float(value)) for value in example["acts"]))
            for example in record["examples"]
        ]
        random.Random(f"{self.seed} {name} halves").shuffle(examples)
        half = len(examples) // 2
        return all_as_evidence(name, tuple(examples[:half]), FeatureRecord(name, tuple(examples[half:])))

    def where(self, number: int) -> None:
        """No store to draw other evidence from."""
        del number


@dataclass(frozen=True, eq=False)
class DemoFeatures:
    """Features of the embedded model, over its store."""

    workspace: Workspace
    indices: Sequence[int]
    seed: int

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.workspace.subject.vocabulary.strings

    @property
    def store(self) -> Path:
        return self.workspace.store.folder

    def __len__(self) -> int:
        return len(self.indices)

    def samples(self, number: int) -> Samples:
        subject = self.workspace.subject
        feature = subject.feature(self.indices[number])
        return sample(self.workspace.store, subject.vocabulary, feature, seed=self.seed)

    def where(self, number: int) -> int:
        return self.indices[number]


@dataclass(eq=False)
class Bench:
    """What a process works with; it starts with the first feature that it measures."""

    source: Records | DemoFeatures
    lexicon: DefaultLexicon
    options: argparse.Namespace
    previous: PreviousSearch | None = None
    started: bool = False

    def start(self, number: int) -> None:
        """Start the other process, and measure once for nothing: the first search of a process loads the lexicon."""
        self.started = True
        if self.options.previous is not None:
            checkout = self.options.previous.resolve()
            self.previous = PreviousSearch(checkout, self.source.vocabulary, self.source.store)
        self.measure(number)

    def measure(self, number: int) -> Line:
        """All rows of one feature; no rows where nothing fires in what they are tested on."""
        samples, seed = self.source.samples(number), self.options.seed
        evidence, held_out = samples.evidence, samples.held_out
        positions = Positions.of(held_out)
        rows: dict[str, Row] = {}
        line = {"feature": evidence.feature, "firing": int(positions.fires.sum()), "rows": rows}
        if not line["firing"]:
            return line

        def explained(explanation: Explanation, milliseconds: float) -> Row:
            graded = evaluate(explanation, held_out.batch)
            size = {"bits": bits(explanation), "explanation": render(explanation)}
            return _scores(graded >= PREDICTED, graded, positions) | size | {"ms": milliseconds}

        def best(found: Mapping[str, tuple[Explanation, float]]) -> Row:
            """The one to report, and the time of all."""
            kept, _ = min(found.values(), key=lambda one: (-dev_score(one[0], samples.dev), order(one[0])))
            return explained(kept, sum(taken for _, taken in found.values()))

        found = {strategy: self._search(evidence, strategy) for strategy in STRATEGIES}
        rows |= {strategy: explained(*one) for strategy, one in found.items()}
        rows[SEARCH] = best({strategy: found[strategy] for strategy in defaults(len(evidence.examples))})

        training = (evidence.batch, evidence.activations)
        tables: dict[str, Callable[[], TokenLookup | Ngrams]] = {
            LOOKUP: lambda: TokenLookup.fit(*training, evidence.thresholds),
            NGRAMS: lambda: Ngrams.fit(*training, evidence.thresholds, top=self.options.top),
        }
        if isinstance(self.source, DemoFeatures):
            everything = samples.training()
            tables[LOOKUP_FULL] = lambda: TokenLookup.fit(*everything, evidence.thresholds)
        for name, fit in tables.items():
            began = time.perf_counter()
            table = fit()
            taken = 1000 * (time.perf_counter() - began)
            rows[name] = _scores(*table.predict(held_out.batch), positions) | {"ms": taken}

        if self.previous is not None:
            answer = self.previous.ask(_plain(evidence) | {"seed": seed})
            rows[PREVIOUS] = best(
                {strategy: (parse(text, self.lexicon), taken) for strategy, text, taken in answer["found"]}
            )
            index = self.source.where(number)
            if index is not None:
                answer = self.previous.ask({"index": index, "seed": seed})
                _, text, _ = answer["found"][answer["best"]]
                taken = sum(each for _, _, each in answer["found"])
                rows[PREVIOUS_THEN] = explained(parse(text, self.lexicon), taken)
        return line

    def _search(self, evidence: Evidence, strategy: str) -> tuple[Explanation, float]:
        rng = random.Random(self.options.seed)
        began = time.perf_counter()
        found = search(evidence, strategy=strategy, lexicon=self.lexicon, budget=self.options.budget, rng=rng)
        return found.explanation, 1000 * (time.perf_counter() - began)


def _scores(predicted: np.ndarray, graded: np.ndarray, positions: Positions) -> Row:
    yes, grades = positions.take(predicted), positions.take(graded).astype(np.float64)
    documents = positions.document_count
    correlation = whole(pearson(grades, positions), documents)
    return {
        "f1": whole(token_f1(count(yes, positions)), documents),
        "auprc": whole(auprc(grades, positions), documents),
        "pearson": 0.0 if np.isnan(correlation) else correlation,
    }


def _plain(evidence: Evidence) -> dict[str, Any]:
    """Evidence as what any commit reads; what its contexts stand for is left out, as it was unknown once."""
    thresholds = evidence.thresholds
    return {
        "feature": evidence.feature,
        "examples": [
            (each.context.tokens, each.context.token_ids, each.context.start, each.context.document, each.activations)
            for each in evidence.examples
        ],
        "thresholds": (thresholds.high, thresholds.silent, thresholds.maximum),
        "density": evidence.density,
    }


_BENCH: list[Bench] = []
"""The one bench of this process; those made by forking have a copy each."""


def run(part: str, source: Records | DemoFeatures, lexicon: DefaultLexicon, options: argparse.Namespace) -> list[Line]:
    """A line a feature, in order, and the tables printed."""
    began = time.perf_counter()
    _BENCH[:] = [Bench(source, lexicon, options)]
    with get_context("fork").Pool(options.workers) as pool:
        lines = [{"part": part, **line} for line in pool.imap(_measure, range(len(source)), chunksize=1)]
    print(f"\n{part}: {len(lines)} features, {time.perf_counter() - began:.0f} s")
    report(lines, options)
    return lines


def _measure(number: int) -> Line:
    [bench] = _BENCH
    if not bench.started:
        bench.start(number)
    return bench.measure(number)


def report(lines: Sequence[Line], options: argparse.Namespace) -> None:
    """Means, then differences, both over features."""
    scored = [line["rows"] for line in lines if line["rows"]]
    if len(scored) < len(lines):
        print(f"{len(lines) - len(scored)} left out: they fire nowhere in what they are tested on")
    if not scored:
        return
    names = [*STRATEGIES, SEARCH, *(name for name in BASELINES if name in scored[0])]
    print("search: the best by dev score of the default debaters' strategies; its time is that of all of them")
    print(f"{'':30}{'F1':<24}{'AUPRC':<24}{'Pearson':<24}{'bits':>6}{'median ms':>11}{'p95 ms':>9}")
    for name in names:
        rows = [row[name] for row in scored]
        cells = "".join(f"{_interval([row[measure] for row in rows], options.seed):<24}" for measure in MEASURES)
        size = f"{np.mean([row['bits'] for row in rows]):6.0f}" if "bits" in rows[0] else f"{'-':>6}"
        taken = [row["ms"] for row in rows]
        print(f"{name:<30}{cells}{size}{np.median(taken):11.1f}{np.quantile(taken, 0.95):9.1f}")
    print("search minus")
    for name in names[len(STRATEGIES) + 1 :]:
        cells = "".join(
            f"{_interval([row[SEARCH][each] - row[name][each] for row in scored], options.seed, '+'):<24}"
            for each in MEASURES
        )
        print(f"  {name:<28}{cells}")


def _interval(values: Sequence[float], seed: int, sign: str = "") -> str:
    score = features_interval(values, np.random.default_rng(seed))
    return f"{score.value:{sign}.3f} [{score.low:{sign}.3f}, {score.high:{sign}.3f}]"


if __name__ == "__main__":
    main()
