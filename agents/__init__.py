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
    from agents.debater import Debater, SearchDebater, TextDebater
    from agents.judge import Ballot, BuiltinJudge, Judge, judge_prompt
    from agents.picking import pick_quotes
    from agents.quotes import Quote, QuoteRequest, Rejected, verify
    from agents.transcript import (
        Abstained,
        Argument,
        Chosen,
        Consensus,
        Forfeit,
        JudgeView,
        Proposal,
        Scratchpad,
        Side,
        Transcript,
        Turn,
        Verdict,
        Vote,
    )
    from agents.voting import orders

__all__ = [
    "Abstained",
    "Argument",
    "Ballot",
    "BuiltinJudge",
    "Chosen",
    "Consensus",
    "Debater",
    "Forfeit",
    "Judge",
    "JudgeView",
    "Proposal",
    "Quote",
    "QuoteRequest",
    "Rejected",
    "Scratchpad",
    "SearchDebater",
    "Settings",
    "Side",
    "TextDebater",
    "Transcript",
    "Turn",
    "Verdict",
    "Vote",
    "admit",
    "judge_prompt",
    "orders",
    "pick_quotes",
    "verify",
]

_HOMES = {
    "debate": ("Settings", "admit"),
    "debater": ("Debater", "SearchDebater", "TextDebater"),
    "judge": ("Ballot", "BuiltinJudge", "Judge", "judge_prompt"),
    "picking": ("pick_quotes",),
    "quotes": ("Quote", "QuoteRequest", "Rejected", "verify"),
    "transcript": (
        *("Abstained", "Argument", "Chosen", "Consensus", "Forfeit", "JudgeView", "Proposal"),
        *("Scratchpad", "Side", "Transcript", "Turn", "Verdict", "Vote"),
    ),
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
