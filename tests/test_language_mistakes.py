"""Mistakes that researchers and language models make, each with what is said about it and what is suggested.

Whatever is suggested parses (the parser's own tests hold that for any text); here it is also what was meant.
"""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.corrections import Proposal
from dsl.ebnf import Text, language
from dsl.errors import ExplanationError
from dsl.idioms import SYNONYMS, idioms
from dsl.nodes import ClassName
from dsl.parse import parse

MISTAKES = [
    # quotes
    ("the token pizza in the context of the word crust", "", 'the token "pizza" in the context of the word "crust"'),
    (
        "the word \u201cpizza\u201d right after the word \u2018hot\u2019",
        "straight",
        'the word "pizza" right after the word "hot"',
    ),
    ("the word \"don't\" or 'can't'", "straight", 'the word "don\'t" or the word "can\'t"'),
    ("the phrase New York", "", 'the phrase "New York"'),
    ('the phrase "New York" or "Los Angeles"', "none is expected", 'the phrase "New York" or the phrase "Los Angeles"'),
    ('"the" right after "of"', "none is expected", 'the word "the" right after the word "of"'),
    (r'the token "\u0020pizza"', "an escape", 'the token " pizza"'),
    ('tokens matching "[0-9]+"', "none is expected", "tokens matching /[0-9]+/"),
    # keywords
    ('tokens that start with " un"', 'did you mean "tokens starting with"', 'tokens starting with " un"'),
    ('words that end in "ing"', 'did you mean "tokens ending with"', 'tokens ending with "ing"'),
    ('words related to "food"', 'did you mean "words like"', 'words like "food" ["food"]'),
    ('synonyms of "happy"', 'did you mean "words like"', 'words like "happy" ["happy"]'),
    ('text about "food"', "", 'any token in text about "food" ["food"]'),
    ("the beginning of a sentence", "the start of a sentence", "the start of a sentence"),
    ("repeated tokens", "a repeated token", "a repeated token"),
    ("all tokens inside parentheses", "any token", "any token inside brackets"),
    # singular and plural, lists
    ('the words "a" and "b"', "none is expected", 'the words "a", "b"'),
    ('the token " a", " b"', "a list follows", 'the tokens " a", " b"'),
    ("names, pronouns", "commas stand in lists", "names or pronouns"),
    # classes
    ("numbers", 'did you mean "digits"', "digits"),
    ("proper nouns", 'did you mean "names"', "names"),
    ("uppercase words", 'did you mean "upper-case words"', "upper-case words"),
    ("capital letters", 'did you mean "capitalised words"', "capitalised words"),
    ("verbs", '"verbs" is no class; there are digits', 'the word "verbs"'),
    ("nouns right after digits", '"nouns" is no class', 'the word "nouns" right after digits'),
    # order in time
    ('the word "New" and then the word "York"', "", 'the word "York" right after the word "New"'),
    ('the word "New" followed by the word "York"', "look back only", 'the word "York" right after the word "New"'),
    ('the word "hot" before "pizza"', "look back only", 'the word "pizza" right after the word "hot"'),
    ('the word "pizza" when it follows the word "hot"', "right after", 'the word "pizza" right after the word "hot"'),
    ('digits within 5 words of the word "room"', "", 'digits within 5 tokens after the word "room"'),
    ("digits within the context of names", "", "digits in the context of names"),
    ("names right after not digits", "parentheses", "names right after (not digits)"),
    # positions
    ("the first 4 tokens", "", "tokens 1 to 4"),
    ("tokens 1-4", "", "tokens 1 to 4"),
    ("tokens from 1 to 4", "", "tokens 1 to 4"),
    # levels and the output side
    ("digits and weakly on names", "semicolons", "digits; weakly on names"),
    ("digits, weakly on names", "semicolons", "digits; weakly on names"),
    ('names and promotes " x"', "semicolon", 'names; promotes " x"'),
    ('names; promotes the token " x"', "", 'names; promotes " x"'),
    # what stands around
    ("digits. This is because the feature fires on numbers.", "nothing but the explanation", "digits"),
    ("digits (numbers in dates)", "nothing but the explanation", "digits"),
    ("digits because they are numbers", "nothing but the explanation", "digits"),
]

WHOLE = [
    ("```\nactivates on digits\n```", "without Markdown", "activates on digits"),
    (
        "```text\nactivates on digits in the context of names\n```",
        "Markdown",
        "activates on digits in the context of names",
    ),
    ("`activates on digits`", "without Markdown", "activates on digits"),
    ('"activates on digits"', "without quotes", "activates on digits"),
    ("Explanation: activates on digits", "nothing stands before", "activates on digits"),
    ('Here it is: activates on the word "pizza"', "nothing stands before", 'activates on the word "pizza"'),
    ("The feature fires on digits because they are numbers.", 'did you mean "activates"', "activates on digits"),
    ("activates within quotes", "", "activates on any token inside quotation marks"),
    ("activates very strongly on digits", "strongly on", "activates strongly on digits"),
    (
        "activates strongly on digits; weakly on names; moderately on pronouns",
        "levels go from strongly",
        "activates strongly on digits; moderately on pronouns; weakly on names",
    ),
]


@pytest.mark.parametrize(
    ("text", "said", "nearest"),
    [*((f"activates on {text}", said, f"activates on {nearest}") for text, said, nearest in MISTAKES), *WHOLE],
)
def test_a_habit_is_named_and_put_into_the_words_of_the_language(text: str, said: str, nearest: str) -> None:
    with pytest.raises(ExplanationError) as caught:
        parse(text)
    error = caught.value
    assert said in error.reason
    assert error.nearest == nearest
    assert parse(nearest)
    assert error.excerpt.count("^") == 1


def test_synonyms_stand_for_keywords_that_there_are() -> None:
    keywords = {
        part.text.strip(" ;") for form in language().values() for part in parts_of(form) if isinstance(part, Text)
    }
    assert set(SYNONYMS) <= keywords | set(get_args(ClassName))


def parts_of(form: object) -> list[object]:
    inner = [getattr(form, name, ()) for name in ("parts", "options")]
    below = [part for parts in inner for part in parts] + ([form.part] if hasattr(form, "part") else [])
    return [form, *(each for part in below for each in parts_of(part))]


@settings(deadline=None)
@given(st.text(alphabet='activates on the "tokn,.;()`-:15', max_size=400), st.integers(0, 400))
def test_idioms_are_proposed_for_any_text_at_any_place(text: str, offset: int) -> None:
    proposals: list[Proposal] = list(idioms(text, offset))
    assert all(cost > 0 for cost, _ in proposals)


@pytest.mark.parametrize("piece", ["a", "a ", '"', '"a" ', "the word ", "( ", "`", ". A", ", ", "activates on "])
def test_long_texts_take_no_long_time(piece: str) -> None:
    """A pattern that backtracks through 3,000 characters squared or worse would not end within the test run."""
    text = (piece * 3_000)[:3_000]
    for offset in (0, 1_500, 2_999):
        assert len(list(idioms(text, offset))) < 10_000
