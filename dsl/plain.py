"""What an explanation means, in sentences of plain English, for people who have not read the language's reference."""

from __future__ import annotations

from typing import assert_never

from dsl.nodes import (
    PREDICTED,
    About,
    And,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    FollowedBefore,
    FormsOf,
    Inside,
    LevelName,
    Modifier,
    Not,
    Or,
    Part,
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
from dsl.render import listed, quoted, slashed

CLASSES: dict[ClassName, str] = {
    "digits": "the token is decimal digits only, but for white space around them",
    "capitalised words": "a word ends whose first letter is a capital",
    "upper-case words": "a word of at least two letters ends, all of them capitals",
    "punctuation": "the token is punctuation or symbols only, but for white space around them",
    "newlines": "the token holds a line break",
    "names": "a capitalised word ends that is in a fixed list of first names",
    "pronouns": "a pronoun ends",
    "articles": 'an article ends ("a", "an", "the")',
    "prepositions": "a preposition ends",
    "conjunctions": "a conjunction ends",
    "auxiliary verbs": "an auxiliary verb ends",
    "number words": "a number written as a word ends",
    "question words": "a question word ends",
    "negations": 'a word of negation ends (such as "not", "never", "can\'t")',
    "quotation marks": "the token is quotation marks only, but for white space around them",
    "brackets": "the token is brackets only, but for white space around them",
}
"""What each class says of a place in a text; lists of words are fixed, and words are compared in any case."""

_STRENGTHS: dict[LevelName, str] = {
    "strong": "at its maximum",
    "moderate": "moderately, at 0.6 of its maximum,",
    "weak": "weakly, at 0.3 of its maximum,",
    "faint": "faintly, at 0.1 of its maximum,",
}


_VERBS: dict[Part, str] = {"starting with": "starts with", "ending with": "ends with", "containing": "contains"}


def plain_words(explanation: Explanation) -> str:
    """What an explanation predicts, as one paragraph; different explanations read differently.

    >>> pizza = Clause(Tokens((" pizza",)), (Within(Words(("crust",))),))
    >>> print(plain_words(Explanation(pizza)))
    The feature fires where the token is exactly " pizza", within 32 tokens after a place where the word "crust" ends.
    """
    levels = explanation.levels
    sentences = []
    for place, (name, _, expression) in enumerate(levels):
        strength = "" if len(levels) == 1 and name == "strong" else f" {_STRENGTHS[name]}"
        sentences.append(f"{'It' if place else 'The feature'} fires{strength} where {describe(expression)}.")
    if len(levels) > 1:
        sentences.append("Where several of these hold, the strongest counts.")
    if levels[-1][1] < PREDICTED:
        sentences.append(f"Below {PREDICTED} of the maximum counts in graded scores only, not as predicted.")
    if explanation.promotes:
        which = "the next token is" if len(explanation.promotes) == 1 else "the next token is one of"
        sentences.append(
            f"When it fires, it makes it likelier that {which} {listed(explanation.promotes)}; "
            "this is no part of what is predicted."
        )
    return " ".join(sentences)


def describe(expression: Expression) -> str:
    """What must be true of a place in a text for an expression to hold there.

    >>> describe(Or((Class("newlines"), Not(RepeatedToken()))))
    'the token holds a line break, or it is not so that the token occurred before in the text'
    """
    match expression:
        case Except(kept, removed):
            return f"{_part(kept)}, except where {_part(removed)}"
        case Or(operands):
            return ", or ".join(map(_operand, operands))
        case And(operands):
            return ", and ".join(map(_operand, operands))
        case Not(operand):
            return f"it is not so that {_part(operand)}"
        case Clause(phrase, modifiers):
            return f"{_part(phrase)}, {' and '.join(map(_modifier, modifiers))}"
        case Tokens(strings):
            return f"the token is exactly {_one_of(strings)}"
        case Words((word,)):
            return f"the word {quoted(word)} ends"
        case Words(words):
            return f"one of the words {listed(words)} ends"
        case Phrase(words):
            return f"the words {quoted(' '.join(words))} end, one after the other"
        case FormsOf(word, forms):
            return f"a form of the word {quoted(word)} ends ({listed(forms)})"
        case WordsLike(word, words):
            return f"a word of the kind of {quoted(word)} ends ({listed(words)})"
        case TokensWith(part, text):
            return f"the token {_VERBS[part]} {quoted(text)}"
        case TokensMatching(pattern):
            return f"the regular expression {slashed(pattern)} matches somewhere in the token"
        case Class(name):
            return CLASSES[name]
        case AnyToken():
            return "there is a token, whatever it is"
        case Positions(first, last) if first == last:
            return "the token is the first of the text" if first == 1 else f"the token is number {first} of the text"
        case Positions(first, last):
            return f"the token is one of numbers {first} to {last} of the text"
        case Boundary("the start of a sentence"):
            return "the first word of a sentence begins"
        case Boundary():
            return "a sentence ends, with a full stop, a question mark or the like"
        case RepeatedToken():
            return "the token occurred before in the text"
        case FollowedBefore(token):
            return f"the token came right after the token {quoted(token)} before in the text"
        case _:
            assert_never(expression)


def _part(expression: Expression) -> str:
    """As described; what is made of several parts goes in brackets, so that it is clear what belongs together."""
    text = describe(expression)
    return f"[{text}]" if isinstance(expression, Except | Or | And | Not | Clause) else text


def _operand(expression: Expression) -> str:
    return describe(expression) if isinstance(expression, Not) else _part(expression)


def _modifier(modifier: Modifier) -> str:
    match modifier:
        case RightAfter(anchor):
            return f"right after a token where {_part(anchor)}"
        case Within(anchor, distance):
            return f"within {distance} token{'s' if distance > 1 else ''} after a place where {_part(anchor)}"
        case About(topic, words):
            return (
                f"in text about {quoted(topic)} (at least two of the words {listed(words)} ended in the last 32 tokens)"
            )
        case Inside("quotation marks"):
            return "inside quotation marks that are still open"
        case Inside():
            return "inside brackets that are still open"
        case _:
            assert_never(modifier)


def _one_of(strings: tuple[str, ...]) -> str:
    return listed(strings) if len(strings) == 1 else f"one of {listed(strings)}"
