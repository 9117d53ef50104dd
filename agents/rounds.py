"""What may be said between the proposals and the votes: quotes against rivals, and quotes that answer the judge."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agents.allowance import Allowance
from agents.debater import Debater, Metered, Respondent
from agents.judge import Judge, Questioner
from agents.lm import Usage
from agents.procedure import Procedure
from agents.quotes import Quote, QuoteRequest, Rejected, verify
from agents.transcript import Side
from agents.turns import Answer, Argument, Round
from agents.views import named
from agents.voting import paper
from dsl.records import Evidence
from prompts import escape

_LONGEST_WORD = 40  # characters: a question is words, however few of them


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers for a side: the debater whose argument stands, and that argument as the debater saw the examples."""

    debater: Debater
    seat: int
    own: Argument


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The evidence as it is, as debaters see it, and for each example that they see its number in the evidence."""

    evidence: Evidence
    shown: Evidence
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, evidence: Evidence, rng: random.Random) -> Shuffled:
        numbers = list(range(len(evidence.examples)))
        rng.shuffle(numbers)
        examples = tuple(evidence.examples[number] for number in numbers)
        return cls(evidence, replace(evidence, examples=examples), tuple(numbers))

    def renumbered(self, request: QuoteRequest) -> QuoteRequest:
        """From the numbers that debaters see to the evidence's own; a number out of range stays out of range."""
        if request.example is None or not 0 <= request.example < len(self.numbers):
            return request
        return replace(request, example=self.numbers[request.example])


@dataclass(slots=True)
class Hearing:
    """The rounds of one debate. `share` is how many tokens each side may show in all, None where there is no limit."""

    sides: Sequence[Side]
    speakers: Mapping[str, Speaker]
    shuffled: Shuffled
    share: int | None
    procedure: Procedure
    allowance: Allowance
    seed: str
    rounds: list[Round] = field(default_factory=list)

    def hold(self, judge: Judge, keep: int) -> tuple[Round, ...]:
        """Every round of the procedure; one for which too little is left, with `keep` calls to vote, is skipped."""
        for number in range(self.procedure.rebuttals):
            self.rounds.append(self._rebuttal(number, keep))
        for number in range(self.procedure.questions):
            groups = [[side] for side in self.sides] if self.procedure.format == "consultancy" else [list(self.sides)]
            for place, group in enumerate(groups):
                self.rounds.append(self._question(group, judge, f"{number} {place}", keep))
        return tuple(self.rounds)

    def _rebuttal(self, number: int, keep: int) -> Round:
        if refused := self.allowance.refusal(self._respondents(self.sides), keep):
            return Round("rebuttal", reason=refused)
        before = tuple(self.rounds)
        return Round("rebuttal", self._answers(self.sides, before, f"rebuttal {number}"))

    def _question(self, group: Sequence[Side], judge: Judge, number: str, keep: int) -> Round:
        """The judge asks about the sides in an order that is drawn, under names that no vote uses."""
        if not isinstance(judge, Questioner):
            return Round("question", reason="the judge does not ask")
        if refused := self.allowance.refusal(1 + self._respondents(group), keep):
            return Round("question", reason=refused)
        drawn = list(group)
        random.Random(f"{self.seed} question {number}").shuffle(drawn)
        names = tuple((f"S{place}", side.label) for place, side in enumerate(drawn, start=1))
        standing = [(name, side) for (name, _), side in zip(names, drawn, strict=True)]
        question = judge.ask(paper(standing, self.shuffled.evidence, self.rounds).view, self.procedure.words)
        self.allowance.use(question.usage)
        text = bounded(question.text, self.procedure.words)
        if not text:
            return Round("question", reason=question.reason or "the judge asked nothing", usage=question.usage)
        asked = Round("question", (), text, names, question.reason, question.usage)
        before = tuple(self.rounds)
        said = escape(named(asked, {side.label: side.label for side in group}))
        return replace(asked, answers=self._answers(group, before, f"answer {number}", said))

    def _respondents(self, sides: Sequence[Side]) -> int:
        return sum(isinstance(self.speakers[side.label].debater, Respondent) for side in sides)

    def _answers(
        self, sides: Sequence[Side], before: Sequence[Round], purpose: str, question: str = ""
    ) -> tuple[Answer, ...]:
        """What each side adds to what was said before; none of them sees what the others add now."""
        standing = [(side.label, side) for side in sides]
        random.Random(f"{self.seed} {purpose}").shuffle(standing)
        view = paper(standing, self.shuffled.evidence, before).view
        answers: list[Answer] = []
        for side in sides:
            speaker = self.speakers[side.label]
            debater = speaker.debater
            if not isinstance(debater, Respondent):
                answers.append(Answer(side.label, speaker.seat, reason="the debater does not respond"))
                continue
            said = [answer for turn in before for answer in turn.answers if answer.side == side.label]
            own = replace(speaker.own, quotes=(*speaker.own.quotes, *self._as_shown(said)))
            spent = debater.spent if isinstance(debater, Metered) else Usage()
            rng = random.Random(f"{self.seed} {purpose} {speaker.seat}")
            asked = tuple(debater.further_quotes(self.shuffled.shown, own, view, rng, question))
            used = debater.spent - spent if isinstance(debater, Metered) else Usage()
            self.allowance.use(used)
            requests = tuple(map(self.shuffled.renumbered, asked))
            taken = [*side.argument.quotes, *(quote for answer in said for quote in answer.verified)]
            answers.append(Answer(side.label, speaker.seat, requests, self._verified(requests, taken), usage=used))
        return tuple(answers)

    def _verified(self, requests: Sequence[QuoteRequest], taken: Sequence[Quote]) -> tuple[Quote | Rejected, ...]:
        """The first few, as far as they verify and the side's share goes; what is beyond is over budget."""
        held = list(taken)
        answers: list[Quote | Rejected] = []
        for number, request in enumerate(requests):
            answer: Quote | Rejected = Rejected("over budget")
            if number < self.procedure.further:
                answer = verify(request, self.shuffled.evidence, held)
            if isinstance(answer, Quote):
                if self.share is not None and sum(map(len, held)) + len(answer) > self.share:
                    answer = Rejected("over budget")
                else:
                    held.append(answer)
            answers.append(answer)
        return tuple(answers)

    def _as_shown(self, said: Sequence[Answer]) -> list[Quote]:
        """The verified quotes of earlier answers, in the numbers that debaters see."""
        places = {number: place for place, number in enumerate(self.shuffled.numbers)}
        shown = self.shuffled.shown
        quotes = [quote for answer in said for quote in answer.verified]
        asked = [
            QuoteRequest(quote.text(self.shuffled.evidence), places[quote.example], quote.start, quote.stop)
            for quote in quotes
        ]
        return [quote for request in asked if isinstance(quote := verify(request, shown), Quote)]


def bounded(text: str, words: int) -> str:
    """A question on one line, cut after so many words; what is longer than any word is cut, too."""
    return " ".join(word[:_LONGEST_WORD] for word in text.split()[:words])
