"""A language model as judge: one constrained answer to each view, or thoughts first and then the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents.conversation import TEMPLATE_TOKENS, fits
from agents.judge import Ballot, Question
from agents.judge_prompts import alone, answers, case, how_to_answer, how_to_ask, how_to_think, versions
from agents.lm import Completion, Failure, Free, Labels, LanguageModel, Message, Reply, Request, Usage
from agents.views import JudgeView
from prompts import inline

FLOOR = math.log(0.01)
"""The least log-probability that counts, in nats: no order is so sure that it outvotes all others."""

MARGIN = math.log(2)
"""The lead in nats that makes a choice: twice as likely, as a geometric mean over the orders."""

ANSWER_TOKENS, QUESTION_TOKENS = 8, 160
THOUGHT_TOKENS, THOUGHT_WORDS = 600, 200


class LMJudge:
    """Puts each view to a language model, at temperature 0, and all views at once.

    A ballot's scores are the log-probabilities of the labels and of NONE, in nats, none below FLOOR; averaged over
    orders they are a geometric mean. Where the model does not say how likely its answers were, for all views of a
    debate alike the scores are 1 for what it answered and 0 for the rest. With `chain_of_thought` it first writes down
    what it thinks, at some length; that is kept in the ballot. A view that is too long for the model, in any of the
    orders, is shortened in all of them: each side shows as many quotes as fit, at least one, and the ballot says so.
    What failed is a ballot without an answer.
    """

    def __init__(self, lm: LanguageModel, chain_of_thought: bool = False, margin: float = MARGIN) -> None:
        self.name = f"{lm.name}, thinking" if chain_of_thought else lm.name
        self.margin, self.prompts = margin, versions()
        self._lm, self._thinks = lm, chain_of_thought

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        views, note = self._fitting(views, how_to_answer, ANSWER_TOKENS)
        thoughts = self._think(views) if self._thinks else [_Thought() for _ in views]
        ready = [number for number, thought in enumerate(thoughts) if thought.failure is None]
        replies = self._lm.complete([self._request(views[number], thoughts[number]) for number in ready])
        answered = dict(zip(ready, replies, strict=True))
        graded = all(_graded(views[number], reply) for number, reply in answered.items())
        return [
            _ballot(view, thought, answered.get(number), graded, note)
            for number, (view, thought) in enumerate(zip(views, thoughts, strict=True))
        ]

    def ask(self, view: JudgeView, words: int) -> Question:
        """One question in free text; where none came, the reason is why."""
        [view], _ = self._fitting([view], lambda shown: how_to_ask(shown, words), QUESTION_TOKENS)
        prompt = Message("user", f"{case(view)}\n{how_to_ask(view, words)}")
        [reply] = self._lm.complete([Request((prompt,), Free(), QUESTION_TOKENS, temperature=0.0)])
        match reply:
            case Failure():
                return Question("", _reason(reply), Usage.of(reply))
            case Completion(text=text):
                return Question(text, usage=Usage.of(reply))

    def _think(self, views: Sequence[JudgeView]) -> list[_Thought]:
        ending = how_to_think(THOUGHT_WORDS)
        requests = [
            Request((Message("user", f"{case(view)}\n{ending}"),), Free(), THOUGHT_TOKENS, temperature=0.0)
            for view in views
        ]
        return [_Thought.of(reply) for reply in self._lm.complete(requests)]

    def _request(self, view: JudgeView, thought: _Thought) -> Request:
        asked, ending = case(view), how_to_answer(view)
        messages = [Message("user", f"{asked}\n{ending}")]
        if self._thinks:
            first = Message("user", f"{asked}\n{how_to_think(THOUGHT_WORDS)}")
            messages = [first, Message("assistant", _written(thought.text)), Message("user", ending)]
        return Request(tuple(messages), Labels(answers(view)), ANSWER_TOKENS, temperature=0.0)

    def _fitting(
        self, views: Sequence[JudgeView], ending: Callable[[JudgeView], str], most: int
    ) -> tuple[list[JudgeView], str]:
        """The views, all with as many quotes of each side as fit in every one of them, and a note where some do not."""
        full = max((len(said) for view in views for said in view.quotes_by_turn), default=0)
        for count in range(full, 1, -1):
            shortened = [view.shortened(count) for view in views]
            if all(self._fits(f"{case(view)}\n{ending(view)}", most) for view in shortened):
                return shortened, "" if count == full else _dropped(count, full)
        if full <= 1:
            return list(views), ""
        return [view.shortened(1) for view in views], _dropped(1, full)

    def _fits(self, text: str, most: int) -> bool:
        if self._thinks:
            text, most = f"{text}\n{how_to_think(THOUGHT_WORDS)}", most + THOUGHT_TOKENS + 2 * TEMPLATE_TOKENS
        return fits(self._lm, [Message("user", text)], most)


@dataclass(frozen=True, slots=True)
class _Thought:
    """What the judge wrote before it answers a view, or why there is nothing."""

    text: str = ""
    failure: str | None = None
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, reply: Reply) -> _Thought:
        match reply:
            case Completion(text=text):
                return cls(text, usage=Usage.of(reply))
            case Failure():
                return cls(failure=_reason(reply), usage=Usage.of(reply))


def _ballot(view: JudgeView, thought: _Thought, reply: Reply | None, graded: bool, note: str) -> Ballot:
    if reply is None:
        return Ballot.failed(thought.failure or "", usage=thought.usage)
    usage = thought.usage + Usage.of(reply)
    match reply:
        case Failure():
            return Ballot.failed(_reason(reply), thought.text, usage)
        case Completion(text=said):
            offered = answers(view)
            if said not in offered:
                return Ballot.failed(f"answered {said[:80]!r}, which is no label", thought.text, usage)
            scores = {answer: max(FLOOR, value) for answer, value in reply.logprobs}
            if not graded:
                scores = {answer: float(answer == said) for answer in offered}
            *yes, no = offered
            labels = dict(zip(view.labels, yes, strict=True)) if alone(view) else {label: label for label in yes}
            return Ballot(
                label=None if said == no else view.labels[0] if alone(view) else said,
                scores={label: scores[answer] for label, answer in labels.items()},
                reason=note,
                none=scores[no],
                graded=graded,
                thoughts=thought.text,
                usage=usage,
            )


def _graded(view: JudgeView, reply: Reply) -> bool:
    """Whether a reply says how likely each answer was; what failed says nothing against it."""
    return isinstance(reply, Failure) or sorted(answers(view)) == sorted(answer for answer, _ in reply.logprobs)


def _written(thoughts: str) -> str:
    """Thoughts as they are read again: line by line, and no marker of a chat template among them."""
    return "\n".join(map(inline, thoughts.splitlines())) or "(nothing)"


def _dropped(count: int, full: int) -> str:
    return f"too long for the model's context: at most {count} of {full} quotes of each side were shown"


def _reason(failure: Failure) -> str:
    return f"{failure.kind}: {failure.reason}"
