"""A slow way to say where a quote stands: every span of the evidence, its text written plainly, by hand.

It finds out without the code that it checks: it reads strings where that reads tokens, names characters where that
numbers them, and tries every span where that searches.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from agents.quotes import LONGEST, QuoteRequest
from dsl.records import Evidence

Span = tuple[int, int, int]
"""An example, and its tokens from the first to before the last."""

NAMES = {
    "'": "LEFT SINGLE QUOTATION MARK|RIGHT SINGLE QUOTATION MARK|SINGLE LOW-9 QUOTATION MARK|PRIME|REVERSED PRIME|"
    "SINGLE HIGH-REVERSED-9 QUOTATION MARK|MODIFIER LETTER APOSTROPHE|GRAVE ACCENT|ACUTE ACCENT|FULLWIDTH APOSTROPHE|"
    "SINGLE LEFT-POINTING ANGLE QUOTATION MARK|SINGLE RIGHT-POINTING ANGLE QUOTATION MARK",
    '"': "LEFT DOUBLE QUOTATION MARK|RIGHT DOUBLE QUOTATION MARK|DOUBLE LOW-9 QUOTATION MARK|DOUBLE PRIME|"
    "DOUBLE HIGH-REVERSED-9 QUOTATION MARK|REVERSED DOUBLE PRIME|LEFT-POINTING DOUBLE ANGLE QUOTATION MARK|"
    "RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK|REVERSED DOUBLE PRIME QUOTATION MARK|DOUBLE PRIME QUOTATION MARK|"
    "LOW DOUBLE PRIME QUOTATION MARK|FULLWIDTH QUOTATION MARK",
    "-": "HYPHEN|NON-BREAKING HYPHEN|FIGURE DASH|EN DASH|EM DASH|HORIZONTAL BAR|MINUS SIGN|TWO-EM DASH|THREE-EM DASH|"
    "SMALL EM DASH|SMALL HYPHEN-MINUS|FULLWIDTH HYPHEN-MINUS",
    "...": "HORIZONTAL ELLIPSIS|MIDLINE HORIZONTAL ELLIPSIS",
    "": "SOFT HYPHEN|COMBINING GRAPHEME JOINER|ARABIC LETTER MARK|MONGOLIAN FREE VARIATION SELECTOR ONE|"
    "MONGOLIAN FREE VARIATION SELECTOR TWO|MONGOLIAN FREE VARIATION SELECTOR THREE|MONGOLIAN VOWEL SEPARATOR|"
    "ZERO WIDTH SPACE|ZERO WIDTH NON-JOINER|ZERO WIDTH JOINER|LEFT-TO-RIGHT MARK|RIGHT-TO-LEFT MARK|"
    "LEFT-TO-RIGHT EMBEDDING|RIGHT-TO-LEFT EMBEDDING|POP DIRECTIONAL FORMATTING|LEFT-TO-RIGHT OVERRIDE|"
    "RIGHT-TO-LEFT OVERRIDE|WORD JOINER|FUNCTION APPLICATION|INVISIBLE TIMES|INVISIBLE SEPARATOR|INVISIBLE PLUS|"
    "LEFT-TO-RIGHT ISOLATE|RIGHT-TO-LEFT ISOLATE|FIRST STRONG ISOLATE|POP DIRECTIONAL ISOLATE|"
    "INHIBIT SYMMETRIC SWAPPING|ACTIVATE SYMMETRIC SWAPPING|INHIBIT ARABIC FORM SHAPING|ACTIVATE ARABIC FORM SHAPING|"
    "NATIONAL DIGIT SHAPES|NOMINAL DIGIT SHAPES|ZERO WIDTH NO-BREAK SPACE",
}
"""What a plain text writes for which characters, by their names; variation selectors are left out besides."""

PLAIN = {unicodedata.lookup(name): plain for plain, names in NAMES.items() for name in names.split("|")}
PLAIN |= {unicodedata.lookup(f"VARIATION SELECTOR-{number}"): "" for number in range(1, 17)} | {"\u2065": ""}
INVISIBLE = frozenset(sign for sign, plain in PLAIN.items() if not plain)


def printed(text: str) -> str:
    """The text without what prints nothing; lone surrogates are the bytes that they stand for, or no character."""
    raw = b"".join(
        bytes([ord(sign) - 0xDC00]) if "\udc80" <= sign <= "\udcff"
        else "\ufffd".encode() if "\ud800" <= sign <= "\udfff"
        else sign.encode()
        for sign in text
    )  # fmt: skip
    return "".join(sign for sign in raw.decode("utf-8", "replace") if sign not in INVISIBLE)


def plain(text: str) -> str:
    """The text as two that differ in typography alone have it both."""
    parts = re.split("(-+)", " ".join(folded(text).split()))
    return "".join("-" if part in ("--", "---") else part for part in parts)


def folded(text: str) -> str:
    """Composed, every quotation mark, dash and row of dots of one kind; white space as it was."""
    return "".join(PLAIN.get(sign, sign) for sign in unicodedata.normalize("NFC", printed(text)))


class Reference:
    """Every span of the evidence of at most `longest` tokens that cuts nothing in two, by its plain text."""

    def __init__(self, evidence: Evidence, longest: int = LONGEST + 6) -> None:
        self.spans: dict[str, list[Span]] = defaultdict(list)
        for number, example in enumerate(evidence.examples):
            tokens = example.context.tokens
            cuts = [at for at in range(len(tokens) + 1) if may_cut("".join(tokens[:at]), "".join(tokens[at:]))]
            for start, stop in itertools.combinations(cuts, 2):
                if stop - start <= longest:
                    self.spans[plain("".join(tokens[start:stop]))].append((number, start, stop))

    def standing(self, request: QuoteRequest) -> list[Span]:
        """Where the text stands, of the places that the request leaves open; with words left out at its ellipses."""
        wanted = plain(request.text)
        found = list(self.spans.get(wanted, [])) if wanted else []
        for parts in readings(wanted):
            found += self._elided(parts)
        asked = (request.example, request.start, request.stop)
        return [
            span
            for span in dict.fromkeys(found)
            if all(wish is None or wish == at for wish, at in zip(asked, span, strict=True))
        ]

    def _elided(self, parts: Sequence[str]) -> list[Span]:
        """Spans that open with the first part and close with the last, the others between them in order."""
        open_spans = self.spans.get(parts[0], [])
        for part in parts[1:]:
            open_spans = [
                (example, start, after)
                for example, start, stop in open_spans
                for other, begin, after in self.spans.get(part, [])
                if other == example and begin >= stop
            ]
        return open_spans


def readings(wanted: str) -> list[list[str]]:
    """The parts of a plain text between its rows of dots, each of them read as words left out or as it stands."""
    found = list[list[str]]()
    for text in (wanted, re.sub(r"[\[(] ?([.]{3,}) ?[\])]", r"\1", wanted)):
        for dots in (r"([.]{3,})", r"([.]{3})", r"([.]{3}(?![.]))"):
            pieces = re.split(dots, text)
            for literal in itertools.product((False, True), repeat=len(pieces) // 2):
                joined = [pieces[0]]
                for number, keep in enumerate(literal):
                    if keep:
                        joined[-1] += pieces[2 * number + 1] + pieces[2 * number + 2]
                    else:
                        joined.append(pieces[2 * number + 2])
                parts = [part.strip() for part in joined if part.strip()]
                if parts and not all(literal) and parts not in found:
                    found.append(parts)
    return found


def may_cut(before: str, after: str) -> bool:
    """Whether the text may be cut here: not inside a character, before a mark, or in a dash typed as two or three."""
    apart = printed(before) + printed(after)
    if apart != printed(before + after):
        return False
    rest = printed(after)
    if printed(before) and rest and unicodedata.combining(rest[0]):  # a mark after nothing that prints stands alone
        return False
    dashes = len(folded(before)) - len(folded(before).rstrip("-")), len(folded(after)) - len(folded(after).lstrip("-"))
    if all(dashes) and sum(dashes) < 4:
        return False
    parts = (unicodedata.normalize("NFC", printed(part)) for part in (before, after))
    return "".join(parts) == unicodedata.normalize("NFC", apart)
