"""An explanation as a value: the abstract syntax of the language, frozen and in normal form by construction.

Two texts that differ only in the order of a list or of the operands of `or` parse to equal values: constructors fold
case where case carries no meaning, sort, drop repeats and flatten. So equality of values is the syntactic equivalence
that debates merge by, and rendering a value gives its one canonical text.

Nothing here knows how a construct is written (`grammar.lark`, `render.py`) or what it means (`evaluate.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Literal, TypeVar, get_args

import re2

CONTEXT_WINDOW = 32
"""Tokens that `in the context of` looks back over, and that `in text about` counts words in."""

LevelName = Literal["strong", "moderate", "weak", "faint"]
LEVELS: dict[LevelName, float] = {"strong": 1.0, "moderate": 0.6, "weak": 0.3, "faint": 0.1}
"""Levels as shares of the feature's maximum, strongest first: `strongly on` (or no mark at all), `moderately on` ..."""

PREDICTED = 0.5
"""A position counts as predicted at this level or more: weak and faint clauses weigh only in graded scores."""

MAX_DEPTH = 32
"""How deep expressions may nest in an explanation, and parentheses in its text."""

MAX_DISTANCE = 99
"""The largest N of `within N tokens after`."""

MAX_POSITION = 999_999
"""The last position that `tokens 1 to 4` can name."""

Part = Literal["starting with", "ending with", "containing"]
ClassName = Literal[
    "digits", "capitalised words", "upper-case words", "punctuation", "newlines", "names", "pronouns", "articles",
    "prepositions", "conjunctions", "auxiliary verbs", "number words", "question words", "negations",
    "quotation marks", "brackets",
]  # fmt: skip
BoundaryName = Literal["the start of a sentence", "the end of a sentence"]
Enclosure = Literal["quotation marks", "brackets"]
T = TypeVar("T")


def string(text: str) -> str:
    """The text of a token: not empty, bytes that are not UTF-8 as lone surrogates, bytes that are as characters."""
    if not text:
        raise ValueError("a string may not be empty")
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!a} holds half a character, which no text has") from error


def _sorted_set(values: Iterable[str]) -> tuple[str, ...]:
    unique = tuple(sorted(set(values)))
    if not unique or "" in unique:
        raise ValueError("a list of strings needs at least one string, and none of them empty")
    return unique


def fold(word: str) -> str:
    """Words are compared ignoring case: `fold("Straße") == "strasse"`."""
    return word.casefold()


def is_word_character(character: str) -> bool:
    """Letters, marks and numbers of any script, and bytes that are no character yet (part of one, most often)."""
    return unicodedata.category(character)[0] in "LMN" or "\udc80" <= character <= "\udcff"


def is_word(text: str) -> bool:
    """Whether `text` is one word: word characters, with apostrophes between them (`don't`)."""
    return all(piece and all(map(is_word_character, piece)) for piece in text.replace("\u2019", "'").split("'"))


def normal_word(text: str) -> str:
    """A word as words are compared: `normal_word("Don’t") == "don't"`; raises ValueError where it is not one word."""
    folded = fold(string(text).replace("\u2019", "'")) if text else ""
    if not is_word(folded):
        raise ValueError(f'"{text}" is not one word: use letters, digits and inner apostrophes, without spaces')
    return folded


_CONTROL = frozenset(("Cc", "Zl", "Zp"))


def is_control(character: str) -> bool:
    """Whether it would break a line or vanish in print: such characters are always written as escapes."""
    return unicodedata.category(character) in _CONTROL


def _pattern(pattern: str) -> str:
    """A valid RE2 pattern that fits on a line: slashes plain, control characters as escapes."""
    if not pattern:
        raise ValueError("a regular expression may not be empty")
    if "\\Q" in re.findall(r"\\.", pattern, re.DOTALL):
        raise ValueError(r"regular expressions here have no \Q: escape the characters one by one")
    spelt = re.sub(r"\\?(.)", _plain, pattern, flags=re.DOTALL)
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(spelt, options)
    except (re2.error, UnicodeEncodeError) as error:
        detail = error.args[0].decode("utf-8", "replace") if isinstance(error, re2.error) else "half a character"
        raise ValueError(f"not a regular expression of RE2: {detail}") from error
    return spelt


def _plain(found: re.Match[str]) -> str:
    character = found[1]
    if is_control(character):
        return rf"\x{{{ord(character):x}}}"
    return character if character == "/" else found[0]


def _words(texts: Iterable[str]) -> tuple[str, ...]:
    return _sorted_set(normal_word(text) for text in texts)


def _set(node: object, **values: object) -> None:
    """Normalise fields of a frozen node from its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(node, name, value)


@dataclass(frozen=True, slots=True)
class Tokens:
    """`the token " x"`, `the tokens " x", " y"`: the token's text is exactly one of these, leading space included."""

    strings: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, strings=_sorted_set(map(string, self.strings)))


