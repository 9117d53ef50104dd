"""Texts to explanations: what is accepted, what it becomes, and what is said about the rest."""

from __future__ import annotations

import random
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark
from laws import law
from llguidance import LLMatcher, LLTokenizer, grammar_from
from strategies import explanations

import dsl
from dsl.errors import ExplanationError
from dsl.nodes import (
    MAX_DEPTH,
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    Not,
    Or,
    Phrase,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    TokensMatching,
    TokensWith,
    Within,
    Words,
    WordsLike,
)
from dsl.parse import MAX_LENGTH, parse
from dsl.render import render

GRAMMAR = (Path(dsl.__file__).parent / "grammar.lark").read_text(encoding="utf-8")
CANONICAL = 'activates on the token " pizza" in the context of the word "crust"'
X, Y, Z = Tokens(("x",)), Words(("y",)), Class("digits")


class SmallLexicon:
    """Answers that show what was asked; one answer is no word and has to be left out."""

    version = "small"

    def forms(self, word: str) -> tuple[str, ...]:
        return (word, f"{word}s", "not a word")

    def like(self, word: str) -> tuple[str, ...]:
        return (f"{word}like",)

    def about(self, topic: str) -> tuple[str, ...]:
        return ("about", *topic.split())


def error_of(text: str, lexicon: SmallLexicon | None = None) -> ExplanationError | None:
    try:
        parse(text, lexicon)
    except ExplanationError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('the token " pizza"', Tokens((" pizza",))),
        ('the tokens "b", "a", "b"', Tokens(("a", "b"))),
        (r'the token "\"\\\n\t"', Tokens(('"\\\n\t',))),
        (r'the token "\xc3\xa9\xff"', Tokens(("é\udcff",))),
        ('the word "Pizza"', Words(("pizza",))),
        ('the words "don\u2019t", "a"', Words(("a", "don't"))),
        ('the phrase "Once  upon a time"', Phrase(("once", "upon", "a", "time"))),
        ('any form of "run" ["ran", "run"]', FormsOf("run", ("ran", "run"))),
        ('words like "red" ["crimson"]', WordsLike("red", ("crimson",))),
        ('tokens starting with " un"', TokensWith("starting with", " un")),
        ('tokens ending with "ing"', TokensWith("ending with", "ing")),
        ('tokens containing "zz"', TokensWith("containing", "zz")),
        (r"tokens matching /a\/b \d/", TokensMatching(r"a/b \d")),
        ("upper-case words", Class("upper-case words")),
        ("quotation marks", Class("quotation marks")),
        ("any token", AnyToken()),
        ("the first token", Positions(1, 1)),
        ("tokens 1 to 4", Positions(1, 4)),
        ("the start of a sentence", Boundary("the start of a sentence")),
        ("the end of a sentence", Boundary("the end of a sentence")),
        ("a repeated token", RepeatedToken()),
        ('a token that followed " the" before', FollowedBefore(" the")),
        ('digits right after the token "x"', Clause(Z, (RightAfter(X),))),
        ('digits within 5 tokens after the token "x"', Clause(Z, (Within(X, 5),))),
        ('digits within 1 token after the token "x"', Clause(Z, (Within(X, 1),))),
        ('digits in the context of the token "x"', Clause(Z, (Within(X, 32),))),
        ('digits in text about "cooking" ["oven", "bake"]', Clause(Z, (About("cooking", ("bake", "oven")),))),
        ("digits inside quotation marks", Clause(Z, (Inside("quotation marks"),))),
        ("brackets inside brackets", Clause(Class("brackets"), (Inside("brackets"),))),
        ('digits or the token "x" and not the word "y"', Or((And((Not(Y), X)), Z))),
        ('digits except the token "x" or the word "y"', Except(Z, Or((X, Y)))),
        ('(digits except the token "x") or the word "y"', Or((Except(Z, X), Y))),
        ('not digits right after the token "x"', Not(Clause(Z, (RightAfter(X),)))),
        ('(not digits) right after (the token "x" or the word "y")', Clause(Not(Z), (RightAfter(Or((X, Y))),))),
        ("((digits))", Z),
    ],
)
def test_every_construct_means_its_node(text: str, meant: Expression) -> None:
    assert parse(f"activates on {text}") == Explanation(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("activates on digits", Explanation(Z)),
        ("activates strongly on digits", Explanation(Z)),
        ("activates weakly on digits", Explanation(None, Z)),
        ('activates strongly on digits; weakly on the token "x"', Explanation(Z, X)),
        ('activates on digits; weakly on the token "x"', Explanation(Z, X)),
        ('activates on digits; promotes "b", "a"', Explanation(Z, None, ("a", "b"))),
        ('activates weakly on digits; promotes "a"', Explanation(None, Z, ("a",))),
        ('activates strongly on digits; weakly on the token "x"; promotes "a"', Explanation(Z, X, ("a",))),
    ],
)
def test_levels_and_promoted_tokens_are_read(text: str, meant: Explanation) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        f"  {CANONICAL}\n",
        f"A{CANONICAL[1:]}.",
        f"{CANONICAL} .",
        CANONICAL.replace(" in the", "\n\t in   the"),
        CANONICAL.replace("on the token", "on (the token").replace('" in', '" ) in'),
    ],
)
def test_spacing_a_capital_and_a_full_stop_do_not_matter(text: str) -> None:
    assert render(parse(text)) == CANONICAL


