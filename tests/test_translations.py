"""Other notations into the language: what each part becomes, and refusals that say why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autointerp.translations import TranslationError, from_label, from_semantic_regex
from autointerp.translations.printing import translate
from dsl.errors import InputError
from dsl.parse import parse
from dsl.render import render

DELPHI = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "records" / "delphi_gpt2_features.jsonl"


class SmallLexicon:
    """Answers that can be read in the expected texts."""

    version = "small"

    def forms(self, word: str) -> tuple[str, ...]:
        return (word, f"{word}s")

    def like(self, word: str) -> tuple[str, ...]:
        return (word, "other")

    def about(self, topic: str) -> tuple[str, ...]:
        return (*topic.split(), "near")


def read(text: str) -> str:
    (candidate,) = from_semantic_regex(text, SmallLexicon()).candidates
    return render(candidate.explanation).removeprefix("activates on ")


def labelled(text: str) -> list[str]:
    found = from_label(text, SmallLexicon()).candidates
    return [render(each.explanation).removeprefix("activates on ") for each in found]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("[:symbol the:]", 'the tokens " the", "the"'),
        ("[:symbol ;:]", 'the tokens " ;", ";"'),
        ("[:symbol once upon:]", 'the phrase "once upon"'),
        ("[:lexeme dog:]", 'any form of "dog" ["dog", "dogs"]'),
        ("[:field red:]", 'words like "red" ["other", "red"]'),
        ("[:field sea life:]", 'the words "life", "near", "sea"'),
        ("[:symbol a:]|[:symbol b:]", 'the tokens " a", "a" or the tokens " b", "b"'),
        ("[:symbol once:] [:symbol upon:]", 'the phrase "once upon"'),
        (
            "[:symbol ,:] [:lexeme dog:]",
            'any form of "dog" ["dog", "dogs"] right after the tokens " ,", ","',
        ),
        (
            "@{:context cooking:}([:symbol pan:])",
            'the tokens " pan", "pan" in text about "cooking" ["cooking", "near"]',
        ),
        (
            "[:lexeme dog:] [:symbol ,:]?",
            'any form of "dog" ["dog", "dogs"] or the tokens " ,", "," right after any form of "dog" ["dog", "dogs"]',
        ),
    ],
)
def test_every_part_of_a_semantic_regex_has_its_counterpart(text: str, meaning: str) -> None:
    assert parse(f"activates on {read(text)}") == parse(f"activates on {meaning}")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("the dog", 1),
        ("[:lexem x:]", 1),
        ("[:symbol a:] |", 15),
        ("([:symbol a:]", 14),
        ("@{:context a:}", 15),
    ],
)
def test_what_is_no_semantic_regex_is_shown_with_a_caret(text: str, column: int) -> None:
    with pytest.raises(TranslationError, match=f"column {column}:") as caught:
        from_semantic_regex(text, SmallLexicon())
    assert str(caught.value).endswith(" " * (column + 1) + "^")
    assert "expected one of" in str(caught.value)


def test_too_many_optional_parts_are_refused() -> None:
    with pytest.raises(TranslationError, match="more than 4 optional"):
        from_semantic_regex("[:symbol a:]?" * 5, SmallLexicon())


@given(st.text(alphabet="[]@{}():|?ab \n", max_size=40))
def test_any_text_translates_or_is_refused(text: str) -> None:
    try:
        found = from_semantic_regex(text, SmallLexicon())
    except TranslationError:
        return
    assert len(found.candidates) == 1


@pytest.mark.parametrize(
    ("label", "first"),
    [
        ("the token 'x'", 'the tokens " x", "x"'),
        ("tokens 'x' and 'y'", 'the tokens " x", " y", "x", "y"'),
        ('The word "pool" in various contexts', 'the word "pool"'),
        ("'x' after 'y'", 'the word "x" right after the word "y"'),
        ("'x' in the context of 'y'", 'the word "x" in the context of the word "y"'),
        ("words starting with 'un'", 'tokens starting with " un" or tokens starting with "un"'),
        ("the suffix 'ing'", 'tokens ending with "ing"'),
        ("the suffix -ing", 'tokens ending with "ing"'),
        ("forms of the verb 'run'", 'any form of "run" ["run", "runs"]'),
        ("punctuation", "punctuation"),
        ("numbers", "digits"),
        ("names of people", "names"),
        ("linking verbs (is, are, was, etc.)", 'the words "are", "is", "was"'),
        ("references to music", 'the words "music", "near"'),
        ("words related to music", 'the words "music", "near"'),
        ("code syntax", "tokens matching /[{}();=<>_]/"),
    ],
)
def test_common_labels_are_read_as_they_are_meant(label: str, first: str) -> None:
    assert parse(f"activates on {labelled(label)[0]}") == parse(f"activates on {first}")


def test_examples_are_told_from_the_whole_meaning() -> None:
    found = from_label('Adverbs of frequency, such as "rarely", "often"', SmallLexicon())
    assert render(found.candidates[0].explanation) == 'activates on the word "often" or the word "rarely"'
    assert "may mean more" in found.candidates[0].reason


@pytest.mark.parametrize("label", ["", "a sense of longing", "it's what they're after"])
def test_a_label_without_anything_to_hold_on_to_gives_none_and_says_why(label: str) -> None:
    found = from_label(label, SmallLexicon())
    assert found.candidates == ()
    assert "no construct" in found.why_none


@given(st.text(max_size=80))
def test_any_label_gives_explanations_that_parse_or_a_reason(label: str) -> None:
    found = from_label(label, SmallLexicon())
    assert bool(found.candidates) != bool(found.why_none)
    for each in found.candidates:
        assert each.reason
        assert parse(render(each.explanation)) == each.explanation


def test_auto_tells_the_notations_apart() -> None:
    assert translate("[:symbol a:]", "auto", SmallLexicon()) == from_semantic_regex("[:symbol a:]", SmallLexicon())
    assert translate("punctuation", "auto", SmallLexicon()) == from_label("punctuation", SmallLexicon())
    with pytest.raises(InputError, match="no notation is called 'latin'"):
        translate("x", "latin", SmallLexicon())


def test_the_command_prints_candidates_as_json() -> None:
    from autointerp.cli import app

    result = CliRunner().invoke(app, ["translate", "the token 'x'", "--json"])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["candidates"][0]["explanation"] == 'activates on the tokens " x", "x"'
    failed = CliRunner().invoke(app, ["translate", "a sense of longing"])
    assert isinstance(failed.exception, InputError)


def test_most_labels_of_real_features_give_candidates() -> None:
    if not DELPHI.is_file():
        pytest.skip(f"no {DELPHI}")
    labels = [json.loads(line)["explanation"] for line in DELPHI.read_text(encoding="utf-8").splitlines()]
    given = sum(bool(from_label(label, SmallLexicon()).candidates) for label in labels)
    assert given >= 0.7 * len(labels)
