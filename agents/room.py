"""How the context of a model is shared out between what a debater reads and what it may write."""

from __future__ import annotations

from agents.briefing import brief, fitting_bounds
from agents.conversation import Conversation, fits
from agents.lm import LanguageModel, Message
from agents.moves import TurnBounds, longest_turn
from dsl.decoding import Bounds, longest_output
from dsl.lexicon import Lexicon
from dsl.records import Evidence
from prompts import load, names

TOKENS_A_WORD = 4
"""Allowed for each word of an argument; what is longer is cut at the limit of words all the same."""

TYPICAL_TURN = 100
"""Tokens that a turn and its answer are reckoned with where examples are left out to make room for turns; they get a
sixteenth of the context at most."""

VERDICT = 400
"""Tokens kept free for what a move is answered, and for the words between the last steps; a 24th of the context at
most."""

FULL_SIZE, SHORTEST_LINE = 16_384, 48
"""Tokens of context from which notes and quotes may be of full length, and the characters that they always may have."""


class Room:
    """What a context allows: the bounds of a `turn`, tokens for an answer to it (`verdict`) and for an `argument`."""

    def __init__(self, lm: LanguageModel, lexicon: Lexicon | None, words: int) -> None:
        self._lm, self._lexicon = lm, lexicon
        self.turn = _turn_bounds(lm.context_tokens)
        self.verdict = min(VERDICT, lm.context_tokens // 24)
        self.argument = TOKENS_A_WORD * words

    def bounds(self, evidence: Evidence) -> Bounds:
        """What an explanation of this evidence may hold."""
        return fitting_bounds(self._lm.context_tokens, self._lexicon, evidence)

    def for_turns(self, count: int) -> int:
        """Tokens of so many turns: one of any length, the others as they typically are."""
        typical = min(TYPICAL_TURN * count, self._lm.context_tokens // 16)
        return longest_turn(("QUOTE", "TRY", "EXPLAIN"), self.turn) + typical

    def after_turns(self, bounds: Bounds) -> int:
        """Tokens that come after the last turn."""
        return longest_output(bounds) + self.argument + self.verdict

    def for_another_attempt(self, bounds: Bounds) -> int:
        """Tokens of a problem, a turn and what comes after."""
        return 2 * self.verdict + self.for_turns(0) + self.after_turns(bounds)

    def open(
        self, evidence: Evidence, bounds: Bounds, ask: str, reserve: int, temperature: float
    ) -> tuple[Conversation, list[str]] | str:
        """A conversation begun, with room for so many tokens, and notes on how that was made; or why it cannot be."""
        if not any(example.peak >= evidence.thresholds.high for example in evidence.examples):
            return "the feature fires in none of its examples"

        def leaves_room(opening: str) -> bool:
            return fits(self._lm, [Message("user", f"{opening}\n{ask}".rstrip())], reserve)

        briefing = brief(evidence, bounds, leaves_room)
        if briefing is None:
            return (
                f"a context of {self._lm.context_tokens} tokens is too small: there is no room for three examples and "
                f"the {reserve} tokens that may be written after them; take a model with a longer context"
            )
        talk = Conversation(self._lm, f"{briefing.text}\n{ask}".rstrip(), temperature=temperature)
        return talk, [f"prompts: {_versions()}", *briefing.notes]


def _turn_bounds(context_tokens: int) -> TurnBounds:
    share, full = min(1.0, context_tokens / FULL_SIZE), TurnBounds()
    return TurnBounds(max(SHORTEST_LINE, int(share * full.note)), max(SHORTEST_LINE, int(share * full.text)))


def _versions() -> str:
    return ", ".join(f"{name} {load(name).version}" for name in names() if name.startswith("debater"))
