"""Many probes at once: shared beginnings run once, in the precision that probes may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from autointerp.forward import Forward, Work
from probes.subject import TokenIds

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Answers = dict[TokenIds, Float[np.ndarray, "_ _"]]
"""Some numbers for every token, by context."""

Placed = list[tuple[TokenIds, Int[np.ndarray, " _"]]]
"""Contexts, and the row in which the hookpoint was read at each of their tokens."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Distinct contexts, none empty, and what is wanted: from what the hookpoint holds at some tokens to numbers.

    >>> Wanted([(1, 2)], lambda rows: rows[:, :1]).answer(torch.ones(2, 4)).shape
    torch.Size([2, 1])
    """

    contexts: Sequence[TokenIds]
    answer: Callable[[Tensor], Tensor]


class Bulk:
    """Runs through the model that `half` loads when the first probe comes, or through the exact one where it is None.

    Whether the model can run trees is found out with the exact one: in half precision nothing could be told apart.
    """

    def __init__(self, exact: Forward, half: Callable[[], TransformerBridge] | None) -> None:
        self._exact, self._half = exact, half

    def answers(self, wanted: Sequence[Wanted], work: Work) -> list[Answers]:
        """What is wanted at every token, by context; the model runs each context once, and what that took is counted.

        >>> Bulk(forward, None).answers([Wanted([(1, 2)], lambda rows: rows[:, :1])], Work())  # doctest: +SKIP
        [{(1, 2): array([[0.3], [-1.2]], dtype=float32)}]
        """
        contexts = sorted({context for one in wanted for context in one.contexts})
        mine = [frozenset(one.contexts) for one in wanted]
        found: list[Answers] = [{} for _ in wanted]
        for placed, inputs in self._run(contexts, work):
            for one, its, answers in zip(wanted, mine, found, strict=True):
                part = [pair for pair in placed if pair[0] in its]
                if len(part) == len(placed):
                    values = one.answer(inputs).cpu().numpy()
                    answers.update((context, values[rows]) for context, rows in part)
                elif part:
                    answers.update(_of_some(part, inputs, one.answer))
        return found

    def _run(self, contexts: Sequence[TokenIds], work: Work) -> Iterator[tuple[Placed, Float[Tensor, "tokens d_in"]]]:
        """Batches of contexts, and what the hookpoint held at their tokens."""
        trees = self._exact.trees(contexts, work)
        if trees is None:
            work.run += sum(len(context) + len(self._exact.prefix) for context in contexts)
            for texts, inputs in self._forward.one_by_one(contexts):
                work.forwards += 1
                ends = np.cumsum([len(text) for text in texts])
                yield [(text, np.arange(end - len(text), end)) for text, end in zip(texts, ends, strict=True)], inputs
            return
        before = len(self._exact.prefix)
        for batch, inputs in self._forward.together(trees):
            placed: Placed = []
            first = 0
            for tree in batch:
                for number, path, length in zip(tree.texts, tree.paths, tree.lengths, strict=True):
                    placed.append((contexts[number], path[before:length] + first))
                first += len(tree)
            work.run += first
            work.forwards += 1
            yield placed, inputs

    @cached_property
    def _forward(self) -> Forward:
        if self._half is None:
            return self._exact
        exact = self._exact
        return Forward(self._half(), exact.hook, exact.stop, exact.prefix, exact.window)


def _of_some(placed: Placed, inputs: Float[Tensor, "tokens d_in"], answer: Callable[[Tensor], Tensor]) -> Answers:
    """The answer in the rows of these contexts only: whoever asked for others encodes with features of his own."""
    rows, back = np.unique(np.concatenate([rows for _, rows in placed]), return_inverse=True)
    values = answer(inputs[torch.from_numpy(rows).to(inputs.device)]).cpu().numpy()[back]
    ends = np.cumsum([len(rows) for _, rows in placed])[:-1]
    return dict(zip([context for context, _ in placed], np.split(values, ends), strict=True))
