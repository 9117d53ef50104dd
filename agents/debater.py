"""Who takes part in a debate: a protocol that search, a person's text and a language model all fit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from agents.lm import Usage
from agents.picking import pick_against, pick_quotes
from agents.quotes import QuoteRequest
from agents.search import Labelled, search
from agents.turns import Argument, Proposal, Scratchpad
from agents.views import JudgeView
from dsl.errors import ExplanationError
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Counterexample, Evidence


@runtime_checkable
class Debater(Protocol):
    """Proposes an explanation of the evidence, alone, and mends it when it is shown where it fails."""

    @property
    def name(self) -> str:
        """Says who it is in the transcript; no judge sees it."""
        ...

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        """An explanation, at most three quotes and a short argument; numbers in quotes refer to `evidence` as given.

        `problem` is empty at first, and on a further attempt what was wrong with the last: a parse error, a quote
        that did not verify and what it might have meant.
        """
        ...

    def repair(
        self,
        evidence: Evidence,
        argument: Argument,
        counterexamples: Sequence[Counterexample],
        rng: random.Random,
    ) -> Proposal:
        """A new proposal in place of `argument`, which the counterexamples contradict."""
        ...


@runtime_checkable
class Respondent(Protocol):
    """A debater that also answers what others said, in quotes alone: only what verifies ever reaches a judge."""

    def further_quotes(
        self,
        evidence: Evidence,
        own: Argument,
        view: JudgeView,
        rng: random.Random,
        question: str = "",
    ) -> Sequence[QuoteRequest]:
        """Quotes that show where rivals fail, best first: a rebuttal, or an answer where the judge has a question.

        `evidence` is as it was shown for `propose`, and `own` is the side's argument in its numbers; one of the
        explanations in `view` is its own. `question` holds nothing but printable characters on one line, its quotation
        marks, angle brackets and backslashes written with a backslash before them.
        """
        ...


@runtime_checkable
class Metered(Protocol):
    """Who counts what it asked of a language model, for what it hands over says nothing of it."""

    @property
    def spent(self) -> Usage:
        """Everything so far."""
        ...


class SearchDebater:
    """Program synthesis over the grammar, with a strategy of its own; `budget` counts candidates tried."""

    def __init__(self, strategy: str, lexicon: Lexicon | None, budget: int) -> None:
        self.name = f"search:{strategy}"
        self._strategy, self._lexicon, self._budget = strategy, lexicon, budget

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        """What search finds; a further attempt differs only in the quotes, for search reads no `problem`."""
        del problem
        return self._search(evidence, (), None, rng)

    def repair(
        self,
        evidence: Evidence,
        argument: Argument,
        counterexamples: Sequence[Counterexample],
        rng: random.Random,
    ) -> Proposal:
        """What search finds when the counterexamples must come out right; the argument's own is a candidate too."""
        must_hold = [Labelled.of(counterexample) for counterexample in counterexamples]
        return self._search(evidence, must_hold, argument.explanation, rng)

    def further_quotes(
        self,
        evidence: Evidence,
        own: Argument,
        view: JudgeView,
        rng: random.Random,
        question: str = "",
    ) -> Sequence[QuoteRequest]:
        """Where its explanation is right and a rival's is wrong, whatever the question: it reads none."""
        del question
        return _against_rivals(evidence, own, view, rng)

    def _search(
        self, evidence: Evidence, must_hold: Sequence[Labelled], start: Explanation | None, rng: random.Random
    ) -> Proposal:
        found = search(
            evidence,
            strategy=self._strategy,
            lexicon=self._lexicon,
            budget=self._budget,
            rng=rng,
            must_hold=must_hold,
            start=start,
        )
        return _proposal(evidence, found.explanation, Scratchpad(found.scratchpad), rng)


class TextDebater:
    """A person's explanation, standing for itself in their own words: nothing here ever changes it."""

    def __init__(self, text: str, lexicon: Lexicon | None = None, name: str = "text") -> None:
        self.name = name
        self._text, self._lexicon = text, lexicon

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        """The text, with quotes picked for it as search picks them; a text that does not parse goes in as it is."""
        del problem
        try:
            explanation = parse(self._text, self._lexicon)
        except ExplanationError:
            return Proposal(self._text, quotes=())  # the debate parses it again and records what is wrong with it
        return _proposal(evidence, explanation, Scratchpad(), rng)

    def repair(
        self,
        evidence: Evidence,
        argument: Argument,
        counterexamples: Sequence[Counterexample],
        rng: random.Random,
    ) -> Proposal:
        """The same explanation again: whoever wrote it mends it."""
        del argument, counterexamples
        return self.propose(evidence, rng)

    def further_quotes(
        self,
        evidence: Evidence,
        own: Argument,
        view: JudgeView,
        rng: random.Random,
        question: str = "",
    ) -> Sequence[QuoteRequest]:
        """Where its explanation is right and a rival's is wrong, whatever the question: it reads none."""
        del question
        return _against_rivals(evidence, own, view, rng)


def _proposal(evidence: Evidence, explanation: Explanation, notes: Scratchpad, rng: random.Random) -> Proposal:
    return Proposal(explanation, pick_quotes(evidence, explanation, rng), _ARGUMENT, notes)


def _against_rivals(evidence: Evidence, own: Argument, view: JudgeView, rng: random.Random) -> tuple[QuoteRequest, ...]:
    said = [parse(argument.explanation) for argument in view.arguments]
    rivals = [explanation for explanation in said if explanation != own.explanation]
    return pick_against(evidence, own.explanation, rivals, rng, taken=own.quotes)


_ARGUMENT = "Run the explanation on every quote: it marks what is marked, and nothing else."
