"""How likely a model is to answer exactly with each of some labels: all tokens of the label, then the end."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt and its labels, as token ids."""

    prompt: tuple[int, ...]
    labels: tuple[tuple[int, ...], ...]


@torch.inference_mode()
def label_logprobs(model: PreTrainedModel, asked: Sequence[Asked], ends: Sequence[int]) -> list[list[float]]:
    """For each question the log-probability of each label, tokens and any of the `ends`, in nats; not normalised.

    By teacher forcing: prompts run once as a batch, left-padded, and every label goes on from its prompt's keys and
    values. Of the ways to spell a label in tokens one counts, the tokeniser's own. NaN where the model's logits are.
    """
    device = model.device
    longest = max(len(one.prompt) for one in asked)
    ids, mask = padded([one.prompt for one in asked], longest, left=True)
    ids, mask = ids.to(device), mask.to(device)
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    opened = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **last)
    first = torch.log_softmax(opened.logits[:, -1].float(), dim=-1)

    counts = [len(one.labels) for one in asked]
    labels = [label for one in asked for label in one.labels]
    owners = torch.tensor([number for number, count in enumerate(counts) for _ in range(count)], device=device)
    width = max([1, *map(len, labels)])
    said, present = padded(labels, width, left=False)
    said, present = said.to(device), present.to(device)
    cache = opened.past_key_values
    cache.reorder_cache(owners)  # a row for each label, with its prompt's keys and values
    going_on = model(
        input_ids=said,
        attention_mask=torch.cat([mask[owners], present], dim=1),
        position_ids=positions[owners, -1:] + 1 + torch.arange(width, device=device),
        past_key_values=cache,
        use_cache=True,
    )
    after = torch.log_softmax(going_on.logits.float(), dim=-1)
    found = [
        _total(first[owner], after[row], label, ends)
        for row, (owner, label) in enumerate(zip(owners.tolist(), labels, strict=True))
    ]
    bounds = [0, *torch.tensor(counts).cumsum(0).tolist()]
    return [found[start:stop] for start, stop in pairwise(bounds)]


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
