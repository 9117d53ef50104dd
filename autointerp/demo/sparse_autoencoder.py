"""The dictionary: a top-k sparse autoencoder, trained and saved as a SAELens folder.

The method is that of Gao et al. 2024 ("Scaling and evaluating sparse autoencoders"): top-k instead of a penalty,
decoder rows of unit norm, and an auxiliary loss that lets dead features learn what the living ones leave.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from autointerp.demo.documents import DocumentRows, Documents
from autointerp.demo.hookpoint import ResidualStream
from autointerp.demo.rounding import write_rounded
from autointerp.demo.settings import DictionarySettings
from autointerp.demo.training import Checkpoint, linear_tail, train
from dsl.errors import InputError

SCALE_BATCHES = 8
"""Batches from which the activations' mean and scale are taken before training."""


class TopK(nn.Module):
    """Encodes `x` as the `k` highest positive of `(x - b_dec) W_enc + b_enc`, and decodes by `W_dec` and `b_dec`."""

    since_fired: Tensor

    def __init__(self, d_in: int, d_sae: int, k: int) -> None:
        super().__init__()
        self.k = k
        directions = nn.functional.normalize(torch.randn(d_sae, d_in), dim=1)
        self.W_dec = nn.Parameter(directions)
        self.W_enc = nn.Parameter(directions.T.contiguous())
        self.b_enc = nn.Parameter(torch.zeros(d_sae))
        self.b_dec = nn.Parameter(torch.zeros(d_in))
        self.register_buffer("since_fired", torch.zeros(d_sae))

    def preactivations(self, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def encode(self, x: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
        return highest(self.preactivations(x), self.k)

    def decode(self, activations: Float[Tensor, "n d_sae"]) -> Float[Tensor, "n d_in"]:
        return activations @ self.W_dec + self.b_dec


def highest(pre: Float[Tensor, "n d_sae"], k: int) -> Float[Tensor, "n d_sae"]:
    """The k highest of each row where they are positive, zero elsewhere."""
    values, indices = pre.topk(min(k, pre.shape[1]), dim=1)
    return torch.zeros_like(pre).scatter(1, indices, values.relu())


def train_sparse_autoencoder(
    stream: ResidualStream,
    documents: Documents,
    prefix: Sequence[int],
    folder: Path,
    settings: DictionarySettings,
    *,
    seed: int,
    checkpoint: Checkpoint,
) -> None:
    """Train on the stream's activations at the documents' tokens and save a SAELens folder, weights as float16.

    The prefix (the beginning-of-text token) is read before every document and left out of training: its activations
    are many times larger than all others. Initial weights come from torch's generator, which the caller seeds.
    """
    check_sparsity(settings)
    rows = DocumentRows(documents, length=min(settings.context, stream.context), prefix=prefix)
    if not rows.rows:
        raise InputError("there are no documents to train a dictionary on; give more text")

    def activations(step: int) -> Tensor:
        ids, kept = rows.batch(step, settings.batch, seed)
        return stream.read(ids)[kept]

    sample = torch.cat([activations(step) for step in range(SCALE_BATCHES)])
    mean = sample.mean(0)
    scale = float((sample - mean).pow(2).mean().sqrt())
    sae = TopK(stream.width, settings.features, settings.k)
    optimizer = torch.optim.Adam(sae.parameters(), lr=settings.learning_rate)

    train(
        sae,
        optimizer,
        steps=settings.steps,
        rate=linear_tail(settings.learning_rate, settings.decay, settings.steps),
        loss=lambda step: _loss(sae, (activations(step) - mean) / scale, settings),
        checkpoint=checkpoint,
        after=lambda: _unit_rows(sae),
    )
    tensors = {
        # The scale moves into the biases, so that the saved dictionary reads raw activations.
        "W_enc": sae.W_enc,
        "W_dec": sae.W_dec,
        "b_enc": sae.b_enc * scale,
        "b_dec": sae.b_dec * scale + mean,
    }
    write_rounded(folder / "sae_weights.safetensors", {name: tensor.detach() for name, tensor in tensors.items()})
    (folder / "cfg.json").write_text(json.dumps(_config(stream, settings, bool(prefix)), indent=1) + "\n", "utf-8")


def load_sparse_autoencoder(folder: Path) -> TopK:
    """A top-k dictionary that this module saved, in float32, to measure it; others are read by `dictionaries.load`."""
    config = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
    sae = TopK(config["d_in"], config["d_sae"], config["k"])
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "sae_weights.safetensors").items()}
    sae.load_state_dict(tensors, strict=False)
    return sae.eval().requires_grad_(False)


def check_sparsity(settings: DictionarySettings) -> None:
    """Raise InputError where more features would be active than there are."""
    if not 0 < settings.k <= settings.features:
        raise InputError(f"a dictionary of {settings.features} features cannot have {settings.k} active; lower k")


def _loss(sae: TopK, x: Float[Tensor, "n d_in"], settings: DictionarySettings) -> Tensor:
    """Unexplained variance, and the share of it that dead features, taken alone, leave unexplained."""
    pre = sae.preactivations(x)
    activations = highest(pre, sae.k)
    error = x - sae.decode(activations)
    variance = (x - x.mean(0)).pow(2).sum()
    loss = error.pow(2).sum() / variance
    with torch.no_grad():
        fired = (activations > 0).any(0)
        sae.since_fired.copy_(torch.where(fired, 0, sae.since_fired + len(x)))
        dead = sae.since_fired > settings.dead_after
    if dead.any():
        revived = highest(pre[:, dead], settings.auxiliary_k) @ sae.W_dec[dead]
        left = error.detach()
        loss = loss + settings.auxiliary_weight * (left - revived).pow(2).sum() / left.pow(2).sum()
    return loss


@torch.no_grad()
def _unit_rows(sae: TopK) -> None:
    sae.W_dec.div_(sae.W_dec.norm(dim=1, keepdim=True))


def _config(stream: ResidualStream, settings: DictionarySettings, prepend_bos: bool) -> dict[str, object]:
    return {
        "architecture": "topk",
        "d_in": stream.width,
        "d_sae": settings.features,
        "k": settings.k,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "reshape_activations": "none",
        "metadata": {
            "model_name": stream.folder.name,
            "hook_name": stream.hookpoint,
            "hook_head_index": None,
            "context_size": min(settings.context, stream.context),
            "prepend_bos": prepend_bos,
        },
    }
