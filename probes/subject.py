"""What probes ask of the model whose feature is explained. All token ids exclude the beginning-of-text token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from dsl.batch import Vocabulary

TokenIds = tuple[int, ...]


@runtime_checkable
class SubjectModel(Protocol):
    """The main door: contexts in, activations of chosen features out."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The text of every token id."""
        ...

    @property
    def prefix(self) -> TokenIds:
        """What the model reads before every context: the beginning-of-text token, or nothing."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest context it accepts, prefix not counted."""
        ...

    def tokenize(self, text: str) -> TokenIds:
        """Token ids of a text, prefix not included."""
        ...

    def activations(
        self, contexts: Sequence[TokenIds], features: Sequence[int], *, batch_size: int | None = None
    ) -> list[Float[np.ndarray, "ctx features"]]:
        """Activations of the features at every token of every context, in the order given.

        The numbers do not depend on what shares a batch, within the model's stated tolerance; `batch_size=1` is how
        counterexamples are confirmed. An empty context gives an array of shape (0, features).
        """
        ...


@runtime_checkable
class Preactivations(Protocol):
    """What a top-k dictionary cut: pre-activations, and their rank among all features (0 = highest)."""

    def preactivations(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[tuple[Float[np.ndarray, "ctx features"], Float[np.ndarray, "ctx features"]]]: ...


@runtime_checkable
class Gating(Protocol):
    """Where a dictionary's gate decides on less than the model's numerical tolerance (the k-th of a top-k)."""

    def near_boundary(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[Bool[np.ndarray, "ctx features"]]:
        """True where a feature is neither on nor off for certain: nothing is concluded there."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """How natural the model finds a text."""

    def log_likelihood(self, contexts: Sequence[TokenIds]) -> Float[np.ndarray, " contexts"]:
        """Mean log-probability a token, in nats; NaN for an empty context."""
        ...


@runtime_checkable
class Neighbours(Protocol):
    """Features whose decoder directions are close."""

    def neighbours(self, feature: int, count: int) -> tuple[tuple[int, float], ...]:
        """The features of highest decoder cosine and that cosine, highest first, the feature itself left out."""
        ...


@runtime_checkable
class Infiller(Protocol):
    """A masked language model over the subject's own tokens."""

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        """For each context with its one position masked: the likeliest token ids there and their probabilities."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """What texts are about, as directions."""

    def __call__(self, texts: Sequence[str]) -> Float[np.ndarray, "texts dimensions"]:
        """A vector of length 1 for every text: cosines are products."""
        ...


@dataclass(frozen=True, slots=True)
class Swap:
    """A token put in the place of another, and what that is expected to add to a feature's pre-activation."""

    place: int
    token: int
    gain: float


@runtime_checkable
class Gradient(Protocol):
    """Which swaps of single tokens move a feature most, to first order."""

    def swaps(
        self, contexts: Sequence[TokenIds], feature: int, positions: Sequence[int], count: int, *, towards_firing: bool
    ) -> list[tuple[Swap, ...]]:
        """For each context the `count` swaps, each at a place of its own up to the position, with most effect there.

        Most first: the largest gain of the pre-activation at the position towards firing, the largest loss otherwise.
        """
        ...


@runtime_checkable
class Writer(Protocol):
    """Whoever can write texts from an explanation in plain words; a language model, as a rule."""

    def write(self, meaning: str, count: int, *, fires: bool) -> Sequence[str]:
        """At most `count` texts on which a feature that means this fires, or which only look as if it did."""
        ...
