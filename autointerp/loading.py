"""From a model's name to a TransformerLens bridge in float32: safetensors only, every weight there and finite."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsl.errors import SubjectError

if TYPE_CHECKING:
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedConfig

FILES = ["*.json", "*.safetensors", "*.model"]
"""What is downloaded of a hub repository: no pickles, no code."""


def folder_of(model: str | Path, revision: str | None = None) -> Path:
    """The folder of a model: itself, or a hub id's snapshot from the local cache or, where allowed, the network."""
    path = Path(model)
    if path.exists() or str(model).startswith((".", "/", "~")) or str(model).count("/") > 1:
        return _checked(path)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(str(model), revision=revision, allow_patterns=FILES))
    except (OSError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise SubjectError(
            f"{model} is neither a folder nor a model that can be had from the hub{offline}; "
            "name a Hugging Face model folder, or download the model first"
        ) from error


def read_config(folder: Path) -> PreTrainedConfig:
    """The model's config.json."""
    with quiet():
        from transformers import AutoConfig

        try:
            config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise SubjectError(
                f"{folder / 'config.json'} does not load as a model's settings: {first_line(error)}"
            ) from error
    return config


def load_bridge(
    folder: Path, config: PreTrainedConfig, device: str, dtype: torch.dtype | None = None
) -> TransformerBridge:
    """The model with its hooks, in float32 unless said otherwise."""
    with quiet():
        import torch
        from safetensors import SafetensorError
        from transformer_lens.model_bridge import TransformerBridge
        from transformers import AutoModelForCausalLM

        dtype = dtype or torch.float32
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                dtype=dtype,
                attn_implementation="eager",  # as TransformerLens would load it
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise SubjectError(f"{folder} does not load as a causal language model: {first_line(error)}") from error
        model, report = loaded
        check_weights(folder, model, report)
        model.to(device).eval().requires_grad_(False)
        try:
            bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, device=device, dtype=dtype)
        except (OSError, ValueError, NotImplementedError, KeyError) as error:
            raise SubjectError(f"TransformerLens cannot run {folder}: {first_line(error)}") from error
        bridge.eval()
    return bridge


def context_size(config: PreTrainedConfig, bridge: TransformerBridge) -> int:
    """How many tokens the model reads at once, by its own figure: TransformerLens may cap it."""
    text = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "n_ctx"):
        size = getattr(text, name, None)
        if isinstance(size, int) and size > 0:
            return size
    return int(bridge.cfg.n_ctx)


@contextmanager
def quiet() -> Iterator[None]:
    """Third-party loading bars and notices are not ours to show; errors still rise, and what was set is put back."""
    from transformers.utils import logging as theirs

    bar, verbosity = theirs.is_progress_bar_enabled(), theirs.get_verbosity()
    root = logging.getLogger()
    level = root.level
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    theirs.set_verbosity(logging.ERROR)
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        theirs.set_verbosity(verbosity)
        if bar:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise SubjectError(f"{folder} is not a folder; name a Hugging Face model folder, with config.json and weights")
    if not (folder / "config.json").is_file():
        raise SubjectError(f"{folder} holds no config.json, so it is no Hugging Face model folder; name one")
    if not any(folder.glob("*.safetensors")):
        raise SubjectError(f"{folder} holds no .safetensors weights; save the model with save_pretrained")
    return folder


def check_weights(folder: Path, model: object, report: dict[str, object]) -> None:
    import torch

    assert isinstance(model, torch.nn.Module)
    absent = report.get("missing_keys") or report.get("mismatched_keys")
    if absent:
        raise SubjectError(f"the weights in {folder} lack {_some(absent)}; save the whole model again")
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise SubjectError(f"{folder}: {name} holds NaN or infinite weights; train or download the model again")


def _some(keys: object) -> str:
    assert isinstance(keys, set | list | tuple)
    names = sorted(map(str, keys))
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
