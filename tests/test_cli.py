"""The command line's contract: what is printed, exit codes by kind, never a traceback."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from autointerp.cli import main
from dsl import parse
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.records import Context

PIZZA = 'activates on the token " pizza" in the context of the word "crust"'


class Command:
    """Runs a command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self._monkeypatch.setattr("sys.argv", ["autointerp", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    def lines(self, *arguments: object) -> list[dict[str, Any]]:
        code, out, err = self(*arguments)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def record(feature: str, truth: str, count: int, seed: int) -> dict[str, Any]:
    """A planted feature: windows of word salad, activations as the truth says."""
    rng = random.Random(seed)
    words = [
        "the",
        "a",
        "dog",
        "cat",
        "pizza",
        "crust",
        "oven",
        "ran",
        "big",
        "red",
        "and",
        "was",
        "on",
        "in",
        "it",
        "she",
        "he",
        "saw",
        ".",
        ",",
    ]
    texts = [tuple(" " + rng.choice(words) for _ in range(30)) for _ in range(count)]
    predicted = evaluate(parse(truth), Batch.of([Context(text) for text in texts]))
    examples = [
        {"tokens": list(text), "activations": [round(5 * float(v), 3) for v in row]}
        for text, row in zip(texts, predicted, strict=True)
    ]
    return {"feature": feature, "examples": examples, "model": "made up"}


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    lines = [record("f/0", 'activates on the token " pizza"', 40, 1), record("f/1", PIZZA, 60, 2)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_check_prints_the_canonical_text(command: Command) -> None:
    assert command("check", f"  {PIZZA}. ")[:2] == (0, PIZZA + "\n")


def test_check_says_where_an_explanation_breaks_and_what_would_stand_there(command: Command) -> None:
    code, out, err = command("check", 'activates on the tokn " pizza"')
    assert (code, out) == (2, "")
    assert "^" in err
    assert 'activates on the token " pizza"' in err


def test_check_reads_a_file_of_one_a_line_and_fails_if_any_fails(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "explanations.txt"
    path.write_text(f"{PIZZA}\n\nactivates on nothing much\n")
    code, out, err = command("check", "--file", path)
    assert (code, out) == (2, PIZZA + "\n")
    assert "explanation 2" in err
    code, out, _ = command("check", "--json", "--file", path)
    assert code == 2
    assert [line["valid"] for line in map(json.loads, out.splitlines())] == [True, False]


def test_predict_gives_one_line_an_example_and_one_value_a_token(command: Command, records: Path) -> None:
    lines = command.lines("predict", 'activates on the token " pizza"', "--records", records, "--json")
    assert [(line["feature"], line["example"]) for line in lines[:2]] == [("f/0", 0), ("f/0", 1)]
    given = [json.loads(line) for line in records.read_text().splitlines()]
    examples = [example for one in given for example in one["examples"]]
    for line, example in zip(lines, examples, strict=True):
        assert line["predicted"] == [float(token == " pizza") for token in example["tokens"]]


def test_explain_finds_planted_features_and_says_that_it_had_no_model(command: Command, records: Path) -> None:
    lines = command.lines("explain", "--records", records, "--json", "--workers", 1)
    assert [line["feature"] for line in lines] == ["f/0", "f/1"]
    assert 'the token " pizza"' in lines[0]["explanation"] or 'the word "pizza"' in lines[0]["explanation"]
    for line in lines:
        assert line["canonical"] == command("check", line["explanation"])[1].rstrip("\n")
        assert line["skipped"]["probes"].startswith("no model")
        assert line["debate"]["outcome"] in ("chosen", "consensus", "abstained")
    assert lines[0]["scores"]["token_f1"]["value"] == 1.0


def test_explain_scores_on_held_out_records_where_there_are_some(
    command: Command, records: Path, tmp_path: Path
) -> None:
    unseen = tmp_path / "unseen.jsonl"
    unseen.write_text(json.dumps(record("f/0", 'activates on the token " pizza"', 50, 3)) + "\n")
    [line] = command.lines("explain", "--records", records, "--held-out", unseen, "--feature", "f/0", "--json")
    assert line["scores"]["token_f1"]["n"] == 50 * 30
    assert set(line["scores"]["baselines"]) == {"token_lookup", "token_lookup_full", "best_by_dev", "shuffled"}


def test_a_text_of_ones_own_stands_as_a_debater(command: Command, records: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text('activates on the word "pizza"\n')
    arguments = ("explain", "--records", records, "--feature", "f/0", "--debater", f"text:{mine}", "--json")
    [line] = command.lines(*arguments)
    assert line["explanation"] == 'activates on the word "pizza"'
    assert line["debate"]["sides"][0]["debaters"] == ["text"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"tokens": ["a", "b"], "activations": [1.0]}, "2 tokens but 1 activations"),
        ({"tokens": ["a"], "activations": [-1.0]}, "not negative"),
        ({"tokens": ["a"], "activations": [math.nan]}, "finite"),
        ({"tokens": ["a", ""], "activations": [1.0, 0.0]}, "none of them empty"),
        ({"tokens": [], "activations": []}, "empty"),
    ],
)
def test_broken_records_are_one_clear_line(command: Command, tmp_path: Path, broken: dict[str, Any], said: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps({"feature": "f", "examples": [broken]}) + "\n")
    code, out, err = command("explain", "--records", path, "--json")
    assert (code, out) == (2, "")
    assert said in err
    assert "line 1" in err


def test_a_feature_that_never_fires_is_named_and_the_others_are_explained(
    command: Command, records: Path, tmp_path: Path
) -> None:
    path = tmp_path / "silent.jsonl"
    silent = {"feature": "silent", "examples": [{"tokens": ["a", "b"], "activations": [0, 0]}] * 10}
    path.write_text(json.dumps(silent) + "\n" + records.read_text())
    code, out, err = command("explain", "--records", path, "--json", "--workers", 1)
    assert code == 2
    assert "silent never fires" in err
    lines = [json.loads(line) for line in out.splitlines()]
    assert "error" in lines[0]
    assert all("explanation" in line for line in lines[1:])


def test_a_folder_that_is_no_model_is_one_clear_line(command: Command, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Once upon a time.\n")
    code, _, err = command("debate", "--model", tmp_path, "--sae", tmp_path, "--corpus", text)
    assert code == 3
    assert str(tmp_path) in err.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--bogus"), "No such option: --bogus"),
        (("probe", "activates on digits"), "--feature"),
        (("demo", "--features", "many"), "--features"),
        (("conquer",), "conquer"),
    ],
)
def test_a_mistyped_command_is_told_what_is_wrong(command: Command, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_half_a_model_is_told_what_is_missing(command: Command, tmp_path: Path) -> None:
    code, _, err = command("collect", "--model", tmp_path)
    assert code == 2
    assert "--sae and --corpus" in err


def test_unknown_specs_say_what_there_is(command: Command, records: Path) -> None:
    for arguments in (("--debater", "oracle"), ("--debater", "search:psychic"), ("--judge", "oracle")):
        code, _, err = command("explain", "--records", records, "--workers", 1, *arguments)
        assert code == 2
        assert "there are" in err or "there is" in err
