"""Random explanations for Hypothesis: every construct, awkward strings, nesting kept shallow enough to read.

>>> from hypothesis import given
>>> @given(explanations())
... def test_something(explanation): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from hypothesis import strategies as st

from dsl.nodes import (
    LEVELS,
    About,
    AnyToken,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Enclosure,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Modifier,
    Not,
    Part,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    conjunction,
    union,
)

COMMON_WORDS = ("the", "pizza", "crust", "run", "ran", "red", "crimson", "don't", "o'clock", "42", "x")
COMMON_STRINGS = (" pizza", "pizza", " the", ".", ",", '"', "\n", " ", "\\", "/", "(", ")", "s", "'s", " Anna", "7")
PATTERNS = (r"^ [A-Z]+$", r"\d", "a/b", r"\\", r"[^/]", "(?i)pizza", r"\pL{2,3}", "é|ü", " $", "\n", r"\.\*", '"')

awkward_strings = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.characters(min_codepoint=0, max_codepoint=0x7F),
        st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
        st.sampled_from('"\\/\n\t\r\x00\x85\u2028\u200b\u00a0[](),; '),
    ),
    min_size=1,
    max_size=6,
)
strange_words = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=5)


def strings(common: Sequence[str] = COMMON_STRINGS) -> st.SearchStrategy[str]:
    """Token texts: those given most of the time, now and then anything that the language can write."""
    return st.sampled_from(tuple(common)) | st.sampled_from(tuple(common)) | awkward_strings


def words(common: Sequence[str] = COMMON_WORDS) -> st.SearchStrategy[str]:
    """Single words: those given most of the time, now and then of any script."""
    return st.sampled_from(tuple(common)) | st.sampled_from(tuple(common)) | strange_words


def _some(items: st.SearchStrategy[str], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(items, min_size=least, max_size=4).map(tuple)


def atoms(
    common_strings: Sequence[str] = COMMON_STRINGS, common_words: Sequence[str] = COMMON_WORDS
) -> st.SearchStrategy[Expression]:
    """Every construct that is no combination of others; pass your vocabulary to have atoms hit your texts."""
    text, word = strings(common_strings), words(common_words)
    position = st.integers(1, 9) | st.integers(1, 999_999)
    return st.one_of(
        st.builds(Tokens, _some(text)),
        st.builds(Words, _some(word)),
        st.builds(Phrase, _some(word, 2)),
        st.builds(FormsOf, word, _some(word)),
        st.builds(WordsLike, word, _some(word)),
        st.builds(TokensWith, st.sampled_from(get_args(Part)), text),
        st.builds(TokensMatching, st.sampled_from(PATTERNS)),
        st.builds(Class, st.sampled_from(get_args(ClassName))),
        st.just(AnyToken()),
        st.tuples(position, position).map(lambda pair: Positions(min(pair), max(pair))),
        st.builds(Boundary, st.sampled_from(get_args(BoundaryName))),
        st.just(RepeatedToken()),
        st.builds(FollowedBefore, text),
    )


def expressions(
    common_strings: Sequence[str] = COMMON_STRINGS,
    common_words: Sequence[str] = COMMON_WORDS,
    max_leaves: int = 6,
) -> st.SearchStrategy[Expression]:
    """Any expression, of about `max_leaves` atoms at most."""

    def larger(smaller: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        modifier: st.SearchStrategy[Modifier] = st.one_of(
            st.builds(RightAfter, smaller),
            st.builds(Within, smaller, st.sampled_from((1, 2, 4, 32)) | st.integers(1, 99)),
            st.builds(About, _some(words(common_words)).map(" ".join), _some(words(common_words), 2)),
            st.builds(Inside, st.sampled_from(get_args(Enclosure))),
        )
        several = st.lists(smaller, min_size=2, max_size=3)
        return st.one_of(
            st.builds(Clause, smaller, st.lists(modifier, min_size=1, max_size=2).map(tuple)),
            st.builds(Not, smaller),
            several.map(lambda operands: conjunction(*operands)),
            several.map(lambda operands: union(*operands)),
            st.builds(Except, smaller, smaller),
        )

    return st.recursive(atoms(common_strings, common_words), larger, max_leaves=max_leaves)


def explanations(
    common_strings: Sequence[str] = COMMON_STRINGS,
    common_words: Sequence[str] = COMMON_WORDS,
    max_leaves: int = 6,
) -> st.SearchStrategy[Explanation]:
    """Any explanation: any of the levels, most often one or two, with or without an output side."""
    expression = expressions(common_strings, common_words, max_leaves)
    names = st.one_of(
        st.just(["strong"]),
        st.just(["strong", "weak"]),
        st.lists(st.sampled_from(list(LEVELS)), min_size=1, max_size=4, unique=True),
    )
    levels = names.flatmap(lambda chosen: st.fixed_dictionaries(dict.fromkeys(chosen, expression)))
    promoted = st.just(()) | _some(strings(common_strings))
    return st.builds(Explanation.of, levels, promoted)
