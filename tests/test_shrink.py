"""Shrinking: what is left still disagrees, nothing of its left side can go, and it is the least where that is known."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from riverside import WORDS, planted
from strategies import explanations

from dsl.nodes import Explanation
from dsl.parse import parse
from probes.edits import Column, Replacement, columns_of
from probes.planted import PlantedSubject
from probes.shrink import Shrunk, plain_tokens, reads_back, shrink_all
from probes.spelling import respelt
from probes.trial import Budget, Trial
from probes.verify import Candidate, candidate, disagrees, false_negatives, false_positives, stands

PLANTED = explanations((" bank", " river", "the", " ", "."), tuple(WORDS), max_leaves=4)


def trial(truth: Explanation | str, explanation: Explanation | str) -> Trial:
    subject = planted(truth)
    told = parse(explanation) if isinstance(explanation, str) else explanation
    return Trial(told, 0, subject, subject.thresholds, Budget(10**9))


def found_in(trial: Trial, text: str) -> list[Candidate]:
    """Every disagreement of a text that stands alone."""
    ids = trial.subject.tokenize(text)
    [reading] = trial.read([ids])
    columns = tuple(Column((), (token,)) for token in ids)
    return [
        candidate(columns, position, kind, None, trial.thresholds)
        for position in range(len(ids))
        for kind in ("false_positive", "false_negative")
        if disagrees(reading, trial.thresholds, position, kind)
    ]


def assert_one_minimal(shrunk: Shrunk, trial: Trial) -> None:
    one = shrunk.smallest
    assert stands(one, trial.read(one.texts), trial.thresholds)
    for gone in range(one.column):
        columns = one.columns[:gone] + one.columns[gone + 1 :]
        fewer = Candidate(columns, one.column - 1, one.offset, one.kind, one.paired)
        still = stands(fewer, trial.read(fewer.texts), trial.thresholds)
        assert not still or not all(reads_back(text, trial.subject) for text in fewer.texts)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(PLANTED, PLANTED, st.lists(st.sampled_from(WORDS), min_size=2, max_size=20))
def test_what_is_left_stands_and_no_left_token_can_go(
    truth: Explanation, explanation: Explanation, words: list[str]
) -> None:
    on_trial = trial(truth, explanation)
    candidates = found_in(on_trial, " ".join(words))[:4]
    for shrunk in shrink_all(candidates, on_trial, tokens=10**6):
        assert shrunk.minimal
        assert_one_minimal(shrunk, on_trial)
        lengths = [len(step.token_ids) for step in shrunk.steps]
        assert lengths == sorted(lengths, reverse=True)
        assert all(step.kind == shrunk.smallest.kind for step in shrunk.steps)
        assert all(stands(step, on_trial.read(step.texts), on_trial.thresholds) for step in shrunk.steps)


def smallest_by_search(subject: PlantedSubject, on_trial: Trial, length: int) -> int | None:
    """Length of the shortest text of words that disagrees at all, by trying every one."""
    vocabulary = [subject.tokenize(f" {word}")[0] for word in ("river", "bank", "the", "tree", "shore")]
    for size in range(1, length + 1):
        every = list(itertools.product(vocabulary, repeat=size))
        for reading in on_trial.read(every):
            wrong = false_positives(reading, on_trial.thresholds) | false_negatives(reading, on_trial.thresholds)
            if wrong.any():
                return size
    return None


@pytest.mark.parametrize(
    ("truth", "explanation"),
    [
        ('activates on the token " bank" in the context of the word "river"', 'activates on the token " bank"'),
        ('activates on the token " bank" right after the word "river"',
         'activates on the token " bank" in the context of the word "river"'),
        ('activates on a repeated token', 'activates on the token " tree"'),
        ('activates on the token " bank" in text about "river" ["river", "shore", "tree"]',
         'activates on the token " shore"'),
        ('activates on the token " bank" in the context of the word "river"',
         'activates on the token " bank" in the context of (the word "tree" or the word "river")'),
    ],
)  # fmt: skip
def test_small_ones_shrink_to_the_shortest_there_is(truth: str, explanation: str) -> None:
    on_trial = trial(truth, explanation)
    subject = planted(truth)
    rng = random.Random(0)
    least = smallest_by_search(subject, on_trial, 4)
    found: list[Candidate] = []
    while len(found) < 5:
        words = rng.choices(["river", "bank", "the", "tree", "shore"], k=15)
        found += found_in(on_trial, " " + " ".join(words))
    sizes = [len(one.smallest.token_ids) for one in shrink_all(found, on_trial, tokens=10**6)]
    assert least is not None
    assert min(sizes) == least


def test_a_pair_loses_the_same_tokens_on_both_sides_and_the_edits_that_did_not_matter() -> None:
    truth = 'activates on the token " bank" in the context of the word "river"'
    on_trial = trial(truth, 'activates on the token " bank"')
    text = on_trial.subject.tokenize("a dog by the river was old and the bank was deep by the road")
    swaps = [(1, " man"), (4, " stream"), (6, " big"), (10, " it"), (12, " and")]
    replacements = [
        replacement
        for place, word in swaps
        if (replacement := respelt(on_trial.subject, text, place, place + 1, word)) is not None
    ]
    assert len(replacements) == 5
    position = text.index(on_trial.subject.tokenize(" bank")[0])
    columns = columns_of(text, replacements)
    one = candidate(columns, position, "false_positive", on_trial.read([text])[0], on_trial.thresholds)
    assert one.paired
    [shrunk] = shrink_all([one], on_trial, tokens=10**6)
    assert shrunk.minimal
    spell = on_trial.subject.vocabulary.strings
    smallest = shrunk.smallest
    assert smallest.original_ids is not None
    assert "".join(spell[token] for token in smallest.token_ids[:2]) == " stream bank"
    assert "".join(spell[token] for token in smallest.original_ids[:2]) == " river bank"
    assert len(smallest.token_ids) == 3
    assert_one_minimal(shrunk, on_trial)


def test_tokens_that_do_not_matter_become_plain() -> None:
    on_trial = trial('activates on the token " bank"', 'activates on the token " tree"')
    [one] = found_in(on_trial, "big bank zebra")
    [shrunk] = shrink_all([one], on_trial, tokens=10**6)
    spell = on_trial.subject.vocabulary.strings
    assert [spell[token] for token in shrunk.smallest.token_ids] == [" bank", " the"]
    assert spell[plain_tokens(on_trial.subject.vocabulary)[0]] == " the"


@pytest.mark.parametrize("tokens", [0, 10, 60, 150])
def test_a_budget_cuts_shrinking_short_and_says_so(tokens: int) -> None:
    on_trial = trial('activates on the token " bank" in the context of the word "river"', 'activates on the word "it"')
    found = found_in(on_trial, "a river " + " ".join(["old dog"] * 10) + " bank the")
    before = on_trial.spent
    [shrunk] = shrink_all(found, on_trial, tokens=tokens)
    assert on_trial.spent - before <= tokens
    assert not shrunk.minimal or tokens == 150
    assert stands(shrunk.smallest, on_trial.read(shrunk.smallest.texts), on_trial.thresholds)


def test_nothing_to_shrink_is_no_trouble() -> None:
    assert shrink_all([], trial('activates on the token "a"', 'activates on the token "b"'), tokens=10) == []


def test_of_tokens_put_in_only_those_that_matter_stay() -> None:
    """A feature that looks four tokens back loses the river to twenty put in; four are enough."""
    truth = 'activates on the token " bank" within 4 tokens after the word "river"'
    on_trial = trial(truth, 'activates on the token " bank" in the context of the word "river"')
    text = on_trial.subject.tokenize(" river bank the")
    put = Replacement(1, 1, on_trial.subject.tokenize(" dog" * 20))
    position = 21
    parent = on_trial.read([text])[0]
    one = candidate(columns_of(text, [put]), position, "false_positive", parent, on_trial.thresholds)
    assert one.paired
    [shrunk] = shrink_all([one], on_trial, tokens=10**6)
    assert shrunk.minimal
    assert len(shrunk.smallest.token_ids) == len(text) + 4
    assert_one_minimal(shrunk, on_trial)


def test_a_window_that_begins_inside_a_word_does_not_read_back_and_shrinks_all_the_same() -> None:
    on_it = trial('activates on the token " bank"', 'activates on the token " tree"')
    subject = on_it.subject
    spelt = tuple(subject.tokenize(letter)[0] for letter in (" big", " ", "r", "i", "v", "e", "r", " bank", " the"))
    assert not reads_back(spelt, subject)
    columns = tuple(Column((), (token,)) for token in spelt)
    [shrunk] = shrink_all([candidate(columns, 7, "false_negative", None, on_it.thresholds)], on_it, tokens=10**6)
    assert len(shrunk.smallest.token_ids) == 2


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(PLANTED, PLANTED, st.lists(st.sampled_from(WORDS), min_size=2, max_size=12))
def test_what_reads_back_reads_back_at_every_step(truth: Explanation, told: Explanation, words: list[str]) -> None:
    on_trial = trial(truth, told)
    candidates = [one for one in found_in(on_trial, " ".join(words))[:3] if reads_back(one.token_ids, on_trial.subject)]
    for shrunk in shrink_all(candidates, on_trial, tokens=10**6):
        assert all(reads_back(step.token_ids, on_trial.subject) for step in shrunk.steps)
