"""The tokenizer: byte-level BPE whose tokens carry their leading space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from autointerp.demo.settings import SPECIAL_TOKENS, TokenizerSettings


def train_tokenizer(documents: Sequence[str], settings: TokenizerSettings) -> Tokenizer:
    """Learn the merges; a small text may give fewer tokens than asked for, never fewer than bytes and special ones."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, *, longest: int) -> None:
    """The two files that `AutoTokenizer` reads; `longest` is how many tokens the model in the folder was trained on."""
    end, mask = SPECIAL_TOKENS
    settings = {
        "backend": "tokenizers",
        "bos_token": end,
        "eos_token": end,
        "mask_token": mask,
        "model_max_length": longest,
        "pad_token": end,
        "tokenizer_class": "TokenizersBackend",
    }
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def tokenize(tokenizer: Tokenizer, documents: Sequence[str]) -> list[list[int]]:
    """Token ids of every document; special tokens that stand in a text are the characters they are made of."""
    tokenizer.encode_special_tokens = True
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(documents), add_special_tokens=False)]
