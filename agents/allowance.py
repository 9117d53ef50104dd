"""How much a debate may ask of those who take part, and of language models."""

from __future__ import annotations

from dataclasses import dataclass

from agents.lm import Usage


@dataclass(slots=True)
class Allowance:
    """What is left: `calls` of debaters and judge, and where that is bounded `tokens` that language models read and
    write.

    What a step will take in tokens nobody knows beforehand: it may begin while any are left, and is never broken off.

    >>> left = Allowance(calls=2)
    >>> left.refusal(2), left.refusal()
    ('', "the debate's limit of calls was reached")
    """

    calls: int
    tokens: int | None = None

    def refusal(self, count: int = 1, keep: int = 0) -> str:
        """Why so many calls, with `keep` left besides, cannot be made; empty where they can, and now are spent."""
        if count + keep > self.calls:
            return "the debate's limit of calls was reached"
        if self.tokens is not None and self.tokens <= 0:
            return "the debate's limit of tokens was reached"
        self.calls -= count
        return ""

    def use(self, usage: Usage) -> None:
        """Count what was asked of a language model."""
        if self.tokens is not None:
            self.tokens -= usage.prompt_tokens + usage.completion_tokens
