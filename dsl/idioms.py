r"""What people and models write where the language has its own words: single keywords, and whole turns of phrase.

Only suggestions come of it: whatever is proposed here has to parse before anyone sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SYNONYMS = {
    "activates": (
        "(?:the |this )?(?:feature|neuron|latent) (?:activates|fires|responds|is active|is activated)",
        "(?:it )?(?:fires|activates|activate|activated)", "active", "responds", "responds to",
    ),
    "on": ("when", "for", "at", "to", "upon"),
    "right after": (
        "(?:directly |immediately |just )?(?:after|following)", "(?:when |that )?(?:it )?(?:follows?|comes? after)",
        "(?:when )?(?:immediately |directly )?preceded by", "when (?:right )?(?:after|following)",
    ),
    "in the context of": (
        "near", "around", "close to", "in (?:a |the )?contexts? (?:of|with)", "within (?:a |the )?contexts? of",
        "in the vicinity of",
    ),
    "inside quotation marks": ("(?:inside|in|within) (?:quotes|quotation marks|quotations|a quotation|double quotes)",),
    "inside brackets": ("(?:inside|in|within) (?:brackets|parentheses|a bracket|parenthesis)",),
    "in text about": (
        "(?:in|within) (?:texts?|contexts?|passages?|sentences?|documents?) (?:about|related to|on|discussing)",
        "about", "when talking about", "related to",
    ),
    "except": ("but not", "unless", "excluding", "other than", "except for", "apart from", "without"),
    "tokens starting with": (
        "(?:tokens|words|subwords) (?:that |which )?(?:start|begin|starting|beginning|begining)s? with",
        "prefix(?:es)?(?: of)?",
    ),
    "tokens ending with": (
        "(?:tokens|words|subwords) (?:that |which )?(?:end|ending)s? (?:with|in)", "suffix(?:es)?(?: of)?",
    ),
    "tokens containing": ("(?:tokens|words) (?:that |which )?(?:contain|containing|include|with|having)",),
    "tokens matching": ("(?:tokens|words) (?:that |which )?(?:match|matching)(?: the (?:regex|pattern))?",),
    "any form of": ("(?:all |any |the )?(?:forms?|inflections?|conjugations?) of(?: the (?:word|verb))?",),
    "words like": (
        "words? (?:that are )?(?:similar to|related to|such as|about|meaning|associated with)", "synonyms? of",
        "synonyms? for", "terms like",
    ),
    "the word": ("(?:the|a) (?:verb|noun|name|term|adjective|letter)", "word"),
    "the words": ('words(?= ")',),
    "the token": ("(?:the|a) (?:symbol|character|subword|string|substring)", "token"),
    "the phrase": ("the (?:expression|sequence|phrases|words)", "phrase"),
    "the first token": ("the (?:beginning|start) of (?:the|a) (?:text|document|sequence|context)", "first tokens?"),
    "the start of a sentence": (
        "(?:the )?(?:start|beginning|starts|beginnings|first words?) of (?:a |the |each )?sentences?",
        "sentence (?:start|starts|beginnings?)", "the first word of a sentence",
    ),
    "the end of a sentence": (
        "(?:the )?(?:ends?|endings?) of (?:a |the |each )?sentences?", "sentence (?:ends?|endings?)",
    ),
    "a repeated token": ("repeated (?:tokens|words)", "repetitions?", "tokens that (?:are repeated|repeat)"),
    "digits": ("(?:a |the )?(?:numbers?|numerals?|digit)", "numeric tokens"),
    "names": ("proper (?:nouns|names)", "(?:person|people|first|personal|people's) names?", "a name"),
    "newlines": ("line ?breaks?", "new lines?", "a newline", "the newline(?: character)?"),
    "punctuation": ("punctuation (?:marks?|symbols?|characters?)", "symbols"),
    "capitalised words": (
        "capitali[sz]ed (?:words?|letters?|tokens?)", "capital letters", "words that are capitali[sz]ed",
    ),
    "upper-case words": ("(?:all[ -])?(?:upper ?case|upper-case|caps)(?: (?:words?|letters?|tokens?))?", "acronyms"),
    "any token": ("anything", "(?:every|all|each) tokens?", "everything", "any word"),
    "promotes": (", and promotes", ", promotes"),
}  # fmt: skip
"""Patterns of what stands for a keyword, by keyword."""

NO_CLASSES = frozenset(("verbs", "nouns", "adjectives", "adverbs", "words", "subwords", "letters", "tokens", "phrases"))
"""Plurals that look like classes and are none, and are no misspelling of one either."""

_QUOTED = r'(?:(?:any form of|the (?:word|token|phrase)s?|words like|tokens [a-z]+ with) )?"[^"]*"'
_PHRASE = rf"(?:{_QUOTED}|(?<![a-z-])[a-z-]+(?: words| marks)?)"
_ADVERBS = ("strongly", "moderately", "weakly", "faintly")
_LEVEL = rf"({'|'.join(_ADVERBS)}) on "
_EARLIER = r"(?:(?:immediately |directly |right )?(?:before|preceding)|followed by|(?:and )?then)"
_IDIOMS = tuple(
    (cost, re.compile(pattern, re.DOTALL), replacement)
    for cost, pattern, replacement in (
        # what stands around the explanation
        (0.1, r"^`{1,3}(?:[a-z]+ )?(?=[Aa]ctivates)(.*?)[.]? ?`{1,3}.*$", r"\1"),
        (0.2, r"^`{1,3}(?:[a-z]+ )?(.*?) ?`{1,3}.*$", r"\1"),
        (0.15, r"^[^\"]{0,200}?(?<!feature )[\"`:.*] ?\**(activates .*?)\**$", r"\1"),
        (0.2, r'^(?:[^"]{0,40}: ?)?"(activates .*)"$', r"\1"),
        (0.2, r"[.!] [A-Za-z].*$", ""),
        (0.5, r" \([^()]*\)$", ""),
        (0.5, r",? (?:because|since|as in|such as|e\.g\.|for example|which|i\.e\.)[ ,].*$", ""),
        (0.6, r" [-\u2013\u2014:] .*$", ""),
        # order in time
        (0.1, rf"({_PHRASE}),? (?:when )?(?:is )?(?:immediately |directly )?followed by ", r"\1 followed by "),
        (0.1, rf'(the (word|token) "[^"]*"),? {_EARLIER} ("[^"]*")', r"the \2 \3 right after \1"),
        (0.1, rf"({_PHRASE}),? {_EARLIER} ({_PHRASE})", r"\2 right after \1"),
        (
            0.1,
            r" within (\d+) (?:words?|tokens?|positions?)? ?(?:of|after|from|behind)(?= )",
            r" within \1 tokens after",
        ),
        (0.1, r" within (?:a |the )?context of ", " in the context of "),
        (0.1, rf" (right after|in the context of|within \d+ tokens? after) (not {_PHRASE})", r" \1 (\2)"),
        # levels
        (0.05, rf"(?:,? and|,| but) {_LEVEL}", r"; \1 on "),
        (0.1, r"^activates (?:very|most|mainly|mostly|primarily|highly) ", "activates strongly "),
        # positions
        (0.1, r"the first (\d+) tokens?", r"tokens 1 to \1"),
        (
            0.1,
            r"(?:the )?(?:tokens?|positions?) (?:from |between |at )?(\d+) ?(?:-|to|through|and|\u2013|\.\.+) ?(\d+)",
            r"tokens \1 to \2",
        ),
        (0.1, r"the (\d+)(?:st|nd|rd|th) token", r"tokens \1 to \1"),
        (0.1, r"(?:tokens?|positions?) (\d+)(?! to)(?!\d)", r"tokens \1 to \1"),
        # lists and literals
        (0.1, r'the (word|token)s ((?:"[^"]*", )*"[^"]*"),? (?:and|or) (?=")', r"the \1s \2, "),
        (0.1, r'(the phrase "[^"]*" (?:and|or) )(?="[^"]* )', r"\1the phrase "),
        (0.1, r'matching "([^"]*)"', r"matching /\1/"),
        (0.1, r"(?<=[\s(])'(\w+['\u2019]\w+)'", r'"\1"'),
        (0.1, r"promotes (?:the )?(?:tokens?|words?) ", "promotes "),
        (0.3, r"(?<![\"\]]), ?(?:and |or )?", " or "),
        # conditions without a phrase
        (0.1, r"^activates (?:on )?(inside|in|within) (?=quot|brack|paren|text)", r"activates on any token \1 "),
        (0.2, r"^activates on (?=texts? (?:about|related to))", "activates on any token in "),
    )
)
"""Cost, what is written, and what may be meant."""

_CHARACTER = re.compile(r"\\u([0-9A-Fa-f]{4})")


def idioms(text: str, offset: int) -> Iterator[tuple[float, str]]:
    """Texts in which a turn of phrase around an offset is put into the words of the language, and what that costs.

    >>> min(idioms('activates on the first 4 tokens', 13))
    (0.1, 'activates on tokens 1 to 4')
    """
    for cost, pattern, replacement in _IDIOMS:
        for found in pattern.finditer(text):
            if found.start() > offset + 1:
                break
            if found.end() >= offset:
                yield cost, text[: found.start()] + found.expand(replacement) + text[found.end() :]
    if _CHARACTER.search(text, offset):
        yield 0.1, _CHARACTER.sub(lambda found: chr(int(found[1], 16)), text)
    levels = re.split(r" ?[;,] (?=(?:strongly|moderately|weakly|faintly) on )", re.sub(r"^activates ", "", text))
    if len(levels) > 1:
        levels[0] = re.sub(r"^on ", "strongly on ", levels[0])
        last, promotes = re.match(r"(.*?)(;? promotes .*)?$", levels[-1], re.DOTALL).groups(default="")  # type: ignore[union-attr]
        levels[-1] = last
        in_order = sorted(levels, key=_strength)
        if in_order != levels:
            yield 0.1, f"activates {'; '.join(in_order)}{promotes}"


def _strength(level: str) -> int:
    adverb = level.split(" ", 1)[0]
    return _ADVERBS.index(adverb) if adverb in _ADVERBS else len(_ADVERBS)
