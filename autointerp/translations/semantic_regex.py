"""Semantic regexes for features, `@{:context cooking:}([:lexeme bake:] [:field bread:])`, into the language."""

from __future__ import annotations

from functools import cache
from itertools import product

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken

from autointerp.translations.result import Candidate, Translation, TranslationError
from dsl.lexicon import Lexicon
from dsl.nodes import (
    About,
    Clause,
    Explanation,
    Expression,
    FormsOf,
    Phrase,
    RightAfter,
    Tokens,
    Words,
    WordsLike,
    is_word,
    union,
)

MOST_OPTIONAL = 4
"""Optional parts that one sequence may have: each doubles what it stands for."""

_GRAMMAR = r"""
start: alternation
alternation: sequence ("|" sequence)*
sequence: (optional | _atom)+
optional: _atom "?"
_atom: component | context | group
group: "(" alternation ")"
component: SYMBOL | LEXEME | FIELD
context: CONTEXT "(" alternation ")"
SYMBOL: /\[:symbol\s+(?:(?!:\]).)+:\]/
LEXEME: /\[:lexeme\s+(?:(?!:\]).)+:\]/
FIELD: /\[:field\s+(?:(?!:\]).)+:\]/
CONTEXT: /@\{:context\s+(?:(?!:\}).)+:\}/
%import common.WS
%ignore WS
"""

_IN_WORDS = {
    "SYMBOL": "[:symbol X:]",
    "LEXEME": "[:lexeme X:]",
    "FIELD": "[:field X:]",
    "CONTEXT": "@{:context X:}(...)",
    "LPAR": '"("',
    "RPAR": '")"',
    "VBAR": '"|"',
    "QMARK": '"?"',
    "$END": "the end",
}


def from_semantic_regex(text: str, lexicon: Lexicon) -> Translation:
    """The one explanation that a semantic regex means; raises TranslationError, with a caret, where it is not one.

    A symbol is a token with or without its leading space, or a phrase; a lexeme any form of a word; a field words like
    it; a context text about it; a sequence what comes right after what.

    >>> from_semantic_regex("[:symbol the:]", lexicon).candidates[0].explanation.strong  # doctest: +SKIP
    Tokens(strings=(' the', 'the'))
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise TranslationError(_message(text, error)) from None
    try:
        explanation = Explanation(_expression(tree.children[0], lexicon))
    except ValueError as error:
        raise TranslationError(f"the semantic regex has no counterpart: {error}") from error
    return Translation((Candidate(explanation, "read part by part as a semantic regex"),))


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr")


def _message(text: str, error: UnexpectedInput) -> str:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    offset = len(text) if at_end else error.pos_in_stream or 0
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:].split("\n", 1)[0]
    terminals = error.interactive_parser.accepts() if error.interactive_parser else ()  # type: ignore[no-untyped-call]
    expected = ", ".join(word for name, word in _IN_WORDS.items() if name in terminals)
    place = f"line {text.count(chr(10), 0, offset) + 1}, column {offset - start + 1}"
    wrong = "the semantic regex ends too early" if at_end else "this is no part of a semantic regex"
    return f"{place}: {wrong}; expected one of {expected}\n  {line}\n  {' ' * (offset - start)}^"


def _expression(node: Tree[Token] | Token, lexicon: Lexicon) -> Expression:
    assert isinstance(node, Tree)
    match str(node.data):
        case "alternation":
            return union(*(_expression(child, lexicon) for child in node.children))
        case "sequence":
            return _sequence(node, lexicon)
        case "group" | "optional":
            return _expression(node.children[0], lexicon)
        case "context":
            topic = _name(node.children[0])
            words = tuple(word for word in lexicon.about(topic) if is_word(word))
            return Clause(_expression(node.children[1], lexicon), (About(topic, words),))
        case "component":
            token = node.children[0]
            assert isinstance(token, Token)
            return _component(token.type, _name(token), lexicon)
        case other:
            raise AssertionError(f"the grammar has a rule {other!r} that the reader lacks")


def _name(token: Tree[Token] | Token) -> str:
    """What stands in a component after its kind."""
    return str(token).split(None, 1)[1].rsplit(":", 1)[0].strip()


def _component(kind: str, name: str, lexicon: Lexicon) -> Expression:
    words = name.split()
    if len(words) > 1 and all(map(is_word, words)):
        if kind == "FIELD":
            return Words(tuple(word for word in lexicon.about(name) if is_word(word)))
        return Phrase(tuple(words))
    if kind == "SYMBOL":
        return Tokens((name, f" {name}"))
    if kind == "LEXEME":
        return FormsOf(name, (name, *filter(is_word, lexicon.forms(name))))
    return WordsLike(name, (name, *filter(is_word, lexicon.like(name))))


def _sequence(node: Tree[Token], lexicon: Lexicon) -> Expression:
    """What comes right after what; with optional parts, each way of leaving some out."""
    parts = [(_expression(child, lexicon), _is_optional(child)) for child in node.children]
    if sum(optional for _, optional in parts) > MOST_OPTIONAL:
        raise ValueError(f"a sequence has more than {MOST_OPTIONAL} optional parts; write the alternatives out")
    ways = []
    for kept in product(*((True, False) if optional else (True,) for _, optional in parts)):
        chosen = [part for (part, _), keep in zip(parts, kept, strict=True) if keep]
        if chosen:
            ways.append(_chain(chosen))
    return union(*ways)


def _is_optional(node: Tree[Token] | Token) -> bool:
    return isinstance(node, Tree) and node.data == "optional"


def _chain(parts: list[Expression]) -> Expression:
    words = [_word_of(part) for part in parts]
    if len(parts) > 1 and all(words):
        return Phrase(tuple(word for word in words if word))
    chained = parts[0]
    for part in parts[1:]:
        chained = Clause(part, (RightAfter(chained),))
    return chained


def _word_of(part: Expression) -> str | None:
    """The word that a symbol is, None for what is not the symbol of one word."""
    name = max(part.strings, key=len).strip() if isinstance(part, Tokens) else ""
    return name if name and is_word(name) else None
