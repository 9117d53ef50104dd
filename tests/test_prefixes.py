"""Trees of texts that begin alike: every token of every text once, seen by those that follow it and no others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autointerp.prefixes import Pack, packed
from probes.subject import TokenIds

texts = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), unique=True, max_size=20)
sizes = st.integers(1, 40)


def beginnings(some: Sequence[TokenIds]) -> set[TokenIds]:
    return {text[:stop] for text in some for stop in range(1, len(text) + 1)}


@given(texts, sizes)
def test_every_text_is_read_along_its_path(some: list[TokenIds], size: int) -> None:
    found = {}
    for tree in packed(some, size):
        for number, length, path in zip(tree.texts, tree.lengths, tree.paths, strict=True):
            found[int(number)] = tuple(tree.token_ids[path[:length]])
            assert tree.depths[path[:length]].tolist() == list(range(length))
    assert [found[number] for number in range(len(some))] == some


@given(texts, sizes)
def test_a_token_sees_what_came_before_it_in_its_text_and_nothing_else(some: list[TokenIds], size: int) -> None:
    for tree in packed(some, size):
        sees = tree.sees()
        for path, length in zip(tree.paths, tree.lengths, strict=True):
            for place in range(length):
                assert sorted(path[: place + 1]) == np.flatnonzero(sees[path[place]]).tolist()


@given(texts, sizes)
def test_no_tree_runs_a_beginning_twice(some: list[TokenIds], size: int) -> None:
    for tree in packed(some, size):
        assert len(tree) == len(beginnings([some[number] for number in tree.texts]))
        assert len(tree) <= size or len(tree.texts) == 1


@given(texts)
def test_one_large_tree_holds_every_beginning_once(some: list[TokenIds]) -> None:
    assert [len(tree) for tree in packed(some, 10**6)] == ([len(beginnings(some))] if some else [])


def test_a_text_that_begins_another_costs_nothing() -> None:
    [tree] = packed([(1, 2), (1, 2, 3), (1,)], 8)
    assert isinstance(tree, Pack)
    assert tree.token_ids.tolist() == [1, 2, 3]
