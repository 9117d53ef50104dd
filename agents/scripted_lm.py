"""A language model that answers as it is told: for tests, and for trying out a debate where there is no model."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import assert_never

from lark import Lark
from lark.exceptions import UnexpectedInput

from agents.lm import Completion, Failure, Free, Grammar, Labels, Message, Reply, Request

Answer = Callable[[Request], "str | Failure"]
Logprobs = Callable[[Request], Mapping[str, float]]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PER_MESSAGE = 4  # tokens that a chat template puts round a message


class ScriptedLM:
    """Says what `answer` says, held to the request as a real model is; the same for the same request.

    A token is a word or a mark of punctuation. Free text ends at a stop or, cut, at `max_tokens`; a text outside its
    grammar or labels, one longer than `max_tokens` and a conversation that does not fit are failures. `logprobs` gives
    the labels' log-probabilities, where a request asks for labels. `asked` holds every request so far, in the order in
    which they came.

    >>> lm = ScriptedLM(lambda request: "ready. steady")
    >>> lm.complete([Request((Message("user", "Go on"),), Free(stop=(".",)))])
    [Completion(text='ready', prompt_tokens=6, completion_tokens=1, logprobs=(), cut=False)]
    """

    def __init__(
        self,
        answer: Answer,
        *,
        name: str = "scripted",
        revision: str = "1",
        context_tokens: int = 32_768,
        logprobs: Logprobs | None = None,
    ) -> None:
        self.name, self.revision, self.context_tokens = name, revision, context_tokens
        self._answer, self._logprobs = answer, logprobs
        self._lock = threading.Lock()
        self._asked: list[Request] = []

    @property
    def asked(self) -> tuple[Request, ...]:
        with self._lock:
            return tuple(self._asked)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Words and marks of punctuation, and a few more for each message."""
        return sum(_PER_MESSAGE + count_words(message.text) for message in messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._complete(request) for request in requests]

    def _complete(self, request: Request) -> Reply:
        with self._lock:
            self._asked.append(request)
        prompt = self.count_tokens(request.messages)
        if prompt + request.max_tokens > self.context_tokens:
            return Failure(
                "too long", f"{prompt} tokens and {request.max_tokens} to come; there is room for {self.context_tokens}"
            )
        said = self._answer(request)
        if isinstance(said, Failure):
            return said
        match request.constraint:
            case Free(stop=stop):
                text, cut = _cut(_stopped(said, stop), request.max_tokens)
                return Completion(text, prompt, count_words(text), cut=cut)
            case Grammar(lark=grammar):
                if not allows(grammar, said):
                    return Failure("outside the constraint", f"{self.name} said {said[:80]!r}, outside the grammar")
            case Labels(labels=labels):
                if said not in labels:
                    return Failure("outside the constraint", f"{self.name} said {said[:80]!r}, which is no label")
            case _:
                assert_never(request.constraint)
        words = count_words(said)
        if words > request.max_tokens:
            return Failure("cut off", f"{words} tokens; at most {request.max_tokens} were allowed")
        if self._logprobs is None or not isinstance(request.constraint, Labels):
            return Completion(said, prompt, words)
        return Completion(said, prompt, words, tuple(self._logprobs(request).items()))


def count_words(text: str) -> int:
    """How many tokens a text is to a `ScriptedLM`: its words and its marks of punctuation.

    >>> count_words('QUOTE 3 "pie"')
    5
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def allows(grammar: str, text: str) -> bool:
    """Whether a grammar in Lark's syntax (LALR(1), the start rule is `start`) allows a text.

    >>> allows('start: "yes" | "no"', "yes"), allows('start: "yes" | "no"', "maybe")
    (True, False)
    """
    try:
        _parser(grammar).parse(text)
    except UnexpectedInput:
        return False
    return True


@lru_cache(maxsize=32)
def _parser(grammar: str) -> Lark:
    return Lark(grammar, parser="lalr")


def _stopped(text: str, stops: Sequence[str]) -> str:
    ends = [text.find(stop) for stop in stops]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def _cut(text: str, most: int) -> tuple[str, bool]:
    for number, token in enumerate(_TOKEN.finditer(text), start=1):
        if number == most + 1:
            return text[: token.start()].rstrip(), True
    return text, False
