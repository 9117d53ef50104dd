"""The reference page of the language, made from the grammar and the table of constructs: `python -m dsl.reference`.

It goes to standard output; `docs/language.md` is that, and a test keeps it so.
"""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

from dsl.constructs import SECTIONS, Construct, tokens_of
from dsl.decoding import Bounds, longest_output
from dsl.digest import LANGUAGE_VERSION, digest
from dsl.layout import layout
from dsl.nodes import LEVELS, MAX_DEPTH, PREDICTED, ClassName
from dsl.parse import parse
from dsl.plain import plain_words
from dsl.render import ADVERBS

_PIZZA = 'activates on the token " pizza" in the context of the word "crust"'
_LONG = (
    'activates strongly on (any form of "run" ["ran", "run", "running"] or the word "sprint") in text about "sport" '
    '["athlete", "race", "stadium"] except the start of a sentence; weakly on names; promotes " fast"'
)


def page() -> str:
    """The page, in Markdown."""
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n\n{section.introduction}\n")
        parts.extend(map(_entry, section.constructs))
    parts.extend((_levels(), _PRECEDENCE, _STRINGS, _canonical(), _decoding(), f"## The grammar\n\n{_code(_GRAMMAR)}"))
    return "\n".join(parts)


_GRAMMAR = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")

_HEAD = f"""\
<!-- Written by `python -m dsl.reference > docs/language.md`: change dsl/constructs.py or the grammar, not this. -->

# The language of explanations

An explanation is a sentence of English that runs as a program:

```
{_PIZZA}
```

{plain_words(parse(_PIZZA))}

Below, every construct stands with the rule of the grammar that it is, what it means, an explanation, a text where that
explanation fires and a text where it does not. Texts are cut into tokens; the token in question is **bold**, `·` is a
space and `⏎` a line break. `autointerp check --explain` says the same of an explanation of yours.
"""

_PRECEDENCE = f"""\
## Precedence

From tightest to loosest: conditions (`right after`, `within`, `in the context of`, `in text about`, `inside`), `not`,
`and`, `or`, `except`. So `not digits right after names or newlines` is `(not (digits right after names)) or newlines`.
A condition takes one phrase, or a group in parentheses: `names right after (digits or newlines)`. There is one `except`
in a group: `(digits except names) except pronouns` needs its parentheses, and reads better as
`digits except names or pronouns`. Groups nest up to {MAX_DEPTH} deep.
"""

_STRINGS = r"""## Strings, words and numbers

Strings stand in straight double quotes. `\"` and `\\` are a quote and a backslash, `\n` and `\t` a line break and a
tab, and `\xNN` is one byte of UTF-8: `"\xc3\xa9"` is `"é"`, and `"\xc3"` a token that holds half of it. Everything
else, in any script, stands for itself. A token's leading space belongs to it: `" pizza"` and `"pizza"` are different
tokens.

A word is made of letters, marks and digits with apostrophes between them. Its case and the kind of apostrophe do not
matter. Regular expressions stand between slashes and are those of RE2: no look-around, no back-references, no `\Q`.

Outside quotes, spacing, a capital at the front and a full stop at the end do not matter, so an explanation may run over
several lines.
"""


def _entry(construct: Construct) -> str:
    title = construct.name.replace("_", " ")
    rule = f"`{construct.name}`" if construct.name in get_args(ClassName) else _code(_rule(construct.name)).strip()
    level = f" at {construct.level:g}" if construct.level < 1 else ""
    return (
        f"### {title}\n\n{construct.meaning}\n\n{rule}\n\n"
        f"- `{construct.example}`\n"
        f"- fires{level}: {_shown(construct.fires)}\n"
        f"- silent: {_shown(construct.silent)}\n"
    )


def _rule(name: str) -> str:
    """The lines of a rule as they stand in the grammar."""
    found = re.search(rf"^{name}:.*(?:\n +\|.*)*", _GRAMMAR, re.MULTILINE)
    assert found is not None
    return found[0]


def _shown(text: str) -> str:
    tokens, place = tokens_of(text)
    shown = [f"`{token.replace(' ', '·').replace(chr(10), '⏎')}`" for token in tokens]
    return " ".join(f"**{token}**" if index == place else token for index, token in enumerate(shown))


def _code(text: str) -> str:
    return f"```\n{text.rstrip()}\n```\n"


def _levels() -> str:
    rows = "\n".join(
        f"| `{ADVERBS[name]} on` | {value:g} | {'yes' if value >= PREDICTED else 'no'} |"
        for name, value in LEVELS.items()
    )
    return (
        "## Levels\n\nAt most one of each, in this order; `on` alone is `strongly on`. Values are shares of the\n"
        f"feature's maximum; from {PREDICTED:g} on, a token counts as predicted.\n\n"
        f"| level | value | counts as predicted |\n|---|---|---|\n{rows}\n"
    )


def _canonical() -> str:
    explanation = parse(_LONG)
    return f"""\
## Canonical form

Every explanation has one canonical text, on one line, which parses back to an equal value. Lists, the operands of `or`
and `and`, and the conditions of a phrase are sorted and lose their repeats; words are in lower case; lists that a
lexicon filled in are written out. Texts that differ in nothing else have the same canonical text. `autointerp check`
prints it, `autointerp format` lays it out over several lines:

{_code(layout(explanation, 72))}
`dsl.digest` names an explanation by sixteen hexadecimal digits of the SHA-256 of the version of the language (now
{LANGUAGE_VERSION}), a line break and the canonical text; the one above is `{digest(explanation)}`. The version changes
when the canonical text or the meaning of anything that could be said before changes, so digests can be kept.
"""


def _decoding() -> str:
    rows = "\n".join(f"| `{field.name}` | `{field.default}` | {_BOUNDS[field.name]} |" for field in fields(Bounds))
    return f"""\
## Decoding

`dsl.decoding_grammar(Bounds(...))` is this grammar without recursion and open lists, for language models to write under
(llguidance, outlines, vLLM). Whatever it allows parses and is valid, and has at most `dsl.longest_output(Bounds(...))`
bytes, {longest_output()} by default: that many tokens always suffice for a complete explanation. Positions go up to 99
there.

| bound | default | of what |
|---|---|---|
{rows}
"""


_BOUNDS = {
    "constructs": "phrases, and conditions without one, in all levels together",
    "nesting": "parentheses and `not` inside one another",
    "entries": "strings in a list",
    "string": "characters of a string",
    "word": "letters of a word, and half as many after an inner apostrophe",
    "phrase": "words of a phrase or of a topic",
    "lists": "lists in brackets: `written`, `short` (left to a lexicon), or `either`",
    "letters": "letters that words are made of: `latin`, or `every` letter of the basic plane",
    "promotes": "whether there may be an output side",
    "regexes": "whether there may be regular expressions, which then must be checked after",
}


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode("utf-8"))
