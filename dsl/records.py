"""The records that pass between floors: what a feature is, and what it was seen to do.

Everything here is frozen. The three samples of a feature's behaviour are different types on purpose: `Evidence` is
what debaters may see, `Dev` is what repair and tie-breaks may use, and `HeldOut` is what only scoring accepts, so a
leak between them is a type error. Beginning-of-text tokens never appear in these records: the subject model adds
them itself, so nothing above can quote, score or edit one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from dsl.batch import Batch, Vocabulary
from dsl.nodes import Explanation, Expression


@dataclass(frozen=True, slots=True)
class Feature:
    """One direction of a dictionary at a hookpoint of a model.

    >>> Feature("stories-lm", "blocks.2.hook_resid_post", "stories-sae", 17).id
    'blocks.2.hook_resid_post/17'
    """

    model: str
    hookpoint: str
    dictionary: str
    index: int

    @property
    def id(self) -> str:
        return f"{self.hookpoint}/{self.index}"


@dataclass(frozen=True, slots=True)
class Context:
    """A tokenised window of one document, without the beginning-of-text token.

    `tokens[i]` is the text of token i; bytes that are not UTF-8 on their own are lone surrogates (Python's
    `surrogateescape`). `token_ids` is None for records that came as strings only. `start` is the offset of `tokens[0]`
    in what the model read (0 = first token after the beginning-of-text), None where unknown: position constructs never
    hold there. `document` names the source document; samples are split by it.
    """

    tokens: tuple[str, ...]
    token_ids: tuple[int, ...] | None = None
    start: int | None = None
    document: str = ""

    def __post_init__(self) -> None:
        if self.token_ids is not None and len(self.token_ids) != len(self.tokens):
            raise ValueError(f"{len(self.tokens)} tokens but {len(self.token_ids)} token ids")
        if self.start is not None and self.start < 0:
            raise ValueError(f"start is {self.start}; it counts tokens from the beginning of the document, from 0")

    @property
    def text(self) -> str:
        """The text, with what is not UTF-8 shown as U+FFFD."""
        joined = "".join(self.tokens).encode("utf-8", "surrogateescape")
        return joined.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Example:
    """A context and the feature's activation at each of its tokens: finite and not negative."""

    context: Context
    activations: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.activations) != len(self.context.tokens):
            raise ValueError(f"{len(self.context.tokens)} tokens but {len(self.activations)} activations")
        for position, value in enumerate(self.activations):
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"activation {value} at token {position}; activations are finite and not negative")

    @property
    def peak(self) -> float:
        return max(self.activations, default=0.0)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a feature fires (activation >= `high`), is silent (<= `silent`), and how high it goes (`maximum`).

    What lies between silent and high is indeterminate and never counts as a counterexample.

    >>> Thresholds.from_maximum(10.0)
    Thresholds(high=1.0, silent=0.1, maximum=10.0)
    """

    high: float
    silent: float
    maximum: float

    def __post_init__(self) -> None:
        if not 0 <= self.silent < self.high <= self.maximum:
            raise ValueError(f"thresholds must satisfy 0 <= silent < high <= maximum, not {self}")

    @classmethod
    def from_maximum(cls, maximum: float) -> Thresholds:
        """Where no corpus quantiles exist: a tenth of the maximum fires, a hundredth is silent."""
        return cls(high=maximum / 10, silent=maximum / 100, maximum=maximum)

    @classmethod
    def from_quantiles(cls, tenth: float, top: float, maximum: float) -> Thresholds:
        """From the 10th and 99.9th percentile of the feature's non-zero activations over a corpus."""
        high = max(tenth, 0.1 * top)
        return cls(high=high, silent=0.1 * high, maximum=maximum)


