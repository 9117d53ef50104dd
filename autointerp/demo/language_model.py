"""The language model: GPT-2's architecture, trained from nothing, its weights rounded to float16 on disk."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from autointerp.demo.documents import Documents, PackedRows
from autointerp.demo.rounding import round_file
from autointerp.demo.settings import END, LanguageModelSettings
from autointerp.demo.tokenizer import save_tokenizer
from autointerp.demo.training import Checkpoint, adamw, cosine, train
from autointerp.loading import quiet


def train_language_model(
    documents: Documents,
    tokenizer: Tokenizer,
    folder: Path,
    settings: LanguageModelSettings,
    *,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    """Train and save a Hugging Face folder. Initial weights come from torch's generator, which the caller seeds."""
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=tokenizer.get_vocab_size(),
            n_positions=settings.context,
            n_embd=settings.width,
            n_layer=settings.layers,
            n_head=settings.heads,
            resid_pdrop=0.0,  # dropout would draw from a generator that a resumed run does not have
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=END,
            eos_token_id=END,
        )
    )
    rows = PackedRows(documents, length=settings.context, batch=settings.batch, start=END, seed=seed)

    def loss(step: int) -> Tensor:
        ids = rows.batch(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
            logits = model(ids, use_cache=False).logits
        return next_token_loss(logits, ids)

    train(
        model,
        adamw(model, settings.learning_rate, settings.weight_decay),
        steps=settings.steps,
        rate=cosine(settings.learning_rate, settings.warmup, settings.steps),
        loss=loss,
        checkpoint=checkpoint,
    )
    with quiet():
        model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, longest=settings.context)
    round_file(folder / "model.safetensors")


def next_token_loss(logits: Tensor, ids: Int[Tensor, "batch ctx"]) -> Tensor:
    """Mean cross-entropy of every token but the first, in nats; logits of any precision, [batch, ctx, vocabulary]."""
    return torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten())
