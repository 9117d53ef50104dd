"""Contexts in which a feature stays silent although something in them is much like what it fires on.

A sample of chance shows what is usual, and hardly ever what tells a truth from its neighbour: that the feature fires
on "make" after "to" and not after "for", or on all that ends in "ng" and not on "dog". Contrasts are looked for on two
sides, the string and what comes before it, by how much oftener each stands where the feature fires (Robertson & Sparck
Jones 1976, summed as naive Bayes does):

- a token on which it fires elsewhere, silent after something it fires after, or something like it;
- a token on which it never fires, in a place and of a spelling like those it fires on.

Of one kind the corpus may have many: each string before counts once in the first, each token once in the second. So
exceptions are shown one by one, and a contrast stands for other contexts that hold the same two tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dsl.batch import Vocabulary
from dsl.nodes import fold

PRIOR = 5.0
"""Sightings that what is usual is worth against those of a string."""

TRIED = 20_000
"""Positions of a kind that are ranked, those of the highest scores."""

LEAST, MOST = -3.0, 5.0
"""Bounds of what one string says, in nats."""

Codes = Int[np.ndarray, "rows ctx"]


@dataclass(frozen=True, eq=False)
class Contrast:
    """A context to show (a row of those that were looked at), and the rows that it stands for, itself among them."""

    row: int
    stands_for: Int[np.ndarray, " rows"]


def contrasts(
    ids: Codes,
    lengths: Int[np.ndarray, " rows"],
    firing: tuple[Int[np.ndarray, " firing"], Int[np.ndarray, " firing"], Int[np.ndarray, " firing"]],
    often: Int[np.ndarray, " tokens"],
    vocabulary: Vocabulary,
    count: int,
    largest: int,
    rng: np.random.Generator,
) -> list[Contrast]:
    """At most `count` contrasts, half of either kind as far as there are any, no context twice.

    Each stands for at most `largest` contexts; where there are more of its kind the others are left to chance.

    `ids` and `lengths` are of contexts in which the feature is silent; `firing` are the tokens on which it fires, those
    before them and those before these (-1: none); `often` are the tokens on which most of its firing is.
    """
    inside = np.arange(ids.shape[1]) < lengths[:, None]
    rows, columns = np.nonzero(inside)
    places = [ids[inside].astype(np.int64), *(_before(ids, rows, columns, back) for back in (1, 2))]
    told = [_told(firing[back], places[back], vocabulary, keys) for back, keys in enumerate(_KEYS)]
    here, past = told[0], told[1] + told[2]
    known = np.zeros((2, len(vocabulary)), dtype=np.bool_)
    known[0, often], known[1, firing[0]] = True, True
    same, never = known[0, places[0]], ~known[1, places[0]]
    pairs = (places[1] + 1) * len(vocabulary) + places[0]
    chance = rng.random(len(rows))
    taken = np.zeros(len(ids), dtype=np.bool_)
    found: list[Contrast] = []
    for among, score, distinct, most in (
        (same, past, places[1], count - count // 2),
        (never, here + past, places[0], count),
    ):
        candidates = np.flatnonzero(among)
        if len(candidates) > TRIED:
            least = np.partition(score[candidates], len(candidates) - TRIED)[len(candidates) - TRIED]
            candidates = candidates[score[candidates] >= least]
        candidates = candidates[np.lexsort((chance[candidates], -score[candidates]))]
        _, first = np.unique(distinct[candidates], return_index=True)
        for place in candidates[np.sort(first)].tolist():
            if len(found) >= most:
                break
            alike = rows[among & (pairs == pairs[place])]
            alike = np.unique(alike[~taken[alike]])
            if len(alike):
                alike = rng.permutation(alike)[:largest]
                taken[alike] = True
                found.append(Contrast(int(alike[0]), alike))
    return found


def _before(
    ids: Codes, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"], back: int
) -> Int[np.ndarray, " n"]:
    return np.where(columns >= back, ids[rows, (columns - back).clip(0)], -1).astype(np.int64)


def _told(
    firing: Int[np.ndarray, " firing"],
    silent: Int[np.ndarray, " n"],
    vocabulary: Vocabulary,
    keys: Sequence[Callable[[str], str]],
) -> Float[np.ndarray, " n"]:
    """How much likelier each silent token's keys are where the feature fires, in nats, summed over the keys."""
    size = len(vocabulary) + 1  # the last, -1, is no token
    right, wrong = (
        np.bincount(np.where(some < 0, size - 1, some), minlength=size).astype(np.float64) for some in (firing, silent)
    )
    total = np.zeros(size)
    for key in keys:
        table = _table(vocabulary, key)
        fires, not_so = np.bincount(table, weights=right), np.bincount(table, weights=wrong)
        usual = PRIOR * (fires + not_so + 1e-9) / (len(firing) + len(silent))
        told = np.log((fires + usual) / (len(firing) + PRIOR)) - np.log((not_so + usual) / (len(silent) + PRIOR))
        total += np.clip(told, LEAST, MOST)[table]
    weights: Float[np.ndarray, " n"] = total[silent]
    return weights


def _table(vocabulary: Vocabulary, key: Callable[[str], str]) -> Int[np.ndarray, " strings"]:
    """The number of every token's key; the last is of no token at all."""

    def make() -> Int[np.ndarray, " strings"]:
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(key(text), len(numbers)) for text in vocabulary.strings]
        return np.array([*codes, len(numbers)], dtype=np.int64)

    return vocabulary.cache.get((__name__, key.__name__), make)


def _itself(text: str) -> str:
    return text


def _word(text: str) -> str:
    return fold(text.strip())


def _ending(text: str) -> str:
    return text[-2:]


def _last(text: str) -> str:
    return text[-1:]


def _beginning(text: str) -> str:
    return text[:3]


_KEYS = ((_word, _ending, _last, _beginning), (_itself, _word, _ending), (_word,))
"""What tokens are compared by: the token here, the one before, and the one before that."""
