"""What is certain of single tokens and words: which atoms hold at a token of a given text, which imply which.

Most of a token's behaviour is in its own text: what it starts with, contains or matches, its class. What words end at
it may hang on the text before, except where the token itself begins anew: at " pizza" the word "pizza" ends and no
other, whatever came before, while at "pizza" the word may have begun earlier ("la|pizza").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2

from dsl import classes
from dsl.classes import Test, token_class, word_class
from dsl.nodes import (
    About,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    FollowedBefore,
    FormsOf,
    Node,
    Phrase,
    Positions,
    RepeatedToken,
    Tokens,
    TokensMatching,
    TokensWith,
    Words,
    WordsLike,
    fold,
)

LISTED: dict[ClassName, frozenset[str]] = {
    "pronouns": classes.PRONOUNS,
    "articles": classes.ARTICLES,
    "prepositions": classes.PREPOSITIONS,
    "conjunctions": classes.CONJUNCTIONS,
    "auxiliary verbs": classes.AUXILIARY_VERBS,
    "number words": classes.NUMBER_WORDS,
    "question words": classes.QUESTION_WORDS,
    "negations": classes.NEGATIONS,
}
"""The classes of words that are a list and nothing else."""


def word_set(node: Node) -> frozenset[str] | None:
    """The words that an atom asks for, whatever it calls them; None where it asks for something else.

    >>> sorted(word_set(Class("articles")))
    ['a', 'an', 'the']
    """
    match node:
        case Words(words) | FormsOf(_, words) | WordsLike(_, words):
            return frozenset(words)
        case Class(name):
            return LISTED.get(name)
        case _:
            return None


def holds_at(text: str, node: Node) -> bool | None:
    """Whether an atom holds at every token of this text (True), at none (False), or at some (None).

    >>> holds_at(" pizza", Words(("pizza",))), holds_at(" pizza", Words(("crust",))), holds_at("pizza", Words(("la",)))
    (True, False, None)
    """
    match node:
        case AnyToken():
            return True
        case Tokens(strings):
            return text in strings
        case TokensWith("starting with", part):
            return text.startswith(part)
        case TokensWith("ending with", part):
            return text.endswith(part)
        case TokensWith(_, part):
            return part in text
        case TokensMatching(pattern):
            shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            return _search(pattern)(shown) is not None
        case Boundary("the end of a sentence"):
            if any(character in _ENDS for character in text):
                return True
            return False if text.isascii() else None  # else it may complete the bytes of an ellipsis
        case Words(words) | FormsOf(_, words) | WordsLike(_, words):
            return _ends_one(text, lambda word: fold(word) in words)
        case Class(name):
            test = token_class(name)
            if test is not None:
                return test(text)
            test = word_class(name)
            return None if test is None else _ends_one(text, test)
        case _:
            return None


def atom_implies(one: Node, other: Node) -> bool:
    """Whether one atom (or modifier) is known to hold only where another does."""
    if one == other or isinstance(other, AnyToken):
        return True
    match one, other:
        case Tokens(strings), _:
            return all(holds_at(text, other) is True for text in strings)
        case Phrase(words), Phrase(suffix):
            return words[-len(suffix) :] == suffix
        case TokensWith(part, text), TokensWith(wider, piece):
            if wider == "containing":
                return piece in text
            return part == wider and (text.startswith(piece) if part == "starting with" else text.endswith(piece))
        case TokensWith(_, text), Class("newlines"):
            return "\n" in text
        case TokensWith(_, text), Boundary("the end of a sentence"):
            return any(character in _ENDS for character in text)
        case Class("newlines"), TokensWith("containing", text):
            return text == "\n"
        case Class(name), Class(wider) if (name, wider) in _WITHIN:
            return True
        case Positions(first, last), Positions(begin, end):
            return begin <= first and last <= end
        case FollowedBefore(), RepeatedToken():
            return True
    if isinstance(one, About) and isinstance(other, About):
        return set(one.words) <= set(other.words)
    theirs = word_set(other)
    if theirs is None:
        return False
    ours = frozenset(one.words[-1:]) if isinstance(one, Phrase) else word_set(one)
    return ours is not None and ours <= theirs


def atoms_disjoint(one: Node, other: Node) -> bool:
    """Whether two atoms are known to hold at no token together; words are not: several may end at one token."""
    for here, there in ((one, other), (other, one)):
        match here, there:
            case Tokens(strings), _:
                return all(holds_at(text, there) is False for text in strings)
            case About(_, words), _ if len(words) < 2:  # two distinct words of the list must have ended
                return True
            case Class("digits"), Class("punctuation" | "quotation marks" | "brackets"):
                return True
            case Class("quotation marks"), Class("brackets"):
                return True
    match one, other:
        case TokensWith("starting with", text), TokensWith("starting with", piece):
            return not (text.startswith(piece) or piece.startswith(text))
        case TokensWith("ending with", text), TokensWith("ending with", piece):
            return not (text.endswith(piece) or piece.endswith(text))
        case Positions(first, last), Positions(begin, end):
            return last < begin or end < first
        case _:
            return False


_ENDS = ".!?"
_WITHIN = {("names", "capitalised words"), ("quotation marks", "punctuation"), ("brackets", "punctuation")}
_WORD = re.compile("[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
_ANEW = re.compile("[^A-Za-z0-9']")
_LONGEST = 128
"""Tokens of more characters are left alone: no word is longer than this many bytes."""


def _ends_one(text: str, wanted: Test) -> bool | None:
    """Whether a word that satisfies a test ends at every token of this text, at none, or at some."""
    if not text.isascii() or len(text) > _LONGEST:
        return None
    anew = _ANEW.search(text)
    if anew is None:
        return None
    if any(wanted(found[0]) for found in _WORD.finditer(text, anew.start())):
        return True
    return False if anew.start() == 0 else None


@lru_cache(maxsize=256)
def _search(pattern: str) -> Callable[[str], object]:
    options = re2.Options()
    options.log_errors = False
    search: Callable[[str], object] = re2.compile(pattern, options).search
    return search
