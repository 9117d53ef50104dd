"""What can truly be said of a place in a text: the literals that planted programs are made of.

A place is a position of a real text. An atom made there holds there, and a modifier made there is true of what comes
before, so every program that is put together at one place occurs at least once, with words, bigrams and contexts that
the corpus has.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, get_args

import numpy as np
from jaxtyping import Int

from dsl.batch import Batch
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    AnyToken,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Enclosure,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Modifier,
    Phrase,
    Positions,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    fold,
)
from dsl.words import word_view
from dsl.wordtable import word_spans

DISTANCES = (2, 3, 4, 6, 10, 16)
LAST_POSITIONS = (1, 2, 3, 4, 6, 8, 12, 16)
LONGEST_LIST = 4

LEAST_OFTEN = 5
"""Whole occurrences of a word that a lexicon is asked about: pieces of words have no fields."""


class Place(NamedTuple):
    """A position of a batch."""

    row: int
    column: int


class Terms:
    """Draws atoms and modifiers that are true at places of a batch; None where there is none of the kind asked for."""

    def __init__(self, batch: Batch, lexicon: Lexicon | None, rng: random.Random) -> None:
        self.batch, self.rng, self._lexicon = batch, rng, lexicon
        self._evaluator = Evaluator(batch)
        self._strings = batch.vocabulary.strings
        self.words, self._ending, self._often = words_of(batch)

    def place(self) -> Place:
        """A place at random: of any position, or of any token type, so that frequent and rare tokens both come up."""
        if self.rng.random() < 0.5:
            return self._place(self.rng.choice(self._types))
        row = self.rng.randrange(len(self.batch.ids))
        return Place(row, self.rng.randrange(max(1, int(self.batch.lengths[row]))))

    def near(self, place: Place) -> Place:
        """Another place with the same token, or any, so that lists hold strings of like frequency."""
        return self.place() if self.rng.random() < 0.5 else self._place(self._alike(self._id(place)))

    def tokens(self, place: Place, count: int = 1) -> Expression | None:
        """`the token "x"`, or a list of so many, of like frequency."""
        found = dict.fromkeys([self._strings[self._id(place)]])
        for _ in range(4 * count):
            if len(found) < count:
                found.setdefault(self._strings[self._alike(self._id(place))])
        return Tokens(tuple(found)) if len(found) == count and all(found) else None

    def words_at(self, place: Place, count: int = 1) -> Expression | None:
        """`the word "x"`, or a list of so many, the others of like frequency."""
        number = int(self._ending[place])
        if number < 0:
            return None
        found = dict.fromkeys([self.words[number]])
        ranked = self._by_count
        rank = int(np.flatnonzero(ranked == number)[0]) if count > 1 else 0
        for _ in range(4 * count):
            if len(found) < count:
                near = rank + self.rng.randint(-20, 20)
                found.setdefault(self.words[int(ranked[min(max(near, 0), len(ranked) - 1)])])
        return Words(tuple(found)) if len(found) == count else None

    def phrase(self, place: Place) -> Expression | None:
        """`the phrase "x y"`: the words that end here."""
        length = self.rng.choice((2, 2, 3))
        ended = self._ending[place.row, : place.column + 1]
        last = [self.words[number] for number in ended[ended >= 0][-length:].tolist()]
        return Phrase(tuple(last)) if ended[-1] >= 0 and len(last) == length else None

    def forms(self, place: Place) -> Expression | None:
        word = self._head(place)
        forms = self._lexicon.forms(word) if word and self._lexicon else ()
        return FormsOf(word, forms) if len(forms) > 1 else None

    def like(self, place: Place) -> Expression | None:
        word = self._head(place)
        like = self._lexicon.like(word) if word and len(word) > 2 and self._lexicon else ()
        return WordsLike(word, like) if len(like) > 1 else None

    def starting(self, place: Place) -> Expression | None:
        text = self._strings[self._id(place)]
        length = self.rng.randint(2, 4)
        return TokensWith("starting with", text[:length]) if text.isascii() and len(text) > length else None

    def ending(self, place: Place) -> Expression | None:
        text = self._strings[self._id(place)]
        length = self.rng.randint(1, 3)
        return TokensWith("ending with", text[-length:]) if text.isascii() and len(text) > length + 1 else None

    def containing(self, place: Place) -> Expression | None:
        text = self._strings[self._id(place)]
        if not text.isascii() or len(text) < 4:
            return None
        start = self.rng.randint(1, len(text) - 3)
        return TokensWith("containing", text[start : start + 2])

    def matching(self, place: Place) -> Expression | None:
        """A regular expression of a common shape: first and last letter, a length, a doubled vowel, a capital."""
        text = self._strings[self._id(place)]
        letters = text.strip()
        if not letters.isascii() or not letters.isalpha() or len(letters) < 3:
            return None
        first, last, middle = letters[0], letters[-1], letters[len(letters) // 2]
        shapes = [
            f"^ ?{first}.*{last}$",
            f"^ [{first.lower()}{first.upper()}].*{letters[-2:]}$",
            f"^ [a-z]{{{len(letters)}}}$",
            f"{middle}{middle}",
            f"{letters[0:2]}.*{middle}",
            f"^ [A-Z].*{last}$",
            "(ing|ed|s)$",
            "^ [^aeiou]+$",
            "[aeiou]{3}",
        ]
        shapes = [shape for shape in shapes if re.search(shape, text)]
        return TokensMatching(self.rng.choice(shapes)) if shapes else None

    def word_class(self, place: Place, name: ClassName | None = None) -> Expression | None:
        """A class that holds here; of a name, wherever it is."""
        if name is not None:
            return Class(name)
        held = [Class(each) for each in get_args(ClassName) if self._evaluator.matches(Class(each))[place]]
        return self.rng.choice(held) if held else None

    def positions(self, place: Place) -> Expression | None:
        last = [last for last in LAST_POSITIONS if last > place.column]
        return Positions(self.rng.randint(1, place.column + 1), self.rng.choice(last)) if last else None

    def boundary(self, place: Place) -> Expression | None:
        held = [Boundary(each) for each in get_args(BoundaryName) if self._evaluator.matches(Boundary(each))[place]]
        return self.rng.choice(held) if held else None

    def followed(self, place: Place) -> Expression | None:
        """`a token that followed "x" before`, of a token that it follows here or did before."""
        before = self._before(place, 1)
        return FollowedBefore(self._strings[self._id(before)]) if before and self._strings[self._id(before)] else None

    def atom(self, place: Place) -> Expression | None:
        """Any kind of atom, mostly tokens and words."""
        return self._draw(_ANY)(place)

    def broad(self, place: Place) -> Expression | None:
        """An atom that holds at several strings."""
        return self._draw(_BROAD)(place)

    def narrow(self, place: Place) -> Expression | None:
        """A token or a word."""
        return self._draw(_NARROW)(place)

    def right_after(self, place: Place) -> Modifier | None:
        before = self._before(place, 1)
        anchor = before and self.atom(before)
        return RightAfter(anchor) if anchor else None

    def within(self, place: Place) -> Modifier | None:
        """`within N tokens after`, N below the window of `in the context of`."""
        distance = self.rng.choice(DISTANCES)
        before = self._before(place, self.rng.randint(1, distance))
        anchor = before and self.atom(before)
        return Within(anchor, distance) if anchor else None

    def context(self, place: Place) -> Modifier | None:
        """`in the context of` a word, most often: of atoms that are everywhere it would say nothing."""
        before = self._before(place, self.rng.randint(1, CONTEXT_WINDOW))
        anchor = before and self.narrow(before)
        return Within(anchor) if anchor else None

    def about(self, place: Place) -> Modifier | None:
        """`in text about` a word of the text before, as the lexicon expands it."""
        before = self._before(place, self.rng.randint(1, CONTEXT_WINDOW))
        word = before and self._head(before)
        words = self._lexicon.about(word) if word and len(word) > 3 and self._lexicon else ()
        return About(word, words) if word and len(words) > 2 else None

    def inside(self, place: Place) -> Modifier | None:
        """`inside quotation marks` or `inside brackets`, where the place is."""
        kinds = [Inside(each) for each in get_args(Enclosure)]
        held = [kind for kind in kinds if self._evaluator.matches(Clause(AnyToken(), (kind,)))[place]]
        return self.rng.choice(held) if held else None

    def _draw(self, weights: dict[str, float]) -> Callable[[Place], Expression | None]:
        [name] = self.rng.choices(list(weights), list(weights.values()))
        if name in ("tokens of a list", "words of a list"):
            count = self.rng.randint(2, LONGEST_LIST)
            many = self.tokens if name == "tokens of a list" else self.words_at
            return lambda place: many(place, count)
        drawn: Callable[[Place], Expression | None] = getattr(self, name)
        return drawn

    def _id(self, place: Place) -> int:
        return int(self.batch.ids[place])

    def _head(self, place: Place) -> str:
        """The word that ends here, where it is one that a lexicon may be asked about; else an empty string."""
        number = int(self._ending[place])
        return self.words[number] if number >= 0 and self._often[number] >= LEAST_OFTEN else ""

    def _before(self, place: Place, back: int) -> Place | None:
        return Place(place.row, place.column - back) if place.column >= back else None

    def _place(self, token: int) -> Place:
        """A random occurrence of a token."""
        first, last = np.searchsorted(self._sorted_ids, [token, token + 1])
        flat = int(self._order[self.rng.randrange(int(first), int(last))])
        return Place(*divmod(flat, self.batch.ids.shape[1]))

    def _alike(self, token: int) -> int:
        """A token about as frequent as this one."""
        rank = self._rank[token]
        return self._types[min(max(rank + self.rng.randint(-12, 12), 0), len(self._types) - 1)]

    @cached_property
    def _order(self) -> Int[np.ndarray, " tokens"]:
        """Places of tokens, sorted by token."""
        flat = np.flatnonzero(self.batch.mask.reshape(-1))
        return np.take(flat, np.argsort(self.batch.ids.reshape(-1)[flat], kind="stable"))

    @cached_property
    def _sorted_ids(self) -> Int[np.ndarray, " tokens"]:
        sorted_ids: Int[np.ndarray, " tokens"] = self.batch.ids.reshape(-1)[self._order]
        return sorted_ids

    @cached_property
    def _types(self) -> list[int]:
        """Tokens that occur often enough to matter, the most frequent first."""
        counts = np.bincount(self._sorted_ids, minlength=len(self._strings))
        frequent = np.argsort(-counts, kind="stable")
        kept: list[int] = frequent[counts[frequent] >= max(2, int(counts.sum()) // 20_000)].tolist()
        return kept

    @cached_property
    def _rank(self) -> dict[int, int]:
        ranks = {token: rank for rank, token in enumerate(self._types)}
        return {token: ranks.get(token, len(self._types) - 1) for token in np.unique(self._sorted_ids).tolist()}

    @cached_property
    def _by_count(self) -> Int[np.ndarray, " words"]:
        """Words by how often they end, the most frequent first."""
        counts = np.bincount(self._ending[self._ending >= 0], minlength=len(self.words))
        return np.argsort(-counts, kind="stable").astype(np.int64, copy=False)


_ANY = {
    "tokens": 4.0, "words_at": 4.0, "word_class": 2.0, "tokens of a list": 1.0, "words of a list": 1.0, "forms": 1.0,
    "like": 1.0, "starting": 0.5, "ending": 0.7, "containing": 0.3, "matching": 0.3, "phrase": 0.4, "boundary": 0.3,
}  # fmt: skip
_BROAD = {
    "word_class": 3.0, "tokens of a list": 1.0, "words of a list": 1.0, "forms": 0.5, "like": 1.0, "starting": 1.0,
    "ending": 1.0, "containing": 0.5, "matching": 0.5,
}  # fmt: skip
_NARROW = {"tokens": 1.0, "words_at": 3.0, "words of a list": 0.5, "like": 0.5, "forms": 0.3}


def words_of(
    batch: Batch,
) -> tuple[tuple[str, ...], Int[np.ndarray, "batch ctx"], Int[np.ndarray, " words"]]:
    """The words of a batch, which of them ends at each position (of several the last; -1 for none), and their counts.

    A word may end where a longer one goes on; only whole words are counted.
    """
    strings = batch.vocabulary.strings
    counts: dict[str, int] = {}
    for row, length in zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True):
        raw = "".join([strings[token] for token in row[:length]])
        text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")  # bytes that make characters
        for start, stop in word_spans(text):
            word = fold(text[start:stop].replace("\u2019", "'"))
            counts[word] = counts.get(word, 0) + 1
    words = tuple(counts)
    ends = word_view(batch).find(words)
    ending = np.full(batch.ids.size, -1, dtype=np.int64)
    ending[ends.positions] = ends.which
    return words, ending.reshape(batch.ids.shape), np.array(list(counts.values()), dtype=np.int64)
