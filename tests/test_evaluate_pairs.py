"""`evaluate` against the reference interpreter on thousands of explanations and messy texts: `make test-slow`."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from messy import ODD_PIECES, PIECES, WORDS, messy_contexts, themed_contexts, themes
from strategies import explanations

from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.records import Context

PARTS, PAIRS_EACH = 12, 2_000
_messy = explanations(PIECES + ODD_PIECES[1:], WORDS, max_leaves=5)
_themes = [
    (explanations(pieces, words, max_leaves=5), themed_contexts(pieces)) for pieces, words in themes(24) if words
]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Explanation, Context]:
    """An explanation and a text, most often made of the same few pieces, so that one speaks of the other."""
    if draw(st.integers(0, 3)) == 0:
        return draw(_messy), draw(messy_contexts())
    spoken, written = draw(st.sampled_from(_themes))
    return draw(spoken), draw(written)


def agrees(pair: tuple[Explanation, Context], neighbour: Context) -> None:
    """One pair; the neighbour shares the batch, and must not be heard."""
    explanation, context = pair
    predicted = evaluate(explanation, Batch.of([neighbour, context]))
    expected = np.zeros(predicted.shape[1], dtype=np.float32)
    expected[: len(context.tokens)] = reference.evaluate(explanation, context.tokens, context.start)
    assert predicted.dtype == np.float32
    assert predicted[1].tolist() == expected.tolist()


def check(count: int, number: int) -> None:
    """So many pairs, the same for the same number; what fails is shrunk."""
    given_pairs = given(pairs(), messy_contexts())
    limits = settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    seed(number)(limits(given_pairs(agrees)))()


def test_some_pairs_agree_with_the_reference() -> None:
    check(80, 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, PARTS + 1))
def test_thousands_of_pairs_agree_with_the_reference(number: int) -> None:
    check(PAIRS_EACH, number)
