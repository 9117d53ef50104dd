"""A Hugging Face masked language model and what it expects around a text; any tokeniser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from autointerp.loading import check_weights, first_line, folder_of, quiet
from dsl.errors import SubjectError

if TYPE_CHECKING:
    import torch

TOKENS_PER_BATCH = 8192

TokenIds = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class MaskedModel:
    """The model in float32; `opening` and `closing` are put around every text, `window` is what it reads between."""

    folder: Path
    model: torch.nn.Module
    size: int
    mask: int
    opening: TokenIds
    closing: TokenIds
    special: frozenset[int]
    window: int

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "cpu") -> MaskedModel:
        """Load a folder; SubjectError where it holds no masked model with a mask token, or weights are not whole."""
        place = folder_of(folder)
        model, config = _load_model(place, device)
        named = _named_tokens(place)
        if "mask_token" not in named:
            raise SubjectError(f"{place} names no mask_token in tokenizer_config.json; use a masked language model")
        opening = named.get("cls_token", named.get("bos_token"))
        closing = named.get("sep_token")
        around = (() if opening is None else (opening,), () if closing is None else (closing,))
        window = _window(place, config) - sum(map(len, around))
        return cls(place, model, int(config.vocab_size), named["mask_token"], *around, _special_ids(place), window)

    def predict(
        self, sides: Sequence[tuple[TokenIds, TokenIds]]
    ) -> Iterator[tuple[int, Float[np.ndarray, " vocabulary"]]]:
        """For each pair of what stands before and after the mask, by its number: the probability of every token there.

        A text longer than the window is cropped, with the mask in the middle where both sides are long.
        """
        for numbers, rows, columns in self._batches(sides):
            yield from zip(numbers, self._probabilities(rows, columns), strict=True)

    def _batches(
        self, sides: Sequence[tuple[TokenIds, TokenIds]]
    ) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
        """Rows of one length each, so that nothing is padded: which pairs they are, ids, the masked column."""
        by_length: dict[int, list[tuple[int, TokenIds, int]]] = {}
        for number, (left, right) in enumerate(sides):
            position, length = len(left), len(left) + 1 + len(right)
            start = max(0, min(position - self.window // 2, length - self.window))
            cropped = (*left, self.mask, *right)[start : start + self.window]
            row = (*self.opening, *cropped, *self.closing)
            by_length.setdefault(len(row), []).append((number, row, position - start + len(self.opening)))
        for length, items in sorted(by_length.items()):
            size = max(1, TOKENS_PER_BATCH // length)
            for first in range(0, len(items), size):
                numbers, rows, columns = zip(*items[first : first + size], strict=True)
                yield list(numbers), np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)

    def _probabilities(self, rows: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, "batch vocabulary"]:
        import torch

        device = next(self.model.parameters()).device
        ids = torch.from_numpy(rows).to(device)
        with torch.inference_mode():
            # Explicit ones: left to itself, a model whose padding is also its first token would ignore that token.
            logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            chosen = logits[torch.arange(len(ids), device=device), torch.from_numpy(columns).to(device)]
            probabilities: np.ndarray = chosen.float().softmax(-1).cpu().numpy()
        return probabilities


def likeliest(
    probabilities: Float[np.ndarray, " vocabulary"], without: Sequence[int], count: int
) -> tuple[tuple[int, float], ...]:
    """The likeliest ids and their probabilities, ties to the smaller id.

    >>> likeliest(np.array([0.25, 0.5, 0.25]), [1], 1)
    ((0, 0.25),)
    """
    allowed = np.ones(len(probabilities), dtype=bool)
    allowed[[index for index in without if 0 <= index < len(allowed)]] = False
    ids = np.flatnonzero(allowed)
    order = np.lexsort((ids, -probabilities[ids]))[:count]
    return tuple((int(ids[rank]), float(probabilities[ids[rank]])) for rank in order)


def _load_model(folder: Path, device: str) -> tuple[torch.nn.Module, Any]:
    """The model in float32, every weight there and finite, and its configuration."""
    with quiet():
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForMaskedLM

        try:
            loaded: Any = AutoModelForMaskedLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise SubjectError(f"{folder} does not load as a masked language model: {first_line(error)}") from error
    model, report = loaded
    check_weights(folder, model, report)
    return model.to(device).eval().requires_grad_(False), model.config


def _named_tokens(folder: Path) -> dict[str, int]:
    """The ids of the tokens that the tokeniser gives a role: mask_token, cls_token, ..."""
    ids = {token["content"]: token["id"] for token in _added_tokens(folder)}
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    named = {}
    for role in ("mask_token", "cls_token", "bos_token", "sep_token"):
        token = settings.get(role)
        content = token.get("content") if isinstance(token, dict) else token
        if content in ids:
            named[role] = ids[content]
    return named


def _special_ids(folder: Path) -> frozenset[int]:
    return frozenset(token["id"] for token in _added_tokens(folder) if token["special"])


def _added_tokens(folder: Path) -> list[dict[str, Any]]:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise SubjectError(f"{folder} has no tokenizer.json; save the model's fast tokeniser there")
    tokens: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
    return tokens


def _window(folder: Path, config: Any) -> int:
    """How many tokens it reads at once: its positions, fewer where the tokeniser says so.

    RoBERTa-like models number positions from one after the padding id.
    """
    positions = int(config.max_position_embeddings)
    if "roberta" in config.model_type:
        positions -= int(config.pad_token_id) + 1
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return min(positions, int(settings.get("model_max_length", positions)))
