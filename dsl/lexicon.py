"""What the language asks of a dictionary of words, once, when the short form `words like "red"` is expanded."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Lexicon(Protocol):
    """Where expansions come from. Answers are lower-case words, the word asked for among them, most apt first."""

    @property
    def version(self) -> str:
        """Names everything that determines the answers; recorded beside results."""
        ...

    def forms(self, word: str) -> tuple[str, ...]:
        """Inflections of the word: `forms("run")` holds run, runs, ran, running."""
        ...

    def like(self, word: str) -> tuple[str, ...]:
        """Words of its semantic field: `like("red")` holds red, crimson, scarlet."""
        ...

    def about(self, topic: str) -> tuple[str, ...]:
        """Words that texts about the topic use: `about("cooking")` holds oven, bake, kitchen."""
        ...
