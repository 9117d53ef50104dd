"""Probes a second, against a plain loop over the same texts in the same process.

    python benchmarks/throughput.py                                    # the embedded model, one thread and all cores
    python benchmarks/throughput.py --model DIR --sae DIR --corpus F   # another
    python benchmarks/throughput.py --model DIR --train-sae blocks.0.hook_resid_post --corpus F
    python benchmarks/throughput.py --device cuda --texts 4096         # batch sizes 32 to 4,096, bfloat16 and float32

The texts are what the generators write: masked-LM edits and mutants' texts of parents of 64 tokens, for explanations
that search proposes for live features. The plain loop runs TransformerLens's `run_with_cache` on each text, on a model
loaded for it and left as it came, and encodes with the whole dictionary. Ours is `TransformerSubject.activations`, one
call for all edits of one text; beside it, what it would take text by text in batches, and in bfloat16. Times are the
best of `--repeats`, taken in turns. Then one whole attack is profiled: where its time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import os
import platform
import pstats
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from autointerp.at_hand import at_hand
from autointerp.corpus import read_documents
from autointerp.demo.build import train_dictionary
from autointerp.demo.settings import DictionarySettings
from autointerp.features import Court, open_court
from autointerp.loading import folder_of, load_bridge, read_config
from autointerp.models import Precision, TransformerSubject
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pool import available_cores
from autointerp.workspace import Workspace, complete, open_workspace
from dsl.nodes import Explanation
from dsl.records import Thresholds
from probes.generators import MaskedEdits, Mutants
from probes.probing import in_turn
from probes.question import Question
from probes.subject import TokenIds
from probes.trial import Budget, Reading, Trial
from probes.verify import false_negatives, false_positives

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

PARENT_TOKENS, AFTER = 64, 8
BATCHES = (32, 128, 512, 1024, 2048, 4096)
STEPS = {
    "probing": ("probing.py", "run"),
    "confirm": ("confirm.py", "confirm|counterexample_of|naturalness_of_found"),
    "shrink": ("shrink.py", "shrink_all"),
    "explain": ("explain.py", "explain"),
    "infill": ("infill.py", "infill"),
    "embed": ("word_vectors.py", "embed"),
    "evaluate": ("evaluate.py", "evaluate"),
    "trees": ("prefixes.py", "packed|sees"),
    "forward": ("forward.py", "read"),
    "encode": ("saelens.py", "encode"),
    "subject": ("models.py", "activations"),
    "tokenize": ("models.py", "tokenize"),
}


@dataclass(frozen=True)
class Edits:
    """All edits of one text, written against one explanation of one feature."""

    feature: int
    explanation: Explanation
    thresholds: Thresholds
    texts: tuple[TokenIds, ...]


def main() -> None:
    options = _options()
    with _dictionary(options) as sae:
        named = CorpusOptions(model=options.model, sae=sae, corpus=options.corpus, device="cpu")
        workspace = open_workspace(named)
        workspace.subject.cache = None  # what is measured is run
        courts = _courts(workspace, options.features, options.seed)
        edits = _edits(workspace, courts, options.texts, options.edits, options.seed)
        paths = complete(named)
        assert paths.model is not None
        assert paths.sae is not None
        folder = folder_of(paths.model)
        plain = load_bridge(folder, read_config(folder), options.device)
        subjects = {
            precision: TransformerSubject.load(paths.model, paths.sae, device=options.device, precision=precision)
            for precision in ("float32", "bfloat16")
        }
        _say(
            machine=f"{platform.processor() or platform.machine()}, {available_cores()} cores",
            load=round(os.getloadavg()[0], 1),
            device=torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
            model=subjects["float32"].model_name,
            hookpoint=workspace.subject.hookpoint,
            d_sae=workspace.subject.d_sae,
            seed=options.seed,
            parents=len(edits),
            **_sizes(edits, len(workspace.subject.prefix)),
        )
        if options.device == "cuda":
            _sweep(plain, subjects, edits, options.repeats)
        else:
            for threads in options.threads or dict.fromkeys((1, available_cores())):
                torch.set_num_threads(threads)
                _compare(plain, subjects, edits, options.repeats, threads)
        _agreement(plain, subjects, edits[: options.checked])
        torch.set_num_threads(1)
        _profile(courts[0])


def _compare(
    plain: TransformerBridge,
    subjects: dict[Precision, TransformerSubject],
    edits: Sequence[Edits],
    repeats: int,
    threads: int,
) -> None:
    """All edits of one text in one call, a call a text."""
    exact = subjects["float32"]
    ways: dict[str, Callable[[], object]] = {
        "plain_loop": lambda: [_plain_loop(plain, exact, one.texts, [one.feature]) for one in edits],
        "batches": lambda: [
            exact._each(one.texts, lambda rows, one=one: _encode(exact, rows, [one.feature]), 1, None) for one in edits
        ],
        "ours": lambda: [exact.activations(one.texts, [one.feature]) for one in edits],
        "ours_bfloat16": lambda: [subjects["bfloat16"].activations(one.texts, [one.feature]) for one in edits],
    }
    probes = sum(len(one.texts) for one in edits)
    # On one thread, seconds of the processor: what else the machine does is then not counted, caches aside.
    best = _best_of(ways, repeats, time.process_time if threads == 1 else time.perf_counter)
    _say(
        threads=threads,
        seconds_of="processor" if threads == 1 else "wall",
        probes_per_second={name: round(probes / seconds, 1) for name, seconds in best.items()},
        over_plain_loop={name: round(best["plain_loop"] / best[name], 2) for name in best if name != "plain_loop"},
        unshared=dict(exact.work.unshared),
    )


def _sweep(
    plain: TransformerBridge, subjects: dict[Precision, TransformerSubject], edits: Sequence[Edits], repeats: int
) -> None:
    """Texts of all parents and features together, so many a call; the columns of all features are asked for."""
    features = sorted({one.feature for one in edits})
    texts = list(dict.fromkeys(text for one in edits for text in one.texts))
    exact = subjects["float32"]
    some = texts[:256]
    best = _best_of({"plain_loop": lambda: _plain_loop(plain, exact, some, features)}, repeats)
    each = best["plain_loop"] / len(some)
    for size in BATCHES:
        if size > len(texts):
            break

        def run(subject: TransformerSubject, size: int = size) -> None:
            for first in range(0, len(texts), size):
                subject.activations(texts[first : first + size], features)

        best = _best_of({name: lambda one=one: run(one) for name, one in subjects.items()}, repeats)
        _say(
            batch=size,
            probes_per_second={name: round(len(texts) / seconds) for name, seconds in best.items()},
            over_plain_loop={name: round(each * len(texts) / seconds, 1) for name, seconds in best.items()},
        )
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    _say(plain_loop_probes_per_second=round(1 / each, 1), peak_gib=round(peak / 2**30, 2))


def _agreement(plain: TransformerBridge, subjects: dict[Precision, TransformerSubject], edits: Sequence[Edits]) -> None:
    """How far batches are from the plain loop, and how many of their disagreements a run alone in float32 overturns."""
    exact = subjects["float32"]
    for precision, subject in subjects.items():
        furthest = largest = 0.0
        unsure = positions = seen = overturned = 0
        for one in edits:
            together = subject.activations(one.texts, [one.feature])
            alone = exact.activations(one.texts, [one.feature], batch_size=1)
            looped = _plain_loop(plain, exact, one.texts, [one.feature])
            near = exact.near_boundary(one.texts, [one.feature])
            trial = Trial(one.explanation, one.feature, exact, one.thresholds, Budget(0))
            pairs = zip(trial._readings(one.texts, together), trial._readings(one.texts, alone), strict=True)
            for rough, fine in pairs:
                found, standing = _wrong(rough, one.thresholds), _wrong(fine, one.thresholds)
                seen += int(found.sum())
                overturned += int((found & ~standing).sum())
            for ours, theirs, sure in zip(together, looped, (~rows for rows in near), strict=True):
                furthest = max(furthest, float(np.abs(ours - theirs)[sure].max(initial=0)))
                largest = max(largest, float(theirs.max(initial=0)))
                unsure, positions = unsure + int((~sure).sum()), positions + sure.size
        _say(
            precision=precision,
            max_difference_to_plain_loop=furthest,
            relative_to_largest_activation=furthest / largest if largest else None,
            positions=positions,
            near_the_cut=unsure,
            disagreements=seen,
            overturned=overturned,
            overturned_share=round(overturned / seen, 4) if seen else None,
        )


def _wrong(reading: Reading, thresholds: Thresholds) -> np.ndarray:
    return np.stack([false_positives(reading, thresholds), false_negatives(reading, thresholds)])


def _profile(court: Court) -> None:
    """Shares of one attack's seconds by step; a step holds the steps that it calls."""
    explanation = _proposed(court)
    court.attack(explanation, "warm up")
    profile = cProfile.Profile()
    profile.enable()
    attack = court.attack(explanation, "profiled")
    profile.disable()
    statistics = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in statistics.values())
    shares = {}
    for step, (file, names) in STEPS.items():
        spent = [
            all_in
            for (path, _, name), (_, _, _, all_in, _) in statistics.items()
            if path.endswith(f"/{file}") and name in names.split("|")
        ]
        shares[step] = round(sum(spent) / total, 3)
    work = court.workspace.subject.work
    _say(
        attack_seconds=round(total, 2),
        probes=attack.probes,
        probe_tokens=attack.tokens,
        shares=shares,
        tokens_asked=work.asked,
        tokens_run=work.run,
    )


