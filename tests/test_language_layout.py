"""Explanations over several lines, and their digests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from laws import law
from strategies import explanations

from dsl.digest import LANGUAGE_VERSION, digest
from dsl.layout import layout
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.render import render

LONG = (
    'activates strongly on (any form of "run" ["ran", "run", "running", "runs"] right after (names or pronouns) or '
    'the words "sprint", "sprinted") in text about "sport" ["athlete", "race", "stadium"] except not digits and '
    'the token " marathon" within 5 tokens after the phrase "last year"; weakly on names; promotes " fast", " quickly"'
)

LAID_OUT = """\
activates strongly on
    (any form of "run" ["ran", "run", "running", "runs"]
         right after (names or pronouns)
     or the words "sprint", "sprinted")
        in text about "sport" ["athlete", "race", "stadium"]
    except the token " marathon"
            within 5 tokens after the phrase "last year"
        and not digits;
    weakly on names;
    promotes " fast", " quickly\""""


@law(explanations(max_leaves=12), st.integers(1, 120), everyday=60, full=1_000)
def test_a_layout_parses_back_and_laying_out_again_changes_nothing(explanation: Explanation, width: int) -> None:
    text = layout(explanation, width)
    assert parse(text) == explanation
    assert layout(parse(text), width) == text


@law(explanations(max_leaves=12), st.integers(1, 120), everyday=60, full=1_000)
def test_only_the_first_line_begins_at_the_margin_and_none_ends_in_space(explanation: Explanation, width: int) -> None:
    first, *rest = layout(explanation, width).split("\n")
    assert first.startswith("activates")
    assert all(line.startswith("    ") for line in rest)
    assert all(line == line.rstrip() for line in (first, *rest))


def test_what_fits_stays_on_one_line() -> None:
    assert layout(parse("activates on digits"), 19) == "activates on digits"
    assert layout(parse(LONG), 1000) == render(parse(LONG))


def test_a_long_explanation_is_broken_where_it_reads_best() -> None:
    assert layout(parse(LONG), 72) == LAID_OUT


def test_lines_keep_to_the_width_where_literals_allow() -> None:
    for width in range(60, 120):
        assert max(map(len, layout(parse(LONG), width).split("\n"))) <= width


@law(explanations(), everyday=50, full=1_000)
def test_a_digest_belongs_to_the_value(explanation: Explanation) -> None:
    assert digest(parse(layout(explanation, 30))) == digest(parse(render(explanation)))
    assert digest(explanation) != digest(replace(explanation, promotes=("never promoted",)))


@pytest.mark.parametrize(
    ("text", "hexadecimal"),
    [
        ("activates on digits", "d0d954f7729106bb"),
        (LONG, "230e1fe30e48420f"),
    ],
)
def test_digests_are_the_same_on_every_machine(text: str, hexadecimal: str) -> None:
    assert LANGUAGE_VERSION == "1", "a new version changes every digest: write these anew"
    assert digest(parse(text)) == hexadecimal