@dataclass(frozen=True, slots=True)
class Words:
    """`the word "x"`, `the words "x", "y"`: one of these words ends here, ignoring case."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, words=_words(self.words))


@dataclass(frozen=True, slots=True)
class Phrase:
    """`the phrase "x y"`: these words, in this order, end here."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.words) < 2:
            raise ValueError("a phrase needs at least two words; for one use `the word`")
        _set(self, words=tuple(normal_word(word) for word in self.words))


@dataclass(frozen=True, slots=True)
class FormsOf:
    """`any form of "run" ["ran", "run", ...]`: an inflection of the word ends here."""

    word: str
    forms: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, word=normal_word(self.word), forms=_words(self.forms))


@dataclass(frozen=True, slots=True)
class WordsLike:
    """`words like "red" ["crimson", "red", ...]`: a word of the semantic field ends here."""

    word: str
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, word=normal_word(self.word), words=_words(self.words))


@dataclass(frozen=True, slots=True)
class TokensWith:
    """`tokens starting with "x"`, `tokens ending with "x"`, `tokens containing "x"`: on the token's text."""

    part: Part
    text: str

    def __post_init__(self) -> None:
        if self.part not in get_args(Part):
            raise ValueError(f"tokens {self.part}: there are only tokens {', '.join(get_args(Part))}")
        _set(self, text=string(self.text))


@dataclass(frozen=True, slots=True)
class TokensMatching:
    """`tokens matching /regex/`: the RE2 regular expression is found somewhere in the token's text."""

    pattern: str

    def __post_init__(self) -> None:
        _set(self, pattern=_pattern(self.pattern))


@dataclass(frozen=True, slots=True)
class Class:
    """`digits`, `names`, ...: a token, or a word that ends here, of a fixed enumerated class."""

    name: ClassName

    def __post_init__(self) -> None:
        if self.name not in get_args(ClassName):
            raise ValueError(f"no class is named {self.name!r}; there are {', '.join(get_args(ClassName))}")


@dataclass(frozen=True, slots=True)
class AnyToken:
    """`any token`."""


@dataclass(frozen=True, slots=True)
class Positions:
    """`the first token`, `tokens 1 to 4`: counted from 1 after the beginning-of-text; never where that is unknown."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"tokens {self.first} to {self.last} is no range: positions count upwards from 1")
        if self.last > MAX_POSITION:
            raise ValueError(f"position {self.last} is beyond {MAX_POSITION}")


@dataclass(frozen=True, slots=True)
class Boundary:
    """`the start of a sentence`, `the end of a sentence`."""

    name: BoundaryName


@dataclass(frozen=True, slots=True)
class RepeatedToken:
    """`a repeated token`: the same token occurred before in this text."""


@dataclass(frozen=True, slots=True)
class FollowedBefore:
    """`a token that followed "x" before`: earlier in this text, this same token came right after the token x."""

    token: str

    def __post_init__(self) -> None:
        _set(self, token=string(self.token))


@dataclass(frozen=True, slots=True)
class RightAfter:
    """`P right after Q`: Q holds at the token before."""

    anchor: Expression


@dataclass(frozen=True, slots=True)
class Within:
    """`P within N tokens after Q`: Q holds at one of the N tokens before; with N = 32, `P in the context of Q`."""

    anchor: Expression
    distance: int = CONTEXT_WINDOW

    def __post_init__(self) -> None:
        if not 1 <= self.distance <= MAX_DISTANCE:
            raise ValueError(f"within {self.distance} tokens: the distance runs from 1 to {MAX_DISTANCE}")


@dataclass(frozen=True, slots=True)
class About:
    """`P in text about "cooking" ["bake", "oven", ...]`: two distinct words of the list ended in the last 32 tokens."""

    topic: str
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, topic=" ".join(normal_word(word) for word in self.topic.split()), words=_words(self.words))
        if not self.topic:
            raise ValueError("in text about needs a topic")


@dataclass(frozen=True, slots=True)
class Inside:
    """`P inside quotation marks`, `P inside brackets`: some character of the token lies between the marks."""

    enclosure: Enclosure


Modifier = RightAfter | Within | About | Inside


@dataclass(frozen=True, slots=True)
class Clause:
    """A phrase and what must also be true of the text before it. Modifiers are a set: their order means nothing."""

    phrase: Expression
    modifiers: tuple[Modifier, ...]

    def __post_init__(self) -> None:
        modifiers = self.modifiers
        if not modifiers:
            raise ValueError("a clause needs a modifier; without one use the phrase itself")
        if isinstance(self.phrase, Clause):
            modifiers = self.phrase.modifiers + modifiers
            _set(self, phrase=self.phrase.phrase)
        _set(self, modifiers=_ordered(modifiers))


@dataclass(frozen=True, slots=True)
class Not:
    """`not P`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class And:
    """`P and Q`. At least two operands, flat, sorted, distinct: make one with `conjunction`."""

    operands: tuple[Expression, ...]

    def __post_init__(self) -> None:
        _check_operands(self)


