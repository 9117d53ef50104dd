"""What every language-model debater of a feature is told first, made to fit the model's context by a stated rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

from agents.showing import excerpt, show_example
from dsl.constructs import SECTIONS
from dsl.decoding import Bounds, Letters, Lists, longest_output
from dsl.lexicon import Lexicon
from dsl.nodes import ClassName, is_word_character
from dsl.records import Evidence, Example
from prompts import load

MANY, PLENTY, FEWEST = (20, 20), (8, 4), (2, 1)
"""How many examples that fire and how many that do not are left when something else goes first; below the fewest there
is nothing to argue about, and the prompt does not fit at all."""

LONG, SHORT = 64, 32
"""Tokens of an excerpt."""

SHARE = 8
"""One in so many tokens of the context may go to the longest explanation."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """The opening of every conversation about a feature, and what was left out of it, in words."""

    text: str
    notes: tuple[str, ...] = ()


def brief(evidence: Evidence, bounds: Bounds, fits: Callable[[str], bool]) -> Briefing | None:
    """The most that fits, or None where not even two examples that fire and one that does not are left to show.

    Left out one by one until it fits: examples, in turn the last that is silent and the one that fires least, down to
    20 of each; what is more than 64 tokens of an example; examples down to eight that fire and four that do not; what
    is more than 32 tokens; examples of other features, the last first; what constructs of the language mean, so that
    only their examples stand; examples down to two and one. An excerpt ends soon after the highest activation, or in a
    silent example after the first token that fires elsewhere.
    """
    firing = [n for n, example in enumerate(evidence.examples) if example.peak >= evidence.thresholds.high]
    if not firing:
        return None
    steps = list(_steps(evidence, firing))
    opening = _Openings(evidence, bounds)
    low, high = 0, len(steps) - 1
    if not fits(opening.text(steps[high])):
        return None
    while low < high:  # what is left out only grows, and so the text only shrinks
        middle = (low + high) // 2
        low, high = (low, middle) if fits(opening.text(steps[middle])) else (middle + 1, high)
    return Briefing(opening.text(steps[low]), tuple(_notes(evidence, steps[low])))


def fitting_bounds(context_tokens: int, lexicon: Lexicon | None, evidence: Evidence) -> Bounds:
    """What an explanation may hold: the first rung whose longest text takes at most an eighth of the model's context.

    The rungs allow five constructs, three, two and one. Lists may be left to a lexicon where there is one. Letters
    beyond Latin are allowed where the evidence has some, for they make the grammar several times as long.
    """
    rungs = (
        Bounds(constructs=5, nesting=2, string=16),
        Bounds(constructs=3, nesting=1, entries=4, string=16, word=14, phrase=3),
        Bounds(constructs=2, nesting=0, entries=3, string=16, word=12, phrase=3),
        Bounds(constructs=1, nesting=0, entries=3, string=16, word=12, phrase=3),
    )
    letters: Letters = "every" if _beyond_latin(evidence) else "latin"
    lists: Lists = "written" if lexicon is None else "either"
    made = [replace(rung, letters=letters, lists=lists, promotes=False) for rung in rungs]
    return next((rung for rung in made if SHARE * longest_output(rung) <= context_tokens), made[-1])


@cache
def language(bounds: Bounds, *, meanings: bool = True) -> str:
    """The constructs of the language, a line each: an example and, if asked for, what it means.

    >>> print(language(Bounds(), meanings=False).splitlines()[0])
    - `on the tokens " pasta", " pizza"`
    """
    lines: list[str] = []
    classes: list[str] = []
    for construct in (construct for section in SECTIONS[1:] for construct in section.constructs):
        if construct.name in get_args(ClassName):
            meaning = construct.meaning.rstrip(".") if meanings else ""
            classes.append(f"`{construct.name}` ({meaning})" if meaning else f"`{construct.name}`")
        elif construct.name not in _UNSAID and (bounds.regexes or construct.name != "matching"):
            example = construct.example.removeprefix("activates ")
            lines.append(f"- `{example}`: {construct.meaning}" if meanings else f"- `{example}`")
    lines.append(f"- classes: {'; '.join(classes)}")
    if bounds.lists != "written":
        lines.append("- A list in square brackets may be left out: a dictionary fills it in.")
    return "\n".join(lines)


_UNSAID = frozenset({"word_class", "expansion", "clause"})  # said by their parts, or by the prompt


@dataclass(frozen=True, slots=True)
class _Step:
    """What is shown: these examples, at most so many tokens of each, so many shots, and meanings or only examples of
    constructs."""

    examples: frozenset[int]
    tokens: int
    shots: int
    meanings: bool


def _steps(evidence: Evidence, firing: Sequence[int]) -> Iterator[_Step]:
    """Everything, and then one thing less at a time."""
    examples = evidence.examples
    left = sorted(firing, key=lambda number: (-examples[number].peak, number))
    silent = [number for number in range(len(examples)) if number not in set(firing)]
    tokens = max(len(example.context.tokens) for example in examples)
    shots, meanings = len(_shots()), True

    def step() -> _Step:
        return _Step(frozenset(left + silent), tokens, shots, meanings)

    def fewer(most: tuple[int, int]) -> Iterator[_Step]:
        while len(left) > most[0] or len(silent) > most[1]:
            if len(silent) > most[1]:
                silent.pop()
                yield step()
            if len(left) > most[0]:
                left.pop()
                yield step()

    yield step()
    yield from fewer(MANY)
    tokens = min(tokens, LONG)
    yield from (step(), *fewer(PLENTY))
    tokens = min(tokens, SHORT)
    yield step()
    while shots:
        shots -= 1
        yield step()
    meanings = False
    yield from (step(), *fewer(FEWEST))


class _Openings:
    """The opening at each step; every example is written once in each length."""

    def __init__(self, evidence: Evidence, bounds: Bounds) -> None:
        self._evidence, self._bounds = evidence, bounds
        self._lines: dict[int, list[str]] = {}
        high = evidence.thresholds.high
        self._firing = {
            token
            for example in evidence.examples
            for token, value in zip(example.context.tokens, example.activations, strict=True)
            if value >= high
        }

    def text(self, step: _Step) -> str:
        shots = "".join(_shots()[: step.shots])
        head = load("debater_shots").text.partition(_SHOT)[0]
        if step.tokens not in self._lines:
            self._lines[step.tokens] = [
                show_example(number, excerpt(example, self._focus(example), step.tokens), self._evidence.thresholds)
                for number, example in enumerate(self._evidence.examples)
            ]
        return load("debater").fill(
            language=language(self._bounds, meanings=step.meanings),
            shots=f"{head}{shots}" if shots else "",
            examples="\n".join(line for number, line in enumerate(self._lines[step.tokens]) if number in step.examples),
        )

    def _focus(self, example: Example) -> int:
        """The token that an excerpt is about."""
        if example.peak >= self._evidence.thresholds.high:
            return example.activations.index(example.peak)
        return next((n for n, token in enumerate(example.context.tokens) if token in self._firing), 0)


_SHOT = "## Shot\n"


@cache
def _shots() -> tuple[str, ...]:
    """Examples of other features; numbered as they stand, so that fewer of them are numbered the same."""
    return tuple(
        f"## Feature {number}\n{shot}"
        for number, shot in enumerate(load("debater_shots").text.split(_SHOT)[1:], start=1)
    )


def _notes(evidence: Evidence, step: _Step) -> Iterator[str]:
    if missing := len(evidence.examples) - len(step.examples):
        shown = [example for number, example in enumerate(evidence.examples) if number in step.examples]
        firing = sum(example.peak >= evidence.thresholds.high for example in shown)
        yield (
            f"left out {missing} of {len(evidence.examples)} examples to fit the model's context: "
            f"{firing} that fire and {len(shown) - firing} that do not are shown"
        )
    if any(len(evidence.examples[number].context.tokens) > step.tokens for number in step.examples):
        yield f"shows at most {step.tokens} tokens of each example to fit the model's context"
    if missing := len(_shots()) - step.shots:
        yield f"left out {missing} of {len(_shots())} examples of other features to fit the model's context"
    if not step.meanings:
        yield "left out what the constructs of the language mean to fit the model's context"


def _beyond_latin(evidence: Evidence) -> bool:
    strings = {token for example in evidence.examples for token in example.context.tokens}
    return any(ord(c) >= 0x250 and is_word_character(c) for token in strings for c in token)
