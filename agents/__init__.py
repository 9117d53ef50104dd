"""The argument: proposals, quotes that are checked, a judge that sees only what it may, and the debate itself.

Names load with the module that holds them on first use, so `import agents` costs nothing. The two verbs share the
names of their modules and are imported from there: `from agents.debate import debate`, `from agents.search import
search`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.debate import Settings, admit
    from agents.debater import Debater, Respondent, SearchDebater, TextDebater
    from agents.discussion import Limits
    from agents.judge import Ballot, BuiltinJudge, Judge, Question, Questioner
    from agents.judge_prompts import judge_prompt
    from agents.lm_debater import LMDebater
    from agents.lm_judge import LMJudge
    from agents.picking import pick_quotes
    from agents.procedure import Procedure
    from agents.quotes import Quote, QuoteRequest, Rejected, verify
    from agents.scripted_debating import answer_as_debater
    from agents.scripted_lm import ScriptedLM
    from agents.transcript import Abstained, Chosen, Consensus, Side, Transcript, Verdict, Vote
    from agents.trying import TryText
    from agents.turns import Answer, Argument, Forfeit, Proposal, Round, Scratchpad, Turn
    from agents.views import JudgeView
    from agents.voting import orders

__all__ = [
    "Abstained",
    "Answer",
    "Argument",
    "Ballot",
    "BuiltinJudge",
    "Chosen",
    "Consensus",
    "Debater",
    "Forfeit",
    "Judge",
    "JudgeView",
    "LMDebater",
    "LMJudge",
    "Limits",
    "Procedure",
    "Proposal",
    "Question",
    "Questioner",
    "Quote",
    "QuoteRequest",
    "Rejected",
    "Respondent",
    "Round",
    "Scratchpad",
    "ScriptedLM",
    "SearchDebater",
    "Settings",
    "Side",
    "TextDebater",
    "Transcript",
    "TryText",
    "Turn",
    "Verdict",
    "Vote",
    "admit",
    "answer_as_debater",
    "judge_prompt",
    "orders",
    "pick_quotes",
    "verify",
]

_HOMES = {
    "debate": ("Settings", "admit"),
    "debater": ("Debater", "Respondent", "SearchDebater", "TextDebater"),
    "discussion": ("Limits",),
    "judge": ("Ballot", "BuiltinJudge", "Judge", "Question", "Questioner"),
    "judge_prompts": ("judge_prompt",),
    "lm_debater": ("LMDebater",),
    "lm_judge": ("LMJudge",),
    "picking": ("pick_quotes",),
    "procedure": ("Procedure",),
    "quotes": ("Quote", "QuoteRequest", "Rejected", "verify"),
    "scripted_debating": ("answer_as_debater",),
    "scripted_lm": ("ScriptedLM",),
    "transcript": ("Abstained", "Chosen", "Consensus", "Side", "Transcript", "Verdict", "Vote"),
    "trying": ("TryText",),
    "turns": ("Answer", "Argument", "Forfeit", "Proposal", "Round", "Scratchpad", "Turn"),
    "views": ("JudgeView",),
    "voting": ("orders",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    value: object = getattr(import_module(f"agents.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
