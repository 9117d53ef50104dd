"""The bank on disk: what is saved is what is read back, and whatever is not a bank of this model is one clear line."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from pathlib import Path

import pytest
from riverside import evidence, example, generators, planted

from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.parse import parse
from dsl.records import Counterexample, Cut, Suggestion
from probes.attack import attack
from probes.bank import replay
from probes.bank_file import Bank, _Head, _Row, load, save
from probes.trial import Budget

TRUTH = 'activates on the token " bank" in the context of the word "river"'
TOLD = parse('activates on the token " bank" or the token " shore" in the context of the word "dog"')
SUBJECT = planted(TRUTH)


@pytest.fixture(scope="module")
def bank() -> Bank:
    found = attack(
        TOLD, 0, SUBJECT, evidence(SUBJECT), SUBJECT.thresholds, generators(SUBJECT), Budget(30_000), random.Random(0)
    )
    assert any(one.suggestion is not None for one in found.counterexamples)
    return Bank("planted/0", TOLD, SUBJECT.thresholds, (*found.counterexamples, *found.mates))


@pytest.fixture
def path(bank: Bank, tmp_path: Path) -> Path:
    save(bank, tmp_path / "bank.jsonl", SUBJECT.vocabulary)
    return tmp_path / "bank.jsonl"


def test_what_is_saved_is_read_back_equal(bank: Bank, path: Path) -> None:
    assert load(path, SUBJECT.vocabulary) == bank
    assert list(path.parent.iterdir()) == [path]
    empty = replace(bank, counterexamples=())
    save(empty, path, SUBJECT.vocabulary)
    assert load(path, SUBJECT.vocabulary) == empty


def test_the_same_bank_is_the_same_bytes(path: Path) -> None:
    before = path.read_bytes()
    save(load(path, SUBJECT.vocabulary), path, SUBJECT.vocabulary)
    assert path.read_bytes() == before


def test_every_field_of_a_counterexample_is_kept() -> None:
    assert {field.name for field in fields(Counterexample)} == set(_Row.model_fields) - {"text"}


def test_everything_that_may_be_on_record_is_kept(tmp_path: Path) -> None:
    text, pair = example(SUBJECT, "😀 bank \udcf0 the"), example(SUBJECT, "a river bank the")
    suggestion = Suggestion("or", parse('activates on the token "\\n\\""').strong or TOLD.levels[0][2], TOLD)
    full = Counterexample(
        text, 5, 0.0, "false_negative", "mutants", pair, 2, (text, pair), (3,), (0, 1), suggestion, False,
        Cut(-0.5, 40), 1e-5,
    )  # fmt: skip
    bank = Bank("f", TOLD, SUBJECT.thresholds, (full,))
    save(bank, tmp_path / "bank.jsonl", SUBJECT.vocabulary)
    assert load(tmp_path / "bank.jsonl", SUBJECT.vocabulary) == bank


def test_a_loaded_bank_convicts_what_was_attacked_and_clears_the_truth(path: Path) -> None:
    loaded = load(path, SUBJECT.vocabulary)
    found = loaded.counterexamples
    assert all(replay(found, loaded.explanation, loaded.thresholds, SUBJECT.vocabulary))
    assert not any(replay(found, parse(TRUTH), loaded.thresholds, SUBJECT.vocabulary))


def test_merging_keeps_each_text_once_in_its_place_and_takes_the_newer(bank: Bank) -> None:
    first = bank.counterexamples[0]
    newer = replace(first, prevalence=0.5)
    assert bank.merged(bank.counterexamples) == bank
    merged = bank.merged([newer]).counterexamples
    assert merged == (newer, *bank.counterexamples[1:])
    assert replace(bank, counterexamples=()).merged(bank.counterexamples) == bank


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: "", "no bank of counterexamples"),
        (lambda _: "{}\n", "no bank of counterexamples"),
        (lambda _: "\x00\x01", "no bank of counterexamples"),
        (lambda _: '[{"format": "autointerp counterexamples"}]', "no bank of counterexamples"),
        (lambda text: text.replace('"version": 1', '"version": 9', 1), "version 9"),
        (lambda text: text.replace('"feature"', '"future"', 1), "line 1: feature: Field required"),
        (lambda text: text.replace("planted/0", "planted/1", 1), "changed or cut short"),
        (lambda text: text.replace('"position": ', '"position": 1', 1), "changed or cut short"),
        (lambda text: text[: len(text) // 2], "changed or cut short"),
        (lambda text: text[: text.rindex("\n", 0, -1) + 1], "changed or cut short"),
    ],
)  # fmt: skip
def test_a_broken_bank_is_one_clear_line(change: object, said: str, path: Path) -> None:
    assert callable(change)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        load(path, SUBJECT.vocabulary)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_row_that_makes_no_sense_is_named_by_its_line(path: Path) -> None:
    """Written so on purpose, with a checksum that is right."""
    head, row, *_ = path.read_text(encoding="utf-8").splitlines()
    for name, value, said in (
        ("position", 99, "a position lies outside its text"),
        ("original_position", None, "an original and its position come together"),
        ("kind", "other", "kind"),
        ("example", {"token_ids": [1], "activations": []}, "as many activations as tokens"),
        ("example", {"token_ids": [10**6] * 9, "activations": [0.0] * 9}, "token ids beyond the vocabulary"),
        ("suggestion", {"how": "or", "clause": "the tokken", "mended": "x"}, "does not parse"),
    ):
        row_json = json.dumps(json.loads(row) | {name: value}) + "\n"
        sealed = _Head.model_validate_json(head)
        line = json.dumps(json.loads(head) | {"checksum": sealed.sealing(row_json)})
        path.write_text(f"{line}\n{row_json}", encoding="utf-8")
        with pytest.raises(InputError, match=said) as caught:
            load(path, SUBJECT.vocabulary)
        assert "line 2" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_bank_of_another_model_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="another model"):
        load(path, Vocabulary(["a", "b"]))


def test_a_missing_file_a_folder_and_a_missing_folder_are_input_errors(bank: Bank, tmp_path: Path) -> None:
    for place in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InputError):
            load(place, SUBJECT.vocabulary)
    with pytest.raises(InputError):
        save(bank, tmp_path / "none" / "bank.jsonl", SUBJECT.vocabulary)
    assert list(tmp_path.iterdir()) == []
