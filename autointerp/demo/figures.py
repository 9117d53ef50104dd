"""What a demo is worth, measured on its files as they lie there: after rounding, run in float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from autointerp.demo.documents import DocumentRows, Documents
from autointerp.demo.hookpoint import ResidualStream
from autointerp.demo.masked_model import IGNORED, hide
from autointerp.demo.sample_corpus import CorpusCounts
from autointerp.demo.settings import END
from autointerp.demo.sparse_autoencoder import TopK, load_sparse_autoencoder
from autointerp.loading import quiet

BATCH = 32
MASKED_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class LanguageModelFigures:
    """Mean loss a token in nats, each document after the beginning-of-text token, its end counted in."""

    loss: float
    tokens: int


@dataclass(frozen=True, slots=True)
class DictionaryFigures:
    """How much of the activations a dictionary keeps, and how its features fire; the prefix is left out throughout.

    `loss_recovered` is (zero - spliced) / (zero - loss), where zero has the hookpoint set to zero. `dead` features
    never fire on the text; `dense` ones fire on over a tenth of its tokens; `density` are the quartiles of the others.
    """

    fraction_of_variance_explained: float
    l0: float
    loss: float
    loss_spliced: float
    loss_zero: float
    loss_recovered: float
    features: int
    dead: int
    dense: int
    density: tuple[float, float, float]
    tokens: int


@dataclass(frozen=True, slots=True)
class MaskedModelFigures:
    """Loss in nats and the share exactly right, over the chosen 15% of tokens (80/10/10)."""

    loss: float
    accuracy: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything measured on a demo; `validation` documents were in no training, unless `notes` says otherwise."""

    language_model: LanguageModelFigures
    dictionary: DictionaryFigures
    dictionary_on_corpus: DictionaryFigures
    masked_model: MaskedModelFigures
    corpus: CorpusCounts
    validation: str
    seeds: dict[str, int]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values, numbers to six digits."""
        plain: dict[str, Any] = _six_digits(asdict(self))
        return plain


def measure_language_model(stream: ResidualStream, documents: Documents, prefix: Sequence[int]) -> LanguageModelFigures:
    """The loss on documents that fit the context, and on the first tokens of those that do not."""
    total, count = 0.0, 0
    ended = [[*document, *prefix] for document in documents]
    for ids, kept in _batches(DocumentRows(ended, length=stream.context, prefix=prefix)):
        losses = _losses(stream.logits(ids), ids, kept)
        total, count = total + float(losses.sum()), count + len(losses)
    return LanguageModelFigures(total / count, count)


def measure_dictionary(
    stream: ResidualStream, sae: TopK, documents: Documents, prefix: Sequence[int]
) -> DictionaryFigures:
    """Variance explained, sparsity and loss recovered over documents."""
    rows = DocumentRows(documents, length=stream.context, prefix=prefix)
    fired = torch.zeros(len(sae.b_enc), dtype=torch.float64)
    total, squares = torch.zeros(stream.width, dtype=torch.float64), 0.0
    left, losses, count = 0.0, torch.zeros(3, dtype=torch.float64), 0
    predicted = 0
    for ids, kept in _batches(rows):
        x = stream.read(ids)[kept]
        activations = sae.encode(x)
        left += float((x - sae.decode(activations)).double().pow(2).sum())
        total += x.double().sum(0)
        squares += float(x.double().pow(2).sum())
        fired += (activations > 0).double().sum(0)
        count += len(x)

        def spliced(hidden: Tensor, kept: Tensor = kept, activations: Tensor = activations) -> Tensor:
            hidden = hidden.clone()
            hidden[kept] = sae.decode(activations)
            return hidden

        runs = (stream.logits(ids), stream.logits(ids, spliced), stream.logits(ids, torch.zeros_like))
        for number, logits in enumerate(runs):
            losses[number] += _losses(logits, ids, kept).double().sum()
        predicted += len(_losses(runs[0], ids, kept))
    whole = squares - float(total.pow(2).sum()) / count
    loss, loss_spliced, loss_zero = (losses / predicted).tolist()
    density = (fired / count).numpy()
    quartiles = np.quantile(density[density > 0], [0.25, 0.5, 0.75]) if (density > 0).any() else np.zeros(3)
    return DictionaryFigures(
        fraction_of_variance_explained=1 - left / whole,
        l0=float(fired.sum()) / count,
        loss=loss,
        loss_spliced=loss_spliced,
        loss_zero=loss_zero,
        loss_recovered=(loss_zero - loss_spliced) / (loss_zero - loss),
        features=len(density),
        dead=int((density == 0).sum()),
        dense=int((density > 0.1).sum()),
        density=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
        tokens=count,
    )


@torch.no_grad()
def measure_masked_model(folder: Path, documents: Documents, *, length: int, seed: int) -> MaskedModelFigures:
    """One corruption of every document, cut into rows of `length` tokens; rows of one length, so nothing is padded."""
    with quiet():
        from transformers import AutoModelForMaskedLM

        model: Any = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    generator = np.random.default_rng(seed)
    by_length: dict[int, list[list[int]]] = {}
    for row in DocumentRows(documents, length=length, prefix=[END]).rows:
        by_length.setdefault(len(row), []).append(row)
    total, right, count = 0.0, 0, 0
    for _, rows in sorted(by_length.items()):
        ids, labels = hide(np.array(rows), MASKED_SHARE, model.config.vocab_size, generator)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        chosen = labels != IGNORED
        total += float(torch.nn.functional.cross_entropy(logits[chosen], labels[chosen], reduction="sum"))
        right += int((logits[chosen].argmax(-1) == labels[chosen]).sum())
        count += int(chosen.sum())
    return MaskedModelFigures(total / count, right / count, count)


def measure(
    folder: Path,
    hookpoint: str,
    *,
    validation: Documents,
    corpus: Documents,
    counts: CorpusCounts,
    masked_length: int,
    described: str,
    seed: int,
    notes: tuple[str, ...] = (),
) -> Figures:
    """Measure the lm, sae and mlm folders under `folder` on validation documents, and the dictionary on corpus ones."""
    stream = ResidualStream(folder / "lm", hookpoint)
    sae = load_sparse_autoencoder(folder / "sae")
    return Figures(
        language_model=measure_language_model(stream, validation, [END]),
        dictionary=measure_dictionary(stream, sae, validation, [END]),
        dictionary_on_corpus=measure_dictionary(stream, sae, corpus, [END]),
        masked_model=measure_masked_model(folder / "mlm", validation, length=masked_length, seed=seed),
        corpus=counts,
        validation=described,
        seeds={"corpus": seed, "masking": seed},
        notes=notes,
    )


def _batches(rows: DocumentRows) -> Iterator[tuple[Int[Tensor, "batch ctx"], Bool[Tensor, "batch ctx"]]]:
    """All rows once, those of like length together."""
    ordered = sorted(rows.rows, key=len)
    for first in range(0, len(ordered), BATCH):
        yield rows.padded(ordered[first : first + BATCH])


def _losses(logits: Tensor, ids: Int[Tensor, "batch ctx"], kept: Bool[Tensor, "batch ctx"]) -> Tensor:
    """Cross-entropy of every kept token but a row's very first, one after the other."""
    losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return losses[kept[:, 1:]]


def _six_digits(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {key: _six_digits(item) for key, item in value.items()}
        case list() | tuple():
            return [_six_digits(item) for item in value]
        case _:
            return value
