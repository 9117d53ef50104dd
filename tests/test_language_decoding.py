"""The decoding grammar: what it allows is right and ends in time; canonical texts within bounds it allows."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import assume
from lark import Lark
from laws import law
from llguidance import LLMatcher, LLTokenizer, grammar_from
from strategies import explanations
from test_language_parse import SmallLexicon

from dsl.decoding import MAX_NESTING, Bounds, decoding_grammar, longest_output
from dsl.ebnf import Choice, Form, Maybe, Name, Pattern, Repeated, Sequence, Text, language, longest, read
from dsl.nodes import (
    About,
    Clause,
    Explanation,
    Expression,
    FormsOf,
    Inside,
    Not,
    Phrase,
    Positions,
    TokensMatching,
    Words,
    WordsLike,
    children,
)
from dsl.parse import parse
from dsl.render import NOT, PHRASE, grouped, render, spelt

BOUNDS = [
    Bounds(),
    Bounds(constructs=1, nesting=0, entries=1, string=1, word=1, phrase=2),
    Bounds(constructs=3, nesting=1, lists="short", promotes=False),
    Bounds(constructs=8, nesting=3, lists="either"),
    Bounds(constructs=2, nesting=MAX_NESTING, letters="every"),
]
LARGE = [pytest.param(bounds, marks=pytest.mark.slow) for bounds in BOUNDS[3:]]  # seconds each to build whole
WIDE = Bounds(constructs=8, nesting=4, entries=4, string=40, word=24, letters="every")
TOKENIZER = LLTokenizer("byte")


@cache
def fresh(bounds: Bounds) -> LLMatcher:
    made = LLMatcher(TOKENIZER, grammar_from("lark", decoding_grammar(bounds)))
    assert not made.is_error(), made.get_error()
    return made


def matcher(bounds: Bounds) -> LLMatcher:
    return fresh(bounds).deep_copy()


@pytest.mark.parametrize("bounds", [*BOUNDS[:3], *LARGE], ids=str)
def test_llguidance_and_lark_take_the_decoding_grammar_without_a_hidden_choice(bounds: Bounds) -> None:
    text = decoding_grammar(bounds)
    assert LLMatcher.validate_grammar(grammar_from("lark", text)) == ""
    if bounds.letters == "latin":  # strict building compares terminals pair by pair: slow for all of Unicode
        assert Lark(text, parser="lalr", strict=True)
    else:
        assert Lark(text, parser="lalr")


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_every_text_written_at_random_under_the_mask_is_an_explanation_and_short_enough(bounds: Bounds) -> None:
    most = longest_output(bounds)
    rng = random.Random(17)
    lexicon = None if bounds.lists == "written" else SmallLexicon()
    for _ in range(80):
        text = written_at_random(matcher(bounds), rng)
        assert len(text.encode()) <= most
        assert parse(text, lexicon)


def written_at_random(under: LLMatcher, rng: random.Random) -> str:
    """Bytes that the mask allows, drawn until the grammar ends; strings and numbers end early, or all would be long."""
    written = bytearray()
    while not under.is_stopped():
        mask = under.compute_bitmask()
        allowed = [byte for byte in range(TOKENIZER.vocab_size) if mask[byte // 8] >> (byte % 8) & 1]
        if TOKENIZER.eos_token in allowed and (allowed == [TOKENIZER.eos_token] or rng.random() < 0.3):
            break
        written_bytes = [byte for byte in allowed if byte < 256]
        ends = [byte for byte in written_bytes if byte in b'"/)]']
        byte = rng.choice(ends if ends and rng.random() < 0.3 else written_bytes)
        assert under.consume_tokens([byte])
        written.append(byte)
    return written.decode("utf-8")


@law(explanations(max_leaves=5), everyday=60, full=1_000)
def test_every_canonical_text_within_the_bounds_is_allowed(explanation: Explanation) -> None:
    assume(is_within(explanation, WIDE))
    under = matcher(WIDE)
    text = render(explanation).encode()
    assert under.consume_tokens(list(text)), text
    assert under.is_accepting()
    assert len(text) <= longest_output(WIDE)


def is_within(explanation: Explanation, bounds: Bounds) -> bool:
    """Whether the canonical text keeps to the bounds, worked out on the values and not on any grammar."""
    text = render(explanation)
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    nodes = [node for _, _, level in explanation.levels for node in every(level)]
    pieces = [re.findall(r"\\x..|\\.|.", literal) for literal in literals]
    words = [word for node in nodes for word in words_of(node)]
    return (
        sum(count_of(node) for node in nodes) <= bounds.constructs
        and max(nesting_of(level) for _, _, level in explanation.levels) <= bounds.nesting
        and max(map(len, pieces), default=0) <= bounds.string
        and not any(isinstance(node, TokensMatching) for node in nodes)
        and all(node.last <= 99 for node in nodes if isinstance(node, Positions))
        and all(len(word) <= 5 or word == "o'clock" or word.isascii() for word in words)
        and all(ord(character) < 0x10000 for word in words for character in word)
    )


def every(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in children(expression):
        yield from every(child)


def count_of(node: Expression) -> int:
    if isinstance(node, Clause):
        return sum(isinstance(modifier, About | Inside) for modifier in node.modifiers)
    return not children(node)


def words_of(node: Expression) -> tuple[str, ...]:
    if isinstance(node, Clause):
        abouts = [modifier for modifier in node.modifiers if isinstance(modifier, About)]
        return tuple(word for about in abouts for word in (*about.words, *about.topic.split()))
    match node:
        case Words(words) | Phrase(words):
            return words
        case FormsOf(word, words) | WordsLike(word, words):
            return (word, *words)
        case _:
            return ()


def nesting_of(expression: Expression, tightness: int = 0) -> int:
    """How deep parentheses and `not` stand inside one another in the canonical text."""
    text, own = spelt(expression)
    if own < tightness:
        assert grouped(expression, tightness) == f"({text})"
        return 1 + nesting_of(expression)
    if isinstance(expression, Not):
        return 1 + nesting_of(expression.operand, NOT)
    inner = PHRASE if isinstance(expression, Clause) else own + 1
    return max((nesting_of(child, inner) for child in children(expression)), default=0)


def longest_terminal(name: str, bounds: Bounds) -> str:
    word = bounds.word * "é" + "'" + (bounds.word + 1) // 2 * "é"
    return {
        "STRING": '"' + bounds.string * r"\xff" + '"',
        "WORD": f'"{word}"',
        "PHRASE": f'"{" ".join([word] * bounds.phrase)}"',
        "TOPIC": f'"{" ".join([word] * bounds.phrase)}"',
        "RANGE": "10 to 10",
        "DISTANCE": "10",
        "CLASS": "capitalised words",
    }[name]


def longest_text(bounds: Bounds) -> str:
    """One longest text, written out."""
    grammar = read(decoding_grammar(bounds))

    @cache
    def of(form: Form) -> str:
        match form:
            case Text(text):
                return text
            case Name(name):
                return longest_terminal(name, bounds) if form.is_terminal else of(grammar[name])
            case Sequence(parts):
                return "".join(map(of, parts))
            case Choice(options):
                return max(map(of, options), key=lambda text: len(text.encode()))
            case _:
                raise AssertionError(form)

    return of(Name("start"))


@pytest.mark.parametrize("bounds", BOUNDS[:4], ids=str)
def test_the_longest_output_is_computed_exactly(bounds: Bounds) -> None:
    text = longest_text(bounds)
    under = matcher(bounds)
    assert under.consume_tokens(list(text.encode()))
    assert under.is_accepting()
    assert len(text.encode()) == longest_output(bounds)


def test_the_length_of_patterns_counts_bytes() -> None:
    for regex, length in [("a{2,3}", 3), ("[a-é]", 2), ("[^a]", 4), ("a|bc|(de?f)", 3), (".", 4), (r"\\x[0-9]", 3)]:
        assert longest({"start": Name("X"), "X": Pattern(regex)}) == length
    for endless in (Pattern("a+"), Repeated(Text("a"), 0), Name("start"), Maybe(Name("start"))):
        with pytest.raises(ValueError, match="no longest"):
            longest({"start": endless})


def test_every_rule_of_the_language_is_left_in_but_for_regexes_and_numbers() -> None:
    kept = {re.sub(r"(_\d+)+$", "", name) for name in read(decoding_grammar(Bounds(lists="either")))}
    rules = {name for name in language() if name.islower()}
    assert rules - kept == {"matching"}
    kept = {re.sub(r"(_\d+)+$", "", name) for name in read(decoding_grammar(Bounds(regexes=True)))}
    assert rules <= kept


def test_regexes_and_short_lists_are_decoded_where_asked_for() -> None:
    def allows(text: str, bounds: Bounds) -> bool:
        under = matcher(bounds)
        return bool(under.try_consume_tokens(list(text.encode())) == len(text.encode()) and under.is_accepting())

    short, written = 'activates on words like "red"', 'activates on words like "red" ["crimson"]'
    assert [allows(short, Bounds(lists=lists)) for lists in ("written", "short", "either")] == [False, True, True]
    assert [allows(written, Bounds(lists=lists)) for lists in ("written", "short", "either")] == [True, False, True]
    assert [allows("activates on tokens matching /x/", Bounds(regexes=regexes)) for regexes in (False, True)] == [
        False,
        True,
    ]
    for wrong in ('the word "ice cream"', 'the phrase "once"', "tokens 4 to 1", 'the word "-"', 'the token ""'):
        assert not allows(f"activates on {wrong}", WIDE), wrong


@pytest.mark.parametrize("values", [{"constructs": 0}, {"nesting": MAX_NESTING + 1}, {"phrase": 1}])
def test_bounds_that_allow_nothing_or_too_much_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"bound|beyond"):
        Bounds(**values)  # type: ignore[arg-type]
