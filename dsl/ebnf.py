"""Grammar files as values: what a rule is made of, read with Lark's own grammar of grammars."""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, assert_never

from lark import Lark, Token, Tree


@dataclass(frozen=True, slots=True)
class Text:
    """A keyword: these characters, nothing else."""

    text: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, without its slashes."""

    regex: str


@dataclass(frozen=True, slots=True)
class Name:
    """Another rule, or a terminal where it is in upper case."""

    name: str

    @property
    def is_terminal(self) -> bool:
        return self.name.isupper()


@dataclass(frozen=True, slots=True)
class Sequence:
    """All of these, in this order; of none, nothing."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these."""

    options: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Maybe:
    """This or nothing."""

    part: Form


@dataclass(frozen=True, slots=True)
class Repeated:
    """This, `least` times or more: 0 or 1."""

    part: Form
    least: int


Form = Text | Pattern | Name | Sequence | Choice | Maybe | Repeated
Grammar = dict[str, Form]


def read(text: str) -> Grammar:
    """The rules and terminals of a Lark grammar in the order of the file; raises ValueError for what we never use.

    >>> read('start: "a" [X]\\nX: /b+/')
    {'start': Sequence(parts=(Text(text='a'), Maybe(part=Name(name='X')))), 'X': Pattern(regex='b+')}
    """
    tree = _reader().parse(text)
    return {str(item.children[0]): _form(item.children[-1]) for item in tree.children if isinstance(item, Tree)}


@cache
def language() -> Grammar:
    """The grammar of explanations."""
    return read(Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"))


def names_in(form: Form) -> tuple[str, ...]:
    """The rules and terminals that a form mentions, in order."""
    match form:
        case Name(name):
            return (name,)
        case Sequence(parts) | Choice(parts):
            return tuple(name for part in parts for name in names_in(part))
        case Maybe(part) | Repeated(part):
            return names_in(part)
        case Text() | Pattern():
            return ()
        case _:
            assert_never(form)


def longest(grammar: Grammar, start: str = "start") -> int:
    """Bytes of UTF-8 in the longest text of a grammar, exactly; raises ValueError where there is no longest.

    >>> longest(read('start: "é" [X] X\\nX: /(ab?|c){1,3}/'))
    14
    """
    known: dict[str, int | None] = {}

    def of_name(name: str) -> int:
        if name not in known:
            known[name] = None
            known[name] = of(grammar[name])
        length = known[name]
        if length is None:
            raise ValueError(f"{name} holds itself: there is no longest text")
        return length

    def of(form: Form) -> int:
        match form:
            case Text(text):
                return len(text.encode())
            case Pattern(regex):
                return _longest_match(regex)
            case Name(name):
                return of_name(name)
            case Sequence(parts):
                return sum(map(of, parts))
            case Choice(options):
                return max(map(of, options))
            case Maybe(part):
                return of(part)
            case Repeated():
                raise ValueError("a repetition without a bound: there is no longest text")
            case _:
                assert_never(form)

    return of_name(start)


@cache
def _reader() -> Lark:
    return Lark.open_from_package("lark", "lark.lark", ["grammars"], parser="lalr")


def _form(node: Any) -> Form:
    """From the tree of Lark's grammar of grammars."""
    if isinstance(node, Token):
        return Name(str(node))
    children = [child for child in node.children if child is not None]
    match str(node.data):
        case "expansions":
            return Choice(tuple(map(_form, children)))
        case "alias" if len(children) == 1:
            return _form(children[0])
        case "expansion":
            return Sequence(tuple(map(_form, children)))
        case "expr" if len(children) == 1:
            return _form(children[0])
        case "expr" if children[1:] == ["?"]:
            return Maybe(_form(children[0]))
        case "expr" if children[1:] in (["+"], ["*"]):
            return Repeated(_form(children[0]), int(children[1] == "+"))
        case "maybe":
            return Maybe(_form(children[0]))
        case "name":
            return Name(str(children[0]))
        case "literal" if str(children[0]).endswith('"'):
            return Text(ast.literal_eval(str(children[0])))
        case "literal" if str(children[0]).endswith("/"):
            return Pattern(str(children[0])[1:-1])
        case other:
            raise ValueError(f"our grammars have no {other} with {len(children)} parts")


def _longest_match(regex: str) -> int:
    """Bytes of the longest text that a regular expression of Python matches."""
    parser = importlib.import_module("re._parser")  # the module behind `re`; Lark measures its terminals with it too
    return sum(_longest_item(str(name), value) for name, value in parser.parse(regex))


_WIDEST = len("\U0010ffff".encode())


def _longest_item(name: str, value: Any) -> int:
    match name:
        case "LITERAL":
            return len(chr(value).encode())
        case "NOT_LITERAL" | "ANY":
            return _WIDEST
        case "IN":
            return max(_longest_of_class(str(kind), inside) for kind, inside in value)
        case "MAX_REPEAT":
            _, most, item = value
            if not isinstance(most, int) or most >= 2**31:
                raise ValueError("a repetition without a bound: there is no longest text")
            return most * sum(_longest_item(str(kind), inside) for kind, inside in item)
        case "SUBPATTERN":
            return sum(_longest_item(str(kind), inside) for kind, inside in value[-1])
        case "BRANCH":
            return max(sum(_longest_item(str(kind), inside) for kind, inside in option) for option in value[1])
        case _:
            raise ValueError(f"our terminals have no {name}")


def _longest_of_class(kind: str, value: Any) -> int:
    match kind:
        case "LITERAL":
            return len(chr(value).encode())
        case "RANGE":
            return len(chr(value[1]).encode())
        case "NEGATE":  # what a class leaves out is ASCII here
            return _WIDEST
        case _:
            raise ValueError(f"our terminals have no {kind}")
