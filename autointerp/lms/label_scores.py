"""How likely a model is to answer exactly with each of some labels: all tokens of the label, then the end."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel


@torch.inference_mode()
def label_logprobs(
    model: PreTrainedModel, prompt: Sequence[int], labels: Sequence[Sequence[int]], ends: Sequence[int]
) -> list[float]:
    """For each label the log-probability of its tokens and then any of the `ends`, in nats; not normalised.

    By teacher forcing: the prompt runs once, and every label goes on from its keys and values. Of the ways to spell a
    label in tokens one counts, the tokeniser's own. NaN where the model's logits are.
    """
    device = model.device
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    run: Any = model
    opened = run(input_ids=torch.tensor([prompt], device=device), use_cache=True, **last)
    first = torch.log_softmax(opened.logits[0, -1].float(), dim=-1)

    said, _ = padded(labels, max([1, *map(len, labels)]), left=False)  # what fills up a row comes after all that counts
    cache = opened.past_key_values
    cache.reorder_cache(torch.zeros(len(labels), dtype=torch.long, device=device))  # a row for each label
    going_on = run(input_ids=said.to(device), past_key_values=cache, use_cache=True)
    after = torch.log_softmax(going_on.logits.float(), dim=-1)
    return [_total(first, after[row], label, ends) for row, label in enumerate(labels)]


def _total(
    first: Float[Tensor, " vocabulary"],
    after: Float[Tensor, "tokens vocabulary"],
    label: Sequence[int],
    ends: Sequence[int],
) -> float:
    if not label:
        return torch.logsumexp(first[list(ends)], dim=0).item()
    spelt = first[label[0]].item() + sum(after[place, token].item() for place, token in enumerate(label[1:]))
    return spelt + torch.logsumexp(after[len(label) - 1, list(ends)], dim=0).item()


def padded(
    rows: Sequence[Sequence[int]], width: int, *, left: bool, pad: int = 0
) -> tuple[Int[Tensor, "rows width"], Int[Tensor, "rows width"]]:
    """Token ids filled up to a width, and 1 where they are not filling.

    >>> [tensor.tolist() for tensor in padded([[7], [8, 9]], 2, left=True)]
    [[[0, 7], [8, 9]], [[0, 1], [1, 1]]]
    """
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for number, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[number, place] = torch.tensor(row, dtype=torch.long)
        mask[number, place] = 1
    return ids, mask


def normalised(logprobs: Sequence[float]) -> list[float]:
    """Log-probabilities among themselves.

    >>> [round(math.exp(one), 2) for one in normalised([-1.0, -1.0])]
    [0.5, 0.5]
    """
    top = max(logprobs)
    total = top + math.log(sum(math.exp(one - top) for one in logprobs))
    return [one - total for one in logprobs]
