"""A short name for an explanation that stays the same: across processes, machines and releases of one language."""

from __future__ import annotations

import hashlib

from dsl.nodes import Explanation
from dsl.render import render

LANGUAGE_VERSION = "1"
"""Of the language: raised whenever a canonical text changes its spelling or its meaning, and never otherwise.

New constructs leave it alone, since what could be said before is said and meant as before.
"""


def digest(explanation: Explanation) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of `LANGUAGE_VERSION`, a line break and the canonical text in UTF-8.

    Equal explanations have equal digests, whatever text they were read from; stable while `LANGUAGE_VERSION` is.

    >>> from dsl.nodes import Class
    >>> digest(Explanation(Class("digits")))
    'd0d954f7729106bb'
    """
    return hashlib.sha256(f"{LANGUAGE_VERSION}\n{render(explanation)}".encode()).hexdigest()[:16]
