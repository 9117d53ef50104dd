"""How long explanations of real features stand, and whether mending helps: `python benchmarks/falsify.py`.

Features of the embedded model are drawn and debated as `autointerp demo` does. What each debate reports is attacked
with up to `--probes` texts, mended and attacked again, for as long as mending helps (`autointerp.defence`), all with
the product's generators. Nothing here is planted: only the model's own runs say what is right. Printed:

- falsified: the share of explanations, as the debate left them, with a confirmed counterexample within 100, 500 and so
  on probes, and the median number of probes to the first; also without the windows of real text, which bring what the
  explanation is known to be wrong about;
- by generator: disagreements for every thousand of its texts, and how natural a sample of them is, beside the rate of
  disagreements on held-out documents, by the same rules;
- fresh: every counterexample that stood in the end is saved, and run again in a new process, one text at a time; those
  that no longer stand are false counterexamples, and any is a bug;
- repair: accepted, what they mend of what was shown and of what was held back, and held-out F1 and AUPRC before and
  after, paired, over the features that were repaired and over all.

Intervals (95%) resample features.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.debate import debate
from autointerp.features import Court, open_court, winning_sides
from autointerp.options import CorpusOptions, RunOptions
from autointerp.pipeline import choose_features
from autointerp.results import attack_json
from autointerp.scoring import features_interval, score_explanation
from autointerp.workspace import Workspace, load_subject, open_workspace
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.records import HeldOut
from dsl.render import render
from probes.attack import Attack
from probes.bank import replay, reread
from probes.bank_file import Bank, load, save
from probes.verify import disagreements

Line = dict[str, Any]
MEASURES = ("token_f1", "auprc")
REAL_WINDOWS = ("examples", "neighbours", "lookalikes")
"""Generators that write nothing: they bring windows of the corpus."""

_BENCH: list[tuple[Workspace, RunOptions, Path]] = []
"""What this process works with; those made by forking have a copy each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--probes", type=int, default=2_000, help="texts of one attack, at most")
    parser.add_argument(
        "--probe-tokens", type=int, default=400_000, help="tokens of the subject of one attack, at most"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="write a line a feature here")
    parser.add_argument("--again", type=Path, help=argparse.SUPPRESS)  # the new process: banks to run again
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.again is not None:
        run_again(options.again)
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"seed {options.seed}, {options.workers} workers of one thread each")
    run = RunOptions(
        seed=options.seed,
        features=options.features,
        probe_tokens=options.probe_tokens,
        probes=options.probes,
        rounds=options.rounds,
    )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(CorpusOptions())
        indices = choose_features(workspace, run)
        _BENCH[:] = [(workspace, run, Path(folder))]
        with get_context("fork").Pool(options.workers) as pool:
            lines = list(pool.imap(_measure, indices, chunksize=1))
        print(f"{len(lines)} features, {time.perf_counter() - began:.0f} s")
        command = [sys.executable, __file__, "--again", folder]
        again = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if options.json:
        options.json.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    report(lines, again, options)


def _measure(index: int) -> Line:
    [(workspace, run, folder)] = _BENCH
    court = open_court(workspace, index, run)
    samples = court.samples
    transcript = debate(
        samples.evidence, court.debaters, court.judge, court.dev_score, court.rng("debate"), lexicon=workspace.lexicon
    )
    winner, _ = winning_sides(transcript)
    defence = court.defend(winner.argument.explanation, [side.argument.explanation for side in transcript.sides])
    standing = defence.standing
    assert standing is not None
    bank = Bank(samples.evidence.feature, defence.after, samples.evidence.thresholds, _all(standing))
    save(bank, folder / f"{index}.jsonl", workspace.subject.vocabulary)
    return {
        "feature": samples.evidence.feature,
        "before": render(defence.before),
        "after": render(defence.after),
        "attacks": [attack_json(attack) | {"mates": len(attack.mates)} for attack in defence.attacks],
        "found": [len(attack.counterexamples) for attack in defence.attacks],
        "repairs": [repair.to_json() for repair in defence.repairs],
        "held_out_wrong": _held_out_wrong(defence.before, samples.held_out),
        "scores_before": _scores(court, defence.before),
        "scores_after": _scores(court, defence.after),
    }


def _all(attack: Attack) -> tuple[Any, ...]:
    return (*attack.counterexamples, *attack.mates)


def _scores(court: Court, explanation: Explanation) -> dict[str, float]:
    scores = score_explanation(explanation, court.samples.held_out, seed=court.run.seed).to_json()
    return {name: score["value"] for name in MEASURES if (score := scores[name]) is not None}


def _held_out_wrong(explanation: Explanation, held_out: HeldOut) -> float:
    """Disagreements for every thousand held-out positions, by the rules of verification."""
    predicted = evaluate(explanation, held_out.batch)
    found = disagreements(held_out.activations, predicted, held_out.batch.lengths, held_out.thresholds)
    return 1000 * float((found[0] | found[1]).sum()) / float(held_out.batch.lengths.sum())


