"""An event loop in a thread of its own, so that any number of threads can wait for calls that run side by side."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Closing = Callable[[], Awaitable[None]]


class Background:
    """Runs coroutines in a thread that starts with the first one, and ends with this object or the program.

    `closing` lets go of what the coroutines opened; it runs in that thread, last.

    >>> async def six() -> int:
    ...     return 6
    >>> async def nothing() -> None: ...
    >>> background = Background(nothing)
    >>> background.run(six())
    6
    >>> background.close()
    """

    def __init__(self, closing: Closing) -> None:
        self._closing = closing
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], Any] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises; where the wait is broken off (Ctrl-C), so is the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._started())
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """End the thread; what still runs is broken off. A later `run` starts another."""
        with self._lock:
            if self._end is not None:
                self._end()
            self._loop = self._end = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                thread = threading.Thread(target=_serve, args=(started, self._closing), name="lm-calls", daemon=True)
                thread.start()
                self._loop = started.result()
                self._end = weakref.finalize(self, _end, self._loop, thread)
            return self._loop


def _serve(started: Future[asyncio.AbstractEventLoop], closing: Closing) -> None:
    async def leave() -> None:
        await closing()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        started.set_result(loop)
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        runner.run(leave())


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():  # the last reference may go in any thread
        thread.join()
