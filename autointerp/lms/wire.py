"""What an OpenAI-compatible server sends, read at the edge: replies as records, errors as faults, the key nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai
from pydantic import BaseModel, ValidationError, field_validator

from agents.lm import FailureKind
from autointerp.lms.retrying import FaultError


class ListedToken(BaseModel):
    token: str
    logprob: float


class SaidToken(BaseModel):
    top_logprobs: list[ListedToken] | None = None


class Logprobs(BaseModel):
    content: list[SaidToken] | None = None


class Said(BaseModel):
    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    message: Said
    finish_reason: str | None = None
    logprobs: Logprobs | None = None

    @property
    def first_tokens(self) -> list[tuple[str, float]]:
        """The tokens that might have come first, and the logarithms of their probabilities; empty where untold."""
        said = (self.logprobs.content or []) if self.logprobs else []
        return [(token.token, token.logprob) for token in (said[0].top_logprobs or [])] if said else []


class Spent(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class ChatReply(BaseModel):
    choices: list[Choice]
    usage: Spent = Spent()

    @field_validator("usage", mode="before")
    @classmethod
    def _untold(cls, said: object) -> object:
        return {} if said is None else said

    @classmethod
    def read(cls, content: bytes) -> ChatReply:
        """Raises FaultError for what is no reply, holds no choice, or one that says nothing at all."""
        try:
            reply = cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise FaultError("malformed", f"a reply that cannot be read: {where}: {first['msg']}", again=True) from None
        if not reply.choices:
            raise FaultError("empty", "a reply without a choice", again=True)
        said = reply.choices[0].message
        if said.content is None and said.refusal is None:
            raise FaultError("empty", "a choice without text", again=True)
        return reply


class ListedModel(BaseModel):
    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class ModelList(BaseModel):
    data: list[ListedModel]


class TokenCount(BaseModel):
    count: int


def fault_of(error: openai.OpenAIError, key: str) -> FaultError:
    """What went wrong and whether asking again can help; what the server said is quoted without the key."""
    match error:
        case openai.APITimeoutError():
            return FaultError("timeout", "no answer in time", again=True)
        case openai.APIStatusError():
            return _of_status(error, key)
        case openai.APIConnectionError():
            return FaultError("unreachable", f"no connection, or it broke ({_root_of(error)})", again=True)
        case _:
            return FaultError("malformed", without(key, f"{type(error).__name__}: {_line(str(error))}"), again=True)


def without(key: str, text: str) -> str:
    """The text with the key blotted out."""
    return text.replace(key, "[key]") if key else text


def _of_status(error: openai.APIStatusError, key: str) -> FaultError:
    status, said = error.status_code, without(key, _line(_message(error)))
    wait = asked_wait(error.response.headers, datetime.now(UTC))
    kind, again = _kind(status, error)
    if status in (401, 403):  # some servers quote a part of the key that they refuse
        return FaultError(
            kind, f"HTTP {status}: the server wants another key; it is read from OPENAI_API_KEY", again=False
        )
    return FaultError(kind, f"HTTP {status}: {said}" if said else f"HTTP {status}", again=again, wait=wait)


def _kind(status: int, error: openai.APIStatusError) -> tuple[FailureKind, bool]:
    match status:
        case 408:
            return "timeout", True
        case 429 if error.code == "insufficient_quota":
            return "refused", False
        case 429:
            return "overloaded", True
        case _ if status >= 500:
            return "server error", True
        case 400 | 413 | 422 if error.code == "context_length_exceeded" or _TOO_LONG.intersection(_words(error)):
            return "too long", False
        case _:
            return "refused", False


_TOO_LONG = {"max_model_len", "input_tokens", "maximum context length", "context length", "context size"}
"""How servers say that a conversation does not fit: vLLM, OpenAI, llama.cpp."""


def _words(error: openai.APIStatusError) -> set[str]:
    said = f"{_message(error)} {error.param or ''}".lower()
    return {words for words in _TOO_LONG if words in said}


def _message(error: openai.APIStatusError) -> str:
    match error.body:
        case {"message": str(message)} | {"error": {"message": str(message)}} | {"detail": str(message)}:
            return message
        case {"error": str(message)} | str(message):
            return message
        case _:
            return ""


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `Retry-After` asks to wait: a number, or a date (RFC 9110, 10.2.3); None where it asks for none.

    >>> asked_wait({"retry-after": "7"}, datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if seconds < float("inf") else None  # NaN too is no answer
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _root_of(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


def _line(text: str, most: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
