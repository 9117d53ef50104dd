"""Records of features as strings: one JSON line a feature, with its examples' tokens and activations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dsl.errors import InputError
from dsl.records import Context, Example


def _token(value: object) -> str:
    """Pydantic's own strings cannot hold the lone surrogates that stand for bytes."""
    if not isinstance(value, str) or not value:
        raise ValueError("a token is a string that is not empty")
    return value


Activation = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Token = Annotated[Any, AfterValidator(_token)]


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """A feature and what it was seen to do; `extra` holds the line's other keys as they were."""

    feature: str
    examples: tuple[Example, ...]
    extra: dict[str, Any] = field(default_factory=dict)


class _Example(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    tokens: list[Token] = Field(min_length=1)
    activations: list[Activation]
    start: int | None = Field(default=None, ge=0)
    document: str | None = None


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    feature: str = Field(min_length=1)
    examples: list[_Example] = Field(min_length=1)


def read_records(path: str | Path) -> list[FeatureRecord]:
    """Read a records file whole.

    Each line is `{"feature": str, "examples": [{"tokens": [str], "activations": [float], "start": int?,
    "document": str?}]}`, other keys kept. Raises InputError, naming the line (from 1) and the place in it (from 0), for
    a file that cannot be read, a line that is not such a record, activations that are negative, not finite or not as
    many as tokens, empty tokens, and a feature that comes twice.

    >>> read_records("records.jsonl")[0].feature  # doctest: +SKIP
    '8-res/17'
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file; name a .jsonl file with one feature a line")
    records: dict[str, FeatureRecord] = {}
    for number, line in _lines(path):
        record = _record(f"{path}, line {number}", line)
        if record.feature in records:
            raise InputError(f"{path}, line {number}: feature {record.feature!r} comes twice; give each one line")
        records[record.feature] = record
    if not records:
        raise InputError(f"{path} holds no records; it needs one feature a line")
    return list(records.values())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error.reason}); convert it, e.g. with iconv") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _record(where: str, line: str) -> FeatureRecord:
    try:
        value = json.loads(line, parse_constant=float)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}); mend or remove the line") from error
    try:
        record = _Record.model_validate(value)
    except ValidationError as error:
        _explain(where, error)
    examples = tuple(_example(where, number, given) for number, given in enumerate(record.examples))
    return FeatureRecord(record.feature, examples, dict(record.model_extra or {}))


def _example(where: str, number: int, given: _Example) -> Example:
    if len(given.tokens) != len(given.activations):
        raise InputError(
            f"{where}, examples[{number}]: {len(given.tokens)} tokens but {len(given.activations)} activations; "
            "give one activation a token"
        )
    context = Context(tuple(map(_bytes_as_text, given.tokens)), start=given.start, document=given.document or "")
    return Example(context, tuple(given.activations))


def _bytes_as_text(token: str) -> str:
    """JSON may spell any lone surrogate; those that stand for no byte become U+FFFD, so that tokens can be encoded."""
    if token.isascii():
        return token
    return "".join("\ufffd" if "\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" else c for c in token)


def _explain(where: str, error: ValidationError) -> NoReturn:
    """The first thing that is wrong, in words."""
    first = error.errors(include_url=False, include_context=False)[0]
    place, kind, given = first["loc"], first["type"], shorten(repr(first["input"]), 60, placeholder=" ...")
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    match place, kind:
        case (_, "missing"):
            wrong = "is missing"
        case (("examples", _, "activations", _), _):
            wrong = f"is {given}; activations are finite numbers, not negative"
        case (("examples", _, "tokens", _), _):
            wrong = f"is {given}; tokens are strings, none of them empty"
        case (_, "too_short" | "string_too_short"):
            wrong = "is empty"
        case (("examples", _, "start"), _):
            wrong = f"is {given}; it counts tokens from the beginning of the document, from 0, or is left out"
        case (_, "model_type"):
            wrong = f"is {given}, not a JSON object"
        case (_, "list_type"):
            wrong = f"is {given}, not a list"
        case (_, "string_type"):
            wrong = f"is {given}, not a string"
        case _:
            wrong = f"is {given}: {first['msg']}"
    raise InputError(f"{where}: {path or 'it'} {wrong}; mend the record") from error
