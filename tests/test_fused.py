"""One kernel in place of GPT-2's activation function: the same numbers, and other models left as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from at_hand import demo_folders, demo_subject
from torch import nn
from transformers.activations import NewGELUActivation

from autointerp.fused import fuse_activations
from autointerp.loading import load_bridge, read_config
from autointerp.models import TOLERANCE

SMALL = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def test_activations_are_those_of_the_model_as_it_came() -> None:
    subject = demo_subject()
    folder = demo_folders()[0]
    plain = load_bridge(folder, read_config(folder), "cpu")
    rng = np.random.default_rng(0)
    texts = [tuple(rng.integers(0, 4096, length).tolist()) for length in (3, 30, 64, 200)]
    features = list(range(0, subject.d_sae, 16))
    near = subject.near_boundary(texts, features)
    for text, ours, unsure in zip(texts, subject.activations(texts, features, batch_size=1), near, strict=True):
        with torch.inference_mode():
            _, cache = plain.run_with_cache(torch.tensor([subject.prefix + text]))
            rows = cache[subject.hookpoint][0, len(subject.prefix) :]
            theirs = subject._dictionary.encode(rows)[:, features].numpy()
        assert np.abs(ours - theirs)[~unsure].max() <= TOLERANCE * theirs.max()
        assert np.abs(ours - theirs)[~unsure].max() <= 1e-5 * theirs.max()  # as SAELens's own numbers are held to


def test_it_is_the_formula_of_gelu_new() -> None:
    values = torch.linspace(-12, 12, 10_001)
    [kernel] = [module for module in fused(nn.Sequential(NewGELUActivation())) if not isinstance(module, nn.Sequential)]
    torch.testing.assert_close(kernel(values), NewGELUActivation()(values), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "config",
    [
        transformers.LlamaConfig(**SMALL, intermediate_size=32),
        transformers.OPTConfig(**SMALL, ffn_dim=32, word_embed_proj_dim=16),
        transformers.GPTNeoXConfig(**SMALL, intermediate_size=32),
        transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, activation_function="gelu"),
        transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, activation_function="gelu_fast"),
        transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, activation_function="gelu_pytorch_tanh"),
    ],
    ids=lambda config: f"{config.model_type} {getattr(config, 'activation_function', None) or ''}",
)
def test_a_model_with_another_activation_function_is_left_as_it_is(config: transformers.PreTrainedConfig) -> None:
    model = transformers.AutoModelForCausalLM.from_config(config)
    before = [id(module) for module in model.modules()]
    assert fuse_activations(model) == 0
    assert [id(module) for module in model.modules()] == before


def test_what_another_library_derives_from_it_is_left_as_it_is() -> None:
    class Other(NewGELUActivation):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values

    assert fuse_activations(nn.Sequential(Other())) == 0


def fused(model: nn.Module) -> list[nn.Module]:
    assert fuse_activations(model) == 1
    assert fuse_activations(model) == 0
    return list(model.modules())
