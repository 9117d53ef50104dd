"""Trigger tokens put into unrelated natural text: does the feature fire on the tokens alone?

After Ma, Liang, Chen and Sojoudi, "Falsifying Sparse Autoencoder Reasoning Features in Language Models" (2026,
arXiv:2601.05679): of the ten tokens on which a feature's activation is highest on average three are prepended to,
interspersed in, or put in place of words of texts that are about something else; a feature responds where Cohen's d of
the activation is 0.2 or more, strongly at 0.8. They report that 45-90% of the features they chose by contrast respond.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Bool, Float

from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Thresholds
from probes.edits import columns_of, edited
from probes.spelling import respelt_all, spelt, words_of
from probes.subject import SubjectModel, TokenIds
from probes.trial import Reading, batch_of

Strategy = Literal["prepend", "intersperse", "replace"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

TOP_TOKENS, INJECTED = 10, 3
"""So many tokens of a feature are drawn from, so many put into a text: the published numbers."""

SEEN = 2
"""A token's mean activation counts where it was seen so often; a token seen less is asked where no other is left."""


def triggers(readings: Sequence[Reading], count: int = TOP_TOKENS) -> list[int]:
    """The tokens with the highest mean activation in texts that were read, of those on which the feature is active.

    >>> triggers([reading])  # doctest: +SKIP
    [412, 87]
    """
    ids = np.concatenate([np.zeros(0, np.int64), *(np.array(one.token_ids, np.int64) for one in readings)])
    activations = np.concatenate([np.zeros(0), *(one.activations for one in readings)])
    tokens, where, seen = np.unique(ids, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=activations, minlength=len(tokens)) / np.maximum(seen, 1)
    order = np.lexsort((tokens, -np.round(means, 6), seen < SEEN))
    return [int(tokens[place]) for place in order if means[place] > 0][:count]


def inject(
    subject: SubjectModel, text: TokenIds, tokens: Sequence[int], strategy: Strategy, rng: random.Random
) -> TokenIds | None:
    """The text with the tokens put in, in the order given, and tokenised as a user's; None where it has no place.

    Tokens are put in as they are spelt, before words or instead of words; what follows is a word of its own.
    """
    strings = subject.vocabulary.strings
    there = spelt(subject, text)
    words = words_of(there)
    put = [strings[token] for token in tokens]
    match strategy:
        case "prepend":
            apart = "" if not there or there[0][:1].isspace() else " "
            changes = [(0, 0, "".join(put) + apart)]
        case "intersperse":
            starts = sorted(dict.fromkeys(word.first for word in words if word.before.isspace()))
            if len(starts) < len(put):
                return None
            drawn = sorted(rng.sample(starts, len(put)))
            changes = [(start, start, string) for start, string in zip(drawn, put, strict=True)]
        case "replace":
            whole = [word for word in words if not word.after and not word.before.strip()]
            if len(whole) < len(put):
                return None
            chosen = sorted(rng.sample(range(len(whole)), len(put)))
            changes = [
                (whole[number].first, whole[number].last + 1, string)
                for number, string in zip(chosen, put, strict=True)
            ]
        case _:
            assert_never(strategy)
    found = respelt_all(subject, text, changes)
    return None if found is None else edited(columns_of(text, found))


@dataclass(frozen=True, slots=True)
class Response:
    """What injecting triggers in one way did, over all texts that it could be done to.

    `fired` and `predicted` count the texts in which the feature fires, and in which the explanation predicts, anywhere;
    `both` those where at some place it does both, one token either side forgiven. `effect` is Cohen's d of each text's
    highest activation, injected against as it was, None where neither varies.
    """

    strategy: Strategy
    texts: int
    fired: int
    predicted: int
    both: int
    effect: float | None


def respond(
    subject: SubjectModel,
    feature: int,
    explanation: Explanation,
    thresholds: Thresholds,
    tokens: Sequence[int],
    texts: Sequence[TokenIds],
    rng: random.Random,
    *,
    injected: int = INJECTED,
) -> tuple[Response, ...]:
    """Put `injected` of the tokens, drawn anew for each, into every text in every way; run the subject on all of it.

    >>> respond(subject, 17, explanation, thresholds, triggers(readings), texts, random.Random(0))  # doctest: +SKIP
    (Response(strategy='prepend', texts=50, fired=41, predicted=12, both=12, effect=2.31), ...)
    """
    before = [_highest(column[:, 0]) for column in subject.activations(texts, [feature])]
    found = []
    for strategy in STRATEGIES:
        drawn = [rng.sample(tokens, min(injected, len(tokens))) for _ in texts]
        made = [inject(subject, text, some, strategy, rng) for text, some in zip(texts, drawn, strict=True)]
        kept = [text for text in made if text is not None and len(text) <= subject.max_tokens]
        columns = [column[:, 0] for column in subject.activations(kept, [feature])]
        predicted = evaluate(explanation, batch_of(kept, subject.vocabulary)) >= PREDICTED
        fires = [column >= thresholds.high for column in columns]
        said = [predicted[row, : len(text)] for row, text in enumerate(kept)]
        found.append(
            Response(
                strategy,
                texts=len(kept),
                fired=sum(bool(one.any()) for one in fires),
                predicted=sum(bool(one.any()) for one in said),
                both=sum(bool((one & _near(other)).any()) for one, other in zip(fires, said, strict=True)),
                effect=cohens_d([_highest(column) for column in columns], before),
            )
        )
    return tuple(found)


def cohens_d(after: Sequence[float], before: Sequence[float]) -> float | None:
    """The difference of two means in standard deviations, pooled (Cohen, 1988); None where nothing varies.

    >>> cohens_d([2.0, 4.0], [1.0, 3.0])
    0.707
    """
    if len(after) < 2 or len(before) < 2:
        return None
    sizes, variances = (len(after), len(before)), (np.var(after, ddof=1), np.var(before, ddof=1))
    pooled = sum((size - 1) * variance for size, variance in zip(sizes, variances, strict=True)) / (sum(sizes) - 2)
    return round(float((np.mean(after) - np.mean(before)) / np.sqrt(pooled)), 3) if pooled > 0 else None


def _highest(activations: Float[np.ndarray, " ctx"]) -> float:
    return float(activations.max(initial=0.0))


def _near(said: Bool[np.ndarray, " ctx"]) -> Bool[np.ndarray, " ctx"]:
    near = said.copy()
    near[1:] |= said[:-1]
    near[:-1] |= said[1:]
    return near
