"""How a debate is held: what the judge sees, whether sides meet or are heard alone, and what is said in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dsl.errors import InputError

Format = Literal["debate", "consultancy"]
Shown = Literal["quotes", "explanations"]


@dataclass(frozen=True, slots=True)
class Procedure:
    """One way to hold a debate; the default is the plain one.

    - `format`: in a "debate" the judge compares all sides, in every order; in a "consultancy" it says of each side
      alone whether it is right, and the best supported wins.
    - `shown`: "explanations" is a control, in which the judge sees no quotes.
    - `rebuttals`: rounds in which each side sees what the judge would see, and may add quotes against its rivals.
    - `questions`: rounds in which the judge may ask one question, which the sides answer in quotes.
    - `further`: how many quotes a side may ask for in each of these rounds; they come out of its share of the tokens
      that may be shown.
    - `words`: the length of a question; what is longer is cut.

    A rebuttal needs a rival, and both rounds need quotes: InputError for what does not go together.

    >>> Procedure(rebuttals=1)
    Procedure(format='debate', shown='quotes', rebuttals=1, questions=0, further=3, words=40)
    """

    format: Format = "debate"
    shown: Shown = "quotes"
    rebuttals: int = 0
    questions: int = 0
    further: int = 3
    words: int = 40

    def __post_init__(self) -> None:
        if min(self.rebuttals, self.questions) < 0 or min(self.further, self.words) < 1:
            raise InputError("rounds of a debate are counted from 0, further quotes and words of a question from 1")
        if self.shown == "explanations" and (self.rebuttals or self.questions):
            raise InputError("rebuttals and answers are quotes: a judge of explanations alone sees none")
        if self.format == "consultancy" and self.shown == "explanations":
            raise InputError("in a consultancy the judge needs quotes: an explanation alone says nothing of itself")
        if self.format == "consultancy" and self.rebuttals:
            raise InputError("in a consultancy each side is heard alone: there is nobody to rebut")


PLAIN = Procedure()
"""A debate without rounds."""
