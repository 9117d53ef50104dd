"""An OpenAI-compatible HTTP server for tests: its answers are a function of what is asked, its faults of a seed.

It listens on a port of its own on 127.0.0.1 and really breaks connections, hangs and sends half of a reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

Body = Mapping[str, Any]
Answer = Callable[[Body], str]
Fault = Literal[
    "hang up",  # the connection ends before a byte of the reply
    "cut",  # the connection ends in the middle of the reply
    "hang",  # half of the reply, then nothing
    "429",
    "429 with Retry-After",
    "500",
    "malformed",
    "no choices",
    "no text",
    "outside",  # a text outside the grammar or the labels
    "truncated",  # half of the text, finish_reason "length"
]
FAULTS: tuple[Fault, ...] = Fault.__args__  # type: ignore[attr-defined]
RECOVERABLE = tuple(fault for fault in FAULTS if fault not in ("outside", "truncated"))
"""Faults of transport: asked again the same, the same answer can come."""

Schedule = Callable[[Body, int], "Fault | None"]
"""Which fault meets a body that comes for the so-manieth time, counted from 0."""


def never(body: Body, times: int) -> Fault | None:
    del body, times
    return None


def first(count: int, fault: Fault) -> Schedule:
    """The first so many times that a body comes, this fault."""

    def schedule(body: Body, times: int) -> Fault | None:
        del body
        return fault if times < count else None

    return schedule


def mixed(share: float, seed: int, faults: tuple[Fault, ...] = FAULTS) -> Schedule:
    """Each call fails with this probability, by a fault drawn from all: the same for the same body and seed."""

    def schedule(body: Body, times: int) -> Fault | None:
        rng = random.Random(f"{seed} {_digest(body)} {times}")
        return rng.choice(faults) if rng.random() < share else None

    return schedule


@dataclass
class FaultyServer:
    """Serves from a thread between `with` and its end.

    `grammar` says what is made of `structured_outputs`: taken, ignored as an unknown key, or refused with a 400. What
    `answer` says is taken for a text within the constraint when the constraint reached it, so a server that ignores
    grammars calls it without. `refuses_all` is what every request is
    refused with; `key` is asked for where given. `latency` seconds pass before each answer.
    """

    answer: Answer
    schedule: Schedule = never
    grammar: Literal["takes", "ignores", "refuses"] = "takes"
    max_model_len: int | None = 4096
    tokenizes: bool = True
    lists_models: bool = True
    logprobs: Callable[[Body], list[tuple[str, float]]] | None = None
    refuses_logprobs: bool = False
    refuses_all: str = ""
    key: str | None = None
    retry_after: str = "3"
    latency: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    bodies: list[Body] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    capacity: int | None = None
    truncated: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FaultyServer:
        self._times: Counter[str] = Counter()
        started: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        self.port = started.result(10)
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, started: Future[int]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                while await self._exchange(reader, writer):
                    pass
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client went away, or the server ends
            finally:
                tasks.discard(task)
                writer.close()
                with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                    await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its reply; whether the connection stays open."""
        line = await reader.readline()
        if not line:
            return False
        method, path, _ = line.decode().split()
        headers: dict[str, str] = {}
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            said = f"Incorrect API key provided: {headers.get('authorization')}"
            return await _send(writer, 401, {"error": {"message": said, "code": "invalid_api_key"}})
        match method, path:
            case "GET", "/v1/models" if self.lists_models:
                listed = {"id": "small", "object": "model", "created": 0, "owned_by": "test", "root": "weights/1"}
                return await _send(writer, 200, {"data": [listed | {"max_model_len": self.max_model_len}]})
            case "POST", "/tokenize" if self.tokenizes:
                words = sum(len(message["content"].split()) for message in json.loads(content)["messages"])
                return await _send(writer, 200, {"count": words, "tokens": []})
            case "POST", "/v1/chat/completions":
                return await self._chat(json.loads(content), writer)
            case _:
                return await _send(writer, 404, {"detail": "Not Found"})

    async def _chat(self, body: Body, writer: asyncio.StreamWriter) -> bool:
        self.bodies.append(body)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.capacity is not None and self.in_flight > self.capacity:
                return await _send(writer, 429, {"error": {"message": "too many at once"}})
            if self.latency:
                await asyncio.sleep(self.latency)
            digest = _digest(body)
            times = self._times[digest]
            self._times[digest] += 1
            fault = self.schedule(body, times)
            if fault == "outside" and "structured_outputs" not in body:
                fault = None  # free text has no outside
            if fault is not None:
                self.faults[fault] += 1
            return await self._reply(body, fault, writer)
        finally:
            self.in_flight -= 1

    async def _reply(self, body: Body, fault: Fault | None, writer: asyncio.StreamWriter) -> bool:
        if self.refuses_all:
            return await _send(writer, 400, {"error": {"message": self.refuses_all}})
        if self.grammar == "refuses" and "structured_outputs" in body:
            said = "Unrecognized request argument supplied: structured_outputs"
            return await _send(writer, 400, {"error": {"message": said, "code": None, "param": None}})
        if self.refuses_logprobs and "logprobs" in body:
            return await _send(writer, 400, {"error": {"message": "'logprobs' is not supported with this model"}})
        reply = self._said(body, fault)
        match fault:
            case None | "outside" | "truncated" | "no choices" | "no text":
                return await _send(writer, 200, reply)
            case "hang up":
                return False
            case "cut" | "hang":
                content = json.dumps(reply).encode()
                writer.write(_head(200, len(content)) + content[: len(content) // 2])
                await writer.drain()
                if fault == "hang":
                    await asyncio.sleep(3600)
                return False
            case "429":
                return await _send(writer, 429, {"error": {"message": "too many requests"}})
            case "429 with Retry-After":
                return await _send(writer, 429, {"error": {"message": "wait"}}, {"Retry-After": self.retry_after})
            case "500":
                return await _send(writer, 500, {"error": {"message": "it broke"}})
            case "malformed":
                return await _send(writer, 200, json.dumps(reply)[:-9])

    def _said(self, body: Body, fault: Fault | None) -> dict[str, Any]:
        constraint = body.get("structured_outputs") if self.grammar == "takes" else None
        if constraint and "quince" in constraint.get("grammar", ""):  # the client's trial
            text = "quince and medlar"
        else:
            text = self.answer(body if constraint else {k: v for k, v in body.items() if k != "structured_outputs"})
        if fault == "truncated":
            text = text[: len(text) // 2]
            self.truncated.add(json.dumps(body["messages"]))
        elif fault == "outside":
            text = f"Of course! {text}"
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": None if fault == "no text" else text},
            "finish_reason": "length" if fault == "truncated" else "stop",
        }
        if body.get("logprobs") and self.logprobs is not None:
            listed = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in self.logprobs(body)]
            choice["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": listed}]}
        prompt = sum(len(message["content"].split()) for message in body["messages"])
        usage = {"prompt_tokens": prompt, "completion_tokens": len(text.split()), "total_tokens": 0}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "small", "usage": usage} | {
            "choices": [] if fault == "no choices" else [choice]
        }


def _digest(body: Body) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


async def _send(
    writer: asyncio.StreamWriter, status: int, body: object, headers: Mapping[str, str] | None = None
) -> Literal[True]:
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    writer.write(_head(status, len(content), headers or {}) + content)
    await writer.drain()
    return True


def _head(status: int, length: int, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} said", "Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in (headers or {}).items()), "", ""]).encode()
