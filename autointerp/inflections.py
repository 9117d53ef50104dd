"""Lemmas and inflections of English words, from simplemma's table and a list of words in use.

The table alone knows too much: "gooded" is a form of "good" there, "playing" one of "playe", and "na" and "ta" (of
"gonna", "gotta") are forms of "to". A form counts when it is in use, or when it is regular, its word has such forms in
use and the word itself is not so frequent that the form would be in use if people used it. Function words have the
forms listed here and no others; what a tokeniser leaves of a contraction ("didn", "ll") has only itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from dsl.classes import (
    ARTICLES,
    AUXILIARY_VERBS,
    CONJUNCTIONS,
    NAMES,
    NEGATIONS,
    PREPOSITIONS,
    PRONOUNS,
    QUESTION_WORDS,
)
from dsl.nodes import is_word

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTION_WORDS = ARTICLES | AUXILIARY_VERBS | CONJUNCTIONS | NEGATIONS | PREPOSITIONS | PRONOUNS | QUESTION_WORDS
"""Words that every text uses, whatever it is about."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_VOWELS = frozenset("aeiou")
_MANY = 10**9
_FREQUENT = 15
"""One word in so many, the most frequent ones, has all its forms in use."""

_STUMPS = _set("""
    ai ain aren ca couldn daren didn doesn don gon hadn hasn isn ll mightn mustn needn oughtn re sha shan shouldn ve wan
    wasn weren wo wouldn
""")
_NOUN = ("ity", "ment", "ness", "ship", "sion", "tion")
_NEVER_PLURAL = ("able", "ful", "ible", "ical", "ish", "less", "ly", "ous")

_PARADIGMS = (
    "be am are been being is was were", "have had has having", "do did does doing done", "a an", "this these",
    "that those", "i me", "he him", "we us", "they them", "who whom",
)  # fmt: skip
_OPEN = _set("concerning considering dare following like need past provided regarding round used")
"""Function words that are also forms of a verb or a noun."""

_CLOSED = {word: paradigm.split() for paradigm in _PARADIGMS for word in paradigm.split()} | {
    word: [word] for word in FUNCTION_WORDS - _OPEN - {each for line in _PARADIGMS for each in line.split()}
}
"""The forms of every function word, its lemma first."""

_CORRECTED = {
    "beginning": "begin", "bent": "bend", "bigger": "big", "broke": "break", "cutting": "cut", "dice": "dice",
    "drunk": "drink", "felt": "feel", "gone": "go", "left": "leave", "lives": "life", "setting": "set",
    "shook": "shake", "shot": "shoot", "sitting": "sit", "thought": "think", "wives": "wife", "won": "win",
    "worse": "bad", "worst": "bad",
}  # fmt: skip
"""Words that the table lists under another word than the one that readers take them for."""


