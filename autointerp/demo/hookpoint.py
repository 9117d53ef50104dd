"""A language model's residual stream after one layer: read it, and put something else in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn

from autointerp.loading import check_weights, first_line, folder_of, quiet
from dsl.errors import SubjectError

HOOKPOINT = re.compile(r"blocks\.(\d+)\.hook_resid_post\Z")


class ResidualStream:
    """A causal language model out of a folder, in float32, with its hands on `blocks.N.hook_resid_post`.

    The name is TransformerLens's; the model is plain transformers, so reading leaves out what lies above the layer.
    """

    def __init__(self, folder: str | Path, hookpoint: str) -> None:
        """Raises SubjectError where the folder holds no such model or the model no such layer."""
        found = HOOKPOINT.match(hookpoint)
        if found is None:
            raise SubjectError(f"dictionaries are trained on hookpoints blocks.N.hook_resid_post, not on {hookpoint}")
        self.hookpoint = hookpoint
        self.folder = folder_of(folder)
        self.model = load_causal(self.folder)
        layers = [part for part in self.model.modules() if isinstance(part, nn.ModuleList)]
        count = int(self.model.config.num_hidden_layers)
        blocks = next((part for part in layers if len(part) == count), None)
        if blocks is None or int(found[1]) >= count:
            raise SubjectError(f"{self.folder.name} has {count} layers and no {hookpoint}; name an earlier layer")
        self._layer = blocks[int(found[1])]
        self.context = int(self.model.config.max_position_embeddings)
        self.width = int(self.model.config.hidden_size)
        self.vocabulary = int(self.model.config.vocab_size)

    @torch.no_grad()
    def read(self, ids: Int[Tensor, "batch ctx"]) -> Float[Tensor, "batch ctx d_in"]:
        """What the hookpoint holds; the forward ends there."""

        def stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
            raise _Reached(_hidden(output))

        handle = self._layer.register_forward_hook(stop)
        try:
            self.model.base_model(ids, use_cache=False)
        except _Reached as reached:
            return reached.hidden
        finally:
            handle.remove()
        raise AssertionError("the forward ended without passing the layer")

    @torch.no_grad()
    def logits(
        self,
        ids: Int[Tensor, "batch ctx"],
        replace: Callable[[Float[Tensor, "batch ctx d_in"]], Float[Tensor, "batch ctx d_in"]] | None = None,
    ) -> Float[Tensor, "batch ctx vocabulary"]:
        """The model's logits, with what the hookpoint holds run through `replace` where that is given."""
        if replace is None:
            return self._whole(ids)

        def put(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            new = replace(_hidden(output))
            return (new, *output[1:]) if isinstance(output, tuple) else new

        handle = self._layer.register_forward_hook(put)
        try:
            return self._whole(ids)
        finally:
            handle.remove()

    def _whole(self, ids: Int[Tensor, "batch ctx"]) -> Float[Tensor, "batch ctx vocabulary"]:
        logits: Tensor = self.model(ids, use_cache=False).logits
        return logits


def load_causal(folder: Path) -> Any:
    """A causal language model in float32, every weight there and finite, nothing to be trained."""
    with quiet():
        from transformers import AutoModelForCausalLM

        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise SubjectError(f"{folder} does not load as a causal language model: {first_line(error)}") from error
    model, report = loaded
    check_weights(folder, model, report)
    return model.eval().requires_grad_(False)


class _Reached(Exception):  # noqa: N818 nothing is wrong: it ends a forward
    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def _hidden(output: Any) -> Tensor:
    """A layer gives its hidden states, alone or before other things."""
    hidden = output[0] if isinstance(output, tuple) else output
    assert isinstance(hidden, Tensor)
    return hidden
