"""What a judge's view is as text. Whatever comes from a corpus, a debater or an earlier reply is escaped here."""

from __future__ import annotations

from agents.views import JudgeView, ShownQuote, ShownRound
from prompts import escape, load, names, one_line

NONE, YES, NO = "NONE", "YES", "NO"
"""What a judge may answer besides a label: of several sides that none is clearly best, and of one side alone."""


def versions() -> str:
    """The names and versions of the prompts that judges read."""
    return ", ".join(f"{name} {load(name).version}" for name in names() if name.startswith("judge"))


def judge_prompt(view: JudgeView) -> str:
    """The whole question to a judge that answers at once; see `case` and `answers`."""
    return f"{case(view)}\n{how_to_answer(view)}"


def case(view: JudgeView) -> str:
    """The sides with their quotes and what they added since, and what a good explanation is."""
    several = "judge" if view.quotes else "judge_explanations"
    said = [_argument(argument.label, argument.explanation, argument.quotes) for argument in view.arguments]
    return load("judge_consultancy" if alone(view) else several).fill(
        arguments="\n\n".join([*said, *map(_round, view.rounds)])
    )


def how_to_answer(view: JudgeView) -> str:
    """The last words of the prompt: which answers there are."""
    if alone(view):
        return load("judge_answer_alone").fill(label=view.labels[0])
    return load("judge_answer").fill(labels=", ".join(sorted(view.labels)))


def how_to_ask(view: JudgeView, words: int) -> str:
    """The last words of the prompt where the judge may ask a question of at most so many words."""
    if alone(view):
        return load("judge_question_alone").fill(label=view.labels[0], words=str(words))
    return load("judge_question").fill(labels=", ".join(sorted(view.labels)), words=str(words))


def how_to_think(words: int) -> str:
    """The last words of the prompt where the judge writes before it answers."""
    return load("judge_think").fill(words=str(words))


def answers(view: JudgeView) -> tuple[str, ...]:
    """What the judge may answer: one of these, exactly."""
    return (YES, NO) if alone(view) else (*sorted(view.labels), NONE)


def alone(view: JudgeView) -> bool:
    """Whether one side is judged without its rivals."""
    return len(view.arguments) == 1


def _argument(label: str, explanation: str, quotes: tuple[ShownQuote, ...]) -> str:
    heading = f"Explanation {label}: {one_line(explanation)}"
    return "\n".join([heading, "Its quotes:", *_lines(quotes)]) if quotes else heading


def _round(turn: ShownRound) -> str:
    if turn.question:
        heading = f'Asked "{escape(turn.question)}", they answered with these quotes:'
    else:
        heading = "Then each chose further quotes against its rivals:"
    return "\n".join([heading, *(f"Explanation {said.label}:\n{_said(said.quotes)}" for said in turn.answers)])


def _said(quotes: tuple[ShownQuote, ...]) -> str:
    return "\n".join(_lines(quotes) or ["- none"])


def _lines(quotes: tuple[ShownQuote, ...]) -> list[str]:
    return [f'- "{quote}"' for quote in quotes]
