"""How likely each label was, from the tokens that might have come first."""

from __future__ import annotations

import math
from collections.abc import Sequence

UNSAID = 0.01
"""The most probability that may be unaccounted for: above it, nothing is said of the labels."""


def label_logprobs(labels: Sequence[str], first: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """The natural logarithm of each label's probability among the labels; empty where that cannot be said.

    `first` holds the likeliest first tokens with the logarithms of their probabilities. A token counts for the one
    label that it begins, white space before it aside. Nothing is said where a label is not listed and tokens left out
    of the list might have carried more than `UNSAID` to it, or where tokens that begin several labels ("A" of "A" and
    "A2") carry more than that share; a label that is not listed then gets what was left out, an upper bound.

    >>> label_logprobs(("A", "NONE"), [("A", math.log(0.6)), ("N", math.log(0.1)), ("NO", math.log(0.1))])
    (('A', -0.2876820724517809), ('NONE', -1.3862943611198906))
    """
    masses = dict.fromkeys(labels, 0.0)
    shared = listed = 0.0
    for token, logprob in first:
        mass = math.exp(min(logprob, 0.0))
        listed += mass
        start = token.lstrip()
        begun = [label for label in labels if start and label.startswith(start)]
        if len(begun) == 1:
            masses[begun[0]] += mass
        elif begun:
            shared += mass
    missing = [label for label in labels if masses[label] == 0.0]
    left = max(1.0 - listed, _LEAST)
    if missing:
        masses |= dict.fromkeys(missing, left)
    total = sum(masses.values()) + shared
    if not any(label not in missing for label in labels) or shared > UNSAID * total:
        return ()
    if missing and left > UNSAID * total:
        return ()
    total -= shared
    return tuple((label, math.log(masses[label] / total)) for label in labels)


_LEAST = 1e-9
"""Stands for a probability of nought, whose logarithm is no number: rounding leaves about as much unaccounted for."""
