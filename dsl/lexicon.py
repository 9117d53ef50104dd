"""What the language asks of a dictionary of words, once, when the short form `words like "red"` is expanded."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

Relation = Literal["antonyms", "cohyponyms"]


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


@runtime_checkable
class Contrasts(Protocol):
    """What a lexicon may know besides: words that take a word's place and change the meaning, most apt first.

    Answers are lower-case words without the word asked for, inflected as it is; empty where nothing is known.
    """

    def antonyms(self, word: str) -> tuple[str, ...]:
        """Opposites: `antonyms("hot")` holds cold."""
        ...

    def cohyponyms(self, word: str) -> tuple[str, ...]:
        """Words of the same kind that are not the same: `cohyponyms("red")` holds blue and green, not crimson."""
        ...

    def lacks(self, relation: Relation) -> str | None:
        """Why answers about a relation are fewer or weaker than they could be, and what to do; None where not."""
        ...