def test_white_space_inside_literals_is_left_alone() -> None:
    assert parse('activates on the tokens "a  b","  ."') == Explanation(Tokens(("a  b", "  .")))
    assert parse("activates on tokens matching /a  b ,c/") == Explanation(TokensMatching("a  b ,c"))


def test_a_lexicon_fills_in_the_lists_of_short_forms_once() -> None:
    text = 'activates on any form of "Run" or words like "red" in text about "home cooking"'
    assert render(parse(text, SmallLexicon())) == (
        'activates on words like "red" ["red", "redlike"] in text about "home cooking" ["about", "cooking", "home"]'
        ' or any form of "run" ["run", "runs"]'
    )


def test_a_lexicon_leaves_written_lists_alone() -> None:
    text = 'activates on words like "red" ["crimson"]'
    assert render(parse(text, SmallLexicon())) == text


@pytest.mark.parametrize("short", ['any form of "run"', 'words like "red"', 'digits in text about "cooking"'])
def test_without_a_lexicon_a_short_form_is_an_error_that_says_how_to_go_on(short: str) -> None:
    with pytest.raises(ExplanationError, match="its list of words, or a lexicon") as caught:
        parse(f"activates on {short}")
    word = short.split('"')[1]
    assert caught.value.nearest == f'activates on {short} ["{word}"]'


MISTAKES = [
    ("activates on the tken", 14, 'did you mean "the token"', None),
    ('activates on the tken "x"', 14, 'did you mean "the token"', 'activates on the token "x"'),
    ('activates on the token "x', 24, "never closed", 'activates on the token "x"'),
    (
        'activates on the token " pizza in the context of the word "crust"',
        60,
        '"crust" does not fit here',
        'activates on the token " pizza" in the context of the word "crust"',
    ),
    ("activates on (digits", 21, "ends too early", "activates on (digits)"),
    ("activates on digits)", 20, "without an opening one", "activates on digits"),
    ("activates on digits or", 23, "ends too early", "activates on digits"),
    (
        "activates on names in the contxt of digits",
        20,
        "in the context of",
        "activates on names in the context of digits",
    ),
    ("activates on names after digits", 20, "right after", "activates on names right after digits"),
    (
        "activates on names within 100 tokens after digits",
        29,
        "1 to 99",
        "activates on names within 99 tokens after digits",
    ),
    (
        "activates on names within 0 tokens after digits",
        27,
        "1 to 99",
        "activates on names within 1 tokens after digits",
    ),
    ('on the word "x"', 1, "does not fit", 'activates on the word "x"'),
    ('the word "x"', 1, "does not fit", 'activates on the word "x"'),
    ("pizza", 1, "does not fit", 'activates on the word "pizza"'),
    ('fires on the word "x"', 1, 'did you mean "activates"', 'activates on the word "x"'),
    ('activates on "pizza"', 14, "where none is expected", 'activates on the word "pizza"'),
    ('activates on " pizza"', 14, "where none is expected", 'activates on the token " pizza"'),
    ("activates on the token pizza", 24, "does not fit", 'activates on the token "pizza"'),
    ("activates on the token “pizza”", 24, "straight double quotes", 'activates on the token "pizza"'),
    ("activates on the token 'pizza'", 24, "straight double quotes", 'activates on the token "pizza"'),
    ('activates on the token "x", "y"', 27, "a list follows", 'activates on the tokens "x", "y"'),
    ('activates on the tokens "x" "y"', 29, "where none is expected", 'activates on the tokens "x", "y"'),
    ('activates on the token "x" or "y"', 31, "where none is", 'activates on the token "x" or the token "y"'),
    ('activates on the token ""', 24, "an empty string", 'activates on the token "..."'),
    (r'activates on the token "\q"', 24, "an escape", r'activates on the token "\\q"'),
    ('activates on the token "a\nb"', 24, r"write \n", r'activates on the token "a\nb"'),
    ('activates on the word "ice cream"', 23, "not one word", 'activates on the phrase "ice cream"'),
    ('activates on the words "a", "b c"', 29, "not one word", 'activates on the words "a", "b"'),
    ('activates on the word "!"', 23, "not one word", 'activates on the token "!"'),
    ('activates on the phrase "once"', 25, "at least two words", 'activates on the word "once"'),
    ("activates on tokens matching /a(/", 30, "missing )", 'activates on tokens containing "a("'),
    ("activates on tokens matching a+", 30, "does not fit", "activates on tokens matching /a+/"),
    ("activates on tokens 4 to 1", 21, "no range", "activates on tokens 1 to 4"),
    ("activates on tokens 0 to 4", 21, "does not fit", "activates on tokens 1 to 4"),
    ("activates on digits except names except pronouns", 34, "second", "activates on digits except names or pronouns"),
    ("activates on capitalized words", 14, "capitalised words", "activates on capitalised words"),
    ('activates on tokens beginning with "x"', 14, "tokens starting with", 'activates on tokens starting with "x"'),
    ('activates on digits and promotes "x"', 25, "behind a semicolon", 'activates on digits; promotes "x"'),
    ("activates on THE FIRST TOKEN", 14, "the first token", "activates on the first token"),
    (
        "activates on\n  names\n  in the contex of digits",
        3,
        "in the context",
        "activates on names in the context of digits",
    ),
]


