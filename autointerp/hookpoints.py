"""Where a dictionary reads a model: what stands before every text, which hook, how far the forward has to go."""

from __future__ import annotations

import torch

from autointerp.dictionaries import Dictionary
from autointerp.forward import Forward
from autointerp.tokens import TextTokenizer
from dsl.errors import SubjectError
from probes.subject import TokenIds


def prefix_of(tokenizer: TextTokenizer, dictionary: Dictionary) -> TokenIds:
    """The beginning-of-text token, unless the dictionary says that it was trained without."""
    if dictionary.prepend_bos is False:
        return ()
    if tokenizer.beginning is None and dictionary.prepend_bos:
        raise SubjectError(
            f"{dictionary.name} was trained after a beginning-of-text token, but the model's tokeniser names none; "
            "set bos_token in tokenizer_config.json"
        )
    return () if tokenizer.beginning is None else (tokenizer.beginning,)


def where_to_stop(hookpoint: str) -> tuple[str, int | None]:
    """The hook to read and the first layer that need not run (None where the hook is outside the layers).

    >>> where_to_stop("blocks.3.hook_resid_pre")
    ('blocks.2.hook_resid_post', 3)
    """
    parts = hookpoint.split(".")
    if parts[0] != "blocks" or len(parts) < 3 or not parts[1].isdecimal():
        return hookpoint, None
    layer = int(parts[1])
    if parts[2:] == ["hook_resid_pre"] and layer > 0:
        return f"blocks.{layer - 1}.hook_resid_post", layer  # the same numbers, one layer less to run
    return hookpoint, layer + 1


def check_hookpoint(forward: Forward, dictionary: Dictionary, model: str) -> None:
    """Run one token: SubjectError unless the hookpoint is there and as wide as the dictionary."""
    try:
        with torch.inference_mode():
            width = forward.read(torch.zeros((1, 1), dtype=torch.long, device=forward.device)).shape[-1]
    except (KeyError, ValueError, IndexError) as error:
        raise SubjectError(
            f"{model} has no hookpoint {dictionary.hookpoint}, which {dictionary.name} reads; "
            f"it has {forward.bridge.cfg.n_layers} layers: use the model that the dictionary was trained on"
        ) from error
    if width != dictionary.d_in:
        raise SubjectError(
            f"{dictionary.name} reads {dictionary.d_in} numbers a token, but {dictionary.hookpoint} of "
            f"{model} holds {width}; use the model that the dictionary was trained on"
        )
