"""From the tree of a text to the explanation that it is: what each rule of the grammar becomes."""

from __future__ import annotations

import re
from typing import cast

from lark import Token, Tree

from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    About,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    LevelName,
    Modifier,
    Not,
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
    conjunction,
    is_word,
    normal_word,
    union,
)
from dsl.repair import ReadError


class Reader:
    """What each rule of the grammar means as a value; `lexicon` fills in missing lists."""

    def __init__(self, lexicon: Lexicon | None) -> None:
        self.lexicon = lexicon

    def explanation(self, tree: Tree[Token]) -> Explanation:
        levels: dict[LevelName, Expression] = {}
        promotes: tuple[str, ...] = ()
        for part in [child for child in tree.children if child is not None]:
            rule = _rule(part).removeprefix("first_")
            if rule == "promotes":
                promotes = _strings(part)
            else:
                levels[cast(LevelName, rule)] = self.expression(_child(part))
        try:
            return Explanation.of(levels, promotes)
        except ValueError as error:  # half a character among what is promoted
            raise _failure(cast("Tree[Token]", tree.children[-1]), error) from error

    def expression(self, tree: Tree[Token] | Token) -> Expression:
        assert isinstance(tree, Tree)
        try:
            match _rule(tree):
                case "exclusion":
                    kept, removed = map(self.expression, tree.children)
                    return Except(kept, removed)
                case "union":
                    return union(*map(self.expression, tree.children))
                case "conjunction":
                    return conjunction(*map(self.expression, tree.children))
                case "negation":
                    return Not(self.expression(_child(tree)))
                case "clause":
                    phrase, *modifiers = tree.children
                    return Clause(self.expression(phrase), tuple(map(self.modifier, modifiers)))
                case _:
                    return self.atom(tree)
        except ValueError as error:
            raise _failure(tree, error) from error

    def modifier(self, tree: Tree[Token] | Token) -> Modifier:
        assert isinstance(tree, Tree)
        match _rule(tree):
            case "right_after":
                return RightAfter(self.expression(_child(tree)))
            case "within":
                distance, anchor = tree.children
                return Within(self.expression(anchor), int(str(distance)))
            case "context":
                return Within(self.expression(_child(tree)), CONTEXT_WINDOW)
            case "about":
                return About(*self.expanded(tree))
            case "inside_quotation_marks":
                return Inside("quotation marks")
            case "inside_brackets":
                return Inside("brackets")
            case other:
                raise AssertionError(f"the grammar has a modifier {other!r} that the reader lacks")

    def atom(self, tree: Tree[Token]) -> Expression:
        match _rule(tree):
            case "tokens":
                return Tokens(_strings(tree))
            case "words":
                return Words(_words(tree))
            case "phrase":
                return Phrase(_phrase(tree))
            case "forms":
                return FormsOf(*self.expanded(tree))
            case "like":
                return WordsLike(*self.expanded(tree))
            case "starting":
                return TokensWith("starting with", _string(tree))
            case "ending":
                return TokensWith("ending with", _string(tree))
            case "containing":
                return TokensWith("containing", _string(tree))
            case "matching":
                return TokensMatching(str(_child(tree))[1:-1])
            case "word_class":
                return Class(cast(ClassName, str(_child(tree))))
            case "any_token":
                return AnyToken()
            case "first_token":
                return Positions(1, 1)
            case "positions":
                first, last = tree.children
                return Positions(int(str(first)), int(str(last)))
            case "sentence_start":
                return Boundary("the start of a sentence")
            case "sentence_end":
                return Boundary("the end of a sentence")
            case "repeated":
                return RepeatedToken()
            case "followed":
                return FollowedBefore(_string(tree))
            case other:
                raise AssertionError(f"the grammar has an atom {other!r} that the reader lacks")

    def expanded(self, tree: Tree[Token]) -> tuple[str, tuple[str, ...]]:
        """What is asked for and its list: as written, or from the lexicon."""
        asked, expansion = tree.children
        assert isinstance(asked, Token)
        words = " ".join(_normal(piece, asked) for piece in _unescaped(asked).split())
        if isinstance(expansion, Tree):
            return words, _words(expansion)
        if self.lexicon is None:
            raise ReadError(
                "this short form needs its list of words, or a lexicon to take it from",
                asked.end_pos or 0,
                meaning=True,
            )
        match _rule(tree):
            case "forms":
                answers = self.lexicon.forms(words)
            case "like":
                answers = self.lexicon.like(words)
            case _:
                answers = self.lexicon.about(words)
        own = (words,) if is_word(words) else tuple(words.split())
        return words, own + tuple(answer for answer in answers if is_word(answer))


def _rule(node: Tree[Token] | Token | None) -> str:
    assert isinstance(node, Tree)
    return str(node.data)


def _child(node: Tree[Token] | Token | None) -> Tree[Token] | Token:
    assert isinstance(node, Tree)
    return node.children[0]


_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_NAMED = {"n": "\n", "t": "\t"}


def _unescaped(literal: Token) -> str:
    body = str(literal)[1:-1]
    return _ESCAPE.sub(_meant, body) if "\\" in body else body


def _meant(found: re.Match[str]) -> str:
    if found[1] is None:
        return _NAMED.get(found[2], found[2])
    byte = int(found[1], 16)
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)  # a lone byte, until `nodes.string` joins it with others


def _string(tree: Tree[Token]) -> str:
    literal = _child(tree)
    assert isinstance(literal, Token)
    return _unescaped(literal)


def _strings(tree: Tree[Token] | Token | None) -> tuple[str, ...]:
    assert isinstance(tree, Tree)
    return tuple(_unescaped(literal) for literal in tree.children if isinstance(literal, Token))


def _words(tree: Tree[Token]) -> tuple[str, ...]:
    return tuple(_normal(_unescaped(literal), literal) for literal in tree.children if isinstance(literal, Token))


def _phrase(tree: Tree[Token]) -> tuple[str, ...]:
    literal = _child(tree)
    assert isinstance(literal, Token)
    return tuple(_normal(word, literal) for word in _unescaped(literal).split())


def _normal(word: str, literal: Token) -> str:
    try:
        return normal_word(word)
    except ValueError as error:
        raise ReadError(str(error), literal.start_pos or 0, meaning=True) from error


def _failure(tree: Tree[Token], error: ValueError) -> ReadError:
    literal = next(iter(tree.scan_values(lambda child: isinstance(child, Token))), None)
    return ReadError(str(error), (literal.start_pos or 0) if literal is not None else 0, meaning=True)
