"""Search finds planted truths again, on text it has not seen; the same way every time; and mends what it is shown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from stories import Lexis, contexts, evidence, labelled

from agents.atoms import Slot
from agents.constructs import make_pool
from agents.search import STRATEGIES, Labelled, SearchResult, search
from agents.table import tabulate
from dsl.batch import Batch
from dsl.complexity import bits
from dsl.errors import InputError
from dsl.evaluate import evaluate
from dsl.nodes import AnyToken, Explanation, RightAfter, Words
from dsl.parse import parse
from dsl.records import Context, Counterexample, Evidence, Example, Thresholds
from dsl.render import render

TRUTHS = (
    'the token " dog"',
    'the word "kitchen"',
    'the tokens " cat", " cake"',
    'the word "dog" right after the word "the"',
    'the word "cat" in the context of the word "bank"',
    'any form of "run" ["ran", "run", "running", "runs"]',
    'words like "red" ["crimson", "red", "scarlet"]',
    'capitalised words right after the word "day"',
    'any token right after the token " the"',
    "the start of a sentence",
    "the first token",
    "punctuation",
    'tokens ending with "en"',
    'the words "boat", "stone" within 4 tokens after the word "a"',
    'the word "dog" except any token right after the word "the"',
)


def find(sample: Evidence, strategy: str = "context", **more: object) -> SearchResult:
    settings: dict[str, object] = {"lexicon": Lexis(), "budget": 20_000, "rng": random.Random(0), **more}
    return search(sample, strategy=strategy, **settings)  # type: ignore[arg-type]


def f1(truth: str | Explanation, found: Explanation, seed: int = 999) -> float:
    unseen = contexts(300, seed)
    batch = Batch.of(unseen)
    fires = evaluate(parse(truth) if isinstance(truth, str) else truth, batch) > 0
    predicted = evaluate(found, batch) >= 0.5
    return 2 * float((fires & predicted).sum()) / max(1.0, float(fires.sum() + predicted.sum()))


@pytest.mark.parametrize("strategy", ["context", "lexical", "semantic"])
@pytest.mark.parametrize("truth", TRUTHS)
def test_a_planted_truth_is_found_again_on_unseen_text(truth: str, strategy: str) -> None:
    found = find(evidence(f"activates on {truth}"), strategy)
    assert f1(f"activates on {truth}", found.explanation) >= 0.95, render(found.explanation)


@pytest.mark.parametrize("truth", ['the word "kitchen"', 'the word "dog" right after the word "the"'])
def test_a_simple_truth_is_not_explained_at_length(truth: str) -> None:
    found = find(evidence(f"activates on {truth}"))
    assert bits(found.explanation) <= 2.5 * bits(parse(f"activates on {truth}")), render(found.explanation)


def test_every_explanation_found_reads_back_from_its_text() -> None:
    for candidate in find(evidence('activates on the word "cat" in the context of the word "bank"')).candidates:
        assert parse(render(candidate.explanation)) == candidate.explanation


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_search_gives_the_same_result(strategy: str) -> None:
    sample = evidence('activates on the words "boat", "stone" within 4 tokens after the word "a"')
    assert find(sample, strategy) == find(sample, strategy)


def test_candidates_are_ranked_and_the_first_is_the_answer() -> None:
    found = find(evidence('activates on the word "dog" right after the word "the"'))
    scores = [candidate.score for candidate in found.candidates]
    assert found.candidates[0].explanation == found.explanation
    assert scores == sorted(scores, reverse=True)
    assert any(line.startswith("clause") for line in found.scratchpad)


def test_strategies_explain_a_noisy_feature_differently() -> None:
    truth = evidence('activates on any token within 4 tokens after the words "day", "old", "was"')
    rng = random.Random(1)
    noisy = (tuple(value * (rng.random() < 0.5) for value in each.activations) for each in truth.examples)
    examples = tuple(Example(each.context, values) for each, values in zip(truth.examples, noisy, strict=True))
    sample = Evidence("noisy", examples, truth.thresholds, truth.density)
    assert len({render(find(sample, strategy).explanation) for strategy in STRATEGIES}) > 1


def test_a_small_budget_still_gives_an_answer() -> None:
    found = find(evidence('activates on the word "dog" right after the word "the"'), budget=1)
    assert found.explanation in {candidate.explanation for candidate in found.candidates}


def test_a_search_that_runs_out_of_time_answers_and_says_so() -> None:
    sample = evidence('activates on the word "dog" right after the word "the"')
    found = find(sample, time_limit=0.0)
    assert found.stopped == "time"
    assert found.scratchpad[-1] == "stopped early: out of time"
    assert parse(render(found.explanation)) == found.explanation
    assert find(sample).stopped == "done"


def test_the_weak_level_raises_average_precision_where_tokens_fire_sometimes() -> None:
    rng = random.Random(5)
    examples = []
    for context in contexts(120, 3):
        values = [
            4.0 if token == " dog" or (token == " cat" and rng.random() < 0.3) else 0.0 for token in context.tokens
        ]
        examples.append(Example(context, tuple(values)))
    sample = Evidence("sometimes", tuple(examples), Thresholds.from_maximum(4.0))
    found = find(sample).explanation
    assert found.weak is not None
    assert "cat" in render(Explanation(found.weak))
    assert f1('activates on the token " dog"', found) >= 0.95


def test_a_feature_that_fires_everywhere_is_any_token() -> None:
    sample = Evidence("all", tuple(labelled("activates on any token", contexts(30, 0))), Thresholds.from_maximum(4.0))
    assert find(sample).explanation.strong == AnyToken()


def test_a_feature_that_fires_nowhere_is_an_input_error() -> None:
    silent = tuple(Example(context, (0.0,) * len(context.tokens)) for context in contexts(5, 0))
    for examples in (silent, ()):
        with pytest.raises(InputError, match="fires nowhere"):
            find(Evidence("none", examples, Thresholds.from_maximum(4.0)))


def test_an_unknown_strategy_is_an_input_error() -> None:
    with pytest.raises(InputError, match="there are: context"):
        find(evidence('activates on the token " dog"'), "clever")


@pytest.mark.parametrize(
    "tokens",
    [
        ("a",),
        ("\udce2", "\udc82", "\udcac"),
        ("नम", "स्ते"),
        ("é",) * 40,
        (" ", "\n", "\t"),
        ("“", "don", "\u2019", "t", "”"),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_odd_example_is_enough(tokens: tuple[str, ...], strategy: str) -> None:
    example = Example(Context(tokens), (*(0.0 for _ in tokens[1:]), 3.0))
    empty = Example(Context(()), ())
    found = find(Evidence("odd", (example, empty), Thresholds.from_maximum(3.0)), strategy, lexicon=None)
    assert parse(render(found.explanation)) == found.explanation
    assert (evaluate(found.explanation, Batch.of([example.context])) > 0).any()


def test_without_known_starts_no_position_is_named() -> None:
    found = find(evidence("activates on the start of a sentence", starts=False))
    assert "first token" not in render(found.explanation)
    assert "tokens 1 to" not in render(found.explanation)


def test_silent_contexts_weigh_as_much_as_the_corpus_holds_of_them() -> None:
    sample = evidence('activates on the word "kitchen"', count=20)
    table = tabulate(sample)
    assert sample.density is not None
    assert table.firing_weight / table.weight.sum() == pytest.approx(sample.density, rel=0.01)
    active = [row for row, example in enumerate(sample.examples) if example.peak > 0]
    silent = np.isin(table.rows, active) & ~table.fires
    assert np.unique(table.weight[silent]).tolist() == [1.0]


def test_a_context_weighs_as_much_as_the_contexts_it_was_drawn_from() -> None:
    sample = evidence('activates on the word "kitchen"', count=20)
    shares = tuple(3.0 if number % 2 else 1.0 for number in range(len(sample.examples)))
    table = tabulate(replace(sample, stands_for=shares))
    quiet = [row for row, example in enumerate(sample.examples) if example.peak == 0]
    weights = {row: float(table.weight[table.rows == row][0]) for row in quiet}
    odd, even = ([weights[row] for row in quiet if row % 2 == side] for side in (1, 0))
    assert odd == pytest.approx([3 * even[0]] * len(odd))
    assert table.firing_weight / table.weight.sum() == pytest.approx(sample.density, rel=0.01)


def test_a_counterexample_labels_its_own_position_only() -> None:
    example = Example(Context((" a", " b", " c")), (0.0, 0.0, 3.0))
    missed = Counterexample(example, 2, 0.0, "false_negative", "test")
    assert Labelled.of(missed).fires == (None, None, True)
    assert Labelled.of(Counterexample(example, 1, 1.0, "false_positive", "test")).fires == (None, False, None)


class TestMending:
    """What was shown comes out right, the rest stays, and the explanation grows by little."""

    TRUTH = 'activates on the word "dog" right after the word "the"'

    def shown(self, wrong: str, count: int = 3) -> list[Labelled]:
        """Positions of unseen texts at which truth and explanation disagree."""
        sample = contexts(200, 77)
        batch = Batch.of(sample)
        truth, said = (evaluate(parse(text), batch) >= 0.5 for text in (self.TRUTH, wrong))
        cases = []
        for row, column in np.argwhere(truth != said)[:count].tolist():
            fires: list[bool | None] = [None] * len(sample[row].tokens)
            fires[column] = bool(truth[row, column])
            cases.append(Labelled(sample[row], tuple(fires)))
        return cases

    @pytest.mark.parametrize(
        "wrong",
        [
            'activates on the word "dog"',
            'activates on the words "cat", "dog" right after the word "the"',
            'activates on the word "dog" right after the word "the" in the context of the word "saw"',
            'activates on the word "boat"',
        ],
    )
    def test_what_was_shown_comes_out_right(self, wrong: str) -> None:
        cases = self.shown(wrong)
        found = find(evidence(self.TRUTH), must_hold=cases, start=parse(wrong)).explanation
        for case in cases:
            predicted = evaluate(found, Batch.of([case.context]))[0] >= 0.5
            assert all(label is None or label == said for label, said in zip(case.fires, predicted, strict=True))
        assert f1(self.TRUTH, found) >= 0.95, render(found)
        assert bits(found) <= bits(parse(wrong)) + 48 * len(cases)

    def test_what_is_right_already_is_left_alone(self) -> None:
        found = find(evidence(self.TRUTH), start=parse(self.TRUTH))
        assert found.explanation == parse(self.TRUTH)


def test_an_exception_can_name_what_never_stands_before_a_firing_position() -> None:
    sample = evidence('activates on the word "dog" except any token right after the word "the"')
    pool = make_pool(tabulate(sample), None)
    after_the = RightAfter(Words(("the",)))

    def named(slots: Sequence[Slot]) -> bool:
        return any("the" in slot.values and slot.make(("the",)) == after_the for slot in slots)

    assert named(pool.barring)
    assert not named(pool.slots)
