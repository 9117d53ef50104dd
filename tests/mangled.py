"""Explanations damaged in every way we could think of, one by number: what the parser must survive.

>>> kind, text = mangled(seed=0, number=7)
>>> mangled(seed=0, number=7) == (kind, text)
True
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import get_args

from dsl.errors import ExplanationError
from dsl.nodes import ClassName
from dsl.parse import failure_of, parse
from dsl.render import render
from dsl.source import tidy

WORDS = ("pizza", "crust", "don't", "Straße", "漢字", "naïve", "e\u0301", "42", "the", "a")
STRINGS = (" pizza", "pizza", " the", r"\n", r"\"", r"\\", r"\xc3\xa9", r"\xff", "😀", "(", ")", "/", ",", " ", "'s")
REGEXES = (r"^ [A-Z]+$", r"\d{2,3}", r"(a|b)*c", r"[^\/]", r"(?i)pizza", r"\pL", "é|ü", r"(x+x+)+y", r".{0,50}\w{9}")
KEYWORDS = (
    "activates on ", "activates ", "strongly on ", "; weakly on ", "; moderately on ", "; faintly on ", "; promotes ",
    " except ", " or ", " and ", "not ", " right after ", " within ", " within 5 tokens after ", " in the context of ",
    " in text about ", " inside quotation marks", " inside brackets", "the token ", "the tokens ", "the word ",
    "the words ", "the phrase ", "any form of ", "words like ", "tokens starting with ", "tokens ending with ",
    "tokens containing ", "tokens matching ", "any token", "the first token", "tokens 1 to 4",
    "the start of a sentence", "the end of a sentence", "a repeated token", "a token that followed ", " before",
    "(", ")", "[", "]", ", ", '"', '"x"', "/", "/x/", "0", "100", "1000000", *get_args(ClassName),
)  # fmt: skip
ODD = (
    "\0", "\t", "\r\n", "\u0085", "\u2028", "\u200b", "\u200d", "\u202e", "\ufeff", "\u00a0", "“", "”", "«", "\u2019",
    "`", "\u00b4", "\uff02", "e\u0301\u0301\u0301", "ﬁ", "İ", "ẞ", "ǅ", "😀", "\U0001f468\u200d\U0001f469", "漢",
    "\u0627", "\ud83d", "\udc80", "\udcff", "\U0010ffff", "\\", "\\u", "\\x", "\\xg1", "\x1b[31m",
)  # fmt: skip
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)*/|\s+|\w+|.', re.DOTALL)


def mangled(seed: int, number: int) -> tuple[str, str]:
    """The kind of damage and the damaged text; the same for the same numbers, whatever was asked for before."""
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    return kind, KINDS[kind][1](rng)


class SomeWords:
    """A lexicon that costs nothing, so that the short forms are read too."""

    version = "none"

    def forms(self, word: str) -> tuple[str, ...]:
        return (f"{word}s",)

    def like(self, word: str) -> tuple[str, ...]:
        return ("red", "crimson", word)

    def about(self, topic: str) -> tuple[str, ...]:
        return ("oven", "bake", topic)


def is_valid(text: str) -> bool:
    """Read a text as `autointerp check` does; AssertionError where it is neither read nor properly answered."""
    try:
        read = parse(text, SomeWords())
    except ExplanationError as error:
        answer = error
    else:
        canonical = render(read)
        canonical.encode("utf-8")
        assert parse(canonical) == read, "the canonical text reads otherwise"
        return True
    json.dumps([str(answer), answer.reason, answer.expected, answer.nearest], ensure_ascii=False).encode("utf-8")
    assert answer.nearest is None or parse(answer.nearest), "the suggestion does not parse"
    return False


def is_plainly_valid(text: str) -> bool:
    """The same by the parser alone, which says where it stopped and leaves it at that."""
    tidied = tidy(text).text
    failure = failure_of(tidied, SomeWords())
    if failure is None:
        return is_valid(text)
    assert 0 <= failure.offset <= len(tidied) + 1, "it stopped outside the text"  # past the space a keyword ends with
    assert failure.reason or failure.expected, "nothing is said of why it stopped"
    return False


def explanation(rng: random.Random) -> str:
    """A valid explanation, its lists written out or left to a lexicon."""
    levels = [f"activates {rng.choice(('on', 'on', 'strongly on'))} {_expression(rng, 3)}"]
    levels += [
        f"; {name} on {_expression(rng, 2)}" for name in ("moderately", "weakly", "faintly") if not rng.randrange(6)
    ]
    return "".join(levels) + (f"; promotes {_list(rng, STRINGS)}" if not rng.randrange(6) else "")


def _expression(rng: random.Random, depth: int) -> str:
    if depth <= 0 or rng.random() < 0.3:
        return _atom(rng)
    match rng.randrange(7):
        case 0:
            return f"{_group(rng, depth - 1)} or {_group(rng, depth - 1)}"
        case 1:
            return f"{_group(rng, depth - 1)} and {_group(rng, depth - 1)}"
        case 2:
            return f"not {_group(rng, depth - 1)}"
        case 3:
            return f"{_group(rng, depth - 1)} except {_group(rng, depth - 1)}"
        case 4:
            return f"{_group(rng, depth - 1)}{rng.choice((' inside quotation marks', ' inside brackets'))}"
        case 5:
            return f'{_atom(rng)} in text about "{rng.choice(WORDS)}"{_expansion(rng)}'
        case _:
            how = rng.choice(("right after", f"within {rng.randint(1, 99)} tokens after", "in the context of"))
            return f"{_group(rng, depth - 1)} {how} {_group(rng, depth - 1)}"


def _group(rng: random.Random, depth: int) -> str:
    inner = _expression(rng, depth)
    return f"({inner})" if re.search(r" (?:or|and|except|after|of|about|inside) |^not ", inner) else inner


def _atom(rng: random.Random) -> str:
    word, string = rng.choice(WORDS), rng.choice(STRINGS)
    return rng.choice(
        (
            f'the token "{string}"', f"the tokens {_list(rng, STRINGS)}", f'the word "{word}"',
            f"the words {_list(rng, WORDS)}", f'the phrase "{word} {rng.choice(WORDS)}"',
            f'any form of "{word}"{_expansion(rng)}', f'words like "{word}"{_expansion(rng)}',
            f'tokens starting with "{string}"', f'tokens ending with "{string}"', f'tokens containing "{string}"',
            f"tokens matching /{rng.choice(REGEXES)}/", rng.choice(get_args(ClassName)), "any token",
            "the first token", f"tokens 1 to {rng.randint(1, 999_999)}", "the start of a sentence",
            "the end of a sentence", "a repeated token", f'a token that followed "{string}" before',
        )
    )  # fmt: skip


def _list(rng: random.Random, items: tuple[str, ...]) -> str:
    return ", ".join(f'"{item}"' for item in rng.sample(items, rng.randint(1, 4)))


def _expansion(rng: random.Random) -> str:
    return f" [{_list(rng, WORDS)}]" if rng.randrange(4) else ""


def _pieces(rng: random.Random) -> str:
    """Keywords, strings and parts of other explanations left out, doubled, swapped, put in."""
    pieces, others = _PIECE.findall(explanation(rng)), _PIECE.findall(explanation(rng))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place, reach = rng.randrange(len(pieces) + 1), rng.choice((1, 1, 2, 4, 9))
        match rng.randrange(5):
            case 0:
                del pieces[place : place + reach]
            case 1:
                pieces[place:place] = pieces[place : place + reach]
            case 2:
                pieces.insert(place, rng.choice(KEYWORDS))
            case 3:
                pieces[place : place + reach] = [rng.choice(KEYWORDS)]
            case _:
                begin = rng.randrange(len(others))
                pieces[place : place + rng.choice((0, reach))] = others[begin : begin + reach]
    return "".join(pieces)


def _letters(rng: random.Random) -> str:
    """Words misspelt: letters left out, doubled, swapped, changed in case."""
    text = list(explanation(rng))
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        place = rng.randrange(len(text) + 1)
        match rng.randrange(4):
            case 0:
                del text[place : place + 1]
            case 1:
                text[place:place] = text[place : place + 1]
            case 2:
                text[place : place + 2] = reversed(text[place : place + 2])
            case _:
                text[place : place + 1] = [each.swapcase() for each in text[place : place + 1]]
    return "".join(text)


def _bytes(rng: random.Random) -> str:
    """Bytes of UTF-8 flipped, put in, left out; what is no character any more stays as lone bytes or is replaced."""
    raw = bytearray(explanation(rng).encode())
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        place = rng.randrange(len(raw) + 1)
        match rng.randrange(3):
            case 0:
                raw[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                raw[place:place] = rng.randbytes(rng.choice((1, 1, 4)))
            case _:
                del raw[place : place + rng.choice((1, 1, 10))]
    return raw.decode("utf-8", rng.choice(("surrogateescape", "replace", "ignore")))


def _unicode(rng: random.Random) -> str:
    """Characters that break lines, print nothing, print from right to left, or fold to others."""
    text = list(explanation(rng))
    for _ in range(rng.choice((1, 2, 6))):
        place = rng.randrange(len(text) + 1)
        text[place : place + rng.randrange(2)] = [rng.choice(ODD) * rng.choice((1, 1, 1, 40))]
    return "".join(text)


def _quotes(rng: random.Random) -> str:
    """Quotation marks left out, doubled, or of another kind."""
    return re.sub('"', lambda _: rng.choice(('"', '"', '"', "", '""', "“", "'", '\\"', "”")), explanation(rng))


def _cut(rng: random.Random) -> str:
    text = explanation(rng)
    begin, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    return rng.choice((text[:end], text[begin:], text[begin:end], text[:begin] + text[end:]))


def _nested(rng: random.Random) -> str:
    """Parentheses, negations and anchors in one another, most often deeper than is allowed, some left open."""
    count = rng.choice((2, 10, 30, 60, 300))
    opening, closing = rng.choice(
        (("(", ")"), ("not ", ""), ("digits right after (", ")"), ("(not (", "))"), ("[", "]"))
    )
    closed = rng.choice((count, count, count - 1, count + 1, 0))
    return f"activates on {opening * count}{_expression(rng, 1)}{closing * closed}"


def _long(rng: random.Random) -> str:
    """Lists, sums and strings of thousands, and something wrong at their end now and then."""
    count = rng.choice((50, 500, 3_000))
    wrong = rng.choice(("", "", " oops", ",", '"', " or", "]", " except digits"))
    match rng.randrange(5):
        case 0:
            items = ", ".join(f'"{number:x}"' for number in range(count))
            return f"activates on the {rng.choice(('tokens', 'words', 'word'))} {items}{wrong}"
        case 1:
            items = ", ".join(f'"{rng.choice(WORDS)}"' for _ in range(count))
            return f'activates on words like "red" [{items}]{wrong}'
        case 2:
            join = rng.choice((" or ", " and ", " except ", " right after ", " or not "))
            return f"activates on {join.join(_atom(rng) for _ in range(min(count, 500)))}{wrong}"
        case 3:
            return f'activates on the token "{rng.choice(STRINGS) * count}"{wrong}'
        case _:
            return f'activates on the {rng.choice(("word", "phrase"))} "{(rng.choice(WORDS) + " ") * count}"{wrong}'


def _regex(rng: random.Random) -> str:
    """Regular expressions, long, nested and repeated, valid or not."""
    parts = (
        "a", "b*", "(", ")", "[", "]", "^", "$", ".", "|", "?", "+", "{2,3}", "{1000}", "{,5}", r"\d", r"\pL",
        r"\p{Greek}", r"\b", r"\Q", r"\E", r"\1", r"\x{10FFFF}", r"\/", "/", "(?i)", "(?=a)", "(?P<n>", "[[:alpha:]]",
        "[^\\W]", "é", "😀", "\\", "\udcff", "\0", "x{100}", "(a+)+",
    )  # fmt: skip
    body = "".join(rng.choices(parts, k=rng.choice((1, 3, 8, 30, 200))))
    match rng.randrange(5):
        case 0:
            depth = rng.choice((3, 50, 1_200))
            body = "(" * depth + "a" + rng.choice((")", ")*", "){9}", ")?")) * depth
        case 1:
            body = "|".join("a" * number for number in range(1, rng.choice((5, 200))))
        case _:
            pass
    return f"activates on tokens matching /{body}/{rng.choice(('', ' or digits', ' oops'))}"


def _noise(rng: random.Random) -> str:
    """No explanation to begin with."""
    latin = "".join(map(chr, range(0x250)))
    alphabet = rng.choice(('activates on the "token(),;[]/\\\n', "ab \n", latin, "".join(ODD)))
    count = rng.choice((0, 1, 5, 40, 400))
    pieces = KEYWORDS if rng.randrange(2) else alphabet
    return "".join(rng.choices(pieces, k=count))


KINDS: Mapping[str, tuple[int, Callable[[random.Random], str]]] = {
    "valid": (8, explanation),
    "pieces": (30, _pieces),
    "letters": (12, _letters),
    "bytes": (12, _bytes),
    "unicode": (10, _unicode),
    "quotes": (8, _quotes),
    "cut": (10, _cut),
    "nested": (3, _nested),
    "long": (1, _long),
    "regex": (4, _regex),
    "noise": (2, _noise),
}
"""Each kind of damage: how often it is chosen, and what does it."""
