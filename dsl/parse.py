"""Text to explanation: the grammar says what is well formed, this file what each construct becomes."""

from __future__ import annotations

import re
from functools import cache
from typing import cast

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr
from lark.parsers.lalr_interactive_parser import InteractiveParser

from dsl.diagnose import diagnose
from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    MAX_DEPTH,
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
from dsl.source import nesting, tidy

MAX_LENGTH = 1_000_000
"""Characters that a text may have."""


def parse(text: str, lexicon: Lexicon | None = None) -> Explanation:
    """Read an explanation; spacing outside quotes, a leading capital and a final full stop do not matter.

    The short forms `words like "red"`, `any form of "run"` and `in text about "cooking"` take their lists from the
    lexicon, once; without one they are errors. Raises ExplanationError, which says where, what was expected and what
    nearby text is valid; also for texts longer than `MAX_LENGTH` and parentheses nested deeper than `MAX_DEPTH`.

    >>> parse('activates on the token " pizza" in the context of the word "crust"').strong
    Clause(phrase=Tokens(strings=(' pizza',)), modifiers=(Within(anchor=Words(words=('crust',)), distance=32),))
    """
    if len(text) > MAX_LENGTH:
        reason = f"the text has {len(text):,} characters; an explanation has at most {MAX_LENGTH:,}"
        raise diagnose(tidy(text[:200]), ReadError(reason, 0), _failure_of)
    source = tidy(text)
    try:
        return _read(source.text, lexicon)
    except ReadError as failure:
        raise diagnose(source, failure, _failure_of) from None


def _failure_of(text: str) -> ReadError | None:
    """What stops a text from being an explanation that needs no lexicon, or None."""
    try:
        _read(text, None)
    except ReadError as failure:
        return failure
    return None


def _read(text: str, lexicon: Lexicon | None) -> Explanation:
    deepest, place = nesting(text) if text.count("(") > MAX_DEPTH else (0, 0)
    if deepest > MAX_DEPTH:
        raise ReadError(f"parentheses nest {deepest} deep; the limit is {MAX_DEPTH}", place)
    tree = _tree(text)
    deepest, place = _depth(tree)
    if deepest > MAX_DEPTH:
        raise ReadError(f"expressions nest {deepest} deep; the limit is {MAX_DEPTH}", place, meaning=True)
    return _Reader(lexicon).explanation(tree)


@cache
def _parser() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr")


def _tree(text: str) -> Tree[Token]:
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        offset = len(text) if at_end else error.pos_in_stream or 0
        expected = _expected(error.interactive_parser) if error.interactive_parser else frozenset()
        if offset < len(text) and f"{text[offset:]} " in expected:  # `activates on` ends too early, at its end
            return _tree(f"{text} ")
        raise ReadError("", offset, expected) from None


_EXPECTED: dict[tuple[int, ...], frozenset[str]] = {}
_STACKS_KEPT = 20_000


def _expected(parser: InteractiveParser) -> frozenset[str]:
    """What may stand where the parser stopped: its stack of states alone decides, and the same ones come up again."""
    stack = tuple(parser.parser_state.state_stack)
    if stack not in _EXPECTED:
        if len(_EXPECTED) >= _STACKS_KEPT:
            _EXPECTED.clear()
        _EXPECTED[stack] = frozenset(map(_spelling, parser.accepts()))  # type: ignore[no-untyped-call]
    return _EXPECTED[stack]


def _spelling(terminal: str) -> str:
    """A keyword as it is written; the name of a terminal that is no keyword."""
    if terminal == "$END":
        return terminal
    pattern = _parser().get_terminal(terminal).pattern
    return pattern.value if isinstance(pattern, PatternStr) else terminal


_NESTING = frozenset(("exclusion", "union", "conjunction", "negation", "clause"))


def _depth(tree: Tree[Token]) -> tuple[int, int]:
    """How deep expressions nest and where; without recursion, as this is what bounds the recursion of the reader."""
    deepest, place = 0, 0
    pending: list[tuple[Tree[Token], int, int]] = [(tree, 0, 0)]
    while pending:
        node, level, start = pending.pop()
        level += node.data in _NESTING
        if level > deepest:
            deepest, place = level, start
        for child in node.children:
            if isinstance(child, Tree):
                pending.append((child, level, start))
            elif child is not None:
                start = child.start_pos or start
    return deepest + 1, place


class _Reader:
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
