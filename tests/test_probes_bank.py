"""The bank: counterexamples told apart, ranked, and replayed without the subject."""

from __future__ import annotations

import json
import random

import pytest
from riverside import evidence, example, generators, planted

from dsl.parse import parse
from dsl.records import Counterexample
from probes.attack import attack
from probes.bank import clusters, diverse, ranked, replay, reread, to_json
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


def test_ranked_ones_show_many_causes_first(bank: tuple[Counterexample, ...]) -> None:
    attacked = parse('activates on the token " bank" or the token " shore" in the context of the word "dog"')
    order = diverse(ranked(bank, SUBJECT.thresholds), attacked, SUBJECT.vocabulary)
    causes = [cluster for one in order for cluster in clusters([one], attacked, SUBJECT.vocabulary)]
    assert len(set(causes[: len(set(causes))])) == len(set(causes))
    assert sorted(map(id, order)) == sorted(map(id, bank))
    assert diverse((), attacked, SUBJECT.vocabulary) == ()


def test_of_two_alike_the_more_prevalent_cause_comes_first() -> None:
    rare, common = (
        Counterexample(example(SUBJECT, text), 1, 1.0, "false_positive", "synonyms", prevalence=share)
        for text, share in (("a bank the", 1e-6), ("the bank the", 1e-3))
    )
    assert ranked([rare, common], SUBJECT.thresholds) == (common, rare)


def test_reading_again_gives_what_is_on_record(bank: tuple[Counterexample, ...]) -> None:
    assert tuple(reread(bank, SUBJECT, 0)) == bank
    other = planted('activates on the token " bank"')
    again = reread(bank, other, 0)
    told = parse('activates on the token " bank"')
    assert not any(replay(again, told, other.thresholds, other.vocabulary))
    assert reread((), SUBJECT, 0) == []


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
