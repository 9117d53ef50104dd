"""What a debater or a judge asks of a language model, and what may come back; who answers is wired elsewhere.

A request holds all that determines its answer. A reply is either what the model said or a `Failure`: what was refused,
timed out or fell outside its constraint is counted with its reason and never passed on as something said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Free:
    """Any text; it ends where the model ends it, or at `stop`, which is left out of what comes back."""

    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grammar:
    """A text of this grammar, in the part of Lark's syntax that llguidance takes too; the start rule is `start`."""

    lark: str


@dataclass(frozen=True, slots=True)
class Labels:
    """Exactly one of these, and where the model can say so, how likely each was."""

    labels: tuple[str, ...]


Constraint: TypeAlias = Free | Grammar | Labels


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation to go on with. `sample` tells apart several answers to what is otherwise the same request."""

    messages: tuple[Message, ...]
    constraint: Constraint = Free()
    max_tokens: int = 512
    temperature: float = 1.0
    seed: int = 0
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model said, complete and within its constraint.

    `logprobs` has, for a `Labels` constraint, the natural logarithm of each label's probability among the labels, in
    their order; it is empty where the model does not say. Only free text may be `cut`: at `max_tokens`, not by the
    model.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[tuple[str, float], ...] = ()
    cut: bool = False


FailureKind = Literal[
    "unreachable",  # no connection, or it broke; retried
    "timeout",  # no answer in time; retried
    "overloaded",  # 429; retried
    "server error",  # 5xx; retried
    "malformed",  # a reply that is not what the protocol says; retried
    "empty",  # no choice, or one without text; retried
    "outside the constraint",  # the grammar or the labels were ignored
    "cut off",  # max_tokens ended a constrained text
    "too long",  # the conversation does not fit the model's context
    "refused",  # 4xx, or a model that will not answer; asking again is no use
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Nothing was said, and why; `retries` were made before that was accepted."""

    kind: FailureKind
    reason: str
    retries: int = 0


Reply: TypeAlias = Completion | Failure


@runtime_checkable
class LanguageModel(Protocol):
    """Answers requests, from any number of threads at once."""

    @property
    def name(self) -> str:
        """What it is called in results, as its spec on the command line."""
        ...

    @property
    def revision(self) -> str:
        """Tells apart models of the same name whose answers differ: a digest of the weights, or what a server says."""
        ...

    @property
    def context_tokens(self) -> int:
        """How many tokens a conversation and its continuation may have together."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation as the model reads it, or an upper estimate where nobody can count them."""
        ...

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order. Never raises for what a model or a server does: that is a `Failure`."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked and answered, whether or not a cache had the answer: the same for the same run.

    >>> Usage(calls=1, prompt_tokens=10) + Usage(calls=2, failures=1)
    Usage(calls=3, failures=1, prompt_tokens=10, completion_tokens=0)
    """

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, reply: Reply) -> Usage:
        """The usage of one call."""
        match reply:
            case Completion(prompt_tokens=prompt, completion_tokens=completion):
                return cls(calls=1, prompt_tokens=prompt, completion_tokens=completion)
            case Failure():
                return cls(calls=1, failures=1)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.failures + other.failures,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def __sub__(self, before: Usage) -> Usage:
        """What came on top of `before`."""
        return Usage(
            self.calls - before.calls,
            self.failures - before.failures,
            self.prompt_tokens - before.prompt_tokens,
            self.completion_tokens - before.completion_tokens,
        )