@pytest.mark.parametrize(("text", "column", "said", "nearest"), MISTAKES, ids=[text for text, *_ in MISTAKES])
def test_a_mistake_is_placed_explained_and_mended(text: str, column: int, said: str, nearest: str | None) -> None:
    with pytest.raises(ExplanationError) as caught:
        parse(text)
    error = caught.value
    assert said in error.reason
    assert error.nearest == nearest or nearest is None
    if nearest is not None:
        assert parse(nearest)
    typed = text.splitlines()[error.line - 1]
    shown, caret = error.excerpt.splitlines()
    if len(typed) < 50:
        assert shown == f"  {typed}"
        assert caret == " " * (error.column + 1) + "^"
    assert error.column == column or "tokens" in said


def test_what_was_expected_is_said_in_plain_words() -> None:
    with pytest.raises(ExplanationError) as caught:
        parse("activates on the token")
    assert caught.value.expected == ('a string in straight double quotes, such as " pizza"',)
    with pytest.raises(ExplanationError) as caught:
        parse("activates on digits digits")
    message = str(caught.value)
    assert "a condition: right after" in message
    assert " or the end" in message
    assert not re.search(r"ANON|LPAR|\bSTRING\b|\$END", message)


def test_the_caret_stands_below_wide_characters_and_long_lines_are_cut() -> None:
    with pytest.raises(ExplanationError) as caught:
        parse('activates on the tokens "日本" "x"')
    shown, caret = caught.value.excerpt.splitlines()
    assert shown[: caret.index("^") - 2].endswith('"日本" ')
    with pytest.raises(ExplanationError) as caught:
        parse("activates on " + "digits or " * 1000 + "nonsense")
    shown, caret = caught.value.excerpt.splitlines()
    assert shown[caret.index("^") :].startswith("nonsense")
    assert len(shown) < 120


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        ".",
        "\0",
        'activates on the token "\0" \0',
        'activates on the token "\ud800"',
        "activates on \udc80",
        "x" * (MAX_LENGTH + 1),
        "x " * 200_000,
        '"' * 10_001,
        "/" * 10_001,
        '"\\' * 10_000,
        "(" * 1_000,
        "activates on " + "(" * 1_000 + "digits" + ")" * 1_000,
        "activates on " + "not " * 1_000 + "digits",
        "activates on " + "digits right after (" * 100 + "digits" + ")" * 100,
        "activates on the tokens " + ", ".join(['"a"'] * 50_000) + " oops",
        "activates on " + "digits or " * 20_000 + "oops",
    ],
    ids=range(18),
)
def test_hostile_text_is_a_clear_error_that_can_be_printed(text: str) -> None:
    with pytest.raises(ExplanationError) as caught:
        parse(text)
    str(caught.value).encode("utf-8")
    assert len(str(caught.value)) < 2_000


