"""True quotes as somebody else types them: the same words, other quotation marks, dashes, dots and spaces."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Mapping

SPACES = "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000\t\n"
NOTHING = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"
SINGLE, DOUBLE, DASHES = (
    "'\u2018\u2019\u201b\u2032\u02bc",
    '"\u201c\u201d\u201e\u00ab\u00bb',
    "-\u2010\u2011\u2013\u2014\u2212",
)


def _one_of(signs: str) -> Callable[[str, random.Random], str]:
    """Each sign of a family becomes one of the family."""
    return lambda text, rng: "".join(rng.choice(signs) if sign in signs else sign for sign in text)


def _quotes(text: str, rng: random.Random) -> str:
    return _one_of(DOUBLE)(_one_of(SINGLE)(text, rng), rng)


def _dashes(text: str, rng: random.Random) -> str:
    """A dash, of one sign or typed as two or three, is one of any length; a long one also two hyphens."""
    return re.sub(
        rf"(?<![{DASHES}])[{DASHES}]{{1,3}}(?![{DASHES}])", lambda _: rng.choice((*DASHES, "--", "---")), text
    )


def _dots(text: str, rng: random.Random) -> str:
    del rng
    return text.replace("\u2026", "\0").replace("...", "\u2026").replace("\0", "...")


def _no_break(text: str, rng: random.Random) -> str:
    return re.sub(" ", lambda _: rng.choice("\u00a0\u202f\u2007 "), text)


def _invisible(text: str, rng: random.Random) -> str:
    """Signs that print nothing, anywhere."""
    return "".join(sign + (rng.choice(NOTHING) if rng.random() < 0.2 else "") for sign in text)


def _expanded(text: str, rng: random.Random) -> str:
    return re.sub(r"\s", lambda _: "".join(rng.choices(SPACES + " ", k=rng.randint(1, 4))), f" {text} ")


def _collapsed(text: str, rng: random.Random) -> str:
    del rng
    return " ".join(text.split())


def _decomposed(text: str, rng: random.Random) -> str:
    del rng
    return unicodedata.normalize("NFD", text)


def _composed(text: str, rng: random.Random) -> str:
    del rng
    return unicodedata.normalize("NFC", text)


def _all(text: str, rng: random.Random) -> str:
    for change in (_quotes, _dashes, _dots, _decomposed, _invisible, _expanded):
        text = change(text, rng)
    return text


def _open_ended(text: str, rng: random.Random) -> str:
    """It goes on before, or after, or both."""
    dots = rng.choice(("...", "\u2026", "[...]"))
    return rng.choice((f"{dots} {text.strip()}", f"{text.strip()}{dots}", f"{dots}{text.strip()} {dots}"))


MANGLED: Mapping[str, Callable[[str, random.Random], str]] = {
    "as it stands": lambda text, _: text,
    "quotation marks": _quotes,
    "dashes": _dashes,
    "ellipsis sign": _dots,
    "no-break spaces": _no_break,
    "characters that print nothing": _invisible,
    "white space expanded": _expanded,
    "white space collapsed": _collapsed,
    "NFD": _decomposed,
    "NFC": _composed,
    "dots at its ends": _open_ended,
    "all at once": _all,
}
"""Each way of typing, and the text so typed."""
