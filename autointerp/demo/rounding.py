"""Weights on disk as float16, in memory as float32: half the bytes, and figures are measured on what is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from dsl.errors import SubjectError


def round_file(path: Path) -> None:
    """Rewrite a safetensors file with its floating-point tensors as float16; all else about it stays.

    `from_pretrained(..., dtype=torch.float32)` loads it to run in float32.
    """
    write_rounded(path, load_file(path))


def write_rounded(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file of the tensors as float16.

    Raises SubjectError for a weight that is not a number or beyond float16's range (65,504).
    """
    half = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    for name, tensor in half.items():
        if not torch.isfinite(tensor).all():
            raise SubjectError(f"the weights {name} hold values that float16 cannot; train at a lower learning rate")
    # As bytes and not by save_file, which makes files that nobody else may read.
    path.write_bytes(save({name: tensor.contiguous() for name, tensor in half.items()}, metadata={"format": "pt"}))
