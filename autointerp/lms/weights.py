"""A causal language model and its tokeniser from a folder: safetensors only, every weight there and finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from autointerp.loading import check_weights, first_line, quiet
from dsl.errors import InputError, SubjectError


def load_weights(folder: Path, dtype: torch.dtype, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model, ready to answer, and its tokeniser; InputError where they cannot be had or cannot be used."""
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
            raise InputError(f"{folder} does not load as a causal language model: {first_line(error)}") from error
        model, report = loaded
        try:
            check_weights(folder, model, report)
        except SubjectError as error:
            raise InputError(str(error)) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(f"{folder}: its tokeniser has no tokenizer.json, which a grammar needs; convert it")
    if tokenizer.eos_token_id is None:
        raise InputError(f"{folder}: its tokeniser names no eos_token, so no answer would end; name one")
    tokenizer.model_max_length = 10**9  # what is too long is told from the model's own figure, without a warning
    model.eval().requires_grad_(False)
    try:
        torch.nn.Module.to(model, device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"{folder} cannot be put on {device}: {first_line(error)}") from error
    return model, tokenizer


def ends_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """Tokens that end an answer: the tokeniser's, and those that the folder's generation settings add."""
    named = model.generation_config.eos_token_id if model.generation_config is not None else None
    own = [] if named is None else [named] if isinstance(named, int) else list(named)
    return frozenset([tokenizer.eos_token_id, *own])


def context_tokens(model: PreTrainedModel, folder: Path) -> int:
    text = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        size = getattr(text, name, None)
        if isinstance(size, int) and size > 0:
            return size
    raise InputError(f"{folder / 'config.json'} does not say how long a context the model reads")
