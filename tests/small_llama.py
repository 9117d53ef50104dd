"""A small Llama with a chat template, for runs that need a context of 4,096 tokens: `python tests/small_llama.py DIR`.

Its tokeniser knows every byte and is trained on the demo's corpus; its weights are random, so it writes text without
sense: what must be right is everything around it. Built in seconds, the same bytes every time. Heads have size 32,
the least that vLLM takes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from autointerp.corpus import read_documents
from autointerp.demo import paths

CONTEXT = 4096
DOCUMENTS = 2000
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
SPECIAL = (BEGIN, END, PAD, "<|system|>", "<|user|>", "<|assistant|>")
_KEPT = tempfile.TemporaryDirectory(prefix="small-llama-")
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}\n{{ message['content'] }}{{ eos_token }}\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@cache
def small_llama() -> Path:
    """The folder of one that all tests of a process share."""
    return build_small_llama(Path(_KEPT.name))


def build_small_llama(
    folder: Path,
    *,
    texts: Iterable[str] | None = None,
    vocabulary: int = 2048,
    context: int = CONTEXT,
    chat_template: str | None = CHAT_TEMPLATE,
    pad: bool = True,
    rows: int | None = None,
    width: int = 64,
    layers: int = 2,
    seed: int = 0,
) -> Path:
    """Write a Hugging Face folder; `rows` is the height of the embedding where it has more rows than tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(islice(read_documents(paths().corpus), DOCUMENTS) if texts is None else texts, vocabulary)
    _save_tokenizer(tokenizer, folder, context, chat_template, pad)
    config = LlamaConfig(
        vocab_size=rows or tokenizer.get_vocab_size(),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        head_dim=32,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.token_to_id(BEGIN),
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD) if pad else None,
    )
    model = LlamaForCausalLM(config)
    _fill(model, tokenizer.token_to_id(END), torch.Generator().manual_seed(seed))
    model.save_pretrained(folder)
    return folder


def _tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int, chat_template: str | None, pad: bool) -> None:
    settings = {
        "add_bos_token": False,
        "additional_special_tokens": list(SPECIAL[3:]),
        "bos_token": BEGIN,
        "clean_up_tokenization_spaces": False,
        "eos_token": END,
        "model_max_length": context,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    settings |= {"pad_token": PAD} if pad else {}
    settings |= {"chat_template": chat_template} if chat_template is not None else {}
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _fill(model: LlamaForCausalLM, end: int, generator: torch.Generator) -> None:
    """Random weights under which logits vary by about 2.5, so that text neither repeats nor is all of a kind.

    The end's own vary by twice as much: unlikely most of the time, and likely enough once in some dozens of tokens.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:
                continue  # norms stay as they are
            inputs = weight.shape[-1]
            scale = {"model.embed_tokens.weight": 1.0, "lm_head.weight": 2.5 * inputs**-0.5}.get(name, inputs**-0.5)
            weight.normal_(std=scale, generator=generator)
        model.lm_head.weight[end] *= 2


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    print(build_small_llama(parser.parse_args(arguments).folder))


if __name__ == "__main__":
    main(sys.argv[1:])
