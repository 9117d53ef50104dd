"""Swaps by what words mean to each other: synonyms, antonyms, co-hyponyms, inflections; one lexicon answers for all."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from dsl.lexicon import Contrasts, Lexicon
from dsl.nodes import fold
from probes.generators.swaps import WordSwaps
from probes.spelling import in_case_of

WITHOUT_CONTRASTS = "the lexicon knows no opposites and no words of the same kind"


def synonyms(lexicon: Lexicon | None) -> WordSwaps:
    """Words like the word: an explanation that names too few of a field, or too many, falls to them."""
    return _swaps("synonyms", None if lexicon is None else lexicon.like, "no lexicon of words like a word")


def inflections(lexicon: Lexicon | None) -> WordSwaps:
    """Other forms of the word: run, ran, running."""
    return _swaps("inflections", None if lexicon is None else lexicon.forms, "no lexicon of forms of a word")


def antonyms(lexicon: Lexicon | None) -> WordSwaps:
    """Opposites: the text stays of one kind, and what it says is turned round."""
    return _swaps("antonyms", lexicon.antonyms if isinstance(lexicon, Contrasts) else None, WITHOUT_CONTRASTS)


def cohyponyms(lexicon: Lexicon | None) -> WordSwaps:
    """Other things of the same kind: for red blue, not crimson."""
    return _swaps("cohyponyms", lexicon.cohyponyms if isinstance(lexicon, Contrasts) else None, WITHOUT_CONTRASTS)


def _swaps(name: str, ask: Callable[[str], Sequence[str]] | None, missing: str) -> WordSwaps:
    if ask is None:
        return WordSwaps(name, None, missing)

    def others(word: str, rng: random.Random) -> Sequence[str]:  # noqa: ARG001 answers come aptest first
        return [in_case_of(word, other) for other in ask(fold(word)) if fold(other) != fold(word)]

    return WordSwaps(name, others, missing)