_PASTS = """
    begin:began bite:bit blow:blew break:broke bring:brought build:built buy:bought catch:caught choose:chose come:came
    deal:dealt dig:dug draw:drew drink:drank drive:drove eat:ate fall:fell feed:fed feel:felt fight:fought find:found
    fly:flew forget:forgot forgive:forgave freeze:froze get:got give:gave go:went grow:grew hang:hung hear:heard
    hide:hid hold:held keep:kept know:knew lead:led lean:leant leave:left lend:lent lose:lost make:made mean:meant
    meet:met pay:paid ride:rode ring:rang rise:rose run:ran say:said see:saw seek:sought sell:sold send:sent shake:shook
    shine:shone shoot:shot show:showed sing:sang sink:sank sit:sat sleep:slept slide:slid speak:spoke spend:spent
    spin:spun stand:stood steal:stole stick:stuck strike:struck stride:strode sweep:swept swim:swam swing:swung
    take:took teach:taught tear:tore tell:told think:thought throw:threw understand:understood wake:woke wear:wore
    weep:wept win:won write:wrote
"""
_IRREGULAR_PAST = {lemma: past for lemma, _, past in (pair.partition(":") for pair in _PASTS.split())}


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
        if word in _CLOSED:
            return _CLOSED[word][0]
        if word in _CORRECTED or _is_stump(word):
            return _CORRECTED.get(word, word)
        listed = self._listed(word)
        if listed in self._rank or listed == word:
            return listed
        known = (stem for stem in _stems(word) if stem in self._rank and self._listed(stem) == stem)
        return next(known, listed)

    def is_listed(self, word: str) -> bool:
        """Whether the table has it in lower case: names it has not, or not so."""
        return self._entry(word) == self._listed(word)

    def is_known(self, word: str) -> bool:
        """Whether it is in use, or a form that the table lists."""
        return word in self._rank or self._entry(word) is not None

    def inflected_as(self, model: str, word: str) -> str:
        """The form of `word` that `model` is of its own word: of "walk" like "ran" "walked"; where none, `word`."""
        lemma, of_model = self.lemma(word), self.lemma(model)
        if model == of_model:
            return lemma
        if model == _IRREGULAR_PAST.get(of_model) or model.endswith("ed"):
            if lemma in _IRREGULAR_PAST:
                return _IRREGULAR_PAST[lemma]
            ending = "ed"
        else:
            ending = next((each for each in ("ing", "s") if model.endswith(each)), "")
        forms = (form for form in self.forms(lemma) if ending and form != lemma and form.endswith(ending))
        return next(forms, word)

    def parts(self, lemma: str) -> tuple[str, ...]:
        """The parts of speech ("noun", "verb", "adj", "adv") that its forms in use and its ending tell of, main first.

        >>> Inflections(["eat", "eats", "eating", "meal", "meals"]).parts("meal")
        ('noun',)
        """
        if lemma.endswith("ly"):
            return ("adv",)
        known = [form for form in self._by_lemma.get(lemma, []) if form != lemma]
        if any(form.endswith(("er", "est")) for form in known):
            return ("adj",)
        plural = min((self.rank(form) for form in known if form.endswith("s")), default=_MANY)
        verbal = min((self.rank(form) for form in known if form.endswith(("ing", "ed"))), default=_MANY)
        if verbal < plural:
            return ("verb",) if plural == _MANY else ("verb", "noun")
        if plural < _MANY:
            return ("noun",) if verbal == _MANY else ("noun", "verb")
        return ("noun",) if lemma.endswith(_NOUN) else ("adj",) if self._is_adjective(lemma) else ()

    def forms(self, word: str) -> tuple[str, ...]:
        """The word, its lemma, and the inflections of that, the most frequent first."""
        lemma = self.lemma(word)
        if lemma in _CLOSED:
            return tuple(dict.fromkeys((word, *_CLOSED[lemma])))
        if _is_stump(lemma):
            return (word,)
        in_use = self._by_lemma.get(lemma, [])
        regular = [*_compared(lemma, in_use), *(self._regular(lemma, in_use) if self._is_open(lemma) else ())]
        regular = [form for form in regular if self._entry(form) == lemma]
        found = sorted({*in_use, *regular} - {word, lemma}, key=lambda form: (self.rank(form), form))
        return tuple(dict.fromkeys((word, lemma, *found)))

    def _entry(self, word: str) -> str | None:
        """What the table says; it cannot be asked about words that hold bytes of no character."""
        return self._table.get(word) if word.isascii() or is_text(word) else None

    def _listed(self, word: str) -> str:
        lemma = self._entry(word)
        usable = lemma is not None and lemma == lemma.lower() and is_word(lemma) and lemma not in _CLOSED
        return lemma if usable and lemma is not None else word

    def _is_open(self, lemma: str) -> bool:
        """Whether it may have regular forms besides those in use."""
        is_name = lemma in NAMES and not self.is_listed(lemma)
        return not is_name and self.rank(lemma) >= len(self._rank) // _FREQUENT

    def _regular(self, lemma: str, in_use: Sequence[str]) -> Iterable[str]:
        """Regular forms of a noun or a verb, given those of its forms that are in use."""
        known = [form for form in in_use if form != lemma]
        has_past = not in_use or any(form.endswith("ed") for form in known)
        is_verb = has_past or any(form.endswith("ing") for form in known)
        is_noun = all(form.endswith("s") for form in known) and not self._is_adjective(lemma)
        if is_verb or is_noun:  # "children" rules out "childs"
            yield from (f"{lemma}s", f"{lemma}es")
            if lemma.endswith("y"):
                yield f"{lemma[:-1]}ies"
        doubled = f"{lemma}{lemma[-1]}" if lemma[-1] not in _VOWELS and lemma[-2:-1] in _VOWELS else lemma
        if has_past:  # "said" rules out "sayed"
            yield from (f"{lemma}ed", f"{doubled}ed", f"{lemma.removesuffix('e')}ed", f"{lemma.removesuffix('y')}ied")
        if is_verb:
            yield from (f"{lemma}ing", f"{doubled}ing", f"{lemma.removesuffix('e')}ing")

    def _is_adjective(self, lemma: str) -> bool:
        """By its ending, or by its adverb: "silently" is in use."""
        adverbs = (f"{lemma}ly", f"{lemma.removesuffix('y')}ily", f"{lemma.removesuffix('e')}y", f"{lemma}ally")
        return lemma.endswith(_NEVER_PLURAL) or any(adverb in self._rank for adverb in adverbs)

    @cached_property
    def _by_lemma(self) -> dict[str, list[str]]:
        """The forms in use of every lemma in use."""
        found: dict[str, list[str]] = {}
        for word in self._rank:
            if not _is_stump(word):
                found.setdefault(self.lemma(word), []).append(word)
            if _CORRECTED.get(word, word) != word != self._listed(word):  # "lives" is of "life" and of "live"
                found.setdefault(self._listed(word), []).append(word)
        return found

    @cached_property
    def _table(self) -> Mapping[str, str]:
        from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

        table: Mapping[str, str] = DefaultDictionaryFactory().get_dictionary("en")
        return table


def _compared(lemma: str, in_use: Sequence[str]) -> Iterable[str]:
    """ "happier" tells of "happiest", and the other way round; a "gamer" is no game that is more so."""
    known = [form for form in in_use if form != lemma]
    if any(form.endswith("s") for form in known):
        return
    for form in known:
        if form.endswith("er"):
            yield f"{form[:-2]}est"
        if form.endswith("est"):
            yield f"{form[:-3]}er"


def is_text(word: str) -> bool:
    """Whether every character is one, and no lone byte."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def _is_stump(word: str) -> bool:
    """Whether it is what a tokeniser leaves of a contraction: "isn" of "isn't", "m" of "I'm"."""
    return word in _STUMPS or (len(word) == 1 and word not in _CLOSED)


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
