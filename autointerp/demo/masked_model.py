"""The masked language model: bidirectional, over the same tokens, started from the language model's weights.

From scratch a model of this size stays at the loss of token frequencies for most of the minutes that training has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor
from transformers import GPT2LMHeadModel, RobertaPreLayerNormConfig, RobertaPreLayerNormForMaskedLM

from autointerp.demo.documents import Documents, PackedRows
from autointerp.demo.rounding import round_file
from autointerp.demo.settings import END, MASK, MaskedModelSettings
from autointerp.demo.tokenizer import save_tokenizer
from autointerp.demo.training import Checkpoint, adamw, cosine, train
from autointerp.loading import quiet

IGNORED = -100
"""Cross-entropy's mark for positions that do not count."""


def train_masked_model(
    documents: Documents,
    tokenizer: Tokenizer,
    language_model: GPT2LMHeadModel,
    folder: Path,
    settings: MaskedModelSettings,
    *,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    """Train and save a Hugging Face folder that `AutoModelForMaskedLM` loads; rows of `settings.context` tokens."""
    model = from_language_model(language_model, settings.context)
    rows = PackedRows(documents, length=settings.context, batch=settings.batch, start=END, seed=seed)
    vocabulary = tokenizer.get_vocab_size()

    def loss(step: int) -> Tensor:
        generator = np.random.default_rng([seed, step])
        ids, labels = hide(rows.batch(step).numpy(), settings.masked, vocabulary, generator)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)

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


def hide(
    ids: Int[np.ndarray, "batch ctx"], share: float, vocabulary: int, generator: np.random.Generator
) -> tuple[Int[Tensor, "batch ctx"], Int[Tensor, "batch ctx"]]:
    """BERT's corruption: of the chosen share of tokens 80% are masked, 10% replaced at random and 10% left.

    Gives the corrupted ids, and labels that are IGNORED where nothing was chosen. Token 0 is never chosen.
    """
    draw, fate = generator.random(ids.shape), generator.random(ids.shape)
    chosen = (draw < share) & (ids != END)
    if not chosen.any():
        chosen = ids != END
    corrupted = np.where(chosen & (fate < 0.8), MASK, ids)
    random = generator.integers(MASK + 1, vocabulary, ids.shape)
    corrupted = np.where(chosen & (fate >= 0.9), random, corrupted)
    return torch.from_numpy(corrupted.astype(np.int64)), torch.from_numpy(
        np.where(chosen, ids, IGNORED).astype(np.int64)
    )


def from_language_model(source: GPT2LMHeadModel, context: int) -> RobertaPreLayerNormForMaskedLM:
    """A masked model of the language model's shape, with its embeddings, attention and MLPs."""
    config = source.config
    model = RobertaPreLayerNormForMaskedLM(
        RobertaPreLayerNormConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.n_embd,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            intermediate_size=4 * config.n_embd,
            hidden_act=config.activation_function,
            max_position_embeddings=context + 2,
            layer_norm_eps=config.layer_norm_epsilon,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            type_vocab_size=1,
            pad_token_id=END,
            bos_token_id=END,
            eos_token_id=END,
        )
    )
    model.load_state_dict(_translated(source, context), strict=False)
    with torch.no_grad():
        embeddings = model.roberta_prelayernorm.embeddings
        # This architecture normalises its embeddings, GPT-2 does not: start at GPT-2's scale.
        embeddings.LayerNorm.weight.fill_(float(source.transformer.wte.weight.std()))
        embeddings.token_type_embeddings.weight.zero_()
        torch.nn.init.eye_(model.lm_head.dense.weight)
    return model


def _translated(source: GPT2LMHeadModel, context: int) -> dict[str, Tensor]:
    """GPT-2's tensors under RoBERTa's names; GPT-2 stores its matrices the other way round."""
    theirs = source.state_dict()
    base = "roberta_prelayernorm"
    positions = theirs["transformer.wpe.weight"]
    ours = {
        f"{base}.embeddings.word_embeddings.weight": theirs["transformer.wte.weight"],
        f"{base}.embeddings.position_embeddings.weight": positions[
            torch.arange(context + 2).clamp(max=len(positions) - 1)
        ],
        f"{base}.LayerNorm.weight": theirs["transformer.ln_f.weight"],
        f"{base}.LayerNorm.bias": theirs["transformer.ln_f.bias"],
    }
    for layer in range(source.config.n_layer):
        from_, to = f"transformer.h.{layer}", f"{base}.encoder.layer.{layer}"
        for kind in ("weight", "bias"):
            heads = theirs[f"{from_}.attn.c_attn.{kind}"].chunk(3, dim=-1)
            ours |= {
                f"{to}.attention.self.{name}.{kind}": part.T if part.ndim == 2 else part
                for name, part in zip(("query", "key", "value"), heads, strict=True)
            }
            ours[f"{to}.attention.LayerNorm.{kind}"] = theirs[f"{from_}.ln_1.{kind}"]
            ours[f"{to}.intermediate.LayerNorm.{kind}"] = theirs[f"{from_}.ln_2.{kind}"]
            for old, new in (
                ("attn.c_proj", "attention.output.dense"),
                ("mlp.c_fc", "intermediate.dense"),
                ("mlp.c_proj", "output.dense"),
            ):
                value = theirs[f"{from_}.{old}.{kind}"]
                ours[f"{to}.{new}.{kind}"] = value.T if value.ndim == 2 else value
    return ours
