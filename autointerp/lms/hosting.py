"""One process has the language models; the others, and its own threads, ask it.

A local model is loaded once, and sees the requests of all features together. While an answer is waited for, the thread
gives up the floor, so that its process goes on with another feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agents.lm import LanguageModel, Message, Reply, Request
from autointerp.floor import elsewhere
from autointerp.remote import Remote, Served


@dataclass(frozen=True)
class HostedLM:
    """A `LanguageModel` that another process has; it pickles."""

    key: str
    name: str
    revision: str
    context_tokens: int
    remote: Remote

    def count_tokens(self, messages: Sequence[Message]) -> int:
        with elsewhere():
            count: int = self.remote(self.key, "count_tokens", tuple(messages))
        return count

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        with elsewhere():
            replies: list[Reply] = self.remote(self.key, "complete", tuple(requests))
        return replies


@contextmanager
def hosted(models: Mapping[str, LanguageModel]) -> Iterator[dict[str, HostedLM]]:
    """Each model as one that can be sent to other processes; they answer until the end of the block.

    >>> with hosted({"hf:models/small": model}) as models:  # doctest: +SKIP
    ...     models["hf:models/small"].complete([request])
    """

    def answer(key: str, method: str, argument: object) -> object:
        return getattr(models[key], method)(argument)

    with Served(answer) as served:
        remote = Remote(*served.where)
        yield {
            key: HostedLM(key, model.name, model.revision, model.context_tokens, remote)
            for key, model in models.items()
        }
