"""The reference page is made from the grammar and the table of constructs, and is up to date."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from dsl.constructs import CONSTRUCTS
from dsl.decoding import Bounds
from dsl.ebnf import read
from dsl.reference import _BOUNDS, page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"


def test_the_committed_page_is_what_the_module_writes() -> None:
    if not PAGE.exists():
        pytest.skip("docs/ is not at hand: tests run from a copy without it")
    written = subprocess.run([sys.executable, "-m", "dsl.reference"], capture_output=True, check=True).stdout
    assert PAGE.read_bytes() == written, "run: python -m dsl.reference > docs/language.md"


def test_the_page_holds_every_construct_its_examples_and_every_bound() -> None:
    text = page()
    for construct in CONSTRUCTS.values():
        assert f"### {construct.name.replace('_', ' ')}\n" in text
        assert f"`{construct.example}`" in text
    assert set(_BOUNDS) == {field.name for field in fields(Bounds)}
    assert read(text.split("## The grammar")[1].split("```")[1])


def test_code_spans_of_the_page_are_closed() -> None:
    for line in page().split("## The grammar")[0].splitlines():
        assert line.count("`") % 2 == 0 or line.startswith("```"), line