@dataclass(frozen=True)
class _Sample:
    """Examples of one feature, drawn from documents that no other sample of it touches.

    `density` is the share of all corpus positions at which the feature fires, where a corpus was at hand: samples hold
    about as many activating contexts as others, so prevalence has to come from here. None means that the examples are
    all there is and stand for themselves. `stands_for` says of how many contexts of the corpus, relative to the others
    in which the feature is silent, each example was drawn; empty where all of them were drawn alike.
    """

    feature: str
    examples: tuple[Example, ...]
    thresholds: Thresholds
    density: float | None = None
    vocabulary: Vocabulary | None = None
    stands_for: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.stands_for and len(self.stands_for) != len(self.examples):
            raise ValueError(f"{len(self.examples)} examples but {len(self.stands_for)} shares of the corpus")

    @cached_property
    def batch(self) -> Batch:
        """The examples' contexts as one batch, in order."""
        return Batch.of([example.context for example in self.examples], self.vocabulary)

    @cached_property
    def activations(self) -> Float[np.ndarray, "batch ctx"]:
        """Activations aligned with `batch`, zero in the padding."""
        dense = np.zeros(self.batch.ids.shape, dtype=np.float32)
        for row, example in enumerate(self.examples):
            dense[row, : len(example.activations)] = example.activations
        return dense


@dataclass(frozen=True)
class Evidence(_Sample):
    """What debaters see."""


@dataclass(frozen=True)
class Dev(_Sample):
    """What repair, tie-breaks and fallbacks may use; debaters and the judge never see it."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Every position of the held-out documents, with one feature's activations there; only scoring accepts it.

    `documents[row]` is the index of the row's source document: intervals resample documents.
    """

    feature: str
    batch: Batch
    activations: Float[np.ndarray, "batch ctx"]
    documents: Int[np.ndarray, " batch"]
    thresholds: Thresholds

    def __post_init__(self) -> None:
        if self.activations.shape != self.batch.ids.shape or len(self.documents) != len(self.batch.ids):
            raise ValueError("activations, documents and batch disagree in shape")


Kind = Literal["false_positive", "false_negative"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The clause that a repair of an explanation needs, how it joins the rest, and the explanation so mended.

    `or` for what fires and was not predicted, `except` and `and` for what was predicted and is silent.
    """

    how: Literal["or", "except", "and"]
    clause: Expression
    mended: Explanation


@dataclass(frozen=True, slots=True)
class Cut:
    """A feature's pre-activation, before its dictionary cuts any off, and its rank among all features (0: highest)."""

    preactivation: float
    rank: int


@dataclass(frozen=True, slots=True)
class Naturalness:
    """How natural a text is beside the one it was edited from, both as they were before anything was shrunk.

    `log_likelihood_change` is how much likelier the subject finds it, in nats a token; `cosine` how near a sentence
    embedder finds the two; `edit_rate` how many tokens were changed for every token there was. `missing` says, measure
    by measure, why one is None.
    """

    log_likelihood_change: float | None = None
    cosine: float | None = None
    edit_rate: float | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A text on which the subject model itself disagrees with an explanation, at `position` of `example`.

    `original` is the text that it was edited from, where there is one and the explanation was right about it at
    `original_position` (a minimal pair). `shrink_trail` holds the texts between what the generator wrote and this one,
    first to last. `absorbed_by` are the decoder neighbours that fire in its place where the feature is silent.
    `contrast` stands in for an original where there is none: the same text with another token in one place, about
    which the explanation is right at `position`. `wildcards` are positions of `example` where, alone and together,
    whatever token was tried left the disagreement standing. `retokenises` says whether both texts read back as these
    token ids, None where nobody looked. `cut` is None where the subject does not say; `prevalence` is the share of
    corpus positions that are wrong in the same way, None where no corpus is at hand.
    """

    example: Example
    position: int
    predicted: float
    kind: Kind
    generator: str
    original: Example | None = None
    original_position: int | None = None
    shrink_trail: tuple[Example, ...] = ()
    absorbed_by: tuple[int, ...] = ()
    wildcards: tuple[int, ...] = ()
    suggestion: Suggestion | None = None
    retokenises: bool | None = None
    cut: Cut | None = None
    prevalence: float | None = None
    naturalness: Naturalness | None = None
    contrast: Example | None = None

    @property
    def activation(self) -> float:
        return self.example.activations[self.position]

    @property
    def is_minimal_pair(self) -> bool:
        return self.original is not None
