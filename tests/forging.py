"""Quotes that are nearly right: near-misses of what stands in some evidence, by kind.

A forgery is a request for whose text the evidence holds no token span where the request says: none whose plain text is
the same, which `slow_quotes.Reference` finds out by trying them all. Some near-quotes are true after all: the text with
a word left out may stand elsewhere.
"""

from __future__ import annotations

import random
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.quotes import QuoteRequest
from dsl.records import Context, Evidence, Example, Thresholds

Span = tuple[int, int, int]
"""An example, and its tokens from the first to before the last."""

ALIKE = {"a": 0x430, "c": 0x441, "e": 0x435, "o": 0x43E, "p": 0x440, "x": 0x445, "A": 0x410, "E": 0x415, "T": 0x422}
"""Letters that look like those of another alphabet."""


@dataclass(frozen=True, slots=True)
class Forger:
    """Draws near-quotes of some evidence."""

    evidence: Evidence
    rng: random.Random

    def draw(self, kind: str) -> QuoteRequest:
        """A request of this kind; it may turn out to be true after all."""
        return KINDS[kind](self)

    def span(self, least: int = 2, most: int = 10) -> Span:
        """A random span."""
        while True:
            example = self.rng.randrange(len(self.evidence.examples))
            length = len(self.tokens(example))
            if length >= least:
                size = self.rng.randint(least, min(most, length))
                start = self.rng.randint(0, length - size)
                return example, start, start + size

    def tokens(self, example: int) -> tuple[str, ...]:
        return self.evidence.examples[example].context.tokens

    def of(self, span: Span) -> list[str]:
        return list(self.tokens(span[0])[span[1] : span[2]])

    def said(self, tokens: Sequence[str] | str, span: Span) -> QuoteRequest:
        """The text, with all of its place, the example alone, or no place named."""
        text = tokens if isinstance(tokens, str) else "".join(tokens)
        match self.rng.randrange(3):
            case 0:
                return QuoteRequest(text, *span)
            case 1:
                return QuoteRequest(text, span[0])
            case _:
                return QuoteRequest(text)

    def token(self) -> str:
        example = self.rng.randrange(len(self.evidence.examples))
        return self.rng.choice(self.tokens(example) or (" the",))


def _changed(forger: Forger) -> QuoteRequest:
    span = forger.span()
    tokens = forger.of(span)
    tokens[forger.rng.randrange(len(tokens))] = forger.token()
    return forger.said(tokens, span)


def _reordered(forger: Forger) -> QuoteRequest:
    span = forger.span(3)
    tokens = forger.of(span)
    forger.rng.shuffle(tokens)
    return forger.said(tokens, span)


def _joined(forger: Forger) -> QuoteRequest:
    one, other = forger.span(1, 6), forger.span(1, 6)
    return forger.said([*forger.of(one), *forger.of(other)], one)


def _case(forger: Forger) -> QuoteRequest:
    return _letters(forger, str.isalpha, lambda sign: sign.swapcase())


def _digits(forger: Forger) -> QuoteRequest:
    return _letters(forger, str.isdigit, lambda sign: str((int(unicodedata.digit(sign, 0)) + 1) % 10))


def _letter(forger: Forger) -> QuoteRequest:
    return _letters(forger, str.isalpha, lambda _: forger.rng.choice(string.ascii_letters))


def _lookalike(forger: Forger) -> QuoteRequest:
    """Letters of other alphabets that look the same, and wide ones: none of them is folded."""

    def swap(sign: str) -> str:
        return chr(ALIKE.get(sign) or ord(sign) + (0xFEE0 if "!" <= sign <= "~" else 0))

    return _letters(forger, str.isalpha, swap)


def _accent(forger: Forger) -> QuoteRequest:
    return _letters(forger, str.isalpha, lambda sign: sign + forger.rng.choice("\u0301\u0308\u0327"))


def _letters(forger: Forger, which: Callable[[str], bool], change: Callable[[str], str]) -> QuoteRequest:
    """One sign of a kind changed; spans are drawn until one has any."""
    for _ in range(200):
        span = forger.span()
        text = "".join(forger.of(span))
        if places := [at for at, sign in enumerate(text) if which(sign)]:
            at = forger.rng.choice(places)
            return forger.said(text[:at] + change(text[at]) + text[at + 1 :], span)
    return QuoteRequest("7 of 9")


def _inserted(forger: Forger) -> QuoteRequest:
    span = forger.span()
    tokens = forger.of(span)
    word = forger.rng.choice([" not", " never", " the", " very", forger.token(), forger.token()])
    tokens.insert(forger.rng.randint(1, len(tokens) - 1), word)
    return forger.said(tokens, span)


def _deleted(forger: Forger) -> QuoteRequest:
    span = forger.span(3)
    tokens = forger.of(span)
    del tokens[forger.rng.randrange(1, len(tokens) - 1)]
    return forger.said(tokens, span)


def _inside(forger: Forger) -> QuoteRequest:
    """The text of a span cut inside its first or its last token."""
    span = forger.span(1, 6)
    text = "".join(forger.of(span)).strip()
    cut = forger.rng.randint(1, 3)
    return forger.said(text[cut:] if forger.rng.random() < 0.5 else text[:-cut], span)


