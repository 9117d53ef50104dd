"""Laws of two sizes: a few examples each time the tests run, many in the slow tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def law(*drawn: st.SearchStrategy, everyday: int, full: int) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """A test of what the decorated function asserts of drawn values: so many everyday, so many in its slow twin.

    >>> @law(st.integers(), everyday=10, full=1_000)
    ... def test_halves_sum_to_the_whole(number: int) -> None:
    ...     assert number // 2 + (number + 1) // 2 == number
    """

    def test_of(asserted: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize(
            "examples", [pytest.param(everyday, id="everyday"), pytest.param(full, id="full", marks=pytest.mark.slow)]
        )
        def test(examples: int) -> None:
            settings(max_examples=examples, deadline=None)(given(*drawn)(asserted))()

        test.__name__, test.__doc__, test.__module__ = asserted.__name__, asserted.__doc__, asserted.__module__
        return test

    return test_of
