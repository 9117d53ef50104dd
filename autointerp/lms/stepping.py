"""What happens at each step of a batch: a grammar's mask, a draw for each row from numbers of its own, and who is done.

Drawing is exact: with Gumbel noise added to the logits over the temperature, the largest is a sample of the softmax
(E. J. Gumbel, 1954; C. J. Maddison and others, "A* Sampling", 2014). Each row has its own generator, so that a row's
answer does not depend on who else is in its batch, but for rounding in the model's logits; nothing is seeded globally.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from outlines.backends.llguidance import LLGuidanceLogitsProcessor
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerFast, StoppingCriteria


@dataclass(slots=True)
class Row:
    """One answer as it is written: at most `most` tokens, and one more that ends it.

    It has `ended` where the model ended it or a stop did, and is `broken`, with the reason, where it cannot go on.
    """

    generator: torch.Generator
    temperature: float
    most: int
    stops: tuple[str, ...] = ()
    tokens: list[int] = field(default_factory=list)
    ended: bool = False
    broken: str = ""
    matcher: LLMatcher | None = None

    @property
    def done(self) -> bool:
        return self.ended or bool(self.broken) or len(self.tokens) > self.most


class GrammarMask(LLGuidanceLogitsProcessor):
    """Outlines' processor, over rows that finish one by one.

    Outlines' own parses the grammar for every row (11 ms for ours), feeds finished rows their padding, which the
    matcher takes for an error and a warning is made of, and masks row by row through `torch.compile`: 20 s the first
    time, with a compiler. Here rows are copies of one matcher, finished ones rest, and all rows are masked at once.
    """

    def __init__(self, grammar: str, tokenizer: LLTokenizer, rows: Sequence[Row], matcher: LLMatcher) -> None:
        super().__init__(grammar, tokenizer, "torch")
        self._rows, self._matcher = rows, matcher

    def _setup(self, batch_size: int) -> None:
        assert batch_size == len(self._rows)
        self._masks = allocate_token_bitmask(batch_size, self.llg_tokenizer.vocab_size)
        for row in self._rows:
            row.matcher = self._matcher.deep_copy()

    def process_logits(  # type: ignore[override]  # outlines speaks of any library's tensors
        self, input_ids: Int[Tensor, "rows tokens"], logits: Float[Tensor, "rows vocabulary"]
    ) -> Float[Tensor, "rows vocabulary"]:
        if self.is_first_token:
            self._setup(len(input_ids))
            self.is_first_token = False
        for number, row in enumerate(self._rows):
            assert row.matcher is not None
            if row.done:
                self._masks[number] = -1
                continue
            if row.tokens:
                row.matcher.consume_token(row.tokens[-1])
            fill_next_token_bitmask(row.matcher, self._masks, number)
            if row.matcher.is_error():
                row.broken = f"llguidance: {error_of(row.matcher)}"
        return torch.where(unpacked(self._masks, logits.shape[1]).to(logits.device), logits, float("-inf"))


def error_of(matcher: LLMatcher) -> str:
    """What went wrong, without the state and the whole grammar that llguidance tells after it."""
    return (matcher.get_error().strip().splitlines() or [""])[0]


def unpacked(bitmask: Int[np.ndarray, "rows words"], width: int) -> Bool[Tensor, "rows width"]:
    """Which tokens a packed mask of 32-bit words allows; what lies beyond it is not allowed.

    >>> unpacked(np.array([[5]], dtype=np.int32), 4).tolist()
    [[True, False, True, False]]
    """
    bits = np.unpackbits(bitmask.view(np.uint8), axis=1, count=width, bitorder="little")
    return torch.from_numpy(bits.view(np.bool_))


class Draw(LogitsProcessor):
    """Leaves each row one token: the likeliest at temperature 0, else one drawn at the row's temperature.

    `tokens` is how many token ids mean something: an embedding may have more rows, and those are never drawn.
    """

    def __init__(self, rows: Sequence[Row], tokens: int) -> None:
        self._rows, self._tokens = rows, tokens

    def __call__(
        self, input_ids: Int[Tensor, "rows tokens"], scores: Float[Tensor, "rows vocabulary"]
    ) -> Float[Tensor, "rows vocabulary"]:
        del input_ids
        scores[:, self._tokens :] = float("-inf")
        best = scores.amax(dim=1, keepdim=True)
        # 1/e is where Gumbel noise is 0. Twice the logarithm of uniform numbers takes a quarter of the time that torch
        # takes to draw exponential ones; a zero among them, one in 17 million, is noise of minus infinity.
        uniform, temperatures = torch.full_like(scores, math.exp(-1)), torch.ones_like(best)
        for number, top in enumerate(best[:, 0].tolist()):
            row = self._rows[number]
            if row.done:
                continue
            if not math.isfinite(top):  # any NaN is a maximum; minus infinity is that of a row without a token to go on
                row.broken = "no token may come next" if top == -math.inf else "the model's logits are not finite"
            elif row.temperature > 0:
                torch.rand(scores.shape[1], generator=row.generator, out=uniform[number])
                temperatures[number] = row.temperature
        noise = uniform.log_().neg_().log_()
        return scores.sub_(best).div_(temperatures).sub_(noise).nan_to_num_(nan=0.0)


class Finish(StoppingCriteria):
    """Takes down each row's tokens, and says which rows have ended."""

    def __init__(self, rows: Sequence[Row], ends: frozenset[int], tokenizer: PreTrainedTokenizerFast) -> None:
        self._rows, self._ends, self._tokenizer = rows, ends, tokenizer

    def __call__(
        self, input_ids: Int[Tensor, "rows tokens"], scores: object, **kwargs: object
    ) -> Bool[Tensor, " rows"]:
        del scores, kwargs
        for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
            if row.done:
                continue
            row.tokens.append(token)
            row.ended = token in self._ends or self._stopped(row)
        return torch.tensor([row.done for row in self._rows], device=input_ids.device)

    def _stopped(self, row: Row) -> bool:
        """Whether a stop has been written: looked for in the last tokens, each of which spells a byte at least."""
        if not row.stops:
            return False
        tail = row.tokens[-max(len(stop.encode("utf-8", "surrogatepass")) for stop in row.stops) - 4 :]
        text = self._tokenizer.decode(tail, skip_special_tokens=True)
        return any(stop in text for stop in row.stops)