@dataclass(frozen=True, slots=True)
class Or:
    """`P or Q`. At least two operands, flat, sorted, distinct: make one with `union`."""

    operands: tuple[Expression, ...]

    def __post_init__(self) -> None:
        _check_operands(self)


@dataclass(frozen=True, slots=True)
class Except:
    """`P except Q`: P holds and Q does not."""

    kept: Expression
    removed: Expression


Atom = (
    Tokens | Words | Phrase | FormsOf | WordsLike | TokensWith | TokensMatching | Class | AnyToken | Positions
    | Boundary | RepeatedToken | FollowedBefore
)  # fmt: skip
Expression = Atom | Clause | Not | And | Or | Except
Node = Expression | Modifier


@dataclass(frozen=True, slots=True)
class Explanation:
    """`activates on P`, with levels (`strongly on P; weakly on Q`) and an output side (`; promotes "x"`).

    Where several levels hold the strongest counts.

    >>> Explanation(Clause(Tokens((" pizza",)), (Within(Words(("crust",))),))).strong
    Clause(phrase=Tokens(strings=(' pizza',)), modifiers=(Within(anchor=Words(words=('crust',)), distance=32),))
    """

    strong: Expression | None
    weak: Expression | None = None
    promotes: tuple[str, ...] = ()
    moderate: Expression | None = None
    faint: Expression | None = None

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("an explanation says what the feature activates on")
        if self.promotes:
            _set(self, promotes=_sorted_set(map(string, self.promotes)))
        if max(depth(expression) for _, _, expression in self.levels) > MAX_DEPTH:
            raise ValueError(f"expressions nest more than {MAX_DEPTH} deep")

    @classmethod
    def of(cls, levels: Mapping[LevelName, Expression | None], promotes: tuple[str, ...] = ()) -> Explanation:
        """From expressions by level; the levels left out are empty."""
        return cls(levels.get("strong"), levels.get("weak"), promotes, levels.get("moderate"), levels.get("faint"))

    @property
    def levels(self) -> tuple[tuple[LevelName, float, Expression], ...]:
        """Name, value and expression of each level there is, strongest first."""
        every: tuple[tuple[LevelName, Expression | None], ...] = (
            ("strong", self.strong),
            ("moderate", self.moderate),
            ("weak", self.weak),
            ("faint", self.faint),
        )
        return tuple((name, LEVELS[name], expression) for name, expression in every if expression is not None)

    @property
    def predicted(self) -> Expression | None:
        """What must hold where the explanation counts as predicting the feature; None where it never does."""
        parts = [expression for _, value, expression in self.levels if value >= PREDICTED]
        return union(*parts) if parts else None


def conjunction(*operands: Expression) -> Expression:
    """P and Q and ..., flattened; of one operand, that operand."""
    flat = _flatten(And, operands)
    return flat[0] if len(flat) == 1 else And(flat)


def union(*operands: Expression) -> Expression:
    """P or Q or ..., flattened; of one operand, that operand."""
    flat = _flatten(Or, operands)
    return flat[0] if len(flat) == 1 else Or(flat)


def depth(expression: Expression) -> int:
    """How deep expressions nest: 1 for an atom; a clause is one deeper than its phrase and its anchors."""
    level, count = [expression], 0
    while level and count <= MAX_DEPTH:  # level by level, so that no nesting exhausts the stack
        level, count = [child for parent in level for child in children(parent)], count + 1
    return count


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression is made of directly: operands, a clause's phrase and its anchors."""
    match expression:
        case Clause(phrase, modifiers):
            return (phrase, *(each.anchor for each in modifiers if isinstance(each, RightAfter | Within)))
        case Not(operand):
            return (operand,)
        case And(operands) | Or(operands):
            return operands
        case Except(kept, removed):
            return (kept, removed)
        case _:
            return ()


@lru_cache(maxsize=50_000)  # the same parts come up in every mutant, rewrite and candidate of an explanation
def sort_key(node: object) -> tuple[object, ...]:
    """A total order on nodes: by construct, then by content. Sort keys of any two nodes compare."""
    if is_dataclass(node):
        inner = tuple(sort_key(getattr(node, field.name)) for field in fields(node))
        return (type(node).__name__, *inner)
    if isinstance(node, tuple):
        return ("tuple", len(node), *(sort_key(item) for item in node))
    return ("", f"{node:08d}" if isinstance(node, int) else str(node))


def _ordered(nodes: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(dict.fromkeys(nodes), key=sort_key))


def _flatten(kind: type[And] | type[Or], operands: Iterable[Expression]) -> tuple[Expression, ...]:
    flat: list[Expression] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return _ordered(flat)


def _check_operands(node: And | Or) -> None:
    if len(node.operands) < 2 or node.operands != _flatten(type(node), node.operands):
        raise ValueError(f"operands of {type(node).__name__} must be two or more, flat, sorted and distinct")