def _plain_loop(
    plain: TransformerBridge, subject: TransformerSubject, texts: Sequence[TokenIds], features: list[int]
) -> list[np.ndarray]:
    """What anyone would write first."""
    found = []
    with torch.inference_mode():
        for text in texts:
            ids = torch.tensor([subject.prefix + text], device=subject._device)
            _, cache = plain.run_with_cache(ids)
            rows = cache[subject.hookpoint][0, len(subject.prefix) :].flatten(1)
            found.append(subject._dictionary.encode(rows)[:, features].cpu().numpy())
    return found


def _encode(subject: TransformerSubject, rows: torch.Tensor, features: list[int]) -> torch.Tensor:
    return subject._dictionary.encode(rows, torch.tensor(features, device=rows.device))


def _courts(workspace: Workspace, count: int, seed: int) -> list[Court]:
    live = workspace.store.live_features().tolist()
    chosen = random.Random(seed).sample(live, min(count, len(live)))
    return [open_court(workspace, index, RunOptions(seed=seed, probe_tokens=20_000)) for index in chosen]


def _edits(workspace: Workspace, courts: Sequence[Court], texts: int, each: int, seed: int) -> list[Edits]:
    """Parents of all features by turns, until their edits are as many as asked for."""
    subject = workspace.subject
    infiller = at_hand(workspace, seed).infiller
    found: list[Edits] = []
    explanations = [_proposed(court) for court in courts]
    windows = [_windows(court) for court in courts]
    for place in itertools.count():
        if not any(place < len(some) for some in windows) or sum(len(one.texts) for one in found) >= texts:
            return found
        for court, explanation, some in zip(courts, explanations, windows, strict=True):
            if place >= len(some):
                continue
            thresholds = court.samples.evidence.thresholds
            trial = Trial(explanation, court.index, subject, thresholds, Budget(10**9))
            question = Question(explanation, court.index, subject, thresholds, tuple(trial.read([some[place]])))
            writing = [
                (edit.token_ids for edit in generator.edits(question, random.Random(seed)))
                for generator in (MaskedEdits(infiller), Mutants())
                if generator.lacks(question) is None
            ]
            written = (text for text in in_turn(writing) if 0 < len(text) <= subject.max_tokens)
            distinct = tuple(dict.fromkeys(itertools.islice(written, each)))
            if len(distinct) > 1:
                found.append(Edits(court.index, explanation, thresholds, distinct))
    return found


