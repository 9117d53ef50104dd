"""Who computes: of the threads of a process one at a time has the floor, and gives it up while it waits elsewhere.

Features that wait for a language model leave their process idle, so several are at work in each; but what they compute
takes turns. Nothing that they share (the subject model, tokenisers, caches) has to be safe for threads, and nothing is
lost by it: one process computes on one core.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from threadpoolctl import threadpool_limits

_lock = threading.Lock()
_mine = threading.local()


@contextmanager
def floor() -> Iterator[None]:
    """Wait for the floor, and have it until the end of the block; a thread that has it keeps it."""
    if getattr(_mine, "held", False):
        yield
        return
    with _lock:
        _mine.held = True
        try:
            yield
        finally:
            _mine.held = False


@contextmanager
def elsewhere() -> Iterator[None]:
    """Let others have the floor while this thread waits for another process; it is waited for again at the end."""
    leave: Callable[[], AbstractContextManager[None]] = getattr(_mine, "leave", nullcontext)
    with released(), leave():
        yield


@contextmanager
def released() -> Iterator[None]:
    """Without the floor, where this thread had it, until the end of the block."""
    if not getattr(_mine, "held", False):
        yield
        return
    _mine.held = False
    _lock.release()
    try:
        yield
    finally:
        _lock.acquire()
        _mine.held = True


def leave_by(leave: Callable[[], AbstractContextManager[None]]) -> None:
    """What else this thread does whenever it goes `elsewhere`: threads that keep in step say so to each other."""
    _mine.leave = leave


def one_thread() -> None:
    """Keep what this thread computes to itself: OpenMP asks each thread anew how many helpers it may have.

    Processes are what runs in parallel, sums in one order give the same bits, and on a busy machine threads that wait
    for each other take many times as long.
    """
    threadpool_limits(1)
