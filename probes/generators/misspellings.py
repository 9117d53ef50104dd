"""Spelling variants: slips of the hand, and the other side's English."""

from __future__ import annotations

import random
from collections.abc import Sequence

from probes.generators.swaps import WordSwaps

SHORTEST = 3
"""Letters that a word must have to be still known when one is wrong."""

_ENDINGS = (
    ("our", "or"), ("ours", "ors"), ("oured", "ored"), ("ourite", "orite"), ("ise", "ize"), ("ised", "ized"),
    ("ising", "izing"), ("isation", "ization"), ("yse", "yze"), ("elled", "eled"), ("elling", "eling"),
    ("ogue", "og"), ("ence", "ense"), ("tre", "ter"), ("bre", "ber"),
)  # fmt: skip
_WORDS = {"grey": "gray", "mum": "mom", "mummy": "mommy", "pyjamas": "pajamas", "tyre": "tire", "plough": "plow"}
_ACROSS = _WORDS | {american: british for british, american in _WORDS.items()}
_FEWEST_BEFORE = 3


def misspellings() -> WordSwaps:
    """A word as the other side of the ocean may spell it, then with two letters swapped, one dropped, one doubled.

    Where the slip falls is drawn; rules of endings are tried blindly ("hour" is too short for one, "four" as well),
    so some are slips too.

    >>> misspellings().others("colour", random.Random(0))
    ['color', 'coolur', 'olour', 'colouur']
    """
    return WordSwaps("misspellings", _variants, "", per_word=5)


def _variants(word: str, rng: random.Random) -> Sequence[str]:
    return [*_other_english(word), *_slips(word, rng)]


def _other_english(word: str) -> list[str]:
    if word in _ACROSS:
        return [_ACROSS[word]]
    both = [pair for british, american in _ENDINGS for pair in ((british, american), (american, british))]
    for old, new in both:
        if word.endswith(old) and len(word) >= len(old) + _FEWEST_BEFORE:
            return [word.removesuffix(old) + new]
    return []


def _slips(word: str, rng: random.Random) -> list[str]:
    if len(word) < SHORTEST:
        return []
    at, gone, twice = rng.randrange(len(word) - 1), rng.randrange(len(word)), rng.randrange(len(word))
    return [
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:gone] + word[gone + 1 :],
        word[: twice + 1] + word[twice:],
    ]
