"""SAELens folders: `cfg.json` beside `sae_weights.safetensors`; standard, jumprelu, topk and gated architectures.

The formulas are those of SAELens 6 (github.com/decoderesearch/SAELens), in float32 whatever the weights are stored in.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dsl.errors import SubjectError

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
CHUNK = 2**24
"""Pre-activations held at once, in numbers: 64 MiB."""

Architecture = Literal["standard", "jumprelu", "topk", "gated"]
Normalisation = Literal["none", "expected_average_only_in", "constant_norm_rescale", "layer_norm"]


class _Metadata(BaseModel):
    hook_name: str | None = None
    prepend_bos: bool | None = None


class _Kwargs(BaseModel):
    k: int | None = None


class _Config(BaseModel):
    """What cfg.json may hold; the names after the blank line are those of SAELens before version 6."""

    d_in: int = Field(ge=1)
    d_sae: int = Field(ge=1)
    architecture: Architecture = "standard"
    k: int | None = None
    apply_b_dec_to_input: bool = True
    rescale_acts_by_decoder_norm: bool = False
    normalize_activations: Normalisation = "none"
    metadata: _Metadata = _Metadata()

    hook_name: str | None = None
    hook_point: str | None = None
    prepend_bos: bool | None = None
    activation_fn_str: str | None = None
    activation_fn_kwargs: _Kwargs | None = None


@dataclass(frozen=True, eq=False)
class SaeLens:
    """A sparse autoencoder read from a SAELens folder."""

    name: str
    hookpoint: str
    prepend_bos: bool | None
    architecture: Architecture
    k: int | None
    subtract_decoder_bias: bool
    scale_by_decoder_norm: bool
    normalisation: Normalisation
    weights: dict[str, Tensor]
    fingerprint: str

    @property
    def d_in(self) -> int:
        return int(self.weights["W_enc"].shape[0])

    @property
    def d_sae(self) -> int:
        return int(self.weights["W_enc"].shape[1])

    @property
    def decoder(self) -> Float[Tensor, "d_sae d_in"]:
        return self.weights["W_dec"]

    def to(self, device: str) -> SaeLens:
        """The same dictionary on another device."""
        return replace(self, weights={name: weight.to(device) for name, weight in self.weights.items()})

    def encode(
        self, inputs: Float[Tensor, "n d_in"], features: Int[Tensor, " k"] | None = None
    ) -> Float[Tensor, "n k"]:
        """Activations of the chosen features, or of all; a top-k is taken over all features either way.

        >>> load("stories-sae").encode(torch.zeros(1, 192), torch.tensor([17])).shape  # doctest: +SKIP
        torch.Size([1, 1])
        """
        inputs = self._normalised(inputs)
        match self.architecture, features:
            case "topk", None:
                return torch.cat([self._all_of_top(rows) for rows in self._chunks(inputs)])
            case "topk", Tensor():
                return torch.cat([self._some_of_top(rows, features) for rows in self._chunks(inputs)])
            case _:
                return torch.cat([self._gated(rows, features) for rows in self._chunks(inputs)])

    def sparse(
        self, inputs: Float[Tensor, "n d_in"]
    ) -> tuple[Int[Tensor, " nonzero"], Int[Tensor, " nonzero"], Float[Tensor, " nonzero"]]:
        """All activations above zero: their rows (ascending), features and values."""
        inputs = self._normalised(inputs)
        found, first = [], 0
        for chunk in self._chunks(inputs):
            if self.architecture == "topk":
                values, features = self._top(chunk)
                rows = torch.arange(len(chunk), device=chunk.device)[:, None].expand_as(features)
                kept = values > 0
                found.append((rows[kept] + first, features[kept], values[kept]))
            else:
                dense = self._gated(chunk, None)
                rows, features = dense.nonzero(as_tuple=True)
                found.append((rows + first, features, dense[rows, features]))
            first += len(chunk)
        rows, features, values = (torch.cat(column) for column in zip(*found, strict=True))
        return rows, features, values

    def preactivations(
        self, inputs: Float[Tensor, "n d_in"], features: Int[Tensor, " k"]
    ) -> tuple[Float[Tensor, "n k"], Int[Tensor, "n k"], Float[Tensor, " n"]]:
        """What the chosen features were before gating, their rank among all (0 = highest), and the cut."""
        inputs = self._normalised(inputs)
        found = []
        for rows in self._chunks(inputs):
            everything = self._pre(rows)
            chosen = everything[:, features]
            # One feature at a time: a comparison of all with all would hold n x d_sae x k numbers.
            ranks = [(everything > chosen[:, [number]]).sum(dim=1) for number in range(len(features))]
            rank = torch.stack(ranks, dim=1) if ranks else torch.zeros_like(chosen, dtype=torch.long)
            cut = everything.topk(self.k, dim=1).values[:, -1] if self.k else torch.zeros(len(rows), device=rows.device)
            found.append((chosen, rank, cut))
        chosen, rank, cut = (torch.cat(column) for column in zip(*found, strict=True))
        return chosen, rank, cut

    def _chunks(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(inputs, max(1, CHUNK // self.d_sae))

    def _normalised(self, inputs: Tensor) -> Tensor:
        match self.normalisation:
            case "none" | "expected_average_only_in":  # the latter's factor is folded into the published weights
                return inputs
            case "constant_norm_rescale":
                length = torch.linalg.vector_norm(inputs, dim=-1, keepdim=True)
                return torch.div(inputs, length / math.sqrt(self.d_in))
            case "layer_norm":
                centred = inputs - inputs.mean(dim=-1, keepdim=True)
                deviation: Tensor = centred.std(dim=-1, keepdim=True)
                return torch.div(centred, deviation + 1e-5)
            case _:
                assert_never(self.normalisation)

    def _centred(self, inputs: Tensor) -> Tensor:
        return inputs - self.weights["b_dec"] if self.subtract_decoder_bias else inputs

    def _pre(self, inputs: Tensor, features: Tensor | None = None) -> Tensor:
        """Pre-activations: what is compared with a threshold, with the k-th, or with 0."""
        encoder, bias = self.weights["W_enc"], self.weights["b_gate" if self.architecture == "gated" else "b_enc"]
        decoder = self.weights["W_dec"]
        if features is not None:
            encoder, bias, decoder = encoder[:, features], bias[features], decoder[features]
        pre = self._centred(inputs) @ encoder + bias
        return pre * torch.linalg.vector_norm(decoder, dim=-1) if self.scale_by_decoder_norm else pre

    def _all_of_top(self, inputs: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_sae"]:
        values, indices = self._top(inputs)
        return torch.zeros(len(inputs), self.d_sae, device=inputs.device).scatter_(1, indices, values)

    def _some_of_top(self, inputs: Float[Tensor, "n d_in"], features: Int[Tensor, " k"]) -> Float[Tensor, "n k"]:
        """The whole encoder runs only for rows where one of the features could pass: the others are zero anyway."""
        assert self.k is not None
        found = torch.zeros(len(inputs), len(features), device=inputs.device)
        rows = (self._pre(inputs, features) > 0).any(dim=1).nonzero()[:, 0]
        if len(rows):
            everything = self._pre(inputs[rows])
            chosen = everything[:, features]
            if len(features) == 1:  # as at the k-th or above it, in a third of the time
                passes = (everything > chosen).sum(dim=1, keepdim=True) < self.k
            else:
                passes = chosen >= everything.topk(self.k, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
            found[rows] = torch.where(passes, chosen, 0.0).relu()
        return found

    def _top(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        assert self.k is not None
        values, indices = self._pre(inputs).topk(self.k, dim=1, sorted=False)
        return values.relu(), indices

    def _gated(self, inputs: Tensor, features: Tensor | None) -> Tensor:
        """Every architecture in which a feature's activation does not depend on the other features."""
        pre = self._pre(inputs, features)
        match self.architecture:
            case "standard":
                return pre.relu()
            case "jumprelu":
                threshold = self.weights["threshold"]
                return pre.relu() * (pre > (threshold if features is None else threshold[features]))
            case "gated":
                encoder, scale, bias = self.weights["W_enc"], self.weights["r_mag"], self.weights["b_mag"]
                if features is not None:
                    encoder, scale, bias = encoder[:, features], scale[features], bias[features]
                return (pre > 0) * (self._centred(inputs) @ (encoder * scale.exp()) + bias).relu()
            case "topk":
                raise AssertionError("a top-k is taken over all features")
            case _:
                assert_never(self.architecture)


