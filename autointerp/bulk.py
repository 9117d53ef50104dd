"""Many probes at once: shared beginnings run once, in the precision that probes may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from autointerp.forward import Forward, Work
from probes.subject import TokenIds

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

Answer = Callable[[Tensor], Tensor]
"""From what the hookpoint holds at some tokens to some numbers for each of them."""


class Bulk:
    """Runs through the model that `half` loads when the first probe comes, or through the exact one where it is None.

    Whether the model can run trees is found out with the exact one: in half precision nothing could be told apart.
    """

    def __init__(self, exact: Forward, half: Callable[[], TransformerBridge] | None) -> None:
        self._exact, self._half = exact, half

    def answers(
        self, contexts: Sequence[TokenIds], answer: Answer, work: Work
    ) -> dict[TokenIds, Float[np.ndarray, "_ width"]]:
        """The answer at every token of every context, by context; what that took is added to `work`.

        Contexts are distinct and not empty.

        >>> Bulk(forward, None).answers([(1, 2)], lambda rows: rows[:, :1], Work())[1, 2].shape  # doctest: +SKIP
        (2, 1)
        """
        trees = self._exact.trees(contexts, work)
        if trees is None:
            work.run += sum(len(context) + len(self._exact.prefix) for context in contexts)
            return dict(self._one_by_one(contexts, answer))
        found: dict[TokenIds, Float[np.ndarray, "_ width"]] = {}
        for batch, inputs in self._forward.together(trees):
            rows, first = answer(inputs).cpu().numpy(), 0
            for tree in batch:
                work.run += len(tree)
                paths = tree.paths[:, len(self._exact.prefix) :] + first
                lengths = tree.lengths - len(self._exact.prefix)
                for number, path, length in zip(tree.texts, paths, lengths, strict=True):
                    found[contexts[number]] = rows[path[:length]]
                first += len(tree)
        return found

    def _one_by_one(
        self, contexts: Sequence[TokenIds], answer: Answer
    ) -> Iterator[tuple[TokenIds, Float[np.ndarray, "_ width"]]]:
        for batch, inputs in self._forward.one_by_one(contexts):
            ends = np.cumsum([len(context) for context in batch])[:-1]
            yield from zip(batch, np.split(answer(inputs).cpu().numpy(), ends), strict=True)

    @cached_property
    def _forward(self) -> Forward:
        if self._half is None:
            return self._exact
        exact = self._exact
        return Forward(self._half(), exact.hook, exact.stop, exact.prefix, exact.window)
