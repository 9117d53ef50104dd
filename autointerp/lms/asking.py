"""A request as a server reads it, and whether a text is what it asked for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any, assert_never

from lark.exceptions import LarkError

from agents.lm import Constraint, Free, Grammar, Labels, Message, Request
from agents.scripted_lm import allows
from prompts import load


def within(constraint: Constraint, text: str) -> bool:
    """Whether a text is what its constraint allows.

    >>> within(Labels(("A", "B")), "B"), within(Grammar('start: "A" | "B"'), "C")
    (True, False)
    """
    match constraint:
        case Free():
            return True
        case Labels(labels):
            return text in labels
        case Grammar(lark):
            return allows(lark, text)
        case _:
            assert_never(constraint)


def begins(constraint: Constraint, text: str) -> bool:
    """Whether a text may go on to what its constraint allows; of a grammar that is taken for granted.

    >>> begins(Labels(("NONE",)), "NO"), begins(Labels(("NONE",)), "Well")
    (True, False)
    """
    return not isinstance(constraint, Labels) or any(label.startswith(text) for label in constraint.labels)


def upper_estimate(messages: Sequence[Message]) -> int:
    """Tokens that a conversation hardly exceeds: half its ASCII characters, the bytes of the others, 16 a message.

    English has about four characters a token and code three; text that is harder to cut up, such as digits, may
    exceed it.

    >>> upper_estimate([Message("user", "Is it a café?")])
    24
    """
    return sum(16 + upper_tokens(message.text) for message in messages)


def upper_tokens(text: str) -> int:
    size = len(text.encode("utf-8", "surrogatepass"))
    ascii_characters = sum(map(str.isascii, text))
    return math.ceil(ascii_characters / 2) + size - ascii_characters


def _plain_format(constraint: Labels | Grammar) -> str:
    """How a format is said to a model that no grammar holds."""
    match constraint:
        case Labels(labels):
            return _format(f"exactly one of these ({', '.join(labels)})")
        case Grammar(lark) if len(lark) <= _SHORT:
            return f"A grammar, in Lark's syntax:\n\n{lark.strip()}\n\n{_format('one text of this grammar')}"
        case Grammar():
            return _format("one text in the format asked for above")
        case _:
            assert_never(constraint)


def _format(what: str) -> str:
    return load("plain_format").fill(what=what).strip()


_SHORT = 1_000
"""Characters of a grammar that is shown as it is; ours for explanations has 24,000, and its prompt describes it."""


def body_of(request: Request, again: int, by_server: bool) -> dict[str, Any]:
    """The request as the server reads it."""
    messages = request.messages
    body: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": seed_of(request, again),
    }
    match request.constraint:
        case Free(stop):
            body |= {"stop": list(stop)} if stop else {}
        case Labels() | Grammar() as constraint if not by_server:
            messages = _saying(messages, _plain_format(constraint))
        case Labels(labels):
            body |= {"extra_body": {"structured_outputs": {"choice": list(labels)}}}
        case Grammar(lark):
            body |= {"extra_body": {"structured_outputs": {"grammar": lark}}}
        case _:
            assert_never(request.constraint)
    return body | {"messages": as_sent(messages)}


def seed_of(request: Request, again: int = 0) -> int:
    """Of 31 bits, which every server takes; another for each conversation, seed, sample and regeneration."""
    drawn = hashlib.sha256(f"{request.seed} {request.sample} {again}".encode())
    for sent in as_sent(request.messages):
        drawn.update(json.dumps(sent).encode())
    return int.from_bytes(drawn.digest()[:4], "big") >> 1


def _saying(messages: tuple[Message, ...], what: str) -> tuple[Message, ...]:
    """The conversation with a last word to the model."""
    if messages and messages[-1].role == "user":
        return (*messages[:-1], Message("user", f"{messages[-1].text}\n\n{what}"))
    return (*messages, Message("user", what))


def as_sent(messages: Sequence[Message]) -> list[dict[str, str]]:
    """What is no Unicode text, such as half of a character's bytes, is written out: JSON cannot hold it."""
    texts = (message.text.encode("utf-8", "backslashreplace").decode() for message in messages)
    return [{"role": message.role, "content": text} for message, text in zip(messages, texts, strict=True)]


def wrong_grammar(constraint: Constraint) -> str:
    """Why a grammar is none; empty where it is one."""
    if isinstance(constraint, Grammar):
        try:
            allows(constraint.lark, "")
        except LarkError as error:
            return f"not a grammar: {str(error).splitlines()[0]}"
    return ""
