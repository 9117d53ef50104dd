"""A function of one process, called from any number of threads of others over local connections.

What it returns and what it raises cross over by pickling, so both ends are this program's own: a connection opens only
with a key made at random, which travels to a process as it is started.
"""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any


class GoneError(ConnectionError):
    """The other process has ended, or was killed."""


class Served:
    """Answers calls to a function, each connection in a thread of its own, until it is closed.

    >>> with Served(len) as served:
    ...     Remote(*served.where)("four")
    4
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self._key = function, os.urandom(32)
        self._listener = Listener(backlog=64, authkey=self._key)
        self._open: set[Connection] = set()
        self._closed = False
        self._guard = threading.Lock()
        self._accepting = threading.Thread(target=self._accept, name="accepting calls", daemon=True)
        self._accepting.start()

    @property
    def where(self) -> tuple[str, bytes]:
        """The address and the key that a `Remote` is made with."""
        return str(self._listener.address), self._key

    def close(self) -> None:
        """Take no more calls. A caller that waits for an answer gets `GoneError`."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            callers = list(self._open)
        with suppress(OSError, EOFError, AuthenticationError):
            Client(self.where[0], authkey=self._key).close()  # wakes the thread that accepts, unless it is awake
        self._accepting.join()
        self._listener.close()
        for caller in callers:
            caller.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            caller = None
            with suppress(OSError, EOFError, AuthenticationError):  # a caller that broke off, or had no key
                caller = self._listener.accept()
            with self._guard:
                if self._closed:
                    if caller is not None:
                        caller.close()
                    return
                if caller is not None:
                    self._open.add(caller)
                    threading.Thread(target=self._serve, args=(caller,), name="a caller", daemon=True).start()

    def _serve(self, caller: Connection) -> None:
        # TypeError: closed by `close` while this thread reads from it
        with suppress(EOFError, OSError, TypeError):
            while True:
                caller.send_bytes(self._answer(caller.recv_bytes()))
        with self._guard:
            self._open.discard(caller)
        caller.close()

    def _answer(self, call: bytes) -> bytes:
        try:
            return pickle.dumps((True, self._function(*pickle.loads(call))))
        except Exception as error:  # whatever it is, it is the caller's to answer
            return _raised(error)


def _raised(error: Exception) -> bytes:
    """The error, if it comes out at the other end as what it is; else its traceback as text."""
    try:
        packed = pickle.dumps((False, error))
        pickle.loads(packed)
    except Exception:  # an exception may pickle in any way that its author thought of
        return pickle.dumps((False, RuntimeError("".join(traceback.format_exception(error)))))
    return packed


@dataclass(frozen=True)
class Remote:
    """Calls a `Served` function; every thread has a connection of its own. It pickles, and connects when first called.

    Raises what the function raised, and `GoneError` where the process that serves it is no more.
    """

    address: str
    key: bytes = field(repr=False)

    def __call__(self, *arguments: Any) -> Any:
        try:
            connection = self._connection()
            connection.send_bytes(pickle.dumps(arguments))
            worked, answer = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            _connections.by_address.pop(self.address, None)
            raise GoneError("the process that was to answer has ended") from error
        if worked:
            return answer
        raise answer

    def _connection(self) -> Connection:
        opened = _connections.by_address
        if self.address not in opened:
            opened[self.address] = Client(self.address, authkey=self.key)
        return opened[self.address]


class _Connections(threading.local):
    def __init__(self) -> None:
        self.by_address: dict[str, Connection] = {}


_connections = _Connections()
