"""Laws of meaning, for random explanations on random texts: split words and characters, quotes, odd bytes."""

from __future__ import annotations

import numpy as np
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import law
from messy import PIECES, WORDS, messy_contexts
from strategies import explanations, expressions

from dsl.batch import Batch, Vocabulary
from dsl.evaluate import Evaluator, evaluate, evaluate_chunks, matches
from dsl.nodes import Explanation, Expression
from dsl.records import Context

contexts = messy_contexts()
_expressions = expressions(PIECES, WORDS, max_leaves=4)
_explanations = explanations(PIECES, WORDS, max_leaves=4)


@st.composite  # names for strategies that are made of too much to be written out in messages
def our_expressions(draw: st.DrawFn) -> Expression:
    return draw(_expressions)


@st.composite
def our_explanations(draw: st.DrawFn) -> Explanation:
    return draw(_explanations)


@law(our_expressions(), st.lists(contexts, max_size=4), everyday=100, full=3_000)
def test_the_arrays_agree_with_the_reference(expression: Expression, some: list[Context]) -> None:
    held = matches(expression, Batch.of(some))
    for row, context in enumerate(some):
        expected = reference.matches(expression, context.tokens, context.start)
        assert held[row, : len(context.tokens)].tolist() == expected
        assert not held[row, len(context.tokens) :].any()


@given(our_explanations(), contexts)
@settings(max_examples=60, deadline=None)
def test_levels_agree_with_the_reference(explanation: Explanation, context: Context) -> None:
    predicted = evaluate(explanation, Batch.of([context]))
    assert predicted.dtype == np.float32
    assert np.allclose(predicted[0], reference.evaluate(explanation, context.tokens, context.start))


@given(our_explanations(), contexts, st.data())
@settings(max_examples=60, deadline=None)
def test_meaning_is_causal(explanation: Explanation, context: Context, data: st.DataObject) -> None:
    t = data.draw(st.integers(0, len(context.tokens)))
    whole = evaluate(explanation, Batch.of([context]))
    cut = evaluate(explanation, Batch.of([Context(context.tokens[:t], start=context.start)]))
    assert np.array_equal(whole[:, :t], cut)


@law(our_explanations(), st.lists(contexts, max_size=4), everyday=40, full=600)
def test_a_batch_equals_its_contexts_one_at_a_time(explanation: Explanation, some: list[Context]) -> None:
    together = evaluate(explanation, Batch.of(some))
    for row, context in enumerate(some):
        alone = evaluate(explanation, Batch.of([context]))[0]
        assert np.array_equal(together[row, : len(alone)], alone)
        assert not together[row, len(alone) :].any()


@law(our_expressions(), st.lists(contexts, min_size=2, max_size=4), everyday=40, full=600)
def test_a_shared_vocabulary_remembers_nothing_that_changes_an_answer(
    expression: Expression, some: list[Context]
) -> None:
    strings = sorted({token for context in some for token in context.tokens})
    # Ids 0 to n and again: two ids for every text, so that equality is of texts.
    vocabulary = Vocabulary([*strings, *strings])
    for number, context in enumerate(some):
        ids = tuple(strings.index(token) + len(strings) * (place % 2) for place, token in enumerate(context.tokens))
        seen = Context(context.tokens, token_ids=ids, start=context.start)
        held = matches(expression, Batch.of([seen], vocabulary))
        assert held[0].tolist() == matches(expression, Batch.of([context]))[0].tolist(), number


@law(st.lists(our_expressions(), min_size=1, max_size=6), st.lists(contexts, max_size=3), everyday=30, full=600)
def test_an_evaluator_with_little_room_gives_the_same_answers(some: list[Expression], texts: list[Context]) -> None:
    batch = Batch.of(texts)
    small, large = Evaluator(batch, keep_bytes=0), Evaluator(batch)
    for expression in [*some, *some]:
        expected = matches(expression, batch)
        assert np.array_equal(small.matches(expression), expected)
        assert np.array_equal(large.matches(expression), expected)
        bits = np.unpackbits(large.packed(expression))[: int(batch.mask.sum())]
        assert np.array_equal(bits.astype(np.bool_), expected[batch.mask])


@law(our_explanations(), st.lists(contexts, max_size=5), st.integers(1, 40), everyday=40, full=600)
def test_chunks_of_any_size_are_the_whole(explanation: Explanation, some: list[Context], chunk_tokens: int) -> None:
    batch = Batch.of(some)
    ids = batch.ids.astype(np.uint16)
    chunks = list(
        evaluate_chunks(explanation, ids, batch.lengths, batch.starts, batch.vocabulary, chunk_tokens=chunk_tokens)
    )
    assert np.array_equal(np.concatenate(chunks) if chunks else np.zeros(ids.shape), evaluate(explanation, batch))
    assert all(len(chunk) == 1 or chunk.size <= chunk_tokens for chunk in chunks)
