"""Requests of many threads as full batches: what comes in while a model is busy, or within a moment, goes together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from agents.lm import Grammar, LanguageModel, Message, Reply, Request

MAX_BATCH = 32
"""Requests handed over at once, unless the model says itself how many it takes (`max_batch`)."""

MOMENT = 0.005
"""Seconds that the first request of a batch waits for others at most."""

_Waiting = tuple[Request, "Future[Reply]"]


class Batching:
    """Implements `agents.lm.LanguageModel`: hands another the requests that wait, of one kind of constraint at a time.

    The batch that goes is of the kind whose first request has waited longest, shortest conversations first, so that
    little of it is padding. What the model raises is raised to those whose requests were in the batch. One thread
    serves, from the first request until `close`; whoever asks after that, or waits at that time, gets a RuntimeError.

    >>> with Batching(lm) as lm:  # doctest: +SKIP
    ...     run_threads(lm)
    """

    def __init__(self, lm: LanguageModel, *, max_batch: int | None = None, moment: float = MOMENT) -> None:
        self._lm, self._moment = lm, moment
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.batches: list[int] = []

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
    def max_batch(self) -> int:
        own: int = getattr(self._lm, "max_batch", MAX_BATCH)
        return self._max_batch or own

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._lm.count_tokens(messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order, as soon as the last of them is answered."""
        futures: list[Future[Reply]] = [Future() for _ in requests]
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{self.name} is closed")
            if self._thread is None and requests:
                self._thread = threading.Thread(target=self._serve, name=f"batches of {self.name}", daemon=True)
                self._thread.start()
            self._waiting.extend(zip(requests, futures, strict=True))
            self._changed.notify_all()
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the thread once the batch in hand is answered; what still waits is not asked any more."""
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, []
            self._changed.notify_all()
        for _, future in left:
            future.set_exception(RuntimeError(f"{self.name} is closed"))
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Batching:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def _serve(self) -> None:
        while batch := self._next():
            self.batches.append(len(batch))
            try:
                replies = self._lm.complete([request for request, _ in batch])
                for (_, future), reply in zip(batch, replies, strict=True):
                    future.set_result(reply)
            except BaseException as error:  # whatever it is belongs to those who asked
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)

    def _next(self) -> list[_Waiting]:
        """The next batch, waited for; none once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            until = time.monotonic() + self._moment
            while not self._closed and len(self._batch()) < self.max_batch and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._closed:
                return []
            batch = self._batch()
            taken = {id(future) for _, future in batch}
            self._waiting = [one for one in self._waiting if id(one[1]) not in taken]
            return batch

    def _batch(self) -> list[_Waiting]:
        kind = _kind(self._waiting[0][0])
        alike = [one for one in self._waiting if _kind(one[0]) == kind]
        first, rest = alike[0], sorted(alike[1:], key=lambda one: abs(_length(one[0]) - _length(alike[0][0])))
        return [first, *rest[: self.max_batch - 1]]


def _kind(request: Request) -> tuple[str, str]:
    constraint = request.constraint
    return type(constraint).__name__, constraint.lark if isinstance(constraint, Grammar) else ""


def _length(request: Request) -> int:
    return sum(len(message.text) for message in request.messages)
