"""Whole runs over the embedded model: the same bytes twice, counterexamples that the model confirms, a page."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autointerp import demo
from dsl import parse
from dsl.evaluate import evaluate
from probes.trial import batch_of
from tests.at_hand import demo_subject, stories

SMALL = ("--features", "2", "--probe-tokens", "6000", "--json", "--workers", "1")


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in stories(500)))
    return path


def arguments(corpus: Path, store: Path, *more: str) -> list[str]:
    paths = demo.paths()
    named = ["--model", paths.lm, "--sae", paths.sae, "--mlm", paths.mlm, "--corpus", corpus, "--store", store]
    return [sys.executable, "-m", "autointerp.cli", "debate", *map(str, named), *more]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=os.environ | environment)


@pytest.fixture(scope="session")
def first_run(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str, Path]:
    folder = tmp_path_factory.mktemp("run")
    command = [*arguments(small_corpus, folder / "store", *SMALL), "--out", str(folder / "page")]
    result = run(command, PYTHONHASHSEED="1")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()], result.stdout, folder


def test_a_run_prints_one_line_a_feature_with_the_keys_promised(
    first_run: tuple[list[dict[str, Any]], str, Path],
) -> None:
    lines, _, _ = first_run
    assert len(lines) == 2
    for line in lines:
        assert {"feature", "explanation", "canonical", "debate", "scores", "counterexamples"} <= line.keys()
        assert {"outcome", "sides", "rounds", "fallback", "before_repair"} <= line["debate"].keys()
        for name in ("token_f1", "precision", "recall", "auprc", "pearson"):
            score = line["scores"][name]
            assert score is None or score["low"] <= score["value"] <= score["high"]
        assert set(line["scores"]["baselines"]) == {"token_lookup", "token_lookup_full", "best_by_dev", "shuffled"}
        assert line["debate"]["sides"]


def test_the_same_command_gives_the_same_bytes_with_more_workers_too(
    first_run: tuple[list[dict[str, Any]], str, Path], small_corpus: Path
) -> None:
    _, text, folder = first_run
    # Another hash seed as well: the order of a set of strings must never decide anything.
    again = run([*arguments(small_corpus, folder / "store", *SMALL[:-1], "2")], PYTHONHASHSEED="12345")
    assert again.returncode == 0, again.stderr
    assert again.stdout == text


def test_features_whose_probes_run_in_step_come_to_the_same(
    first_run: tuple[list[dict[str, Any]], str, Path], small_corpus: Path
) -> None:
    lines, _, folder = first_run
    together = run([*arguments(small_corpus, folder / "store", *SMALL), "--in-step", "2"])
    assert together.returncode == 0, together.stderr
    for alone, beside in zip(lines, map(json.loads, together.stdout.splitlines()), strict=True):
        # Batches differ, and with them the last bits of what they answer; verdicts rest on runs of one text.
        for part in ("feature", "explanation", "scores"):
            assert beside[part] == alone[part]
        assert len(beside["counterexamples"]) == len(alone["counterexamples"])


def test_every_counterexample_is_what_the_model_and_the_explanation_say(
    first_run: tuple[list[dict[str, Any]], str, Path],
) -> None:
    subject = demo_subject()
    checked = 0
    for line in first_run[0]:
        explanation, index = parse(line["explanation"]), int(line["feature"].rpartition("/")[2])
        for found in line["counterexamples"]:
            prefix = len(subject.prefix)
            ids, position = tuple(found["token_ids"][prefix:]), found["position"] - prefix
            assert tuple(found["token_ids"][:prefix]) == subject.prefix
            [activations] = subject.activations([ids], [index], batch_size=1)
            assert activations[position, 0] == pytest.approx(found["activation"], rel=1e-4, abs=1e-4)
            predicted = evaluate(explanation, batch_of([ids], subject.vocabulary))[0]
            assert predicted[position] == pytest.approx(found["predicted"])
            near = slice(max(0, position - 1), position + 2)
            match found["kind"]:
                case "false_positive":
                    assert predicted[position] >= 0.5
                case "false_negative":
                    assert found["activation"] > 0
                    assert np.all(predicted[near] < 0.5)
            checked += 1
    assert checked > 0


def test_the_page_is_written_and_loads_nothing(first_run: tuple[list[dict[str, Any]], str, Path]) -> None:
    page = (first_run[2] / "page" / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html.unescape(page)
    for line in first_run[0]:
        assert line["feature"] in page


def test_an_interrupted_collection_says_so_and_goes_on_where_it_stopped(small_corpus: Path, tmp_path: Path) -> None:
    command = arguments(small_corpus, tmp_path / "store", *SMALL)
    # Started in the background of a shell, a process inherits that interrupts are ignored.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heeding)
    while not list((tmp_path / "store").glob("shard-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not [path for path in (tmp_path / "store").rglob("*") if "tmp" in path.name or "partial" in path.name]


def test_a_folder_that_cannot_be_written_fails_before_the_work(small_corpus: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    result = run([*arguments(small_corpus, tmp_path / "store", *SMALL), "--out", str(blocked / "below")])
    assert result.returncode == 4, result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "store").exists()


def probing(corpus: Path, store: Path, explanation: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [*arguments(corpus, store), explanation, "--probe-tokens", "12000", "--json", *more]
    command[command.index("debate")] = "probe"
    return run(command)


def test_what_a_probe_saved_stands_on_replay_until_the_explanation_is_mended(
    first_run: tuple[list[dict[str, Any]], str, Path], small_corpus: Path, tmp_path: Path
) -> None:
    lines, _, folder = first_run
    feature, bank = lines[0]["feature"], tmp_path / "bank.jsonl"
    wrong = 'activates on the token " dog"'
    found = probing(small_corpus, folder / "store", wrong, "--feature", feature, "--save", str(bank))
    assert found.returncode == 0, found.stderr
    counterexamples = json.loads(found.stdout)["counterexamples"]
    assert counterexamples
    replay = ("--feature", feature, "--replay", str(bank))
    again = probing(small_corpus, folder / "store", wrong, *replay)
    assert again.returncode == 1, again.stderr
    line = json.loads(again.stdout)
    assert (line["standing"], line["mended"], line["changed"]) == (len(counterexamples), 0, 0)
    assert [one["stands"] for one in line["counterexamples"]] == [True] * len(counterexamples)
    suggested = json.loads(bank.read_text().splitlines()[1])["suggestion"]
    if suggested is not None:  # a suggestion was tried before it was offered, so it mends what it was made from
        mended = probing(small_corpus, folder / "store", suggested["mended"], *replay)
        assert not json.loads(mended.stdout)["counterexamples"][0]["stands"]
    other = probing(small_corpus, folder / "store", wrong, "--feature", "0", "--replay", str(bank))
    assert other.returncode == 2
    assert "name that feature's bank" in other.stderr
