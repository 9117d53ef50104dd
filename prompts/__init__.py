"""The prompts that language models read: one Markdown file each, with a version line and named slots.

A file opens with `version: N`; the text follows, with slots written `{{name}}`. What is filled in is never scanned for
slots again, so text from a corpus cannot open one. Text that nobody vouches for goes through `escape` first: it then
stays on its line, inside its quotation marks, and cannot write the highlight marks `<<` and `>>`.
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
    r"""The text on one line, everything invisible written out; bytes that are no character become \xNN.

    >>> print(one_line("a\nb\u200bc"))
    a\nb\u200bc
    """
    return "".join(map(_visible, text))


def escape(text: str) -> str:
    r"""`one_line`, and no bare quotation mark, angle bracket or backslash: it stays inside its quotes.

    >>> print(escape('say "<<now>>"'))
    say \"\<\<now\>\>\"
    """
    return "".join("\\" + character if character in '\\"<>' else _visible(character) for character in text)


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
