"""A masked language model over the subject's own tokens: what else could stand at a position of a context."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from autointerp.loading import check_weights, first_line, folder_of, quiet
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from probes.subject import TokenIds

if TYPE_CHECKING:
    import torch

TOKENS_PER_BATCH = 8192


class MaskedInfiller:
    """Implements `probes.subject.Infiller` with a Hugging Face masked-LM folder that shares the subject's tokeniser."""

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        mask: int,
        opening: TokenIds,
        closing: TokenIds,
        special: Sequence[int],
        vocabulary_size: int,
        window: int,
    ) -> None:
        self._model = model
        self._mask, self._opening, self._closing = mask, opening, closing
        self._special = np.array(sorted(special), dtype=np.int64)
        self._size = vocabulary_size
        self._window = window - len(opening) - len(closing)

    @classmethod
    def load(cls, folder: str | Path, vocabulary: Vocabulary, *, device: str = "cpu") -> MaskedInfiller:
        """Load a masked-LM folder whose token ids mean what the subject's `vocabulary` says.

        Raises SubjectError where the folder holds no masked language model with a mask token, where weights are
        missing or not finite, and where its tokeniser is another one.
        """
        place = folder_of(folder)
        model, config = _load_model(place, device)
        tokenizer = TextTokenizer.load(place, size=int(config.vocab_size))
        special = _special_ids(place)
        named = _named_tokens(place)
        if "mask_token" not in named:
            raise SubjectError(f"{place} names no mask_token in tokenizer_config.json; use a masked language model")
        _check_vocabulary(place, tokenizer.strings, vocabulary, special)
        opening = named.get("cls_token", named.get("bos_token"))
        closing = named.get("sep_token")
        return cls(
            model,
            mask=named["mask_token"],
            opening=() if opening is None else (opening,),
            closing=() if closing is None else (closing,),
            special=[index for index in special if index < len(vocabulary)],
            vocabulary_size=len(vocabulary),
            window=_window(place, config),
        )

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        """For each context with its one position masked: the likeliest other token ids there, likeliest first.

        Probabilities are the model's, before special tokens and the token that stood there are left out; ties go to
        the smaller id. A context longer than the model reads is cropped around the position. Raises ValueError for a
        position outside its context.

        >>> infiller.infill([subject.tokenize(" It was very cold outside.")], [3], 2)  # doctest: +SKIP
        [((1286, 0.21), (404, 0.12))]
        """
        if len(contexts) != len(positions):
            raise ValueError(f"{len(contexts)} contexts but {len(positions)} positions")
        answers: list[tuple[tuple[int, float], ...]] = [()] * len(contexts)
        for numbers, rows, masked in self._batches(contexts, positions):
            for number, probabilities in zip(numbers, self._probabilities(rows, masked), strict=True):
                answers[number] = self._best(probabilities, contexts[number][positions[number]], count)
        return answers

    def _batches(
        self, contexts: Sequence[TokenIds], positions: Sequence[int]
    ) -> Iterator[tuple[list[int], Int[np.ndarray, "batch ctx"], Int[np.ndarray, " batch"]]]:
        """Rows of one length each, so that nothing is padded: which contexts they are, ids, the masked column."""
        by_length: dict[int, list[tuple[int, TokenIds, int]]] = {}
        for number, (context, position) in enumerate(zip(contexts, positions, strict=True)):
            if not 0 <= position < len(context):
                raise ValueError(f"position {position} lies outside a context of {len(context)} tokens")
            start = max(0, min(position - self._window // 2, len(context) - self._window))
            cropped = list(context[start : start + self._window])
            cropped[position - start] = self._mask
            row = (*self._opening, *cropped, *self._closing)
            by_length.setdefault(len(row), []).append((number, row, position - start + len(self._opening)))
        for length, items in sorted(by_length.items()):
            size = max(1, TOKENS_PER_BATCH // length)
            for first in range(0, len(items), size):
                numbers, rows, masked = zip(*items[first : first + size], strict=True)
                yield list(numbers), np.array(rows, dtype=np.int64), np.array(masked, dtype=np.int64)

    def _probabilities(
        self, rows: Int[np.ndarray, "batch ctx"], masked: Int[np.ndarray, " batch"]
    ) -> Float[np.ndarray, "batch vocabulary"]:
        import torch

        device = next(self._model.parameters()).device
        ids = torch.from_numpy(rows).to(device)
        with torch.inference_mode():
            # Explicit ones: left to itself, a model whose padding is also its first token would ignore that token.
            logits = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            chosen = logits[torch.arange(len(ids), device=device), torch.from_numpy(masked).to(device)]
            probabilities: np.ndarray = chosen.float().softmax(-1)[:, : self._size].cpu().numpy()
        return probabilities

    def _best(
        self, probabilities: Float[np.ndarray, " vocabulary"], original: int, count: int
    ) -> tuple[tuple[int, float], ...]:
        allowed = np.ones(len(probabilities), dtype=bool)
        allowed[self._special] = False
        allowed[original] = False
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


def _check_vocabulary(folder: Path, theirs: Sequence[str], ours: Vocabulary, special: frozenset[int]) -> None:
    """Every ordinary token of the subject must have the same id and text in the masked model."""
    pairs = zip(theirs, ours.strings, strict=False)
    differing = [index for index, (a, b) in enumerate(pairs) if a != b and index not in special]
    if len(theirs) < len(ours) or differing:
        where = (
            f"token {differing[0]} is {theirs[differing[0]]!r}, not {ours.strings[differing[0]]!r}"
            if differing
            else (f"it has {len(theirs)} tokens, not {len(ours)}")
        )
        raise SubjectError(
            f"the masked language model in {folder} has another tokeniser than the subject ({where}); "
            "use one trained on the subject's tokeniser, or go without masked edits"
        )


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
    tokens: list[dict[str, Any]] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
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
