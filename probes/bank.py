"""What is done with counterexamples once found: told apart, ranked, and replayed against any explanation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Protocol, runtime_checkable

import numpy as np

from dsl.batch import Vocabulary
from dsl.evaluate import evaluate, matches
from dsl.nodes import Explanation, Or, fold
from dsl.records import Counterexample, Example, Kind, Thresholds
from dsl.render import render_expression
from probes.subject import SubjectModel, TokenIds
from probes.trial import Reading, batch_of
from probes.verify import agrees, disagrees, margin

Cluster = tuple[str, str]
"""Counterexamples that share a cause, as far as one can tell: the kind, and a clause or a token."""


@runtime_checkable
class Prevalence(Protocol):
    """How common each way of being wrong is in text that nobody wrote for the purpose: training documents, no others.

    Whoever holds a corpus may know it.
    """

    def shares(self, explanation: Explanation, feature: int) -> Mapping[Cluster, float]:
        """The share of all positions that are counterexamples of each cluster; a cluster that is left out has none."""
        ...


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
    the more natural, then those of a more prevalent cause, then the shorter.
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
            -(one.prevalence or 0.0),
            len(ids),
            ids,
            one.position,
        )

    return tuple(sorted(distinct.values(), key=worth))


def diverse(
    counterexamples: Sequence[Counterexample], explanation: Explanation, vocabulary: Vocabulary
) -> tuple[Counterexample, ...]:
    """The first of every cluster, then the second of every cluster, and so on: few of them show many causes."""
    turns = zip_longest(*clusters(counterexamples, explanation, vocabulary).values())
    return tuple(one for one in chain.from_iterable(turns) if one is not None)


def naturalness(counterexample: Counterexample) -> float:
    """How much likelier (in nats a token) the subject finds the text than its original; 0 where nobody knows."""
    known = counterexample.naturalness
    return 0.0 if known is None or known.log_likelihood_change is None else known.log_likelihood_change


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


def reread(counterexamples: Sequence[Counterexample], subject: SubjectModel, feature: int) -> list[Counterexample]:
    """The same texts with activations of a new run, each at batch size 1: what was true then can be checked now."""
    sides = [side for one in counterexamples for side in (one.example, one.original) if side is not None]
    texts = list(dict.fromkeys(ids_of(side) for side in sides))
    columns = [row[:, 0].tolist() for row in subject.activations(texts, [feature], batch_size=1)]
    now = dict(zip(texts, columns, strict=True))

    def anew(side: Example) -> Example:
        return replace(side, activations=tuple(now[ids_of(side)]))

    return [
        replace(one, example=anew(one.example), original=None if one.original is None else anew(one.original))
        for one in counterexamples
    ]


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


def ids_of(example: Example) -> TokenIds:
    """Token ids of a text that a subject has read; raises ValueError for a record that came as strings only."""
    if example.context.token_ids is None:
        raise ValueError("a counterexample is a text that a subject has read, so it has token ids")
    return example.context.token_ids
