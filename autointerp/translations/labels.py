"""Free-text labels of the common shapes into candidates: what a label quotes, the class it names, its topic."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autointerp.translations.result import Candidate, Translation
from dsl.lexicon import Lexicon
from dsl.nodes import (
    Class,
    ClassName,
    Clause,
    Explanation,
    Expression,
    FormsOf,
    Phrase,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
    is_word,
    union,
)

MOST_EXAMPLES = 40
"""Strings of one label that are used."""

NOTHING = (
    "the label describes meaning that the language has no construct for: it quotes no text, names no class of tokens "
    "and no topic; write the explanation by hand or let the search propose one"
)

_QUOTED = re.compile(r"[\"“]([^\"“”]{1,40})[\"”]|(?<!\w)['‘`]([^'‘’`]{1,40})['’`](?!\w)")  # noqa: RUF001
_AFFIX = re.compile(r"(?<![\w-])-([a-z]{1,12})\b")
_LISTED = re.compile(r"\(([^()]{1,200})\)")
_TOPIC = re.compile(
    r"(?:related to|relating to|references? to|referring to|associated with|about|concerning|mentions of|terms for)\s+"
    r"(?:the |an? |concepts? of |various )?([a-z][a-z -]{2,40}?)(?=[,.;:(]|\s+(?:and|or|in|such|often|that|which)\b|$)",
    re.IGNORECASE,
)
_FILLER = frozenset("various concepts certain things words terms natural specific general its their this that".split())  # noqa: SIM905

_CLASSES: tuple[tuple[str, ClassName], ...] = (
    (r"\bpunctuation\b", "punctuation"),
    (r"\b(?:numbers|digits|numerals|numerical values|numeric values)\b", "digits"),
    (r"\b(?:number words|ordinal numbers|cardinal numbers|ordinals)\b", "number words"),
    (r"\b(?:names of people|first names|given names|people's names|personal names)\b", "names"),
    (r"\bproper nouns?\b|\bcapitali[sz]ed\b|\bsurnames?\b", "capitalised words"),
    (r"\b(?:acronyms?|upper-?case|all[- ]caps|capital letters)\b", "upper-case words"),
    (r"(?<!demonstrative )\bpronouns?\b", "pronouns"),
    (r"\barticles?\b", "articles"),
    (r"\bprepositions?\b", "prepositions"),
    (r"\bconjunctions?\b", "conjunctions"),
    (r"\b(?:auxiliary|modal|linking) verbs?\b", "auxiliary verbs"),
    (r"\b(?:question|interrogative) words?\b", "question words"),
    (r"\bnegations?\b", "negations"),
    (r"\bquot(?:ation|e) marks?\b", "quotation marks"),
    (r"\b(?:brackets|parenthes[ei]s)\b", "brackets"),
    (r"\b(?:newlines?|line breaks?)\b", "newlines"),
)
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"\bnon-?ascii\b|\bdiacritics\b", r"[^\x00-\x7F]"),
    (r"\breplacement character\b|\x{fffd}".replace(r"\x{fffd}", "\ufffd"), "\ufffd"),
    (r"\broman numerals?\b", r"^ ?[IVXLCDM]+$"),
    (r"\bcode syntax\b|\bprogramming (?:code|syntax)\b|\bsource code\b", r"[{}();=<>_]"),
)
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\bhyphens?\b|\bdash(?:es)?\b", ("-", " -", "–", " –", "—", " —")),  # noqa: RUF001
    (r"\bperiods?\b(?!.*\btime\b)|\bfull stops?\b", (".",)),
    (r"\bcommas?\b", (",",)),
    (r"\bcolons?\b", (":",)),
    (r"\bquestion marks?\b", ("?",)),
    (r"\bexclamation marks?\b", ("!",)),
)


def from_label(text: str, lexicon: Lexicon) -> Translation:
    """Candidates for what a label means, the likeliest first, each with the reason; never more certain than it can be.

    What the label quotes comes before the class it names, and that before words near its topic.

    >>> from_label("the token 'the'", lexicon).candidates[0].explanation.strong  # doctest: +SKIP
    Tokens(strings=(' the', 'the'))
    """
    found: dict[Explanation, str] = {}
    for expression, reason in _readings(" ".join(text.split()), lexicon):
        found.setdefault(Explanation(expression), reason)
    candidates = tuple(Candidate(explanation, reason) for explanation, reason in found.items())
    return Translation(candidates, "" if candidates else NOTHING)


def _readings(text: str, lexicon: Lexicon) -> Iterator[tuple[Expression, str]]:
    quoted = [next(filter(None, found.groups())) for found in _QUOTED.finditer(text)][:MOST_EXAMPLES]
    classes = list(_named(text))
    if quoted:
        yield from _by_order(text, quoted, lexicon)
        strings, reason = _of_strings(text, quoted, lexicon)
        yield strings, reason
        if classes:
            yield union(strings, *classes), f"{reason}; and the class it names, of which they may be examples"
    listed = [word for group in _LISTED.findall(text) for word in _words_of(group)][:MOST_EXAMPLES]
    if listed and not quoted:
        yield Words(tuple(listed)), "the words it lists in parentheses; the label may mean more"
    affixes = _AFFIX.findall(_QUOTED.sub(" ", text))
    if affixes and re.search(r"\bsuffix|\bending", text, re.IGNORECASE):
        yield union(*(TokensWith("ending with", affix) for affix in affixes)), "the suffixes it names"
    if classes:
        yield union(*classes), "the classes of tokens it names"
        if len(classes) > 1:
            yield from ((each, "one of the classes it names") for each in classes)
    for topic in _TOPIC.findall(_QUOTED.sub(" ", text)):
        yield from _near(topic, lexicon)


def _by_order(text: str, quoted: list[str], lexicon: Lexicon) -> Iterator[tuple[Expression, str]]:
    """'x' after 'y', 'x' in the context of y."""
    bare = _QUOTED.sub("\0", text)
    if len(quoted) >= 2 and re.search(
        "\0[^\0]{0,12}\\b(?:right after|after|following|preceded by)\\b[^\0]{0,20}\0", bare
    ):
        one, other = _literal(quoted[0]), _literal(quoted[1])
        yield Clause(one, (RightAfter(other),)), "what it quotes first, right after what it quotes second"
        yield Clause(one, (Within(other, 5),)), "the same within 5 tokens, as labels say `after` loosely"
    if len(quoted) >= 2 and re.search("\0[^\0]{0,12}\\bin the context of\\b[^\0]{0,20}\0", bare):
        yield Clause(_literal(quoted[0]), (Within(_literal(quoted[1])),)), "the first in the context of the second"
    elif topic := re.search(r"\b(?:in the context of|in texts? about)\s+(?:the |an? )?([a-z]+)\s*[.]?$", bare):
        written = _of_strings(text, quoted, lexicon)[0]
        words = tuple(filter(is_word, lexicon.about(topic[1])))
        yield Clause(written, (Within(Words(words)),)), f"what it quotes in the context of words about {topic[1]}"


def _of_strings(text: str, quoted: list[str], lexicon: Lexicon) -> tuple[Expression, str]:
    """What a label's quoted strings are by the nouns around them: affixes, forms, tokens, words."""
    pieces = [piece.strip("-").strip() for piece in quoted]
    pieces = [piece for piece in pieces if piece] or quoted
    before = text.lower()
    if re.search(r"\bsuffix|\bending (?:in|with)\b|\bends? (?:in|with)\b", before):
        return union(*(TokensWith("ending with", piece) for piece in pieces)), "tokens that end as it quotes"
    if re.search(r"\bprefix|\b(?:starting|beginning|start|begin)s? with\b|\binitial\b", before):
        starts = (TokensWith("starting with", each) for piece in pieces for each in (piece, f" {piece}"))
        return union(*starts), "tokens that start as it quotes"
    if re.search(r"\bcontain(?:s|ing)?\b|\bsequences?\b|\bsubstring", before):
        return union(*(TokensWith("containing", piece) for piece in pieces)), "tokens that contain what it quotes"
    if re.search(r"\bforms? of\b|\bvariants?\b|\bvariations\b|\binflect", before) and all(map(is_word, pieces)):
        forms = (FormsOf(piece, (piece, *filter(is_word, lexicon.forms(piece.lower())))) for piece in pieces)
        return union(*forms), "any form of the words it quotes"
    if re.search(r"\btokens?\b", before) and not re.search(r"\bwords?\b", before):
        return Tokens(tuple(each for piece in pieces for each in (piece, f" {piece}"))), "the tokens it quotes"
    reason = (
        "the words it gives as examples; the label may mean more" if "such as" in before or "e.g." in before else ""
    )
    return union(*map(_literal, pieces)), reason or "what it quotes"


