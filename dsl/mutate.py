"""One-step edits of an explanation: its nearest rivals, broader, narrower, simpler and turned round.

A true explanation beats all of its mutants, so texts on which an explanation and a mutant differ are where it is worth
asking the subject; and a search climbs from an explanation to a better one over the same edits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, assert_never

from dsl.implication import Prover
from dsl.lexicon import Lexicon
from dsl.nodes import (
    CONTEXT_WINDOW,
    LEVELS,
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
    LevelName,
    Modifier,
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
    conjunction,
    depth,
    is_word,
    union,
)
from dsl.subsumption import at_least

Step = Literal["drop", "widen", "narrow", "negate"]
Edit = tuple[Step, Expression]
Levels = dict[LevelName, Expression]

NEAR = 4
"""The distance between `right after` and `in the context of` that widening and narrowing pass through."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """An explanation one edit away, and the kind of edit."""

    explanation: Explanation
    step: Step


def mutants(explanation: Explanation, lexicon: Lexicon | None = None) -> tuple[Mutant, ...]:
    """All explanations one edit away: distinct, valid, in an order that only the original's value decides.

    None is proven to predict what the original does: on no text could the two be told apart.

    - drop: an operand, a modifier, the exception of an `except`, one of two levels;
    - widen: a token to its word, the word to its forms and to words like it (these two need the lexicon), strings to
      what contains them, `right after` to `within 4 tokens after` to `in the context of`, a phrase by its first word,
      weak to strong;
    - narrow: the reverse; one string of a list left out; only at the start of a sentence;
    - negate: an expression, an operand, a modifier's anchor.

    What is promoted stays as it is: it is no part of what the explanation predicts.

    >>> from dsl.render import render
    >>> for mutant in mutants(Explanation(Class("names"))):
    ...     print(mutant.step, "->", render(mutant.explanation))
    negate -> activates on not names
    widen -> activates on capitalised words
    narrow -> activates on the start of a sentence and names
    """
    prover = Prover()
    return tuple(
        mutant
        for mutant in edits(explanation, lexicon)
        if not (at_least(explanation, mutant.explanation, prover) and at_least(mutant.explanation, explanation, prover))
    )


def edits(explanation: Explanation, lexicon: Lexicon | None = None) -> Iterator[Mutant]:
    """As `mutants`, one by one and without the proof that each predicts something else."""
    found: set[Explanation] = set()
    for step, levels in _levels(explanation, lexicon):
        if all(depth(expression) <= MAX_DEPTH for expression in levels.values()):
            mutant = Explanation.of(levels, explanation.promotes)
            if mutant not in found:
                found.add(mutant)
                yield Mutant(mutant, step)


def _levels(explanation: Explanation, lexicon: Lexicon | None) -> Iterator[tuple[Step, Levels]]:
    """A level dropped, raised to the strongest, or edited."""
    levels: Levels = {name: expression for name, _, expression in explanation.levels}
    strongest = next(iter(LEVELS))
    for name, expression in levels.items():
        others = {other: kept for other, kept in levels.items() if other != name}
        if others:
            yield "drop", others
        if name != strongest:
            raised = union(levels[strongest], expression) if strongest in levels else expression
            yield "widen", {**others, strongest: raised}
        yield from ((step, {**levels, name: edited}) for step, edited in _edits(expression, lexicon))


def _edits(expression: Expression, lexicon: Lexicon | None) -> Iterator[Edit]:
    """Edits at this node, then at each of its parts."""
    yield "negate", expression.operand if isinstance(expression, Not) else Not(expression)
    match expression:
        case Clause(phrase, modifiers):
            yield from ((step, Clause(edited, modifiers)) for step, edited in _edits(phrase, lexicon))
            for number, modifier in enumerate(modifiers):
                kept = modifiers[:number] + modifiers[number + 1 :]
                yield "drop", Clause(phrase, kept) if kept else phrase
                for step, changed in _modifier(modifier, lexicon):
                    yield step, Clause(phrase, (*kept, changed))
        case Not(operand):
            yield from ((_REVERSED[step], Not(edited)) for step, edited in _edits(operand, lexicon))
        case And(operands) | Or(operands):
            combine = conjunction if isinstance(expression, And) else union
            for number, operand in enumerate(operands):
                others = operands[:number] + operands[number + 1 :]
                yield "drop", combine(*others)
                yield from ((step, combine(edited, *others)) for step, edited in _edits(operand, lexicon))
        case Except(main, removed):
            yield "drop", main
            yield from ((step, Except(edited, removed)) for step, edited in _edits(main, lexicon))
            yield from ((_REVERSED[step], Except(main, edited)) for step, edited in _edits(removed, lexicon))
        case _:
            yield from (("widen", wider) for wider in _wider(expression, lexicon))
            yield from (("narrow", narrower) for narrower in _narrower(expression))


_REVERSED: dict[Step, Step] = {"drop": "drop", "widen": "narrow", "narrow": "widen", "negate": "negate"}
"""Inside a negation what widens the part narrows the whole."""


def _modifier(modifier: Modifier, lexicon: Lexicon | None) -> Iterator[tuple[Step, Modifier]]:
    match modifier:
        case RightAfter(anchor):
            yield "widen", Within(anchor, NEAR)
            yield from ((step, RightAfter(edited)) for step, edited in _edits(anchor, lexicon))
        case Within(anchor, distance):
            if distance < CONTEXT_WINDOW:
                yield "widen", Within(anchor, NEAR if distance < NEAR else CONTEXT_WINDOW)
            yield "narrow", Within(anchor, NEAR) if distance > NEAR else RightAfter(anchor)
            yield from ((step, Within(edited, distance)) for step, edited in _edits(anchor, lexicon))
        case About(topic, words):
            for rest in _all_but_one(words):
                if len(rest) > 1:  # two words of the list have to be found
                    yield "narrow", About(topic, rest)
            yield "widen", Within(Words(words))
        case Inside():
            pass
        case _:
            assert_never(modifier)


def _wider(atom: Expression, lexicon: Lexicon | None) -> Iterator[Expression]:
    """Atoms that hold wherever this one does, or nearly: a token's word also ends in other tokens."""
    match atom:
        case Tokens(strings):
            words = tuple(text.strip() for text in strings)
            if all(map(is_word, words)):
                yield Words(words)
            if len(strings) == 1:
                yield TokensWith("starting with", strings[0])
                yield TokensWith("containing", strings[0].strip() or strings[0])
        case Words(words):
            if len(words) == 1:
                if lexicon is not None:
                    yield FormsOf(words[0], (*words, *filter(is_word, lexicon.forms(words[0]))))
                    yield WordsLike(words[0], (*words, *filter(is_word, lexicon.like(words[0]))))
                yield TokensWith("containing", words[0])
        case Phrase(words):
            yield Phrase(words[1:]) if len(words) > 2 else Words(words[1:])
        case TokensWith(part, text):
            if part != "containing":
                yield TokensWith("containing", text)
            if len(text) > 1:
                yield TokensWith(part, text[1:] if part == "ending with" else text[:-1])
        case Positions(first, last):
            if first > 1:
                yield Positions(1, last)
            yield Positions(first, min(2 * last, CONTEXT_WINDOW)) if last < CONTEXT_WINDOW else AnyToken()
        case Class("names"):
            yield Class("capitalised words")
        case FollowedBefore():
            yield RepeatedToken()
        case FormsOf() | WordsLike() | TokensMatching() | Class() | AnyToken() | Boundary() | RepeatedToken():
            pass
        case _:
            raise AssertionError(f"{type(atom).__name__} is no atom")