def _windows(court: Court) -> list[TokenIds]:
    """Windows of 64 tokens of the evidence, ending a few tokens after the feature's peak."""
    found = []
    for example in court.samples.evidence.examples:
        ids = example.context.token_ids
        if ids is not None and example.peak >= court.samples.evidence.thresholds.high:
            stop = min(int(np.argmax(example.activations)) + AFTER, len(ids))
            found.append(ids[max(0, stop - PARENT_TOKENS) : stop])
    return [window for window in dict.fromkeys(found) if len(window) >= PARENT_TOKENS // 2]


def _proposed(court: Court) -> Explanation:
    return court.debaters[0].propose(court.samples.evidence, court.rng("benchmark")).explanation


def _sizes(edits: Sequence[Edits], prefix: int) -> dict[str, object]:
    lengths = [len(text) + prefix for one in edits for text in one.texts]
    nodes = sum(len({text[:stop] for text in one.texts for stop in range(1, len(text) + 1)}) + prefix for one in edits)
    return {"texts": len(lengths), "tokens": sum(lengths), "distinct_beginnings": nodes}


def _best_of(
    ways: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repeats):
        for name, way in ways.items():
            start = clock()
            way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(clock() - start)
    return {name: min(taken) for name, taken in seconds.items()}


def _say(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


@contextmanager
def _dictionary(options: argparse.Namespace) -> Iterator[Path | None]:
    """The dictionary named, or a small one trained for the occasion."""
    if options.train_sae is None:
        yield options.sae
        return
    with tempfile.TemporaryDirectory() as folder:
        documents = list(itertools.islice(read_documents(options.corpus), 2000))
        settings = DictionarySettings(features=2048, steps=500)
        train_dictionary(options.model, options.train_sae, documents, Path(folder) / "sae", settings, seed=options.seed)
        yield Path(folder) / "sae"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--sae", type=Path)
    parser.add_argument("--train-sae", metavar="HOOKPOINT")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+")
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--edits", type=int, default=128, help="edits of one text")
    parser.add_argument("--checked", type=int, default=8, help="parents whose edits are compared number by number")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
