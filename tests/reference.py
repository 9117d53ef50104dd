"""A second opinion on what the language means: slow, obvious, one position at a time, and sharing no code with `dsl`.

`holds(node, tokens, start)` says whether a node holds at the last of some tokens, which is all of the text there is:
what follows cannot matter. Only the syntax tree and the closed word lists are shared with what it checks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import re2

from dsl import classes
from dsl.nodes import (
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    Clause,
    Except,
    Explanation,
    FollowedBefore,
    FormsOf,
    Inside,
    Node,
    Not,
    Or,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
)

LISTS = {
    "pronouns": classes.PRONOUNS,
    "articles": classes.ARTICLES,
    "prepositions": classes.PREPOSITIONS,
    "conjunctions": classes.CONJUNCTIONS,
    "auxiliary verbs": classes.AUXILIARY_VERBS,
    "number words": classes.NUMBER_WORDS,
    "question words": classes.QUESTION_WORDS,
    "negations": classes.NEGATIONS,
}


def evaluate(explanation: Explanation, tokens: tuple[str, ...], start: int | None) -> list[float]:
    """The predicted level at every token."""
    tokens = tuple(map(spelt, tokens))
    levels = []
    for t in range(len(tokens)):
        level = 0.0
        for value, part in (
            (0.1, explanation.faint),
            (0.3, explanation.weak),
            (0.6, explanation.moderate),
            (1.0, explanation.strong),
        ):
            if part is not None and holds(part, tokens[: t + 1], start):
                level = value
        levels.append(level)
    return levels


def matches(node: Node, tokens: tuple[str, ...], start: int | None) -> list[bool]:
    tokens = tuple(map(spelt, tokens))
    return [holds(node, tokens[: t + 1], start) for t in range(len(tokens))]


def spelt(token: str) -> str:
    """A token is its bytes: lone bytes that make up a character are that character."""
    return token.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


@lru_cache(maxsize=100_000)
def holds(node: Node, tokens: tuple[str, ...], start: int | None) -> bool:
    """Whether the node holds at the last token."""
    if not tokens:
        return False
    now = tokens[-1]
    match node:
        case Tokens(strings):
            return now in strings
        case TokensWith("starting with", text):
            return now[: len(text)] == text
        case TokensWith("ending with", text):
            return now[-len(text) :] == text
        case TokensWith(_, text):
            return now.find(text) >= 0
        case TokensMatching(pattern):
            shown = now.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            return bool(re2.findall(pattern, shown))
        case Words(words) | FormsOf(_, words) | WordsLike(_, words):
            return any(folded(word) in words for word in words_ending_now(tokens))
        case Phrase(words):
            read = [None if is_too_long(word.text) else folded(word.text) for word in words_of(tokens)]
            wanted = list(words)
            return any(
                word.last_token == len(tokens) - 1 and read[max(0, index + 1 - len(wanted)) : index + 1] == wanted
                for index, word in enumerate(words_of(tokens))
            )
        case Class(name):
            return in_class(name, tokens)
        case AnyToken():
            return True
        case Positions(first, last):
            return start is not None and start + len(tokens) in range(first, last + 1)
        case Boundary("the start of a sentence"):
            return starts_sentence(tokens, start)
        case Boundary():
            return any(character.text in ".!?…" for character in characters_now(tokens))
        case RepeatedToken():
            return now in tokens[:-1]
        case FollowedBefore(token):
            return any(tokens[j - 1] == token and tokens[j] == now for j in range(1, len(tokens) - 1))
        case Clause(phrase, modifiers):
            return holds(phrase, tokens, start) and all(holds(modifier, tokens, start) for modifier in modifiers)
        case RightAfter(anchor):
            return holds(anchor, tokens[:-1], start)
        case Within(anchor, distance):
            return any(holds(anchor, tokens[:-back], start) for back in range(1, min(distance, len(tokens)) + 1))
        case About(_, words):
            seen = set()
            for back in range(min(32, len(tokens))):
                seen |= {folded(word) for word in words_ending_now(tokens[: len(tokens) - back])} & set(words)
            return len(seen) >= 2
        case Inside("quotation marks"):
            return inside_quotes(tokens)
        case Inside():
            return inside_brackets(tokens)
        case Not(operand):
            return not holds(operand, tokens, start)
        case And(operands):
            return all(holds(operand, tokens, start) for operand in operands)
        case Or(operands):
            return any(holds(operand, tokens, start) for operand in operands)
        case Except(kept, removed):
            return holds(kept, tokens, start) and not holds(removed, tokens, start)
    raise AssertionError(node)


@dataclass(frozen=True)
class Character:
    """A character of the text so far and the tokens that its first and last byte lie in."""

    text: str
    first_token: int
    last_token: int


@dataclass(frozen=True)
class Word:
    text: str
    last_token: int


@lru_cache(maxsize=100_000)
def characters_of(tokens: tuple[str, ...]) -> tuple[Character, ...]:
    owner, raw = [], b""
    for index, token in enumerate(tokens):
        raw += token.encode("utf-8", "surrogateescape")
        owner += [index] * (len(raw) - len(owner))
    characters, offset = [], 0
    for text in raw.decode("utf-8", "surrogateescape"):
        length = len(text.encode("utf-8", "surrogateescape"))
        characters.append(Character(text, owner[offset], owner[offset + length - 1]))
        offset += length
    return tuple(characters)


def characters_now(tokens: tuple[str, ...]) -> list[Character]:
    return [character for character in characters_of(tokens) if character.last_token == len(tokens) - 1]


def is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in ("L", "M", "N") or 0xDC80 <= ord(character) <= 0xDCFF


@lru_cache(maxsize=100_000)
def words_of(tokens: tuple[str, ...]) -> tuple[Word, ...]:
    characters = characters_of(tokens)
    shape = "".join("w" if is_letter(c.text) else "'" if c.text in "'\u2019" else "." for c in characters)
    return tuple(
        Word("".join(c.text for c in characters[found.start() : found.end()]), characters[found.end() - 1].last_token)
        for found in re.finditer("w+(?:'w+)*", shape)
    )


def words_ending_now(tokens: tuple[str, ...]) -> list[str]:
    """Their case as written, those that are too long left out."""
    ending = [word.text for word in words_of(tokens) if word.last_token == len(tokens) - 1]
    return [word for word in ending if not is_too_long(word)]


def is_too_long(word: str) -> bool:
    return len(word.encode("utf-8", "surrogateescape")) > 128


def folded(word: str) -> str:
    return word.replace("\u2019", "'").casefold()


def in_class(name: str, tokens: tuple[str, ...]) -> bool:
    token, words = tokens[-1], words_ending_now(tokens)
    bare = token.strip()
    categories = {unicodedata.category(character) for character in bare}
    if name == "digits":
        return categories == {"Nd"}
    if name == "punctuation":
        return bare != "" and all(category.startswith(("P", "S")) for category in categories)
    if name == "newlines":
        return "\n" in token
    if name == "quotation marks":
        return bare != "" and set(bare) <= set("\"'“”‘’„‚‟‛«»‹›")  # noqa: RUF001
    if name == "brackets":
        return bare != "" and set(bare) <= set("()[]{}")
    if name == "capitalised words":
        return any(unicodedata.category(word[0]) in ("Lu", "Lt") for word in words)
    if name == "upper-case words":
        letters = [[unicodedata.category(c) for c in word if unicodedata.category(c)[0] == "L"] for word in words]
        return any(len(found) > 1 and set(found) == {"Lu"} for found in letters)
    if name == "names":
        return any(unicodedata.category(word[0]) in ("Lu", "Lt") and word.casefold() in classes.NAMES for word in words)
    return any(folded(word) in LISTS[name] for word in words)


def starts_sentence(tokens: tuple[str, ...], start: int | None) -> bool:
    characters = characters_of(tokens)
    return any(
        is_letter(character.text) and character.last_token == len(tokens) - 1 and begins(characters[:index], start)
        for index, character in enumerate(characters)
    )


def begins(before: tuple[Character, ...], start: int | None) -> bool:
    """Whether a word right after these characters begins a sentence: read back over what may stand between."""
    text = "".join(character.text for character in before)
    bare = text
    while bare and bare[-1] != "\n" and (bare[-1].isspace() or bare[-1] in "\"'“”‘’„‚‟‛«»‹›()[]{}"):  # noqa: RUF001
        bare = bare[:-1]
    if not bare:
        return start == 0
    return bare[-1] == "\n" or (bare[-1] in ".!?…" and bare != text)


def inside_quotes(tokens: tuple[str, ...]) -> bool:
    is_open = False
    for character in characters_of(tokens):
        if character.text == '"':
            is_open = not is_open
        elif character.text in "“«":
            is_open = True
        elif character.text in "”»\n":
            is_open = False
        elif is_open and character.last_token == len(tokens) - 1:
            return True
    return False


def inside_brackets(tokens: tuple[str, ...]) -> bool:
    depth = 0
    for character in characters_of(tokens):
        if character.text in "([{":
            depth += 1
        elif character.text in ")]}":
            depth = max(0, depth - 1)
        elif depth and character.last_token == len(tokens) - 1:
            return True
    return False
