"""What is done with counterexamples once found: told apart, ranked, saved, and replayed against any explanation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.evaluate import evaluate, matches
from dsl.nodes import Explanation, Or, fold
from dsl.records import Context, Counterexample, Example, Kind, Thresholds
from dsl.render import render_expression
from probes.subject import TokenIds
from probes.trial import Reading, batch_of
from probes.verify import agrees, disagrees, margin

Cluster = tuple[str, str]
"""Counterexamples that share a cause, as far as one can tell: the kind, and a clause or a token."""


def cluster_of(
    token_ids: TokenIds, position: int, kind: Kind, explanation: Explanation, vocabulary: Vocabulary
) -> Cluster:
    """False positives go by the clause that predicted, false negatives by the token that fired."""
    predicted = explanation.predicted
    if kind == "false_negative" or predicted is None:
        return kind, fold(vocabulary.strings[token_ids[position]].strip())
    clauses = predicted.operands if isinstance(predicted, Or) else (predicted,)
    batch = batch_of([token_ids], vocabulary)
    holding = (clause for clause in clauses if matches(clause, batch)[0, position])
    return kind, render_expression(next(holding, predicted))


def clusters(
    counterexamples: Iterable[Counterexample], explanation: Explanation, vocabulary: Vocabulary
) -> dict[Cluster, tuple[Counterexample, ...]]:
    """Counterexamples by cluster, in the order in which they came."""
    found: dict[Cluster, list[Counterexample]] = {}
    for one in counterexamples:
        key = cluster_of(ids_of(one.example), one.position, one.kind, explanation, vocabulary)
        found.setdefault(key, []).append(one)
    return {key: tuple(mates) for key, mates in found.items()}


def ranked(counterexamples: Iterable[Counterexample], thresholds: Thresholds) -> tuple[Counterexample, ...]:
    """Each text once, the most telling first: pairs (of one token in two contexts before others), then by margin, then
    the more natural, then the shorter.
    """
    distinct: dict[tuple[TokenIds, int, Kind], Counterexample] = {}
    for one in counterexamples:
        distinct.setdefault((ids_of(one.example), one.position, one.kind), one)

    def worth(one: Counterexample) -> tuple[object, ...]:
        plain = margin(one.example.activations, thresholds, one.position, one.kind)
        ids, original = ids_of(one.example), None if one.original is None else ids_of(one.original)
        there = one.original_position
        same_token = original is not None and there is not None and original[there] == ids[one.position]
        return (
            not one.is_minimal_pair,
            not same_token,
            -round(plain, 1),
            -round(naturalness(one), 1),
            len(ids),
            ids,
            one.position,
        )

    return tuple(sorted(distinct.values(), key=worth))


def naturalness(counterexample: Counterexample) -> float:
    """Its tag: how much likelier (in nats a token) the subject finds the text than its original; 0 without one."""
    tags = (tag.removeprefix("naturalness:") for tag in counterexample.tags if tag.startswith("naturalness:"))
    return float(next(tags, 0.0))


def replay(
    counterexamples: Sequence[Counterexample], explanation: Explanation, thresholds: Thresholds, vocabulary: Vocabulary
) -> tuple[bool, ...]:
    """Which of them still stand against an explanation: the text is judged wrongly, or a pair's original now is.

    The subject is not run: its activations are in the records, and only the explanation has changed.
    """
    sides = [side for one in counterexamples for side in (one.example, one.original) if side is not None]
    batch = batch_of([ids_of(side) for side in sides], vocabulary)
    predicted = iter(evaluate(explanation, batch))

    def read(side: Example) -> Reading:
        row = next(predicted)[: len(side.activations)]
        return Reading(ids_of(side), np.array(side.activations, dtype=np.float32), row)

    standing = []
    for one in counterexamples:
        reading = read(one.example)
        wrong = any(disagrees(reading, thresholds, one.position, kind) for kind in ("false_positive", "false_negative"))
        if one.original is not None and one.original_position is not None:
            wrong |= not agrees(read(one.original), thresholds, one.original_position)
        standing.append(wrong)
    return tuple(standing)


def to_json(counterexample: Counterexample, prefix: TokenIds) -> dict[str, object]:
    """The public form: token ids exactly as the model reads them, and a position that indexes those.

    What belongs to the original is None where there is none.
    """
    one = counterexample
    original, there = one.original, one.original_position
    return {
        "kind": one.kind,
        "generator": one.generator,
        "text": one.example.context.text,
        "token_ids": [*prefix, *ids_of(one.example)],
        "position": len(prefix) + one.position,
        "activation": one.activation,
        "predicted": one.predicted,
        "original_token_ids": None if original is None else [*prefix, *ids_of(original)],
        "original_activation": None if original is None or there is None else original.activations[there],
    }


class _Side(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token_ids: tuple[int, ...]
    activations: tuple[float, ...]

    @classmethod
    def of(cls, example: Example) -> _Side:
        return cls(token_ids=ids_of(example), activations=example.activations)

    def example(self, vocabulary: Vocabulary) -> Example:
        tokens = tuple(vocabulary.strings[token] for token in self.token_ids)
        return Example(Context(tokens, self.token_ids, start=0), self.activations)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Kind
    generator: str
    text: str
    """For people; the token ids are what counts."""
    position: int
    predicted: float
    example: _Side
    original: _Side | None
    original_position: int | None
    shrink_trail: tuple[_Side, ...]
    tags: tuple[str, ...]


def save(counterexamples: Iterable[Counterexample], path: Path) -> None:
    """Write JSON lines, whole or not at all. Raises InputError where the folder cannot be written."""
    rows = [
        _Row(
            kind=one.kind,
            generator=one.generator,
            text=one.example.context.text,
            position=one.position,
            predicted=one.predicted,
            example=_Side.of(one.example),
            original=None if one.original is None else _Side.of(one.original),
            original_position=one.original_position,
            shrink_trail=tuple(map(_Side.of, one.shrink_trail)),
            tags=one.tags,
        )
        for one in counterexamples
    ]
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text("".join(json.dumps(row.model_dump(mode="json")) + "\n" for row in rows), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot write {path} ({error.strerror}): name a file in a folder you can write to") from error


def load(path: Path, vocabulary: Vocabulary) -> tuple[Counterexample, ...]:
    """Read what `save` wrote, with the token strings of the subject it is for. Raises InputError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read counterexamples from {path}: {error}") from error
    return tuple(_loaded(line, f"{path}, line {number}", vocabulary) for number, line in enumerate(lines, 1))


