"""`autointerp compare`: canonical forms, a proof or a witness, and an exit code that says which."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import Command

from autointerp.comparing import PIECE, tokenised, word_pieces
from autointerp.demo import paths


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("Anna ate 42 pizzas. Then she ran!\n\nThe cat sat in a box (a big one).\n")
    return path


def test_explanations_in_other_words_are_proven_equivalent(command: Command, corpus: Path) -> None:
    one, other = "activates on digits", "activates on digits or not not (digits and names)"
    code, out, _ = command("compare", one, other, "--corpus", corpus)
    assert code == 0
    assert out.splitlines()[:4] == [
        f"A  {one}",
        "B  activates on digits or not not (digits and names)",
        f"=  {one}",
        "proven equivalent: both predict the same on every text",
    ]


def test_a_broader_explanation_is_proven_so_and_a_text_shows_by_how_much(command: Command, corpus: Path) -> None:
    one, other = 'activates on the token " cat"', 'activates on the words "cat", "box"'
    code, out, _ = command("compare", one, other, "--corpus", corpus)
    assert code == 1
    assert "proven: wherever A predicts, B does, at least as strongly; they differ on 1 of" in out
    assert "A 0  B 1  << box>>" in out


def test_a_witness_is_marked_where_the_two_differ(command: Command, corpus: Path) -> None:
    one, other = 'activates on the word "cat"', 'activates on the word "sat" right after the word "cat"'
    code, out, _ = command("compare", one, other, "--corpus", corpus)
    assert code == 1
    assert "A 1  B 0  << cat>>" in out
    assert "A 0  B 1   cat<< sat>>" in out


def test_what_is_equal_on_the_sample_alone_is_said_to_be_that(command: Command, corpus: Path) -> None:
    one, other = 'activates on tokens containing "zz"', "activates on tokens matching /z{2}/"
    code, out, _ = command("compare", one, other, "--corpus", corpus)
    assert code == 0
    assert "nothing proven; equal on these" in out


def test_json_holds_all_of_it(command: Command, corpus: Path) -> None:
    one, other = 'activates strongly on digits; weakly on names; promotes "!"', "activates on digits"
    code, out, _ = command("compare", one, other, "--corpus", corpus, "--json")
    assert code == 1
    [line] = [json.loads(text) for text in out.splitlines()]
    assert line["a"] == {"canonical": one, "simplified": one}
    assert line["verdict"] == "proven: a predicts wherever b does"
    assert line["same_promoted"] is False
    sample = line["sample"]
    assert (sample["both"], sample["only_a"], sample["only_b"], sample["differing"]) == (1, 0, 0, 1)
    assert {"a": 0.3, "b": 0.0, "tokens": 1} in sample["levels"]
    assert line["witnesses"] == [{"tokens": ["Anna"], "position": 0, "start": 0, "a": 0.3, "b": 0.0}]


def test_the_embedded_corpus_is_the_default_and_tokens_bound_the_sample(command: Command) -> None:
    arguments = ("compare", 'activates on the word "dog"', 'activates on the token " dog"', "--tokens", 3_000, "--json")
    line = json.loads(command(*arguments)[1])
    assert line["sample"]["tokens"] == 3_000
    assert line["sample"]["corpus"] == str(paths().corpus)
    assert line["verdict"] == "proven: a predicts wherever b does"
    assert json.loads(command(*arguments)[1]) == line


def test_a_tokeniser_of_ones_own_cuts_a_corpus_of_ones_own(command: Command, corpus: Path) -> None:
    texts = ("activates on digits", "activates on digits")
    line = json.loads(command("compare", *texts, "--corpus", corpus, "--model", paths().lm, "--json")[1])
    assert line["sample"]["tokeniser"] == str(paths().lm)
    code, _, err = command("compare", *texts, "--corpus", corpus, "--model", corpus.parent)
    assert code == 3
    assert "tokenizer.json" in err


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        ("activates on digits", "activates on the tokn", {"b"}),
        ("digits", "activates on digits", {"a"}),
        ("activates on", "activates", {"a", "b"}),
    ],
)
def test_it_says_which_text_is_wrong(command: Command, one: str, other: str, named: set[str]) -> None:
    code, out, err = command("compare", one, other)
    assert (code, out) == (2, "")
    for name in ("a", "b"):
        assert (f"explanation {name.upper()}: line 1, column" in err) == (name in named)
    code, out, _ = command("compare", one, other, "--json")
    assert code == 2
    assert set(json.loads(out)["errors"]) == named


def test_a_corpus_that_is_not_there_is_one_clear_line(command: Command, tmp_path: Path) -> None:
    code, _, err = command("compare", "activates on digits", "activates on names", "--corpus", tmp_path / "none.txt")
    assert code == 2
    assert "none.txt is not a file" in err


def test_comparing_loads_no_model_and_no_torch(corpus: Path) -> None:
    code = (
        "import sys; from autointerp.comparing import compare_texts; from pathlib import Path\n"
        f"for corpus in (None, Path({str(corpus)!r})):\n"
        "    compare_texts(('activates on digits', 'activates on names'), corpus, None, 500, as_json=True)\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@given(st.text())
def test_word_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(PIECE.findall(text)) == text


def test_a_sample_is_cut_in_rows_that_know_where_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text(" ".join(["word"] * 1_300) + "\n\nshort text\n")
    [batch] = word_pieces(path, 5_000)
    assert batch.lengths.tolist() == [512, 512, 276, 2]
    assert batch.starts.tolist() == [0, 512, 1024, 0]
    assert sum(int(each.lengths.sum()) for each in word_pieces(path, 1_000)) == 1_000
    assert sum(int(each.lengths.sum()) for each in tokenised(paths().corpus, paths().lm, 40_000)) == 40_000
