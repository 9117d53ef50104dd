"""`autointerp check` and `autointerp format`: where explanations come from, and what is said of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import explanations
from test_cli import PIZZA, Command, command  # noqa: F401

from autointerp.checking import explanations_in
from dsl import digest, layout, parse, plain_words, render
from dsl.nodes import Explanation


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is piped in; write to it and rewind."""
    piped = io.StringIO()
    monkeypatch.setattr("sys.stdin", piped)
    return piped


def test_several_arguments_are_checked_one_after_the_other(command: Command) -> None:  # noqa: F811
    code, out, err = command("check", PIZZA, "activates on the tokn", "Activates on digits.")
    assert code == 2
    assert out == f"{PIZZA}\nactivates on digits\n"
    assert err.startswith("explanation 2: line 1, column 14")


def test_files_are_read_after_arguments_and_named_in_errors(command: Command, tmp_path: Path) -> None:  # noqa: F811
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("# comment\n\nactivates on\n    digits\nactivates on names\n")
    two.write_text("\ufeffactivates on oops\n", encoding="utf-8")
    code, out, err = command("check", PIZZA, "--file", one, "--file", two)
    assert (code, out) == (2, f"{PIZZA}\nactivates on digits\nactivates on names\n")
    assert f"explanation 4 ({two}, line 1): line 1, column 14" in err.replace("\n", "")
    code, out, _ = command("check", "--json", "--file", one)
    assert [(line["file"], line["line"]) for line in map(json.loads, out.splitlines())] == [
        (str(one), 3),
        (str(one), 5),
    ]


@pytest.mark.parametrize("arguments", [(), ("--file", "-")])
def test_what_is_piped_in_is_read(command: Command, pipe: io.StringIO, arguments: tuple[str, ...]) -> None:  # noqa: F811
    pipe.write(f"{PIZZA}\nactivates on digits\n")
    pipe.seek(0)
    assert command("check", *arguments)[:2] == (0, f"{PIZZA}\nactivates on digits\n")


def test_nothing_to_check_is_an_error_that_says_what_to_give(
    command: Command,  # noqa: F811
    pipe: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert command("check")[0] == 2
    assert "standard input holds no explanation" in command("format")[2]
    monkeypatch.setattr(pipe, "isatty", lambda: True)
    assert "pipe explanations in" in command("check")[2]
    assert "cannot read" in command("check", "--file", tmp_path / "missing")[2]
    (tmp_path / "bytes").write_bytes(b"activates on \xff")
    assert "UTF-8" in command("check", "--file", tmp_path / "bytes")[2]


def test_explain_says_it_in_plain_words(command: Command) -> None:  # noqa: F811
    code, out, _ = command("check", "--explain", PIZZA)
    assert (code, out) == (0, f"{PIZZA}\n    {plain_words(parse(PIZZA))}\n")


def test_json_holds_everything_that_is_known_of_an_explanation(command: Command) -> None:  # noqa: F811
    (line,) = command.lines("check", "--json", f" {PIZZA} ")
    assert line == {
        "text": f" {PIZZA} ",
        "valid": True,
        "canonical": PIZZA,
        "digest": digest(parse(PIZZA)),
        "bits": pytest.approx(line["bits"]),
        "size": 3,
        "plain": plain_words(parse(PIZZA)),
    }
    assert 10 < line["bits"] < 200


def test_an_argument_of_broken_bytes_is_answered(command: Command) -> None:  # noqa: F811
    code, out, _ = command("check", "--json", "activates on \udcff")
    assert code == 2
    assert json.loads(out)["valid"] is False


def test_format_lays_out_and_check_reads_that_back(command: Command, tmp_path: Path) -> None:  # noqa: F811
    code, out, _ = command("format", PIZZA, "activates on digits", "--width", "40")
    assert (code, out) == (0, f"{layout(parse(PIZZA), 40)}\nactivates on digits\n")
    path = tmp_path / "laid_out.txt"
    path.write_text(out)
    assert command("check", "--file", path)[1] == f"{PIZZA}\nactivates on digits\n"
    assert command("format", "--file", path, "--width", "40")[1] == out
    assert command.lines("format", PIZZA, "--width", "40", "--json")[0]["layout"] == layout(parse(PIZZA), 40)
    assert command("format", "activates on oops")[0] == 2


@settings(deadline=None)
@given(st.lists(explanations(), min_size=1, max_size=4), st.integers(10, 100), st.sampled_from(["", "   "]))
def test_a_file_of_layouts_holds_the_same_explanations(several: list[Explanation], width: int, margin: str) -> None:
    content = "\n".join(layout(explanation, width) for explanation in several)
    content = "".join(f"{margin}{line}\n" for line in content.split("\n"))
    assert [render(parse(given.text)) for given in explanations_in(content)] == list(map(render, several))
