"""What a judge sees of a debate, and rivals of each other.

A `JudgeView` holds what was copied into it field by field, labels, explanations and the tokens of verified quotes, and
so cannot leak what was never put there.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agents.normal_form import utf8
from agents.quotes import Quote
from agents.turns import Argument, Round
from dsl.records import Evidence
from prompts import escape


@dataclass(frozen=True, slots=True)
class ShownQuote:
    """A verified quote as a judge sees it: its source's tokens, and which of them the feature fires on."""

    tokens: tuple[str, ...]
    marks: tuple[bool, ...]

    @classmethod
    def of(cls, quote: Quote, evidence: Evidence) -> ShownQuote:
        return cls(quote.tokens(evidence), quote.firing(evidence))

    def __str__(self) -> str:
        """The text with `«` and `»` round what fires; the same characters in the source are escaped."""
        pieces: list[str] = []
        inside = False
        for text, mark in _whole_pieces(self.tokens, self.marks):
            if mark != inside:
                pieces.append("«" if mark else "»")
                inside = mark
            pieces.append(escape(text))
        return "".join(pieces) + ("»" if inside else "")


@dataclass(frozen=True, slots=True)
class ShownArgument:
    """One side as a judge sees it: a neutral label, the canonical explanation and the verified quotes."""

    label: str
    explanation: str
    quotes: tuple[ShownQuote, ...]


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """What one side added in a round, as a judge sees it."""

    label: str
    quotes: tuple[ShownQuote, ...]


@dataclass(frozen=True, slots=True)
class ShownRound:
    """A round as a judge sees it: a rebuttal, or where there is a question, what the sides answered.

    A question is the judge's own words and calls the sides by the labels of this view; whoever writes it into a prompt
    escapes it.
    """

    answers: tuple[ShownAnswer, ...]
    question: str = ""


@dataclass(frozen=True, slots=True)
class JudgeView:
    """All that a judge sees: the sides in one order, or one side alone, and what was added since."""

    arguments: tuple[ShownArgument, ...]
    rounds: tuple[ShownRound, ...] = ()

    @classmethod
    def of(
        cls,
        labelled: Sequence[tuple[str, Argument]],
        evidence: Evidence,
        rounds: Sequence[ShownRound] = (),
        quoted: bool = True,
    ) -> JudgeView:
        """Copy what a judge may see, and only that, in the order given."""
        return cls(
            tuple(
                ShownArgument(
                    label,
                    argument.canonical,
                    tuple(ShownQuote.of(quote, evidence) for quote in argument.quotes if quoted),
                )
                for label, argument in labelled
            ),
            tuple(rounds),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(argument.label for argument in self.arguments)

    @property
    def quotes(self) -> tuple[ShownQuote, ...]:
        """Every quote of every side, whenever it was shown."""
        return tuple(quote for quotes in self.quotes_by_turn for quote in quotes)

    @property
    def quotes_by_turn(self) -> tuple[tuple[ShownQuote, ...], ...]:
        """What each side quoted at first, and then in each round."""
        at_first = tuple(argument.quotes for argument in self.arguments)
        return at_first + tuple(answer.quotes for turn in self.rounds for answer in turn.answers)

    def shortened(self, most: int) -> JudgeView:
        """At most so many quotes of each side, and of each of its answers; those that show a firing token go first."""
        return JudgeView(
            tuple(replace(argument, quotes=_first(argument.quotes, most)) for argument in self.arguments),
            tuple(
                replace(turn, answers=tuple(replace(one, quotes=_first(one.quotes, most)) for one in turn.answers))
                for turn in self.rounds
            ),
        )


def shown_rounds(
    rounds: Sequence[Round], labels: Mapping[str, str], evidence: Evidence, quoted: bool = True
) -> tuple[ShownRound, ...]:
    """The rounds in which any of these sides took part, by what their labels are in a view, in the view's order.

    Rounds without a verified quote are left out: a judge is not told who had nothing to say.
    """
    shown: list[ShownRound] = []
    for turn in rounds if quoted else ():
        answers = {answer.side: answer.verified for answer in turn.answers}
        found = tuple(
            ShownAnswer(label, tuple(ShownQuote.of(quote, evidence) for quote in answers.get(side, ())))
            for side, label in labels.items()
        )
        if any(answer.quotes for answer in found):
            shown.append(ShownRound(found, named(turn, labels)))
    return tuple(shown)


def named(turn: Round, labels: Mapping[str, str]) -> str:
    """The round's question, the sides called by these labels; empty where there was none."""
    calls = {name: labels.get(side, "another") for name, side in turn.names}
    return re.sub(r"\bS\d+\b", lambda name: calls.get(name[0], name[0]), turn.question)


def _first(quotes: Sequence[ShownQuote], most: int) -> tuple[ShownQuote, ...]:
    best = sorted(range(len(quotes)), key=lambda number: not any(quotes[number].marks))[:most]
    return tuple(quotes[number] for number in sorted(best))


def _whole_pieces(tokens: Sequence[str], marks: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    """Tokens joined until their bytes make whole characters; a piece is marked where any of its tokens is."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    marked = False
    for number, (token, mark) in enumerate(zip(tokens, marks, strict=True), start=1):
        text = decoder.decode(utf8(token), final=number == len(tokens))
        marked = marked or mark
        if not decoder.getstate()[0]:
            yield text, marked
            marked = False
        elif text:
            yield text, marked
            marked = mark
