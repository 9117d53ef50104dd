"""Weights on disk as float16, in memory as float32: half the bytes, and figures are measured on what is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dsl.errors import SubjectError


def round_file(path: Path) -> None:
    """Rewrite a safetensors file with every floating-point tensor as float16; a SubjectError where one is not finite.

    The tokenizer, the configuration and the names of the tensors stay: `from_pretrained(..., dtype=torch.float32)`
    loads it.
    """
    save_file(rounded(load_file(path)), path, metadata={"format": "pt"})


def rounded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as float16. A weight beyond float16's range (65,504) or not a number is a SubjectError."""
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    for name, tensor in half.items():
        if not torch.isfinite(tensor).all():
            raise SubjectError(f"the weights {name} hold values that float16 cannot; train at a lower learning rate")
    return {name: tensor.contiguous() for name, tensor in half.items()}
