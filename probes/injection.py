"""Trigger tokens put into unrelated natural text: does the feature fire on the tokens alone?

After Ma, Liang, Chen and Sojoudi, "Falsifying Sparse Autoencoder Reasoning Features in Language Models" (2026,
arXiv:2601.05679): the tokens on which a feature's activation is highest on average, three of them prepended to,
interspersed in, or put in place of words of texts that are about something else. 45-90% of the features that they chose
by contrast respond.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, assert_never, get_args

import numpy as np

from probes.edits import columns_of, edited
from probes.spelling import respelt_all, spelt, words_of
from probes.subject import SubjectModel, TokenIds
from probes.trial import Reading

Strategy = Literal["prepend", "intersperse", "replace"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

TOP_TOKENS, INJECTED = 10, 3
"""So many tokens of a feature are drawn from, so many put into a text: the published numbers."""

SEEN = 2
"""A token's mean activation counts where it was seen so often; a token seen less is asked where no other is left."""


def triggers(readings: Sequence[Reading], count: int = TOP_TOKENS) -> list[int]:
    """The tokens with the highest mean activation in texts that were read, of those on which the feature is active.

    >>> triggers([reading])  # doctest: +SKIP
    [412, 87]
    """
    ids = np.concatenate([np.zeros(0, np.int64), *(np.array(one.token_ids, np.int64) for one in readings)])
    activations = np.concatenate([np.zeros(0), *(one.activations for one in readings)])
    tokens, where, seen = np.unique(ids, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=activations, minlength=len(tokens)) / np.maximum(seen, 1)
    order = np.lexsort((tokens, -np.round(means, 6), seen < SEEN))
    return [int(tokens[place]) for place in order if means[place] > 0][:count]


def inject(
    subject: SubjectModel, text: TokenIds, tokens: Sequence[int], strategy: Strategy, rng: random.Random
) -> TokenIds | None:
    """The text with the tokens put in, in the order given, and tokenised as a user's; None where it has no place.

    Tokens are put in as they are spelt, before words or instead of words; what follows is a word of its own.
    """
    strings = subject.vocabulary.strings
    there = spelt(subject, text)
    words = words_of(there)
    put = [strings[token] for token in tokens]
    match strategy:
        case "prepend":
            apart = "" if not there or there[0][:1].isspace() else " "
            changes = [(0, 0, "".join(put) + apart)]
        case "intersperse":
            starts = sorted(dict.fromkeys(word.first for word in words if word.before.isspace()))
            if len(starts) < len(put):
                return None
            drawn = sorted(rng.sample(starts, len(put)))
            changes = [(start, start, string) for start, string in zip(drawn, put, strict=True)]
        case "replace":
            whole = [word for word in words if not word.after and not word.before.strip()]
            if len(whole) < len(put):
                return None
            chosen = sorted(rng.sample(range(len(whole)), len(put)))
            changes = [
                (whole[number].first, whole[number].last + 1, string)
                for number, string in zip(chosen, put, strict=True)
            ]
        case _:
            assert_never(strategy)
    found = respelt_all(subject, text, changes)
    return None if found is None else edited(columns_of(text, found))
