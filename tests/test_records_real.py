"""Real feature records that nobody here made, through `explain --records`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.at_hand import SHARED
from tests.test_cli import Command, command

__all__ = ["command"]  # the fixture

GLASSBOX = SHARED / "records" / "glassbox_features.jsonl"


def glassbox_as_records(source: Path, target: Path, count: int | None = None) -> None:
    """`id` and `acts` become `feature` and `activations`; all else is kept."""
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for number, line in enumerate(lines):
            if number == count:
                break
            found: dict[str, Any] = json.loads(line)
            for example in found["examples"]:
                example["activations"] = example.pop("acts")
            out.write(json.dumps({"feature": str(found.pop("id")), **found}) + "\n")


def test_real_records_are_explained_and_scored_on_examples_that_were_not_shown(
    command: Command, tmp_path: Path
) -> None:
    if not GLASSBOX.is_file():
        pytest.skip(f"{GLASSBOX} is not at hand")
    path = tmp_path / "glassbox.jsonl"
    glassbox_as_records(GLASSBOX, path, count=6)
    lines = command.lines("explain", "--records", path, "--json", "--workers", 1)
    given = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["feature"] for line in lines] == [one["feature"] for one in given]
    assert len(lines) == 6
    for line in lines:
        assert command("check", line["explanation"])[0] == 0
        assert "tokens 1 to" not in line["explanation"], "windows without a start say nothing of positions"
        assert line["scores"]["token_f1"]["n"] > 0


if __name__ == "__main__":  # python -m tests.test_records_real glassbox_features.jsonl records.jsonl
    import sys

    glassbox_as_records(Path(sys.argv[1]), Path(sys.argv[2]))
