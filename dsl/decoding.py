"""The grammar that language models decode under: `grammar.lark` with bounds, derived from it and never written twice.

The parsing grammar is recursive and has open lists, so a model held to it may be cut off in the middle. Here every
text is finite and as long as `longest_output` says at most: a budget of that many tokens (a token has at least one
byte) guarantees a complete explanation. And what can be said without the rest of the text is already said right:
words are words, phrases have two, ranges count upwards; regular expressions, whose validity no grammar decides, are
left out unless asked for. So every text of the decoding grammar parses and is valid.

How: a rule on the way to itself is copied for each number of constructs that it holds (`union_3_1` holds three) and
for each depth that is left to it (the last number); where the copies of a rule would go around, depth goes down.
Counts are worked out bottom-up, so the grammar stays LALR(1), as Lark builds it and llguidance, outlines and vLLM
take it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, assert_never, get_args

from dsl.ebnf import Choice, Form, Grammar, Maybe, Name, Pattern, Repeated, Sequence, Text, language, longest, names_in
from dsl.ebnf import read as read_grammar
from dsl.nodes import is_word_character

Lists = Literal["written", "short", "either"]
Letters = Literal["latin", "every"]

MAX_NESTING = 6
"""Deeper, an explanation could pass the depth that `nodes.MAX_DEPTH` allows."""

_POSITIONS = 99
"""The last position that `tokens 1 to 4` names in decoding: each first one takes a line of the terminal."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a decoded explanation may hold at most.

    `constructs` counts atoms, and modifiers without an anchor, over all levels; `nesting` parentheses and `not` inside
    one another; `entries` the strings of a list; `string` the characters of a string; `word` the letters of a word,
    with half as many after an inner apostrophe; `phrase` the words of a phrase or a topic. `lists` says whether
    `words like "red"` comes with its list, or short, for a lexicon to fill in, or either. `letters` are those of
    words: Latin, or every letter of Unicode's basic plane, which makes a grammar several times as long. `regexes`
    allows regular expressions, which then have to be checked after.
    """

    constructs: int = 5
    nesting: int = 2
    entries: int = 6
    string: int = 12
    word: int = 16
    phrase: int = 4
    lists: Lists = "written"
    letters: Letters = "latin"
    promotes: bool = True
    regexes: bool = False

    def __post_init__(self) -> None:
        if min(self.constructs, self.entries, self.string, self.word, self.phrase - 1) < 1 or self.nesting < 0:
            raise ValueError(f"{self}: every bound is 1 or more, for the words of a phrase 2, for nesting 0")
        if self.nesting > MAX_NESTING:
            raise ValueError(f"nesting {self.nesting} is beyond {MAX_NESTING}")
        if self.lists not in get_args(Lists) or self.letters not in get_args(Letters):
            raise ValueError(f"{self}: lists are {get_args(Lists)}, letters {get_args(Letters)}")


@cache
def decoding_grammar(bounds: Bounds = Bounds()) -> str:
    """A grammar in Lark's syntax without recursion; all it allows parses, with a lexicon where lists may be short.

    >>> decoding_grammar(Bounds(constructs=1, nesting=0)).splitlines()[0]
    'start: "activates " _levels_1_0 | "activates " _levels_1_0 promotes'
    """
    return _Unrolled(language(), bounds).text()


@cache
def longest_output(bounds: Bounds = Bounds()) -> int:
    """Bytes of the longest text that `decoding_grammar(bounds)` allows, exactly: enough as a budget of tokens.

    >>> longest_output(Bounds(constructs=1, nesting=0, entries=1, string=1, word=1, promotes=False))
    60
    """
    return longest(read_grammar(decoding_grammar(bounds)))


Symbols = tuple[str, ...]
"""One way to write a rule out: keywords in quotes, names of rules and of terminals."""


class _Unrolled:
    """The rules of a grammar copied by how many constructs they hold and how much depth is left to them."""

    def __init__(self, grammar: Grammar, bounds: Bounds) -> None:
        self.grammar, self.bounds = grammar, bounds
        self.back = _back_edges(grammar)
        self.reach = {name: _reachable(grammar, name) for name in grammar}
        recursive = [name for name in grammar if name in self.reach[name]]
        self.constructs = {
            name for rule in recursive for name in names_in(grammar[rule]) if name not in recursive and name.islower()
        }
        """What one construct is: rules inside the recursion that do not lead back into it."""
        self.rules: dict[str, tuple[Symbols, ...]] = {}

    def text(self) -> str:
        form, bounds = self.grammar["start"], self.bounds
        counts = range(1, bounds.constructs + 1)
        self.rules["start"] = tuple(
            way for count in counts for way in self.written(form, count, bounds.nesting, "start")
        )
        lines, pending = [], ["start"]
        for name in pending:  # grows as names are met; copies that lead nowhere are not met
            if name.isupper():
                lines.append(f"{name}: {self.terminal(name)}")
                continue
            lines.append(f"{name}: {' | '.join(map(' '.join, self.rules[name]))}")
            mentioned = dict.fromkeys(
                symbol for way in self.rules[name] for symbol in way if not symbol.startswith('"')
            )
            pending.extend(symbol for symbol in mentioned if symbol not in pending)
        return "\n".join(lines) + "\n"

    def copy(self, name: str, count: int, depth: int) -> Iterator[Symbols]:
        """The name of the copy of a rule that holds so many constructs; nothing where there can be no such copy."""
        if name in self.constructs:
            own, copied, count = name, int(count == 1), 0
        elif self.constructs & self.reach[name]:
            own, copied = f"{name}_{count}_{depth}", int(count >= 1)
        else:
            own, copied = name, int(count == 0)
        if not copied:
            return
        if own not in self.rules:
            self.rules[own] = ()  # keeps the order of first mention
            self.rules[own] = tuple(self.written(self.grammar[name], count, depth, name))
        if self.rules[own]:
            yield (own,)

    def written(self, form: Form, count: int, depth: int, rule: str) -> Iterator[Symbols]:
        """Every way to write out a form of a rule that holds exactly so many constructs."""
        match form:
            case Text(text):
                if count == 0:
                    yield (json.dumps(text, ensure_ascii=False),)
            case Name(name) if form.is_terminal:
                if count == 0:
                    yield from self.narrowed(name, rule)
            case Name("promotes") if not self.bounds.promotes:
                return
            case Name(name):
                depth -= (rule, name) in self.back
                if depth >= 0:
                    yield from self.copy(name, count, depth)
            case Sequence() if rule == "positions":
                if count == 0:
                    yield '"tokens "', "RANGE"
            case Sequence(parts):
                yield from self.sequence(parts, count, depth, rule)
            case Choice(options):
                for option in options:
                    yield from self.written(option, count, depth, rule)
            case Maybe(part):
                lists = self.bounds.lists if part == Name("expansion") else "either"
                if count == 0 and lists != "written":
                    yield ()
                if lists != "short":
                    yield from self.written(part, count, depth, rule)
            case Repeated(part, least):
                if count == 0 and least == 0:
                    yield ()
                yield from self.repeated(part, count, depth, rule)
            case Pattern():
                raise ValueError(f"{rule} holds a pattern: patterns are terminals here")
            case _:
                assert_never(form)

    def sequence(self, parts: tuple[Form, ...], count: int, depth: int, rule: str) -> Iterator[Symbols]:
        if not parts:
            if count == 0:
                yield ()
            return
        for first in range(count + 1):
            rest = list(self.sequence(parts[1:], count - first, depth, rule))
            for way in self.written(parts[0], first, depth, rule) if rest else ():
                for further in rest:
                    yield way + further

    def repeated(self, part: Form, count: int, depth: int, rule: str) -> Iterator[Symbols]:
        """Once or more: parts that hold constructs until those are used up, others as often as a list has entries."""
        if not self.constructs & {name for mentioned in names_in(part) for name in (mentioned, *self.reach[mentioned])}:
            if count == 0 and self.bounds.entries > 1:
                yield (self.listed(part, self.bounds.entries - 1, rule),)
            return
        own = f"_{rule.strip('_')}_more_{count}_{depth}"
        if own not in self.rules:
            self.rules[own] = ()
            ways = list(self.written(part, count, depth, rule))
            for last in range(1, count):
                for before in self.repeated(part, count - last, depth, rule):
                    ways.extend(before + way for way in self.written(part, last, depth, rule))
            self.rules[own] = tuple(ways)
        if self.rules[own]:
            yield (own,)

    def listed(self, part: Form, most: int, rule: str) -> str:
        own = f"{rule}_more_{most}"
        if own not in self.rules:
            self.rules[own] = ()
            ways = tuple(self.written(part, 0, 0, rule))
            further = tuple((*way, self.listed(part, most - 1, rule)) for way in ways) if most > 1 else ()
            self.rules[own] = ways + further
        return own

    def narrowed(self, name: str, rule: str) -> Iterator[Symbols]:
        """A terminal that leaves out what nodes refuse, where their checks are no matter of grammar."""
        if name == "REGEX" and not self.bounds.regexes:
            return
        yield ({("WORD", "phrase"): "PHRASE", ("WORD", "about"): "TOPIC"}.get((name, rule), name),)

    def terminal(self, name: str) -> str:
        bounds = self.bounds
        letter = f"[{_letters(bounds.letters)}]"
        word = f"{letter}{{1,{bounds.word}}}('{letter}{{1,{(bounds.word + 1) // 2}}})?"
        match name:
            case "WORD":
                return f'/"{word}"/'
            case "PHRASE":
                return f'/"{word}( {word}){{1,{bounds.phrase - 1}}}"/'
            case "TOPIC":
                return f'/"{word}( {word}){{0,{bounds.phrase - 1}}}"/'
            case "RANGE":
                return f"/{'|'.join(map(_range_from, range(1, _POSITIONS + 1)))}/"
        match self.grammar[name]:
            case Pattern(regex) if ")+" in regex:
                return f"/{regex.replace(')+', f'){{1,{bounds.string}}}')}/"
            case Pattern(regex):
                return f"/{regex}/"
            case Choice(options):
                return " | ".join(json.dumps(option.text) for option in options if isinstance(option, Text))
            case other:
                raise ValueError(f"no terminal is made of {other}")


def _range_from(first: int) -> str:
    """A regular expression for `first to last` with last from first on."""
    tens, ones = divmod(first, 10)
    lasts = [f"{tens or ''}[{ones}-9]"]
    if tens < _POSITIONS // 10:
        lasts.append(f"[{tens + 1}-9][0-9]")
    return f"{first} to ({'|'.join(lasts)})"


@cache
def _letters(which: Letters) -> str:
    """The inside of a character class: letters, marks and numbers that stay such when case is folded."""
    ranges: list[tuple[int, int]] = []
    for code in range(0x250 if which == "latin" else 0x10000):
        character = chr(code)
        if 0xD800 <= code < 0xE000 or not all(map(is_word_character, character + character.casefold())):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "".join(_spelt(first) + (f"-{_spelt(last)}" if last > first else "") for first, last in ranges)


def _spelt(code: int) -> str:
    return chr(code) if code < 0x80 else f"\\u{code:04x}"


def _back_edges(grammar: Grammar) -> frozenset[tuple[str, str]]:
    """Where a rule mentions one that is being written out already, on a walk from the start: cut, no rule recurs."""
    found: set[tuple[str, str]] = set()
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        for mentioned in names_in(grammar[name]):
            if mentioned in (*above, name):
                found.add((name, mentioned))
            elif mentioned not in done:
                walk(mentioned, (*above, name))
        done.add(name)

    walk("start", ())
    return frozenset(found)


def _reachable(grammar: Grammar, name: str) -> frozenset[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        for mentioned in names_in(grammar[pending.pop()]):
            if mentioned not in found:
                found.add(mentioned)
                pending.append(mentioned)
    return frozenset(found)
