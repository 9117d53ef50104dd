"""Flaws planted in real text are found, shrunk, most to the least, and never found where there are none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from at_hand import SHARED

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "flaws.py"


@pytest.mark.slow
def test_every_visible_flaw_is_found_most_are_shrunk_to_the_least_and_the_truth_stands(tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not at hand")
    out = tmp_path / "flaws.jsonl"
    options = ["--features", "6", "--corpus", "articles", "--no-alone", "--workers", "1", "--json", str(out)]
    subprocess.run([sys.executable, str(BENCHMARK), *options, "--data", str(SHARED)], check=True, timeout=900)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 6
    for line in lines:
        assert line["found"] or not line["visible"], line["flawed"]
        assert line["false"] == []
        assert line["false_disagreeing"] == 0
        assert line["mended"] is None or line["mended"]["after"] <= line["mended"]["before"]
    searched = [one for line in lines for one in line["shrunk"] if one["least"] is not None]
    # What reads back as its tokens cannot always lose them one at a time, and more is not claimed.
    assert sum(one["length"] == one["least"] for one in searched) >= 0.8 * len(searched) > 0
