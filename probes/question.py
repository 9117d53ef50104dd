"""What every generator is asked: here is an explanation, and here are texts; write others on which it is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool

from dsl.evaluate import matches
from dsl.nodes import PREDICTED, About, Clause, Explanation, Expression, Words, children
from dsl.records import Thresholds
from probes.edits import Edit
from probes.subject import SubjectModel
from probes.trial import Reading, batch_of

T = TypeVar("T")

REACH = 32
"""How many tokens before a token of interest generators look back over: the language's own window."""


def _without_limit(tokens: int) -> bool:  # noqa: ARG001
    """Of a question that belongs to no trial nothing is counted."""
    return True


@dataclass(frozen=True, eq=False)
class Question:
    """An explanation of a feature, and the texts (already read) that probes may be made from.

    A generator that runs the subject itself asks `spend` first with the tokens that this takes: they are counted where
    the budget has them, and where it has not the answer is False and the generator ends.
    """

    explanation: Explanation
    feature: int
    subject: SubjectModel
    thresholds: Thresholds
    parents: tuple[Reading, ...]
    spend: Callable[[int], bool] = _without_limit


@runtime_checkable
class Generator(Protocol):
    """Writes edits on which the explanation may be wrong, one at a time, for as long as it is asked."""

    @property
    def name(self) -> str: ...

    def lacks(self, question: Question) -> str | None:
        """Why it cannot run here (no infiller, no neighbours), or None."""
        ...

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]: ...


def focuses(question: Question) -> list[tuple[int, int]]:
    """The tokens worth attacking as (parent, position): at most two a parent, where the feature fires or is predicted.

    The last token of a text is never among them: nothing can be decided there.
    """
    found = []
    for index, reading in enumerate(question.parents):
        wanted = (reading.activations >= question.thresholds.high) | (reading.predicted >= PREDICTED)
        wanted[-1:] = False
        best = sorted(np.flatnonzero(wanted), key=lambda position: (-reading.activations[position], position))
        found += [(index, int(position)) for position in best[:2]]
    return found


def looked_at(question: Question) -> list[Bool[np.ndarray, " ctx"]]:
    """For every parent, the tokens at which some part of the explanation holds: what the explanation looks at."""
    if not question.parents:
        return []
    batch = batch_of([reading.token_ids for reading in question.parents], question.subject.vocabulary)
    seen = np.zeros(batch.ids.shape, dtype=bool)
    for atom in atoms_of(question.explanation):
        held = matches(atom, batch)
        # What holds nearly everywhere says nothing about where to look.
        if held.sum() * 2 <= batch.lengths.sum():
            seen |= held
    return [seen[row, : len(reading.token_ids)] for row, reading in enumerate(question.parents)]


def by_salience(
    focus: int, looked: Bool[np.ndarray, " ctx"], positions: Sequence[int], rng: random.Random
) -> list[int]:
    """Positions up to the focus, most promising first: near it, and where the explanation looks; with some chance."""
    reachable = [position for position in positions if 0 <= focus - position <= REACH]
    drawn = {p: np.log2(1 + focus - p) - 3.0 * looked[p] + 2.0 * rng.random() for p in reachable}
    return sorted(reachable, key=lambda position: (drawn[position], position))


def in_turn(streams: Iterable[Iterator[T]]) -> Iterator[T]:
    """One from each, then the next from each, until all are spent.

    >>> list(in_turn([iter("ab"), iter("c")]))
    ['a', 'c', 'b']
    """
    waiting = list(streams)
    while waiting:
        drawn = [(stream, list(islice(stream, 1))) for stream in waiting]
        waiting = [stream for stream, found in drawn if found]
        yield from (one for _, found in drawn for one in found)


def atoms_of(explanation: Explanation) -> tuple[Expression, ...]:
    """What an explanation looks at token by token, in the order in which it is written, each once.

    The words of `in text about` count; the state of the text (`inside brackets`) is no single token's.
    """
    found: dict[Expression, None] = {}
    waiting = [expression for _, _, expression in reversed(explanation.levels)]
    while waiting:
        node = waiting.pop()
        inner = children(node)
        if not inner:
            found[node] = None
        waiting += reversed(inner)
        if isinstance(node, Clause):
            found.update({Words(m.words): None for m in node.modifiers if isinstance(m, About)})
    return tuple(found)