def run_again(folder: Path) -> None:
    """In a process of its own: read every bank, run its texts one at a time, and count what no longer stands."""
    subject = load_subject(CorpusOptions())
    total = false = 0
    difference = 0.0
    for path in sorted(folder.glob("*.jsonl")):
        bank = load(path, subject.vocabulary)
        now = reread(bank.counterexamples, subject, int(path.stem))
        standing = replay(now, bank.explanation, bank.thresholds, subject.vocabulary)
        total, false = total + len(now), false + standing.count(False)
        for was, one in zip(bank.counterexamples, now, strict=True):
            apart = np.abs(np.subtract(was.example.activations, one.example.activations))
            difference = max(difference, float(apart.max(initial=0)) / bank.thresholds.maximum)
    print(json.dumps({"total": total, "false": false, "difference": difference}))


def report(lines: Sequence[Line], again: Line, options: argparse.Namespace) -> None:
    """The tables, in the order of the text above."""
    funnels = [line["attacks"][0]["funnel"] for line in lines]
    print(f"\nprobes run, median: {np.median([line['attacks'][0]['probes'] for line in lines]):.0f}; falsified within")
    for label, real in (("by any probe", True), ("by a text that was written, not found", False)):
        first = [_first(funnel, real) for funnel in funnels]
        for bound in sorted({100, 500, options.probes}):
            share = np.mean([at is not None and at <= bound for at in first])
            print(f"  {bound:5} probes  {share:6.1%}  {label}")
        reached = [at for at in first if at is not None]
        if reached:
            print(f"  probes to the first: median {np.median(reached):.0f}, p95 {np.quantile(reached, 0.95):.0f}")

    print("\nfirst attack, by generator; naturalness of a sample of its texts, means over features")
    print(f"{'':18}{'run':>8}{'disagree/1000':>15}{'confirmed':>11}{'nats a token':>14}{'cosine':>8}{'edit rate':>11}")
    for name in funnels[0]:
        rows = [funnel[name] for funnel in funnels]
        texts, wrong = (sum(row[key] for row in rows) for key in ("run", "disagreeing"))
        if texts:
            natural = [row["naturalness"] for row in rows if row["naturalness"] is not None]
            cells = "".join(
                f"{_mean(one[key] for one in natural):>{width}}"
                for key, width in (("log_likelihood_change", 14), ("cosine", 8), ("edit_rate", 11))
            )
            confirmed = sum(row["confirmed"] for row in rows)
            print(f"{name:18}{texts:8}{1000 * wrong / texts:15.0f}{confirmed:11}{cells}")
    rates = [line["attacks"][0]["disagreements_per_thousand"] for line in lines]
    print(f"all generators, disagreements/1000   {_interval(rates, options.seed)}")
    print(f"held-out positions, wrong/1000       {_interval([line['held_out_wrong'] for line in lines], options.seed)}")

    print(
        f"\nrun again in a new process: {again['false']} of {again['total']} counterexamples no longer stand; "
        f"largest change of an activation {again['difference']:.1e} of the feature's maximum"
    )

    repairs = [repair for line in lines for repair in line["repairs"]]
    accepted = [repair for repair in repairs if repair["accepted"]]
    print(f"\nrepairs: {len(accepted)} of {len(repairs)} accepted")
    rates_by_part = {}
    for part in ("shown", "held_back"):
        total = sum(repair[part] for repair in accepted)
        mended = sum(repair[f"fixed_{part}"] for repair in accepted)
        if total:
            rates_by_part[part] = mended / total
            print(f"  of counterexamples {part.replace('_', ' ')} they mend {mended} of {total} ({mended / total:.1%})")
    if len(rates_by_part) == 2:
        print(f"  gap {rates_by_part['shown'] - rates_by_part['held_back']:+.1%}")
    print(f"  regressions of earlier mends, in proposals refused or accepted: {sum(r['regressions'] for r in repairs)}")
    groups = {"repaired": [line for line in lines if line["before"] != line["after"]], "all": lines}
    for name, group in groups.items():
        for measure in MEASURES:
            both = [
                (line["scores_before"][measure], line["scores_after"][measure])
                for line in group
                if measure in line["scores_before"] and measure in line["scores_after"]
            ]
            if both:
                before, after = np.array(both).T
                change = _interval((after - before).tolist(), options.seed, "+")
                print(f"  {name}, {len(both)} features: {measure} {before.mean():.3f} -> {after.mean():.3f}, {change}")
    standing = [line["attacks"][-1]["first"] is None for line in lines]
    print(f"  unfalsified in the end: {np.mean(standing):.1%}")


def _first(funnel: Line, real: bool) -> int | None:
    """Probes to the first counterexample that was confirmed, with or without the windows of real text."""
    found = [row["first"] for name, row in funnel.items() if row["first"] and (real or name not in REAL_WINDOWS)]
    return min(found, default=None)


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):+.2f}" if known else "-"


def _interval(values: Sequence[float], seed: int, sign: str = "") -> str:
    score = features_interval(values, np.random.default_rng(seed))
    return f"{score.value:{sign}.3f} [{score.low:{sign}.3f}, {score.high:{sign}.3f}]"


if __name__ == "__main__":
    main()