def load(folder: Path) -> SaeLens:
    """Read a SAELens folder; raises SubjectError, naming the file or tensor, for whatever cannot be used."""
    if not folder.is_dir():
        raise SubjectError(f"{folder} is not a folder; name a SAELens folder holding {CONFIG} and {WEIGHTS}")
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise SubjectError(f"{folder} holds no {name}; a SAELens folder has {CONFIG} and {WEIGHTS}")
    text = (folder / CONFIG).read_bytes()
    config, architecture, k = _config(folder, text)
    hookpoint = config.metadata.hook_name or config.hook_name or config.hook_point
    if not hookpoint:
        raise SubjectError(f"{folder / CONFIG} names no hookpoint; set metadata.hook_name in it")
    stated = config.metadata.prepend_bos
    weights = _weights(folder / WEIGHTS, architecture, config.d_in, config.d_sae)
    digest = hashlib.sha256(text)
    with (folder / WEIGHTS).open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return SaeLens(
        name=folder.resolve().name,
        hookpoint=hookpoint,
        prepend_bos=config.prepend_bos if stated is None else stated,
        architecture=architecture,
        k=k,
        subtract_decoder_bias=config.apply_b_dec_to_input,
        scale_by_decoder_norm=config.rescale_acts_by_decoder_norm and architecture == "topk",
        normalisation=config.normalize_activations,
        weights=weights,
        fingerprint=digest.hexdigest(),
    )


