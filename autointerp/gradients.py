"""What swapping a token would do to a feature, to first order: gradients of the pre-activation at the embeddings.

After HotFlip (Ebrahimi, Rao, Lowd and Dou, 2018): the gradient at a place times the difference of two embeddings
estimates what putting one token for the other adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probes.subject import Swap, TokenIds

if TYPE_CHECKING:
    from autointerp.models import TransformerSubject

EMBEDDING = "hook_embed"
TOKENS_PER_BATCH = 2048


class Gradients:
    """Implements `probes.subject.Gradient` for a subject; the embeddings of its vocabulary are kept."""

    def __init__(self, subject: TransformerSubject) -> None:
        self._subject = subject

    def swaps(
        self, contexts: Sequence[TokenIds], feature: int, positions: Sequence[int], count: int, *, towards_firing: bool
    ) -> list[tuple[Swap, ...]]:
        """For each context the `count` swaps, each at a place of its own up to the position, with most effect there.

        Only swaps that move the pre-activation the right way, and only tokens that the tokeniser itself would write.
        Raises ValueError for a position outside its context.
        """
        for context, position in zip(contexts, positions, strict=True):
            if not 0 <= position < len(context):
                raise ValueError(f"position {position} lies outside a context of {len(context)} tokens")
        found: list[tuple[Swap, ...]] = [()] * len(contexts)
        order = sorted(range(len(contexts)), key=lambda number: (-positions[number], number))
        while order:
            width = positions[order[0]] + 1 + len(self._subject.prefix)
            size = max(1, TOKENS_PER_BATCH // width)
            numbers, order = order[:size], order[size:]
            # What follows the position has no say in it.
            texts = [tuple(contexts[number][: positions[number] + 1]) for number in numbers]
            for number, text, gradient in zip(numbers, texts, self._gradients(texts, feature), strict=True):
                found[number] = self._best(text, gradient, count, towards_firing)
        return found

    def _gradients(self, texts: Sequence[TokenIds], feature: int) -> list[Float[Tensor, "ctx d_model"]]:
        """Of the feature's pre-activation at the last token of each text, with respect to all its embeddings."""
        subject = self._subject
        start = len(subject.prefix)
        ids = torch.zeros((len(texts), start + max(map(len, texts))), dtype=torch.long, device=subject._device)
        for row, text in zip(ids, texts, strict=True):
            row[: start + len(text)] = torch.tensor([*subject.prefix, *text])
        held: dict[str, Tensor] = {}

        def embedded(value: Tensor, hook: object) -> Tensor:  # noqa: ARG001 the hook's signature
            held["embedding"] = value.detach().requires_grad_()
            return held["embedding"]

        def keep(value: Tensor, hook: object) -> None:  # noqa: ARG001 the hook's signature
            held["hidden"] = value

        with torch.enable_grad():
            subject._bridge.run_with_hooks(
                ids,
                fwd_hooks=[(EMBEDDING, embedded), (subject._hook, keep)],
                stop_at_layer=subject._stop,
                return_type=None,
            )
            last = torch.tensor([start + len(text) - 1 for text in texts], device=subject._device)
            rows = held["hidden"].flatten(2).float()[torch.arange(len(texts), device=subject._device), last]
            chosen = torch.tensor([feature], device=subject._device)
            before_gating, _, _ = subject._dictionary.preactivations(rows, chosen)
            # Each text's own row alone depends on its embeddings, so the sum has the gradients of all.
            [gradient] = torch.autograd.grad(before_gating.sum(), held["embedding"])
        return [gradient[row, start : start + len(text)].float() for row, text in enumerate(texts)]

    def _best(
        self, text: TokenIds, gradient: Float[Tensor, "ctx d_model"], count: int, towards_firing: bool
    ) -> tuple[Swap, ...]:
        there = self._embeddings[list(text)]
        gains = gradient @ self._embeddings.T - (gradient * there).sum(dim=-1, keepdim=True)
        wanted = (gains if towards_firing else -gains).cpu().numpy()
        wanted = np.where(self._ordinary, wanted, -np.inf)
        wanted[np.arange(len(text)), list(text)] = -np.inf
        tokens = wanted.argmax(axis=1)
        best = np.round(wanted[np.arange(len(text)), tokens].astype(np.float64), 6)
        places = [int(place) for place in np.lexsort((np.arange(len(text)), -best)) if best[place] > 0][:count]
        sign = 1 if towards_firing else -1
        return tuple(Swap(place, int(tokens[place]), sign * float(best[place])) for place in places)

    @cached_property
    def _embeddings(self) -> Float[Tensor, "vocabulary d_model"]:
        """What the model makes of every token before its first layer: scaled, where it scales."""
        subject = self._subject
        found: list[Tensor] = []

        def keep(value: Tensor, hook: object) -> None:  # noqa: ARG001 the hook's signature
            found.append(value.detach().flatten(0, 1).float())

        with torch.inference_mode():
            everything = torch.arange(len(subject.vocabulary), device=subject._device)
            for ids in torch.split(everything, TOKENS_PER_BATCH):
                subject._bridge.run_with_hooks(
                    ids[:, None], fwd_hooks=[(EMBEDDING, keep)], stop_at_layer=1, return_type=None
                )
        return torch.cat(found).clone()

    @cached_property
    def _ordinary(self) -> Bool[np.ndarray, " vocabulary"]:
        """The tokens that the tokeniser would write for their own text: no special ones, no pieces of characters."""
        strings = self._subject.vocabulary.strings
        found = self._subject.tokenize_many(list(strings))
        return np.array([ids == [index] for index, ids in enumerate(found)], dtype=bool)
