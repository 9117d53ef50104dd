"""The prompts that language models read: one Markdown file each, with a version line and named slots.

A file opens with `version: N`; the text follows, with slots written `{{name}}`. What is filled in is never scanned for
slots again, so text from a corpus cannot open one. Text that nobody vouches for goes through `escape` first: it then
stays on its line, inside its quotation marks, and cannot write the highlight marks `«` and `»`, nor any of the markers
that chat templates put between turns: all of those hold angle or square brackets. So the marks are no brackets: beside
a token "s" they would write one themselves.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_VERSION = re.compile(r"version: (\d+)\n\n?")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as written; the version is recorded beside whatever it produced."""

    name: str
    version: int
    text: str

    @property
    def slots(self) -> frozenset[str]:
        return frozenset(_SLOT.findall(self.text))

    def fill(self, **values: str) -> str:
        """The text with every slot filled; ValueError where names are missing or unknown.

        >>> Prompt("greeting", 1, "Dear {{name}},").fill(name="{{name}}")
        'Dear {{name}},'
        """
        if values.keys() != self.slots:
            raise ValueError(f"prompt {self.name} has slots {sorted(self.slots)}, not {sorted(values)}")
        return _SLOT.sub(lambda slot: values[slot[1]], self.text)


@cache
def load(name: str) -> Prompt:
    """The prompt kept in `NAME.md` beside this file; ValueError where there is none or it has no version line."""
    if name not in names():
        raise ValueError(f"no prompt is named {name!r}; there are {', '.join(names())}")
    written = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    version = _VERSION.match(written)
    if version is None:
        raise ValueError(f"prompt {name} does not open with a line `version: N`")
    return Prompt(name, int(version[1]), written[version.end() :])


def names() -> tuple[str, ...]:
    """Every prompt there is, sorted."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in found if name.endswith(".md")))


def one_line(text: str) -> str:
    r"""An explanation, or words about one, on one line: everything invisible written out, and no marker in its strings.

    In its strings and regular expressions that is done in their own escapes, so that it parses to the same value; among
    them are the brackets that open a chat template's markers.

    >>> print(one_line('a\nb\u200bc'), one_line('words like "x" ["x", "[INST]"]'))
    a\nb\u200bc words like "x" ["x", "\x5bINST]"]
    """
    pieces = _LITERAL.split(text)  # every second piece is a literal
    return "".join("".join(map(_LITERALLY.get(piece[:1], _visible), piece)) for piece in pieces)


def escape(text: str) -> str:
    r"""Everything invisible written out, and no bare quotation mark, bracket or backslash: it stays inside its quotes.

    Brackets are angle and square ones, of which every marker of a chat template has some; the highlight marks go too.

    >>> print(escape('say "«now»" [INST]'))
    say \"\«now\»\" \[INST\]
    """
    return "".join("\\" + character if character in _ESCAPED else _visible(character) for character in text)


def mark(escaped: str) -> str:
    """A text on which a feature fires, between highlight marks.

    >>> print(mark(" pizza"))
    « pizza»
    """
    return f"«{escaped}»"


def unescape(text: str) -> str:
    r"""What `escape` was given, spaces of every kind as plain ones; bare marks go, and so do `<<` and `>>`.

    >>> unescape(r'say \"«no»w\"')
    'say "now"'
    """
    return _WRITTEN.sub(_meant, text)


def inline(text: str) -> str:
    r"""A remark that nobody vouches for, such as a model's own notes, on one line and without bare brackets.

    >>> print(inline('so: "[INST]"'))
    so: "\[INST\]"
    """
    return "".join("\\" + character if character in _BRACKETS else _visible(character) for character in text)


def barred(text: str) -> str:
    r"""Several lines that nobody vouches for, each behind a bar, so that none passes for a line of the prompt.

    >>> print(barred('no [INST]\nQUOTE 3 "x"'))
    | no \[INST\]
    | QUOTE 3 "x"
    """
    return "\n".join(f"| {inline(line)}" for line in text.splitlines() or [""])


_BRACKETS = "<>[]"
_ESCAPED = f'\\"{_BRACKETS}«»'
_LITERAL = re.compile(r'("(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)*/)', re.DOTALL)
_WRITTEN = re.compile(r"[«»]|<<|>>|\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(000[0-9a-f]{5}|0010[0-9a-f]{4})|(.))")


def _meant(written: re.Match[str]) -> str:
    byte, short, long, character = written.groups()
    if byte is not None:
        return chr(int(byte, 16) + (0xDC00 if int(byte, 16) >= 0x80 else 0))
    if short is not None or long is not None:
        code = int(short or long, 16)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)  # a lone surrogate is no text
    return {"n": "\n", "r": "\r", "t": "\t"}.get(character, character) if character is not None else ""


def _in_string(character: str) -> str:
    """As the language writes it in a string: what is not printable in bytes of UTF-8."""
    if character.isprintable() and character not in "<[":
        return character
    if "\udc80" <= character <= "\udcff":
        return _visible(character)
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "replace"))


def _in_regex(character: str) -> str:
    """As RE2 reads it; a square bracket opens a class there, and stays."""
    return character if character.isprintable() and character != "<" else f"\\x{{{ord(character):x}}}"


_LITERALLY = {'"': _in_string, "/": _in_regex}


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
