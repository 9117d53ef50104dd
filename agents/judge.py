"""Who decides: a protocol that a language model fits, and a judge that needs none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from agents.lm import Usage
from agents.partial import bounds
from agents.views import JudgeView, ShownQuote
from dsl.batch import Batch
from dsl.complexity import bits
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context


@dataclass(frozen=True, slots=True)
class Ballot:
    """One answer: a label or None (no clear best), and a score for each label, higher is better.

    Scores that are not `graded` are 1 for what was answered and 0 for all else. `none` is the score of answering NONE,
    on the same scale, where the judge has one. Where no answer could be had, `answered` is False and `reason` says why;
    otherwise `reason` holds what there is to know about the answer. `thoughts` is what was written before it.

    Of a view of one side alone the answer is its label for YES and None for NO, with `none` as NO's score.
    """

    label: str | None
    scores: dict[str, float]
    reason: str = ""
    none: float | None = None
    graded: bool = True
    answered: bool = True
    thoughts: str = ""
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def failed(cls, reason: str, thoughts: str = "", usage: Usage | None = None) -> Ballot:
        """No answer could be had."""
        return cls(None, {}, reason, answered=False, thoughts=thoughts, usage=usage or Usage())


@runtime_checkable
class Judge(Protocol):
    """Sees views and nothing else, and prefers one label of each, or none."""

    @property
    def name(self) -> str:
        """Says who judged, in results."""
        ...

    @property
    def margin(self) -> float:
        """The smallest lead, in its averaged scores, that makes a choice."""
        ...

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        """Its answer to each view, in order: the same sides in other places and under other labels.

        Each view is judged as if there were no other; all come at once so that calls can run together.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge asks the debaters; empty where it has no question, and `reason` says why it could not ask."""

    text: str
    reason: str = ""
    usage: Usage = field(default_factory=Usage)


@runtime_checkable
class Questioner(Protocol):
    """A judge that may ask the debaters, who answer in quotes, before it votes."""

    def ask(self, view: JudgeView, words: int) -> Question:
        """One question of at most so many words to all sides in view, which it calls by their labels there."""
        ...


@runtime_checkable
class Prompted(Protocol):
    """A judge that reads prompts of this package."""

    @property
    def prompts(self) -> str:
        """Their names and versions, for results."""
        ...


class BuiltinJudge:
    """Runs each explanation on all verified quotes of all sides.

    A side scores the share of the quotes' tokens whose highlight it predicts, less a small price per bit. A quote is
    cut out of a longer text: a token on which what was cut off could decide earns a half, whichever way the quote
    shows it, so that no explanation gains or loses by looking back. Where nothing is quoted it cannot judge.
    """

    name = "builtin"

    def __init__(self, margin: float = 0.02, price_per_bit: float = 0.00005) -> None:
        self.margin, self._price_per_bit = margin, price_per_bit

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        """The same for the same sides, however they are ordered and labelled; no answer where there are no quotes."""
        return [self._vote(view) for view in views]

    def _vote(self, view: JudgeView) -> Ballot:
        quotes = view.quotes
        if not quotes:
            return Ballot.failed("there are no quotes to run the explanations on")
        scores = {argument.label: self._score(argument.explanation, quotes) for argument in view.arguments}
        best, *rest = sorted(scores, key=lambda label: -scores[label])
        clear = all(scores[best] - scores[label] >= self.margin for label in rest)
        return Ballot(best if clear else None, scores)

    def _score(self, text: str, quotes: Sequence[ShownQuote]) -> float:
        explanation = parse(text)
        return _agreement(explanation, quotes) - self._price_per_bit * bits(explanation)


def _agreement(explanation: Explanation, quotes: Sequence[ShownQuote]) -> float:
    """The share of the quotes' tokens that the explanation gets right; undecided ones count a half."""
    batch = Batch.of([Context(quote.tokens) for quote in quotes])
    marks = np.zeros(batch.ids.shape, dtype=bool)
    for row, quote in enumerate(quotes):
        marks[row, : len(quote.marks)] = quote.marks
    lower = upper = np.zeros_like(marks)
    if explanation.predicted is not None:  # a weak clause predicts less than half of the maximum: no highlight
        lower, upper = bounds(explanation.predicted, batch)
    credit = np.where(lower == upper, lower == marks, 0.5)
    return float(credit[batch.mask].mean())
