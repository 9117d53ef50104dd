"""Texts for Hypothesis as no tidy corpus has them: characters cut in two, long words, empty tokens, odd spaces.

Pieces of words and marks that the strategies of explanations also use, so that explanations hit; and any text at all,
its bytes cut into tokens anywhere.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise

from hypothesis import strategies as st

from dsl.nodes import is_word
from dsl.records import Context

PIECES = (
    " pizza", "pizza", "piz", "za", "s", " the", "the", " crust", "cr", "ust", "'", "\u2019", "t", " don", "don't",
    "'s",
    "n't", " I'm", " Lily", "li", "ly", "NASA", " U", "S", "A", " red and", " ran. Run", ".", "!", "?...", "…", ",",
    "\n", "\n\n", " ", "  ", "\u00a0", '"', ' "', '."', '""', "“", "”", "«", "»", "\u2018", "(", ")", " (a", "b)", "]",
    "{[", ")(", "3", "14", " 42", "٣", "½", "caf", "é", "\udcc3", "\udca9", "\udce2", "\udc80", "\udc99", "\udc9c",
    "\udc9d", "\udca6", "\udcf0\udc9f", "\udc98\udc80", "\udcff", "😀", "e\u0301", "ß", "SS", "ǅ", "Straße", "漢字",
    "字", "-", "x" * 70, "x" * 64, "not", " who", " of", "one", " and", " was", "a", "A",
)  # fmt: skip
WORDS = (
    "pizza", "pizzas", "the", "crust", "don't", "don", "t", "s", "i'm", "lily", "nasa", "usa", "red", "and", "ran",
    "run", "café", "strasse", "漢字", "字", "3", "14", "x" * 128, "x" * 64, "a", "b", "e\u0301", "not", "who", "one",
    "was", "of",
)  # fmt: skip
ODD_PIECES = (
    "", "\r\n", "\r", "\t", "\x0b", "\x85", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\0", "\u0301", "\u20e3",
    "\ufe0f", "👨\u200d👩\u200d👧", "\udcf0", "\udc9f\udc91", "\udca8", "\udcef\udcbb", "\udcbf", "\udcc3\udcc3\udca9",
    "İ", "\u0131", "ﬁ", "\u017f", "ς", "Σ", "ŉ", "\uff21\uff22", "²", "Ⅷ", "'n'", "''", "'\u2019", "\u2019'", "x'",
    "'x", "x" * 127, "x" * 128, "x" * 129, "é" * 63, "é" * 64, "é" * 65, "字" * 42, "字" * 43, "x" * 120 + "'",
    "x" * 126 + "\udcc3", "ب", "\u064b", "क", "\u094d", "ก", "\u0e31", "Lily\u2019s", "McDonald", "iPhone", "ABC1",
    "...?!", "。", "\uff01",
)  # fmt: skip
"""Pieces in which most mistakes would hide: empty ones, other spaces, marks, folds that grow, words at the limit."""


@st.composite
def cut_text(draw: st.DrawFn) -> tuple[str, ...]:
    """Any text, its bytes cut into tokens anywhere; now and then an empty token."""
    alphabet = st.one_of(st.characters(codec="utf-8"), st.sampled_from("aé字😀'\u2019\u0301 .\"\n(\r"))
    raw = draw(st.text(alphabet, max_size=16)).encode("utf-8")
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=len(raw) + 1)))
    bounds = [0, *cuts, len(raw)]
    return tuple(raw[a:b].decode("utf-8", "surrogateescape") for a, b in pairwise(bounds))


usual = st.lists(st.sampled_from(PIECES), max_size=12).map(tuple)
odd = st.lists(st.sampled_from(PIECES) | st.sampled_from(ODD_PIECES), max_size=14).map(tuple)
few_kinds = st.lists(st.sampled_from(PIECES + ODD_PIECES), min_size=1, max_size=4).flatmap(
    lambda some: st.lists(st.sampled_from(some), max_size=20).map(tuple)
)
long = st.lists(st.sampled_from(PIECES[:24]), min_size=30, max_size=45).map(tuple)
starts = st.none() | st.just(0) | st.integers(0, 9) | st.integers(0, 1_000_000)


@st.composite
def messy_contexts(draw: st.DrawFn) -> Context:
    """A context of any of these kinds, its start known or not."""
    return Context(draw(usual | odd | few_kinds | long | cut_text()), start=draw(starts))


def themes(count: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """A few pieces each, and the words that they make up: texts and explanations of one theme speak of the same."""
    rng, found = random.Random(0), []
    for _ in range(count):
        pieces = tuple(rng.sample(PIECES, 5) + rng.sample(ODD_PIECES[1:], 3))
        texts = [*pieces, *(a + b for a in pieces for b in pieces)]
        words = {re.sub("\u2019", "'", word).casefold() for text in texts for word in _WORD.findall(text)}
        found.append((pieces, tuple(sorted(word for word in words if is_word(word)))))
    return found


_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@st.composite
def themed_contexts(draw: st.DrawFn, pieces: tuple[str, ...]) -> Context:
    """A text of at least three of the pieces, now and then with an empty token."""
    tokens = draw(st.lists(st.sampled_from(pieces) | st.sampled_from((*pieces, "")), min_size=3, max_size=24))
    return Context(tuple(tokens), start=draw(starts))
