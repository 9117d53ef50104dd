"""A causal language model as its own infiller, where there is no masked one.

It proposes what it would go on with at the place, and ranks that by what each proposal makes of the words that follow:
the probability of the token given what is before, times that of the next few tokens given both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float

from autointerp.infill import check_positions
from autointerp.models import TransformerSubject
from probes.subject import TokenIds

BEFORE, AFTER = 24, 6
"""Tokens on either side of the place that are read: far ones say little about it, and each proposal reads them anew."""

MORE = 4
"""Proposals that are ranked beyond those asked for."""

NUMBERS_PER_BATCH = 2**25
"""Logits in one forward: bounds memory, whatever the size of the vocabulary."""


class CausalInfiller:
    """Implements `probes.subject.Infiller` with the subject's own language model.

    >>> CausalInfiller(subject).infill([subject.tokenize(" It was very cold")], [3], 2)  # doctest: +SKIP
    [((404, 0.31), (1286, 0.22))]
    """

    def __init__(self, subject: TransformerSubject) -> None:
        self._subject = subject

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        """As `MaskedInfiller.infill`; probabilities are relative to the other proposals.

        Where the subject reads no prefix nothing predicts a first token, and there is no proposal.
        """
        check_positions(contexts, positions)
        before = [tuple(text[max(0, at - BEFORE) : at]) for text, at in zip(contexts, positions, strict=True)]
        after = [tuple(text[at + 1 : at + 1 + AFTER]) for text, at in zip(contexts, positions, strict=True)]
        there = [text[at] for text, at in zip(contexts, positions, strict=True)]
        proposals = self._proposals(before, there, count + MORE if count else 0)
        texts = [
            (*left, token, *right)[: self._subject.max_tokens]
            for left, right, tokens in zip(before, after, proposals, strict=True)
            for token in tokens
        ]
        lefts = [len(left) for left, tokens in zip(before, proposals, strict=True) for _ in tokens]
        scores = iter(self._scores(texts, lefts))
        answers = []
        for tokens in proposals:
            own = np.array([next(scores) for _ in tokens], dtype=np.float64)
            weights = np.exp(own - own.max(initial=-np.inf)) if len(own) else own
            weights = weights / weights.sum() if len(own) else weights
            order = np.lexsort((np.array(tokens, dtype=np.int64), -np.round(weights, 6)))[:count]
            answers.append(tuple((tokens[rank], float(weights[rank])) for rank in order.tolist()))
        return answers

    def _proposals(self, before: Sequence[TokenIds], there: Sequence[int], count: int) -> list[list[int]]:
        """What the model would go on with, the token that stands there left out."""
        found: list[list[int]] = [[] for _ in before]
        texts = [(*self._subject.prefix, *left) for left in before]
        for number, [last] in self._after(texts, [len(text) - 1 for text in texts], 1):
            last[there[number]] = -np.inf
            order = np.lexsort((np.arange(len(last)), -np.round(last, 4)))
            found[number] = [int(token) for token in order[: 2 * count] if self._is_ordinary(int(token))][:count]
        return found

    def _scores(self, texts: Sequence[TokenIds], lefts: Sequence[int]) -> list[float]:
        """Log-probability of each text from its proposal on."""
        prefix = self._subject.prefix
        whole = [(*prefix, *text) for text in texts]
        scores = [0.0] * len(whole)
        firsts = [left + len(prefix) for left in lefts]
        for number, rows in self._after(whole, [first - 1 for first in firsts], 1 + AFTER):
            said = whole[number][firsts[number] :]
            scores[number] = float(rows[np.arange(len(said)), list(said)].sum())
        return scores

    def _after(
        self, texts: Sequence[TokenIds], firsts: Sequence[int], count: int
    ) -> Iterator[tuple[int, Float[np.ndarray, "count vocab"]]]:
        """For every text that is not empty, by its number: log-probabilities after `count` tokens from its first on."""
        order = sorted((n for n, text in enumerate(texts) if text), key=lambda n: (-len(texts[n]), n))
        device = self._subject._device
        while order:
            width = len(texts[order[0]])
            size = max(1, NUMBERS_PER_BATCH // (width * len(self._subject.vocabulary)))
            numbers, order = order[:size], order[size:]
            ids = torch.zeros((len(numbers), width), dtype=torch.long)
            for row, number in zip(ids, numbers, strict=True):
                row[: len(texts[number])] = torch.tensor(texts[number])
            # Beyond the end of a text nothing is asked of what is found there.
            places = torch.tensor([[min(firsts[n] + step, width - 1) for step in range(count)] for n in numbers])
            with torch.inference_mode():
                logits = self._subject._bridge(ids.to(device), return_type="logits")
                chosen = logits[torch.arange(len(numbers))[:, None], places].float()
                yield from zip(numbers, torch.log_softmax(chosen, dim=-1).cpu().numpy().copy(), strict=True)

    def _is_ordinary(self, token: int) -> bool:
        """Whether the tokeniser would write it: special tokens are characters to it."""
        strings = self._subject.vocabulary.strings
        return token < len(strings) and self._subject.tokenize(strings[token]) == (token,)
