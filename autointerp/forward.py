"""Forwards of a model up to one hookpoint: text by text in batches, or as trees in which shared beginnings run once.

Trees need a model that takes explicit positions and an attention mask of pairs, and whose layers mix tokens by such
attention alone. Which models do is not read off their names: the first time that a tree of some size is asked for, one
of random tokens is run both ways, and where the numbers differ, or the model refuses, its texts run one by one and the
reason is counted.

Measured on the embedded model, one thread, 512 edits of one token in four texts of 64: 1.59 s text by text, 1.27 s as
trees, 1.09 s with the keys and values of the four texts kept for what follows each edit. The last shares one level only
(two edits that begin alike run their common part twice), copies the kept keys for every edit, and has to know each
architecture's cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from autointerp.loading import first_line
from autointerp.prefixes import Pack, packed
from probes.subject import TokenIds

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

TOLERANCE = 1e-4
"""Largest difference between batches, relative to the largest activation at hand (seen: 3e-6)."""

TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 32768}
"""Tokens in one forward, padding counted: bounds memory, and on a CPU keeps the activations in its cache."""

TREE_TOKENS = {"cpu": 128, "cuda": 512}
"""The smallest tree: attention is computed between all pairs of it, so the larger, the more in vain."""

LONGEST_IN_TREE = 1024
"""Trees are twice as large as their longest text, and attention grows with the square."""

WORTHWHILE = 0.8
"""A tree pays where it has fewer tokens than this share of those of its texts one by one."""

REFUSALS = (TypeError, ValueError, RuntimeError, IndexError, KeyError, AttributeError, NotImplementedError)
"""How models say that they take no positions, or no mask of pairs."""


@dataclass(slots=True)
class Work:
    """Tokens, prefixes counted and padding not: what was asked for, found in a cache, and run through the model.

    `forwards` is in how many batches they were run. `unshared` counts texts that shared beginnings and were run one by
    one all the same, by reason.
    """

    asked: int = 0
    cached: int = 0
    run: int = 0
    forwards: int = 0
    unshared: Counter[str] = field(default_factory=Counter)


class Forward:
    """A model up to one hookpoint, which reads `window` tokens; `prefix` is put before every context."""

    def __init__(self, bridge: TransformerBridge, hook: str, stop: int | None, prefix: TokenIds, window: int) -> None:
        self.bridge, self.hook, self.stop, self.prefix, self.window = bridge, hook, stop, prefix, window
        self.device = torch.device(bridge.cfg.device or "cpu")
        self._refused: dict[int, str | None] = {}

    def read(
        self,
        ids: Int[Tensor, "batch ctx"],
        depths: Int[Tensor, "batch ctx"] | None = None,
        mask: Float[Tensor, "batch 1 ctx ctx"] | None = None,
    ) -> Float[Tensor, "batch ctx d_in"]:
        """What the hookpoint holds, in float32; the forward ends with its layer."""
        held: list[Tensor] = []

        def keep(value: Tensor, hook: object) -> None:  # noqa: ARG001 the hook's signature
            held.append(value.detach())

        tree: dict[str, Any] = {} if depths is None else {"position_ids": depths, "attention_mask": mask}
        self.bridge.run_with_hooks(
            ids, fwd_hooks=[(self.hook, keep)], stop_at_layer=self.stop, return_type=None, **tree
        )
        return held[0].flatten(2).float()  # attention heads side by side

    def one_by_one(
        self, contexts: Sequence[TokenIds], batch_size: int | None = None
    ) -> Iterator[tuple[list[TokenIds], Float[Tensor, "tokens d_in"]]]:
        """Batches of contexts, with what the hookpoint held at their tokens, one context after the other."""
        for batch, ids in self.batches(contexts, batch_size):
            with torch.inference_mode():
                hidden = self.read(ids)
                lengths = torch.tensor([len(context) for context in batch], device=hidden.device)
                kept = torch.arange(ids.shape[1] - len(self.prefix), device=hidden.device) < lengths[:, None]
                yield batch, hidden[:, len(self.prefix) :][kept]

    def batches(
        self, contexts: Sequence[TokenIds], batch_size: int | None = None
    ) -> Iterator[tuple[list[TokenIds], Int[Tensor, "batch ctx"]]]:
        """Distinct contexts, longest first, prefixed and padded at the right."""
        ordered = sorted(contexts, key=lambda ids: (-len(ids), ids))
        size, first = TOKENS_PER_BATCH.get(self.device.type, 8192), 0
        while first < len(ordered):
            width = len(ordered[first]) + len(self.prefix)
            batch = ordered[first : first + (batch_size or max(1, size // width))]
            first += len(batch)
            rows = np.zeros((len(batch), width), dtype=np.int64)
            for row, context in zip(rows, batch, strict=True):
                row[: len(self.prefix) + len(context)] = self.prefix + context
            yield batch, torch.from_numpy(rows).to(self.device)

    def trees(self, contexts: Sequence[TokenIds], work: Work) -> list[Pack] | None:
        """The contexts as trees, prefixes included; None where little is shared or the model cannot run them."""
        texts = [self.prefix + context for context in contexts]
        longest = max(map(len, texts), default=0)
        size = TREE_TOKENS.get(self.device.type, 128)
        while size < 2 * longest:
            size *= 2
        found = list(packed(texts, size))
        if sum(map(len, found)) > WORTHWHILE * sum(map(len, texts)):
            return None
        reason = "texts too long" if longest > LONGEST_IN_TREE else self.refuses_trees(size)
        if reason is None:
            return found
        work.unshared[reason] += len(contexts)
        return None

    def together(self, trees: Sequence[Pack]) -> Iterator[tuple[list[Pack], Float[Tensor, "nodes d_in"]]]:
        """Batches of trees, with what the hookpoint held at their tokens, one tree after the other."""
        ordered = sorted(trees, key=len, reverse=True)
        first = 0
        while first < len(ordered):
            width = len(ordered[first])
            batch = ordered[first : first + max(1, TOKENS_PER_BATCH.get(self.device.type, 8192) // width)]
            first += len(batch)
            ids, depths = np.zeros((2, len(batch), width), dtype=np.int64)
            sees = np.zeros((len(batch), 1, width, width), dtype=bool)
            for row, tree in enumerate(batch):
                ids[row, : len(tree)], depths[row, : len(tree)] = tree.token_ids, tree.depths
                sees[row, 0, : len(tree), : len(tree)] = tree.sees()
            with torch.inference_mode():
                positions = torch.from_numpy(depths).to(self.device)
                hidden = self.read(torch.from_numpy(ids).to(self.device), positions, self._mask(sees))
                sizes = torch.tensor([len(tree) for tree in batch], device=hidden.device)
                yield batch, hidden[torch.arange(width, device=hidden.device) < sizes[:, None]]

    def refuses_trees(self, size: int) -> str | None:
        """Why the model cannot run trees of so many tokens; None where it can, found out once by running one."""
        if size not in self._refused:
            self._refused[size] = self._tried(size)
        return self._refused[size]

    def _tried(self, size: int) -> str | None:
        contexts = self._branching(size)
        [tree] = packed([self.prefix + context for context in contexts], size)
        alone = {batch[0]: rows for batch, rows in self.one_by_one(contexts, 1)}
        try:
            [(_, nodes)] = self.together([tree])
        except REFUSALS as error:
            return f"the model refuses a tree: {first_line(error)}"
        for number, length, path in zip(tree.texts, tree.lengths, tree.paths, strict=True):
            one, other = alone[contexts[number]], nodes[path[len(self.prefix) : length]]
            # Token by token: the first tokens of some models are a thousand times as large as all others.
            far = (one - other).abs().amax(dim=1) - TOLERANCE * one.abs().amax(dim=1)
            if not bool((far <= 0).all()):
                return "the model reads a tree otherwise than its texts"
        return None

    def _branching(self, size: int) -> list[TokenIds]:
        """Texts of random tokens whose tree has at most so many: one text, edits of it early and late, its first half.

        What comes last in the tree is far from its ancestors, so that attention over a window of the row shows itself.
        """
        half, tokens = min(size // 2, self.window) - len(self.prefix), self.bridge.cfg.d_vocab
        text, other = np.random.default_rng(0).integers(0, tokens, (2, half)).tolist()
        cuts = (half // 2, 3 * half // 4, half - 1)
        edits = [(*text[:cut], (text[cut] + 1) % tokens, *other[cut + 1 :]) for cut in cuts]
        return list(dict.fromkeys([tuple(text), tuple(text[: half // 2]), *edits]))

    def _mask(self, sees: Bool[np.ndarray, "batch 1 ctx ctx"]) -> Float[Tensor, "batch 1 ctx ctx"]:
        dtype = self.bridge.cfg.dtype
        mask = torch.zeros(sees.shape, dtype=dtype, device=self.device)
        return mask.masked_fill_(~torch.from_numpy(sees).to(self.device), torch.finfo(dtype).min)
