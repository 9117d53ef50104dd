"""Records of strings: what is read, and what is said of what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autointerp.records_file import read_records
from dsl.errors import InputError


def written(folder: Path, *lines: object) -> Path:
    path = folder / "records.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def record(**example: Any) -> dict[str, Any]:
    return {"feature": "8/17", "examples": [{"tokens": ["a", " b"], "activations": [0, 1.5]} | example]}


def test_a_record_is_read_with_its_other_keys(tmp_path: Path) -> None:
    [found] = read_records(written(tmp_path, record(start=3, document="d") | {"density": 0.1}))
    assert found.feature == "8/17"
    assert found.extra == {"density": 0.1}
    [example] = found.examples
    assert example.context.tokens == ("a", " b")
    assert example.activations == (0.0, 1.5)
    assert (example.context.start, example.context.document) == (3, "d")


def test_without_a_start_positions_are_unknown(tmp_path: Path) -> None:
    [found] = read_records(written(tmp_path, record(), ""))
    assert found.examples[0].context.start is None


def test_bytes_that_are_no_character_stay_lone_surrogates(tmp_path: Path) -> None:
    [found] = read_records(written(tmp_path, record(tokens=["\udce2", "\ud83d"])))
    assert found.examples[0].context.tokens == ("\udce2", "\ufffd")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ([], "not a JSON object"),
        ({"examples": []}, "feature is missing"),
        ({"feature": "f", "examples": []}, "examples is empty"),
        ({"feature": "", "examples": [1]}, "feature is empty"),
        ({"feature": 3, "examples": [{}]}, "feature is 3, not a string"),
        (record(tokens=[]), "examples[0].tokens is empty"),
        (record(tokens=["a", ""]), "examples[0].tokens[1] is ''"),
        (record(tokens=["a", 3]), "examples[0].tokens[1] is 3"),
        (record(activations=[1]), "examples[0]: 2 tokens but 1 activations"),
        (record(activations=[1, -1]), "examples[0].activations[1] is -1"),
        (record(activations=[1, float("nan")]), "examples[0].activations[1] is nan"),
        (record(activations=[float("inf"), 1]), "examples[0].activations[0] is inf"),
        (record(activations=[1, "2"]), "examples[0].activations[1] is '2'"),
        (record(activations=[1, None]), "examples[0].activations[1] is None"),
        (record(activations=[1, 10**400]), "examples[0].activations[1] is"),
        (record(start=-1), "examples[0].start is -1"),
    ],
)
def test_a_bad_record_is_refused_with_its_line_and_place(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_records(written(tmp_path, line))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_line_that_is_named_is_the_editors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3"):
        read_records(written(tmp_path, record(), "", "{"))


def test_a_feature_on_two_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2: feature '8/17' comes twice"):
        read_records(written(tmp_path, record(), record()))


def test_no_file_no_records_and_no_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_records(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="holds no records"):
        read_records(written(tmp_path, ""))
    (tmp_path / "latin.jsonl").write_bytes('{"feature": "é"}'.encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        read_records(tmp_path / "latin.jsonl")