def _narrower(atom: Expression) -> Iterator[Expression]:
    match atom:
        case Tokens(strings):
            yield from map(Tokens, _all_but_one(strings))
        case Words(words):
            yield from map(Words, _all_but_one(words))
            yield Tokens(tuple(f" {word}" for word in words))
        case FormsOf(word, forms):
            yield Words((word,))
            yield from (FormsOf(word, rest) for rest in _all_but_one(forms))
        case WordsLike(word, words):
            yield Words((word,))
            yield from (WordsLike(word, rest) for rest in _all_but_one(words))
        case TokensWith(part, text):
            if part == "containing":
                yield TokensWith("starting with", text)
                yield TokensWith("ending with", text)
            yield Tokens((text,))
        case Class("capitalised words"):
            yield Class("names")
        case Positions(first, last):
            if last > first:
                yield Positions(first, last - 1)
                yield Positions(first + 1, last)
        case Phrase() | TokensMatching() | Class() | AnyToken() | Boundary() | RepeatedToken() | FollowedBefore():
            pass
        case _:
            raise AssertionError(f"{type(atom).__name__} is no atom")
    if not isinstance(atom, Boundary | Positions):
        yield conjunction(atom, Boundary("the start of a sentence"))


def _all_but_one(items: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(items) > 1:
        yield from (items[:number] + items[number + 1 :] for number in range(len(items)))
