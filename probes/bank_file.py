"""A bank of counterexamples on disk: one JSON line that says what it is of, then one a counterexample.

Written whole or not at all, and checked when read: another format, a file cut short or changed by hand, and another
model's tokens are each one clear error. Activations are on record, so a bank can be replayed without the model.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from dsl.batch import Vocabulary
from dsl.errors import ExplanationError, InputError
from dsl.nodes import Explanation, Expression
from dsl.parse import parse
from dsl.records import Context, Counterexample, Cut, Example, Kind, Naturalness, Suggestion, Thresholds
from dsl.render import render, render_expression
from probes.bank import ids_of

FORMAT, VERSION = "autointerp counterexamples", 1


@dataclass(frozen=True, slots=True)
class Bank:
    """Counterexamples of one feature, the explanation that they were found against, and its thresholds."""

    feature: str
    explanation: Explanation
    thresholds: Thresholds
    counterexamples: tuple[Counterexample, ...]

    def merged(self, others: Iterable[Counterexample]) -> Bank:
        """With these added, each text once: what is here already keeps its place and takes the newer record."""
        newest = {(ids_of(one.example), one.position): one for one in (*self.counterexamples, *others)}
        return Bank(self.feature, self.explanation, self.thresholds, tuple(newest.values()))


def save(bank: Bank, path: Path, vocabulary: Vocabulary) -> None:
    """Write a bank, whole or not at all. Raises InputError where the folder cannot be written.

    >>> save(bank, Path("bank.jsonl"), subject.vocabulary)  # doctest: +SKIP
    """
    rows = "".join(f"{json.dumps(_Row.of(one).model_dump(mode='json'))}\n" for one in bank.counterexamples)
    head = _Head(
        format=FORMAT,
        version=VERSION,
        feature=bank.feature,
        explanation=render(bank.explanation),
        high=bank.thresholds.high,
        silent=bank.thresholds.silent,
        maximum=bank.thresholds.maximum,
        vocabulary=_digest("\0".join(vocabulary.strings)),
        counterexamples=len(bank.counterexamples),
        checksum="",
    )
    head = head.model_copy(update={"checksum": head.sealing(rows)})
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(f"{json.dumps(head.model_dump(mode='json'))}\n{rows}")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path} ({error.strerror}): name a file in a folder you can write to") from error


def load(path: Path, vocabulary: Vocabulary) -> Bank:
    """Read what `save` wrote, with the token strings of the subject it is of.

    Raises InputError for a file that cannot be read, is no bank or one of a later version, was cut short or changed
    since it was written, or was saved for a model with other tokens.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read counterexamples from {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no bank of counterexamples: not UTF-8") from error
    first, _, rows = text.partition("\n")
    head = _head(first, path)
    if head.vocabulary != _digest("\0".join(vocabulary.strings)):
        raise InputError(f"{path} was saved for another model: its token ids mean other strings; replay it with that")
    lines = rows.splitlines()
    if head.checksum != head.sealing(rows):
        raise InputError(
            f"{path} was changed or cut short since it was written ({len(lines)} of {head.counterexamples} "
            "counterexamples are there); probe again, or restore it"
        )
    return Bank(
        head.feature,
        _explanation(head.explanation, path),
        Thresholds(head.high, head.silent, head.maximum),
        tuple(_counterexample(line, f"{path}, line {number}", vocabulary) for number, line in enumerate(lines, 2)),
    )


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Head(_Model):
    format: str
    version: int
    feature: str
    explanation: str
    high: float
    silent: float
    maximum: float
    vocabulary: str
    counterexamples: NonNegativeInt
    checksum: str

    def sealing(self, rows: str) -> str:
        """What the checksum has to be: of all of this line but itself, and of every line below."""
        rest = self.model_dump(mode="json", exclude={"checksum"})
        return _digest(f"{json.dumps(rest, sort_keys=True)}\n{rows}")


class _Side(_Model):
    token_ids: tuple[NonNegativeInt, ...]
    activations: tuple[Annotated[float, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _alike(self) -> _Side:
        if len(self.token_ids) != len(self.activations):
            raise ValueError("as many activations as tokens are needed")
        return self

    @classmethod
    def of(cls, example: Example) -> _Side:
        return cls(token_ids=ids_of(example), activations=example.activations)

    def example(self, vocabulary: Vocabulary) -> Example:
        tokens = tuple(vocabulary.strings[token] for token in self.token_ids)
        return Example(Context(tokens, self.token_ids, start=0), self.activations)


class _Suggestion(_Model):
    how: Literal["or", "except", "and"]
    clause: str
    mended: str

    @classmethod
    def of(cls, one: Suggestion) -> _Suggestion:
        return cls(how=one.how, clause=render_expression(one.clause), mended=render(one.mended))

    def suggestion(self) -> Suggestion:
        return Suggestion(self.how, _expression(self.clause), parse(self.mended))


class _Cut(_Model):
    preactivation: float
    rank: int


class _Naturalness(_Model):
    log_likelihood_change: float | None
    cosine: float | None
    edit_rate: float | None
    missing: tuple[str, ...]


class _Row(_Model):
    kind: Kind
    generator: str
    text: str
    """For people; the token ids are what counts."""
    position: NonNegativeInt
    predicted: float
    example: _Side
    original: _Side | None
    original_position: NonNegativeInt | None
    shrink_trail: tuple[_Side, ...]
    absorbed_by: tuple[NonNegativeInt, ...]
    wildcards: tuple[NonNegativeInt, ...]
    suggestion: _Suggestion | None
    retokenises: bool | None
    cut: _Cut | None
    prevalence: float | None
    naturalness: _Naturalness | None
    contrast: _Side | None = None

    @model_validator(mode="after")
    def _inside(self) -> _Row:
        if (self.original is None) != (self.original_position is None):
            raise ValueError("an original and its position come together")
        for side, positions in (
            (self.example, (self.position, *self.wildcards)),
            (self.original, () if self.original_position is None else (self.original_position,)),
            (self.contrast, (self.position,)),
        ):
            if side is not None and any(position >= len(side.token_ids) for position in positions):
                raise ValueError("a position lies outside its text")
        return self

    @classmethod
    def of(cls, one: Counterexample) -> _Row:
        return cls(
            kind=one.kind,
            generator=one.generator,
            text=one.example.context.text,
            position=one.position,
            predicted=one.predicted,
            example=_Side.of(one.example),
            original=None if one.original is None else _Side.of(one.original),
            original_position=one.original_position,
            shrink_trail=tuple(map(_Side.of, one.shrink_trail)),
            absorbed_by=one.absorbed_by,
            wildcards=one.wildcards,
            suggestion=None if one.suggestion is None else _Suggestion.of(one.suggestion),
            retokenises=one.retokenises,
            cut=None if one.cut is None else _Cut(preactivation=one.cut.preactivation, rank=one.cut.rank),
            prevalence=one.prevalence,
            naturalness=None if one.naturalness is None else _Naturalness(**asdict(one.naturalness)),
            contrast=None if one.contrast is None else _Side.of(one.contrast),
        )

    def counterexample(self, vocabulary: Vocabulary) -> Counterexample:
        return Counterexample(
            example=self.example.example(vocabulary),
            position=self.position,
            predicted=self.predicted,
            kind=self.kind,
            generator=self.generator,
            original=None if self.original is None else self.original.example(vocabulary),
            original_position=self.original_position,
            shrink_trail=tuple(side.example(vocabulary) for side in self.shrink_trail),
            absorbed_by=self.absorbed_by,
            wildcards=self.wildcards,
            suggestion=None if self.suggestion is None else self.suggestion.suggestion(),
            retokenises=self.retokenises,
            cut=None if self.cut is None else Cut(self.cut.preactivation, self.cut.rank),
            prevalence=self.prevalence,
            naturalness=None if self.naturalness is None else Naturalness(**self.naturalness.model_dump()),
            contrast=None if self.contrast is None else self.contrast.example(vocabulary),
        )


def _head(line: str, path: Path) -> _Head:
    try:
        version = json.loads(line)
    except (ValueError, RecursionError):
        version = None
    if not isinstance(version, dict) or version.get("format") != FORMAT:
        raise InputError(f"{path} is no bank of counterexamples; name a file that `autointerp probe` saved")
    if version.get("version") != VERSION:
        raise InputError(
            f"{path} is a bank of version {version.get('version')}; this program reads version {VERSION}: use the "
            "program that saved it, or probe again"
        )
    try:
        return _Head.model_validate(version)
    except ValidationError as error:
        raise InputError(f"{path}, line 1: {_first(error)}; probe again, or restore it") from error


def _counterexample(line: str, where: str, vocabulary: Vocabulary) -> Counterexample:
    try:
        return _Row.model_validate_json(line).counterexample(vocabulary)
    except ValidationError as error:
        raise InputError(f"{where}: no counterexample: {_first(error)}") from error
    except ExplanationError as error:
        raise InputError(f"{where}: no counterexample: its suggestion does not parse: {error.reason}") from error
    except IndexError as error:
        raise InputError(f"{where}: no counterexample: token ids beyond the vocabulary") from error


def _explanation(text: str, path: Path) -> Explanation:
    try:
        return parse(text)
    except ExplanationError as error:
        raise InputError(f"{path}, line 1: the explanation does not parse: {error.reason}") from error


def _expression(text: str) -> Expression:
    strong = parse(f"activates on {text}").strong
    assert strong is not None
    return strong


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