def _loaded(line: str, where: str, vocabulary: Vocabulary) -> Counterexample:
    try:
        row = _Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the line"
        raise InputError(f"{where}: no counterexample: {field}: {first['msg']}") from error
    for side, position in ((row.example, row.position), (row.original, row.original_position)):
        if side is None:
            continue
        if max(side.token_ids, default=0) >= len(vocabulary) or min(side.token_ids, default=0) < 0:
            raise InputError(f"{where}: token ids beyond this model's vocabulary: it was saved for another model")
        if len(side.token_ids) != len(side.activations) or not 0 <= (position or 0) < len(side.token_ids):
            raise InputError(f"{where}: tokens, activations and position disagree in length")
    return Counterexample(
        example=row.example.example(vocabulary),
        position=row.position,
        predicted=row.predicted,
        kind=row.kind,
        generator=row.generator,
        original=None if row.original is None else row.original.example(vocabulary),
        original_position=row.original_position,
        shrink_trail=tuple(side.example(vocabulary) for side in row.shrink_trail),
        tags=row.tags,
    )


def ids_of(example: Example) -> TokenIds:
    """Token ids of a text that a subject has read; raises ValueError for a record that came as strings only."""
    if example.context.token_ids is None:
        raise ValueError("a counterexample is a text that a subject has read, so it has token ids")
    return example.context.token_ids
