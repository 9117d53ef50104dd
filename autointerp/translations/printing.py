"""`autointerp translate`: what another notation means in the language, printed."""

from __future__ import annotations

from typing import Literal

from autointerp import terminal
from autointerp.lexicons import DefaultLexicon
from autointerp.translations.labels import from_label
from autointerp.translations.result import Translation
from autointerp.translations.semantic_regex import from_semantic_regex
from dsl.errors import InputError
from dsl.lexicon import Lexicon
from dsl.render import render

Notation = Literal["auto", "semantic-regex", "label"]


def translate(text: str, notation: str, lexicon: Lexicon) -> Translation:
    """Read a text in a notation: `semantic-regex`, `label`, or `auto`, which tells by `[:` and `@{:`."""
    match notation:
        case "semantic-regex":
            return from_semantic_regex(text, lexicon)
        case "label":
            return from_label(text, lexicon)
        case "auto":
            is_regex = "[:" in text or "@{:" in text
            return from_semantic_regex(text, lexicon) if is_regex else from_label(text, lexicon)
        case _:
            raise InputError(f"no notation is called {notation!r}; there are: auto, semantic-regex, label")


def print_translation(text: str, notation: str, *, as_json: bool) -> None:
    """Print the candidates, the likeliest first, their reasons on stderr; InputError where there are none."""
    found = translate(text, notation, DefaultLexicon())
    if as_json:
        candidates = [{"explanation": render(each.explanation), "reason": each.reason} for each in found.candidates]
        terminal.print_line({"text": text, "candidates": candidates, "why_none": found.why_none or None})
    if not found.candidates:
        raise InputError(f"cannot translate: {found.why_none}")
    if not as_json:
        for each in found.candidates:
            terminal.console.print(f"# {each.reason}", markup=False, soft_wrap=True)
            print(render(each.explanation))
