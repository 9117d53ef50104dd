"""Case variants: the same word in lower case, in capitals, capitalised."""

from __future__ import annotations

import random
from collections.abc import Sequence

from probes.generators.swaps import WordSwaps


def cases() -> WordSwaps:
    """Every other case of a word; `the word` ignores case, `the token` does not, and the feature may do either.

    >>> cases().others("Bank", random.Random(0))
    ['bank', 'BANK', 'Bank']
    """
    return WordSwaps("cases", _variants, "", per_word=3)


def _variants(word: str, rng: random.Random) -> Sequence[str]:  # noqa: ARG001 there are three, always the same
    return [word.lower(), word.upper(), word[:1].upper() + word[1:].lower()]
