"""Lemmas and inflections of English words, from simplemma's table and a list of words in use.

The table alone knows too much: "gooded" is a form of "good" there, and "playing" one of "playe". A form counts when it
is in use, or when it is regular and its word has such forms in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from dsl.nodes import is_word

if TYPE_CHECKING:
    from collections.abc import Sequence

_VOWELS = frozenset("aeiou")
_STUMPS = frozenset(("ai", "ca", "wo", "sha"))  # of "ain't", "can't", "won't", "shan't"
_MANY = 10**9


class Inflections:
    """Forms of words; `in_use` are lower-case words, the most frequent first.

    >>> inflections = Inflections(["play", "played", "playing", "good", "better"])
    >>> inflections.lemma("playing"), inflections.forms("play"), inflections.forms("good")
    ('play', ('play', 'played', 'playing', 'plays'), ('good', 'better', 'goods'))
    """

    def __init__(self, in_use: Sequence[str]) -> None:
        self._rank = {word: rank for rank, word in reversed(list(enumerate(in_use)))}

    def rank(self, word: str) -> int:
        """How many words are more frequent; very many where the word is not in use."""
        return self._rank.get(word, _MANY)

    def lemma(self, word: str) -> str:
        """The word as a dictionary lists it: "ran" gives "run". Words nobody knows are their own lemma."""
        listed = self._listed(word)
        if listed in self._rank or listed == word:
            return listed
        known = (stem for stem in _stems(word) if stem in self._rank and self._listed(stem) == stem)
        return next(known, listed)

    def is_listed(self, word: str) -> bool:
        """Whether the table has it in lower case: names it has not, or not so."""
        return word in self._table and self._table[word] == self._listed(word)

    def forms(self, word: str) -> tuple[str, ...]:
        """The word, its lemma, and the inflections of that, the most frequent first."""
        lemma = self.lemma(word)
        in_use = self._by_lemma.get(lemma, [])
        regular = [form for form in _regular(lemma, in_use) if self._table.get(form) == lemma]
        found = sorted({*in_use, *regular} - {word, lemma}, key=lambda form: (self.rank(form), form))
        return tuple(dict.fromkeys((word, lemma, *found)))

    def _listed(self, word: str) -> str:
        lemma = self._table.get(word)
        return lemma if lemma is not None and lemma == lemma.lower() and is_word(lemma) else word

    @cached_property
    def _by_lemma(self) -> dict[str, list[str]]:
        """The forms in use of every lemma in use."""
        found: dict[str, list[str]] = {}
        for word in self._rank:
            if not self._is_stump(word):
                found.setdefault(self.lemma(word), []).append(word)
        return found

    def _is_stump(self, word: str) -> bool:
        """Whether it is what a tokeniser leaves of a contraction: "isn" of "isn't", "m" of "I'm"."""
        return len(word) == 1 or word in _STUMPS or f"{word}'t" in self._table or f"{word}\u2019t" in self._table

    @cached_property
    def _table(self) -> Mapping[str, str]:
        from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

        table: Mapping[str, str] = DefaultDictionaryFactory().get_dictionary("en")
        return table


def _regular(lemma: str, in_use: Sequence[str]) -> Iterable[str]:
    """Regular forms that a word may have, given those of its forms that are in use."""
    known = [form for form in in_use if form != lemma]
    has_past = not in_use or any(form.endswith("ed") for form in known)
    is_verb = has_past or any(form.endswith("ing") for form in known)
    if is_verb or all(form.endswith(("s", "er", "est")) for form in known):  # "children" rules out "childs"
        yield from (f"{lemma}s", f"{lemma}es")
        if lemma.endswith("y"):
            yield f"{lemma[:-1]}ies"
    doubled = f"{lemma}{lemma[-1]}" if lemma[-1] not in _VOWELS and lemma[-2:-1] in _VOWELS else lemma
    if has_past:  # "said" rules out "sayed"
        yield from (f"{lemma}ed", f"{doubled}ed", f"{lemma.removesuffix('e')}ed", f"{lemma.removesuffix('y')}ied")
    if is_verb:
        yield from (f"{lemma}ing", f"{doubled}ing", f"{lemma.removesuffix('e')}ing")
    for form in known:  # "happier" tells of "happiest"
        if form.endswith("er"):
            yield f"{form[:-2]}est"
        if form.endswith("est"):
            yield f"{form[:-3]}er"


def _stems(word: str) -> Iterable[str]:
    """What the word may be a regular form of."""
    for suffix in ("ing", "ed", "es", "s"):
        stem = word.removesuffix(suffix)
        if stem != word and len(stem) > 2:
            yield from (stem, f"{stem}e")
            if suffix in ("ed", "es") and stem.endswith("i"):
                yield f"{stem[:-1]}y"
            if stem[-1] == stem[-2]:
                yield stem[:-1]
