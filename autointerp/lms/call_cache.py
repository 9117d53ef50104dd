"""Every call of a language model, kept on disk: a run that is repeated, or was killed, asks nothing twice."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import assert_never

from agents.lm import Completion, Constraint, Free, Grammar, Labels, LanguageModel, Message, Reply, Request
from autointerp.kept import LIMIT, Kept


class Cached:
    """Implements `agents.lm.LanguageModel`: answers of another, the same ones again for the same requests.

    The key is all that determines an answer: the model's name and revision, and the whole request. Failures are never
    kept. Of equal requests one is asked; who asks the same while it is being answered gets the same reply. `hits` and
    `misses` count requests; `failures` entries that could not be read or written (such are asked again).

    >>> lm = Cached(lm, Path("calls.sqlite3"))  # doctest: +SKIP
    """

    def __init__(self, lm: LanguageModel, path: Path, *, limit: int = LIMIT) -> None:
        self._lm, self._kept = lm, Kept(path, limit=limit)
        self._turn = threading.Lock()
        self._asking: dict[Request, Future[Reply]] = {}
        self.hits = self.misses = self._unread = 0

    @property
    def name(self) -> str:
        return self._lm.name

    @property
    def revision(self) -> str:
        return self._lm.revision

    @property
    def context_tokens(self) -> int:
        return self._lm.context_tokens

    @property
    def failures(self) -> int:
        return self._kept.failures + self._unread

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._lm.count_tokens(messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order; those that are not kept are asked together."""
        with self._turn:  # all of them at once: two callers never wait for each other
            wanted = {request: self._asking.get(request) for request in requests}
            mine = {request: Future[Reply]() for request, asked in wanted.items() if asked is None}
            self._asking.update(mine)
        try:
            self._answer(mine)
        except BaseException as error:  # is theirs too who wait for the same answer
            for future in mine.values():
                if not future.done():
                    future.set_exception(error)
            raise
        finally:
            with self._turn:
                for request in mine:
                    del self._asking[request]
        replies = [(wanted[request] or mine[request]).result() for request in requests]
        with self._turn:
            self.hits += len(requests) - len(mine)
        return replies

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        self._kept.close()

    def _answer(self, futures: Mapping[Request, Future[Reply]]) -> None:
        missing = []
        for request, future in futures.items():
            kept = self._look_up(request)
            if kept is None:
                missing.append(request)
            else:
                future.set_result(kept)
        with self._turn:
            self.hits += len(futures) - len(missing)
            self.misses += len(missing)
        if not missing:
            return
        for request, reply in zip(missing, self._lm.complete(missing), strict=True):
            if isinstance(reply, Completion):
                self._kept.put(key_of(self.name, self.revision, request), _written(reply))
            futures[request].set_result(reply)

    def _look_up(self, request: Request) -> Completion | None:
        found = self._kept.get(key_of(self.name, self.revision, request))
        if found is None:
            return None
        try:
            return _read(found)
        except (ValueError, TypeError, KeyError):
            with self._turn:
                self._unread += 1
            return None


def key_of(name: str, revision: str, request: Request) -> bytes:
    """A digest of everything that determines an answer.

    >>> one = Request((Message("user", "Hello"),))
    >>> key_of("lm", "1", one) == key_of("lm", "2", one)
    False
    """
    messages = [[message.role, message.text] for message in request.messages]
    sampling = [request.max_tokens, float(request.temperature), request.seed, request.sample]
    whole = [name, revision, messages, _spelt(request.constraint), sampling]
    return hashlib.sha256(json.dumps(whole).encode()).digest()


def _spelt(constraint: Constraint) -> list[object]:
    match constraint:
        case Free(stop=stop):
            return ["free", *stop]
        case Grammar(lark=lark):
            return ["grammar", lark]
        case Labels(labels=labels):
            return ["labels", *labels]
        case _:
            assert_never(constraint)


def _written(reply: Completion) -> bytes:
    fields = [reply.text, reply.prompt_tokens, reply.completion_tokens, reply.logprobs, reply.cut]
    return json.dumps(fields).encode()


def _read(kept: bytes) -> Completion:
    text, prompt, completion, logprobs, cut = json.loads(kept)
    if not (
        isinstance(text, str) and isinstance(prompt, int) and isinstance(completion, int) and isinstance(cut, bool)
    ):
        raise TypeError("no completion")
    return Completion(text, prompt, completion, tuple((str(label), float(value)) for label, value in logprobs), cut)