def _punctuation(forger: Forger) -> QuoteRequest:
    span = forger.span()
    text = "".join(forger.of(span))
    marks = [at for at, sign in enumerate(text) if sign in ".,;:!?'\"-()"]
    if marks and forger.rng.random() < 0.6:
        at = forger.rng.choice(marks)
        text = text[:at] + forger.rng.choice(("", ",", ".", "?", "!", ";", "'", " ")) + text[at + 1 :]
    else:
        at = forger.rng.randint(1, max(1, len(text) - 1))
        text = text[:at] + forger.rng.choice(",.?!;:-'\"") + text[at:]
    return forger.said(text, span)


def _empty(forger: Forger) -> QuoteRequest:
    text = "".join(forger.rng.choices(" \n\t\u00a0\u200b\ufeff\u2028\u00ad\u200d\u3000", k=forger.rng.randrange(4)))
    return forger.said(text, forger.span(1, 3))


def _other_example(forger: Forger) -> QuoteRequest:
    example, start, stop = forger.span()
    other = forger.rng.randint(-2, len(forger.evidence.examples) + 1)
    place = (other, start, stop) if forger.rng.random() < 0.5 else (other, None, None)
    return QuoteRequest("".join(forger.of((example, start, stop))), *place)


def _shifted(forger: Forger) -> QuoteRequest:
    example, start, stop = span = forger.span()
    step = forger.rng.choice(((1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)))
    return QuoteRequest("".join(forger.of(span)), example, start + step[0], stop + step[1])


def _elided(forger: Forger) -> QuoteRequest:
    """Two parts that do not stand in this order in one example, or one of which ends inside a token."""
    one, other = forger.span(1, 4), forger.span(1, 4)
    parts = ["".join(forger.of(span)).strip() for span in (one, other)]
    if forger.rng.random() < 0.3:
        parts[0] = parts[0][:-1]
    dots = forger.rng.choice((" ... ", "...", "\u2026", " [...] "))
    return forger.said(dots.join(parts), one)


def _run_together(forger: Forger) -> QuoteRequest:
    """White space left out between two words, or put inside one."""
    span = forger.span()
    text = "".join(forger.of(span)).strip()
    if " " in text and forger.rng.random() < 0.5:
        at = forger.rng.choice([at for at, sign in enumerate(text) if sign == " "])
        return forger.said(text[:at] + text[at + 1 :], span)
    at = forger.rng.randint(1, max(1, len(text) - 1))
    return forger.said(f"{text[:at]} {text[at:]}", span)


def _broken(forger: Forger) -> QuoteRequest:
    """A sign of it as no character."""
    span = forger.span()
    text = "".join(forger.of(span))
    at = forger.rng.randrange(max(1, len(text)))
    return forger.said(text[:at] + forger.rng.choice(("\ufffd", "\udcff", "\ud83d", "\udce2")) + text[at + 1 :], span)


KINDS: Mapping[str, Callable[[Forger], QuoteRequest]] = {
    "one token changed": _changed,
    "tokens reordered": _reordered,
    "joined over two places": _joined,
    "case changed": _case,
    "letter changed": _letter,
    "letter of another alphabet": _lookalike,
    "accent added": _accent,
    "digit changed": _digits,
    "word inserted": _inserted,
    "word left out": _deleted,
    "cut inside a token": _inside,
    "words run together or apart": _run_together,
    "punctuation changed": _punctuation,
    "character broken": _broken,
    "empty or white space": _empty,
    "another example's number": _other_example,
    "span shifted by one": _shifted,
    "parts that do not follow": _elided,
}
"""Each kind of near-quote, and what draws it."""


SCRIPTS = (
    "She said \u201cWait\u2026\u201d \u2014 it\u2019s the caf\u00e9 \u2018R\u00e9sum\u00e9\u2019, 10\u201320% off.",
    "A family \U0001f468\u200d\U0001f469\u200d\U0001f467 ate \U0001f355 and waved \U0001f44b\U0001f3fd "
    "\u2764\ufe0f today.",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u200fand \u0645\u0631\u062d\u0628\u0627 "
    "\u0628\u0627\u0644\u0639\u0627\u0644\u0645 said 3 of 4.",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8 and Vie\u0323\u0302t, nai\u0308ve co\u00f6perate "
    "a\u0328\u0301 x\u0301 y.",
    "for i in range(10): x[i] -= 1  # don't stop... \u00abnow\u00bb -- or \u2212 5\u00a0km,\u2009maybe 7\u202fm",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u6211\u4eec\u53bb\u516c\u56ed\u5427\uff01 "
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e 12 34.",
)
"""Texts in several scripts, with emoji, marks, and every kind of quotation mark, dash and space."""


def scripts(seed: int = 0) -> Evidence:
    """Those texts, each cut into tokens at random bytes in two ways."""
    rng = random.Random(seed)
    return evidence_of([_cut(text, rng) for text in SCRIPTS for _ in range(2)], rng)


def _cut(text: str, rng: random.Random) -> list[str]:
    """Pieces of one to six bytes, as a byte-level tokeniser of few merges has them."""
    raw, tokens = text.encode(), list[str]()
    while raw:
        size = rng.choice((1, 2, 3, 3, 4, 5, 6))
        tokens.append(raw[:size].decode("utf-8", "surrogateescape"))
        raw = raw[size:]
    return tokens


def evidence_of(rows: Sequence[Sequence[str]], rng: random.Random) -> Evidence:
    """Evidence of a feature that fires on one token in ten."""
    examples = tuple(
        Example(Context(tuple(row)), tuple(2.0 if rng.random() < 0.1 else 0.0 for _ in row)) for row in rows
    )
    return Evidence("forged/0", examples, Thresholds(1.0, 0.1, 2.0))