def _literal(text: str) -> Expression:
    """A word as a word, several as a phrase, anything else as a token with and without its leading space."""
    words = text.split()
    if words and all(map(is_word, words)):
        return Words((words[0],)) if len(words) == 1 else Phrase(tuple(words))
    return Tokens((text.strip() or text, f" {text.strip()}"))


def _words_of(group: str) -> list[str]:
    """The words of a list in parentheses, none where it is a remark."""
    pieces = [re.sub(r"^(?:e\.g\.,?|i\.e\.,?|and|or)\s+", "", piece.strip()) for piece in group.split(",")]
    pieces = [piece for piece in pieces if piece and piece != "etc."]
    single = all(is_word(piece) for piece in pieces)
    classes = any(re.search(pattern, group, re.IGNORECASE) for pattern, _ in _CLASSES)
    signs = any(re.search(pattern, group, re.IGNORECASE) for pattern, _ in _SIGNS)
    return pieces if single and not classes and not signs else []


def _named(text: str) -> Iterator[Expression]:
    for pattern, name in _CLASSES:
        if re.search(pattern, text, re.IGNORECASE):
            yield Class(name)
    for pattern, regex in _PATTERNS:
        if re.search(pattern, text, re.IGNORECASE):
            yield TokensMatching(regex)
    for pattern, strings in _SIGNS:
        if re.search(pattern, text, re.IGNORECASE):
            yield Tokens(strings)


def _near(topic: str, lexicon: Lexicon) -> Iterator[tuple[Expression, str]]:
    words = [word for word in topic.lower().split() if is_word(word) and word not in _FILLER]
    if not words:
        return
    about = tuple(filter(is_word, lexicon.about(" ".join(words))))
    yield Words(about), f"words near the topic {' '.join(words)!r} by the lexicon; a guess at which words it means"
    head = words[-1]
    yield WordsLike(head, (head, *filter(is_word, lexicon.like(head)))), f"words like {head!r}; a guess"
