"""Text to explanation: the grammar says what is well formed, `reader.py` what each construct becomes."""

from __future__ import annotations

from functools import cache

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken
from lark.lexer import PatternStr
from lark.parsers.lalr_interactive_parser import InteractiveParser

from dsl.diagnose import diagnose
from dsl.lexicon import Lexicon
from dsl.nodes import MAX_DEPTH, Explanation
from dsl.reader import Reader
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
        raise diagnose(tidy(text[:200]), ReadError(reason, 0), failure_of)
    source = tidy(text)
    try:
        return _read(source.text, lexicon)
    except ReadError as failure:
        raise diagnose(source, failure, failure_of) from None


def failure_of(text: str, lexicon: Lexicon | None = None) -> ReadError | None:
    """What stops a tidied text from being an explanation, or None; without looking for what was meant."""
    try:
        _read(text, lexicon)
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
    return Reader(lexicon).explanation(tree)


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
