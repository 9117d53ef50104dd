"""The corpus: stories that the language model itself wrote, so that it may be shipped and split into documents."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from autointerp.demo.settings import END, MASK, CorpusSettings
from dsl.errors import InputError

LARGEST_BATCHES = 1_000_003
"""A prime far above any number of batches: seeds of different builds do not meet."""


@dataclass(frozen=True, slots=True)
class CorpusCounts:
    """What was sampled, what was dropped and why, and what stayed; tokens without the beginning-of-text token."""

    sampled: int = 0
    cut_off: int = 0
    short: int = 0
    not_text: int = 0
    duplicate: int = 0
    over_length: int = 0
    stories: int = 0
    tokens: int = 0
    characters: int = 0


def sample_stories(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    settings: CorpusSettings,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[list[str], CorpusCounts]:
    """Stories as sampled, first to last, and the count of what was dropped on the way.

    A story ends by token 0 within the model's context; what does not is cut off and dropped. So are stories under
    `settings.shortest` tokens, those that are not valid UTF-8, exact duplicates, and those that would not fit the
    context when tokenised again. Raises InputError when the model writes too few usable stories.
    """
    context = int(model.config.n_positions)
    stories: dict[str, None] = {}
    counts = dict.fromkeys(CorpusCounts.__slots__, 0)

    def drop(row: Sequence[int]) -> str | None:
        """Keep the row's story, or say why not."""
        if END not in row:
            return "cut_off"
        text = tokenizer.decode(row[: row.index(END)]).strip()
        again = tokenizer.encode(text).ids
        if len(again) < settings.shortest:
            return "short"
        if "\N{REPLACEMENT CHARACTER}" in text:
            return "not_text"
        if text in stories:
            return "duplicate"
        if len(again) > context - 1:
            return "over_length"
        stories[text] = None
        counts["tokens"] += len(again)
        counts["characters"] += len(text)
        return None

    batches = -(-settings.attempts * settings.stories // settings.batch)
    for number in range(batches):
        generator = torch.Generator().manual_seed(seed * LARGEST_BATCHES + number)
        for row in _sample(model, settings, context - 1, generator).tolist():
            if len(stories) < settings.stories:
                reason = drop(row)
                counts["sampled"] += 1
                counts[reason or "stories"] += 1
        progress(len(stories), settings.stories)
        if len(stories) == settings.stories:
            return list(stories), CorpusCounts(**counts)
    raise InputError(
        f"the language model wrote only {len(stories)} usable stories in {counts['sampled']} attempts, not "
        f"{settings.stories}; train it on more text or for more steps, or ask for fewer stories"
    )


def write_corpus(path: Path, stories: Sequence[str]) -> None:
    """One JSON object a line, gzipped without a time or a name: the same stories are the same bytes."""
    lines = "".join(json.dumps({"text": story}, ensure_ascii=False) + "\n" for story in stories)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(lines.encode("utf-8"))


@torch.inference_mode()
def _sample(
    model: PreTrainedModel, settings: CorpusSettings, length: int, generator: torch.Generator
) -> Int[Tensor, "batch ctx"]:
    """One batch of token ids without the beginning-of-text token; what follows a row's first 0 means nothing."""
    last = torch.full((settings.batch, 1), END)
    rows: list[Tensor] = []
    ended = torch.zeros(settings.batch, dtype=torch.bool)
    cache = None
    while len(rows) < length and not ended.all():
        output = model(last, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        logits = output.logits[:, -1] / settings.temperature
        logits[:, MASK] = -torch.inf
        last = torch.multinomial(logits.softmax(-1), 1, generator=generator)
        ended |= last[:, 0] == END
        rows.append(last)
    return torch.cat(rows, dim=1)