@law(st.text() | st.text(alphabet='activates on the "token(),;[]/\\\n'), everyday=50, full=1_000)
def test_any_text_is_read_or_answered_with_an_explanation_error(text: str) -> None:
    error = error_of(text)
    if error is None:
        assert parse(render(parse(text))) == parse(text)
    else:
        str(error).encode("utf-8")
        assert error.nearest is None or parse(error.nearest)


@law(explanations(), st.randoms(use_true_random=False), everyday=20, full=500)
def test_every_damaged_explanation_is_read_or_answered_with_a_text_that_parses(
    explanation: Explanation, rng: random.Random
) -> None:
    text = list(render(explanation))
    for _ in range(rng.randrange(1, 3)):
        place = rng.randrange(len(text))
        text[place : place + rng.randrange(3)] = rng.choice(['"', " ", "x", "(", "", ",", "/", "\n"])
    error = error_of("".join(text))
    assert error is None or error.nearest is None or parse(error.nearest)


def test_nesting_is_allowed_up_to_the_limit() -> None:
    nested = "(" * MAX_DEPTH + "digits" + ")" * MAX_DEPTH
    assert parse(f"activates on {nested}") == Explanation(Z)
    with pytest.raises(ExplanationError, match=f"limit is {MAX_DEPTH}"):
        parse(f"activates on ({nested})")
    assert parse("activates on " + "not " * (MAX_DEPTH - 1) + "digits")
    with pytest.raises(ExplanationError, match=f"limit is {MAX_DEPTH}"):
        parse("activates on " + "not " * MAX_DEPTH + "digits")


def test_an_explanation_built_too_deep_is_refused_without_exhausting_the_stack() -> None:
    expression: Expression = Z
    for _ in range(100_000):
        expression = Not(expression)
    with pytest.raises(ValueError, match="nest more than"):
        Explanation(expression)
    while isinstance(expression, Not):  # freed step by step: a chain this long would not free itself in one
        expression = expression.operand


def test_threads_share_the_parser() -> None:
    results: list[Explanation] = []
    threads = [threading.Thread(target=lambda: results.append(parse(CANONICAL))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [parse(CANONICAL)] * 8


def test_the_grammar_leaves_lark_no_hidden_choice() -> None:
    assert Lark(GRAMMAR, parser="lalr", strict=True).parse(CANONICAL)


def test_llguidance_takes_the_grammar_and_every_canonical_text() -> None:
    assert LLMatcher.validate_grammar(grammar_from("lark", GRAMMAR)) == ""

    @settings(max_examples=150, deadline=None)
    @given(explanations())
    def accepted(explanation: Explanation) -> None:
        matcher = LLMatcher(LLTokenizer("byte"), grammar_from("lark", GRAMMAR))
        text = render(explanation).encode()
        assert matcher.consume_tokens(list(text)), text
        assert matcher.is_accepting()

    accepted()


@pytest.mark.parametrize("seed", range(40))
def test_what_llguidance_writes_at_random_parses_or_errs_in_meaning_only(seed: int) -> None:
    """What the two parsers accept is the same language; words, ranges and regexes are checked after."""
    rng = random.Random(seed)
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, grammar_from("lark", GRAMMAR))
    written = bytearray()
    while not matcher.is_stopped():
        mask = matcher.compute_bitmask()
        allowed = [byte for byte in range(tokenizer.vocab_size) if mask[byte // 8] >> (byte % 8) & 1]
        if tokenizer.eos_token in allowed and (rng.random() < 0.5 or len(written) > 400):
            break
        plain = [byte for byte in allowed if 0x20 <= byte < 0x7F] or allowed
        ends = [byte for byte in plain if byte in b'"/)]']
        byte = rng.choice(ends if ends and rng.random() < 0.6 else plain)
        if byte == tokenizer.eos_token:
            break
        assert matcher.consume_tokens([byte])
        written.append(byte)
        if len(written) > 2_000:
            return
    error = error_of(written.decode("utf-8"), SmallLexicon())
    assert error is None or error.expected == (), str(error)
