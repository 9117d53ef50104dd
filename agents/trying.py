"""The probe tool of a debater: a text of its own, run through the subject model; wired by whoever has a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dsl.records import Example


@runtime_checkable
class TryText(Protocol):
    """Runs a text on one feature of one model."""

    def __call__(self, text: str) -> Example | str:
        """The text as the model reads it with the feature's activation at each token, or why it cannot be run."""
        ...
