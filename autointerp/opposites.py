"""Opposites that their form gives away: happy and unhappy, careful and careless."""

from __future__ import annotations

from collections.abc import Container

_PREFIXES = ("un", "dis", "non", "in", "im", "ir", "il")
_SUFFIXES = (("ful", "less"), ("less", "ful"))
_FEWEST = 4
"""Letters that what the prefix is put to must have: "der" and "cle" are no words, "ion" is no opposite of "union"."""


def opposites_by_form(lemma: str, in_use: Container[str]) -> tuple[str, ...]:
    """Words in use that negate the lemma, or that it negates.

    >>> opposites_by_form("happy", {"happy", "unhappy"}), opposites_by_form("careless", {"careful"})
    (('unhappy',), ('careful',))
    """
    formed = [prefix + lemma for prefix in _PREFIXES if len(lemma) >= _FEWEST and _fits(prefix, lemma)]
    for prefix in _PREFIXES:
        bare = lemma.removeprefix(prefix)
        if bare != lemma and len(bare) >= _FEWEST and _fits(prefix, bare):
            formed.append(bare)
    formed += [lemma.removesuffix(old) + new for old, new in _SUFFIXES if lemma.endswith(old)]
    return tuple(word for word in formed if word in in_use)


def _fits(prefix: str, bare: str) -> bool:
    """The sounds before which "in" becomes "im", "ir" and "il"."""
    match prefix:
        case "im":
            return bare[0] in "bmp"
        case "ir":
            return bare[0] == "r"
        case "il":
            return bare[0] == "l"
        case "in":
            return bare[0] not in "bmprl"
        case _:
            return True