def _config(folder: Path, text: bytes) -> tuple[_Config, Architecture, int | None]:
    path = folder / CONFIG
    try:
        config = _Config.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise SubjectError(f"{path}: {where} is {first['input']!r}: {first['msg']}; mend the file") from error
    except ValueError as error:
        raise SubjectError(f"{path} is not JSON: {error}; download the folder again") from error
    architecture, k = config.architecture, config.k
    if config.activation_fn_str == "topk":
        architecture, k = "topk", config.activation_fn_kwargs.k if config.activation_fn_kwargs else k
    if architecture == "topk" and (k is None or not 1 <= k <= config.d_sae):
        raise SubjectError(f"{path}: a topk dictionary of {config.d_sae} features needs k from 1 to that, not {k}")
    return config, architecture, k if architecture == "topk" else None


def _weights(path: Path, architecture: Architecture, d_in: int, d_sae: int) -> dict[str, Tensor]:
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise SubjectError(f"{path} is damaged ({error}); download it again") from error
    weights = {}
    for name, shape in _shapes(architecture, d_in, d_sae).items():
        if name not in stored:
            raise SubjectError(f"{path} holds no {name}, which a {architecture} dictionary needs; check cfg.json")
        if tuple(stored[name].shape) != shape:
            raise SubjectError(f"{path}: {name} is {list(stored[name].shape)}, but cfg.json says {list(shape)}")
        weights[name] = stored[name].to(torch.float32)
        if not bool(torch.isfinite(weights[name]).all()):
            raise SubjectError(f"{path}: {name} holds NaN or infinite weights; train or download the dictionary again")
    return weights


def _shapes(architecture: Architecture, d_in: int, d_sae: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"W_enc": (d_in, d_sae), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
    match architecture:
        case "standard" | "topk":
            vectors = ["b_enc"]
        case "jumprelu":
            vectors = ["b_enc", "threshold"]
        case "gated":
            vectors = ["b_gate", "b_mag", "r_mag"]
        case _:
            assert_never(architecture)
    return shapes | dict.fromkeys(vectors, (d_sae,))
