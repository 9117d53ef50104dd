"""The bank: what is saved is what is read back, ranked, told apart, and replayed without the subject."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from riverside import evidence, example, generators, planted

from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.parse import parse
from dsl.records import Counterexample
from probes.attack import attack
from probes.bank import clusters, load, ranked, replay, save, to_json
from probes.trial import Budget

TRUTH = 'activates on the token " bank" in the context of the word "river"'
SUBJECT = planted(TRUTH)


@pytest.fixture(scope="module")
def bank() -> tuple[Counterexample, ...]:
    explanation = parse('activates on the token " bank" or the token " shore" in the context of the word "dog"')
    found = attack(
        explanation, 0, SUBJECT, evidence(SUBJECT), SUBJECT.thresholds, generators(SUBJECT), Budget(30_000),
        random.Random(0),
    )  # fmt: skip
    both = (*found.counterexamples, *found.mates)
    assert len(both) > 4
    return both


def test_what_is_saved_is_read_back_equal(bank: tuple[Counterexample, ...], tmp_path: Path) -> None:
    path = tmp_path / "bank.jsonl"
    save(bank, path)
    assert load(path, SUBJECT.vocabulary) == bank
    assert list(tmp_path.iterdir()) == [path]
    save((), path)
    assert load(path, SUBJECT.vocabulary) == ()


def test_emoji_and_bytes_that_are_no_text_are_saved_too(tmp_path: Path) -> None:
    text = example(SUBJECT, "😀 bank \udcf0 the")
    one = Counterexample(text, 5, 0.0, "false_positive", "mutants", tags=("absorbed:3",))
    save([one], tmp_path / "bank.jsonl")
    assert load(tmp_path / "bank.jsonl", SUBJECT.vocabulary) == (one,)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1: no counterexample"),
        ("{}", "kind"),
        ('"text"', "no counterexample"),
    ],
)
def test_a_broken_bank_is_one_clear_line(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bank.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        load(path, SUBJECT.vocabulary)
    assert "\n" not in str(caught.value)


def test_a_bank_of_another_model_is_refused(bank: tuple[Counterexample, ...], tmp_path: Path) -> None:
    save(bank, tmp_path / "bank.jsonl")
    with pytest.raises(InputError, match="another model"):
        load(tmp_path / "bank.jsonl", Vocabulary(["a", "b"]))


def test_a_missing_file_and_a_missing_folder_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load(tmp_path / "none.jsonl", SUBJECT.vocabulary)
    with pytest.raises(InputError):
        save((), tmp_path / "none" / "bank.jsonl")


def test_replay_clears_the_truth_and_convicts_what_was_attacked(bank: tuple[Counterexample, ...]) -> None:
    assert not any(replay(bank, parse(TRUTH), SUBJECT.thresholds, SUBJECT.vocabulary))
    attacked = parse('activates on the token " bank" or the token " shore" in the context of the word "dog"')
    assert all(replay(bank, attacked, SUBJECT.thresholds, SUBJECT.vocabulary))


def test_replay_does_not_clear_an_explanation_that_gives_up_the_original() -> None:
    """Never predicting a bank mends every false positive, and is wrong about every pair's other side."""
    text, pair = example(SUBJECT, "a stream bank the"), example(SUBJECT, "a river bank the")
    one = Counterexample(text, 2, 1.0, "false_positive", "synonyms", original=pair, original_position=2)
    gave_up = parse('activates on the token " tree"')
    assert replay([one], gave_up, SUBJECT.thresholds, SUBJECT.vocabulary) == (True,)
    assert replay([], gave_up, SUBJECT.thresholds, SUBJECT.vocabulary) == ()


def test_clusters_go_by_the_clause_that_predicted_or_the_token_that_fired(bank: tuple[Counterexample, ...]) -> None:
    attacked = parse('activates on the token " bank" or the token " shore" in the context of the word "dog"')
    found = clusters(bank, attacked, SUBJECT.vocabulary)
    assert set(found) <= {
        ("false_positive", 'the token " bank"'),
        ("false_positive", 'the token " shore" in the context of the word "dog"'),
        ("false_negative", "bank"),
    }
    assert len(found) >= 2
    assert sorted(map(id, (one for mates in found.values() for one in mates))) == sorted(map(id, bank))


def test_ranking_keeps_each_text_once_with_pairs_first(bank: tuple[Counterexample, ...]) -> None:
    order = ranked([*bank, *bank], SUBJECT.thresholds)
    assert sorted(map(id, order)) == sorted(map(id, bank))
    pairs = [one.is_minimal_pair for one in order]
    assert pairs == sorted(pairs, reverse=True)
    assert ranked(reversed(bank), SUBJECT.thresholds) == order


def test_public_json_indexes_the_tokens_that_the_model_reads() -> None:
    text, pair = example(SUBJECT, "a stream bank the"), example(SUBJECT, "a river bank the")
    one = Counterexample(text, 2, 1.0, "false_positive", "synonyms", original=pair, original_position=2)
    row = to_json(one, prefix=(0, 7))
    assert json.loads(json.dumps(row)) == row
    assert row == {
        "kind": "false_positive",
        "generator": "synonyms",
        "text": "a stream bank the",
        "token_ids": [0, 7, *SUBJECT.tokenize("a stream bank the")],
        "position": 4,
        "activation": 0.0,
        "predicted": 1.0,
        "original_token_ids": [0, 7, *SUBJECT.tokenize("a river bank the")],
        "original_activation": 10.0,
    }
    alone = to_json(Counterexample(text, 2, 1.0, "false_positive", "mutants"), prefix=())
    assert alone["original_token_ids"] is alone["original_activation"] is None
