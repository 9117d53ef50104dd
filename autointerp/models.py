"""The subject model: a causal language model with a dictionary at one of its hookpoints, through TransformerLens.

Numbers do not depend on what shares a batch within TOLERANCE, since padding stands at the right of causal attention and
everything runs in float32; only where a pre-activation lies that close to a top-k dictionary's cut may a feature be on
in one batch and off in another (`near_boundary`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from autointerp.dictionaries import Dictionary, load
from autointerp.gradients import Gradients
from autointerp.loading import context_size, folder_of, load_bridge, read_config
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import InputError, SubjectError
from dsl.records import Feature
from probes.subject import Swap, TokenIds

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

TOLERANCE = 1e-4
"""Largest difference between batches, relative to the largest activation at hand (seen: 3e-6)."""

TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 32768}
"""Tokens in one forward, padding counted: bounds memory, and on a CPU keeps the activations in its cache."""


class TransformerSubject:
    """A language model and a dictionary that reads one of its hookpoints; see probes.subject for what it answers.

    Contexts are token ids without the prefix, which the subject puts before each. Every call raises InputError for a
    context longer than `max_tokens` or an id that the model has not.
    """

    def __init__(
        self,
        bridge: TransformerBridge,
        tokenizer: TextTokenizer,
        dictionary: Dictionary,
        *,
        model_name: str,
        window: int,
        files: Sequence[Path],
    ) -> None:
        self._bridge, self._tokenizer, self._dictionary, self._files = bridge, tokenizer, dictionary, files
        self._device = torch.device(bridge.cfg.device or "cpu")
        self.model_name, self.dictionary_name = model_name, dictionary.name
        self.hookpoint, self.d_sae = dictionary.hookpoint, dictionary.d_sae
        self.vocabulary = Vocabulary(tokenizer.strings)
        self.prefix = _prefix(tokenizer, dictionary)
        self.max_tokens = window - len(self.prefix)
        self._hook, self._stop = _where_to_stop(dictionary.hookpoint)
        self._check_hookpoint()

    @classmethod
    def load(
        cls,
        model: str | Path,
        dictionary: str | Path,
        *,
        device: str = "cpu",
        revision: str | None = None,
    ) -> TransformerSubject:
        """Load a Hugging Face model folder (or hub id, at `revision`) and a SAELens folder.

        A hub id is downloaded where it is not in the local cache, unless HF_HUB_OFFLINE is set. Raises SubjectError,
        saying what to do, for whatever does not load or does not fit together.

        >>> TransformerSubject.load("stories-lm", "stories-sae").hookpoint  # doctest: +SKIP
        'blocks.2.hook_resid_post'
        """
        features = load(Path(dictionary)).to(device)
        folder = folder_of(model, revision)
        config = read_config(folder)
        tokenizer = TextTokenizer.load(folder, size=int(config.get_text_config().vocab_size))
        bridge = load_bridge(folder, config, device)
        files = sorted(path for pattern in ("*.json", "*.safetensors") for path in folder.glob(pattern))
        name = Path(model).resolve().name if Path(model).exists() else str(model)
        return cls(bridge, tokenizer, features, model_name=name, window=context_size(config, bridge), files=files)

    def feature(self, index: int) -> Feature:
        """The feature's record; raises InputError where the dictionary has no such feature."""
        if not 0 <= index < self.d_sae:
            raise InputError(f"{self.dictionary_name} has features 0 to {self.d_sae - 1}, not {index}")
        return Feature(self.model_name, self.hookpoint, self.dictionary_name, index)

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the model's files and of the dictionary, and what else determines activations."""
        digest = hashlib.sha256()
        for path in self._files:
            digest.update(path.name.encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        prefix = " ".join(map(str, self.prefix))
        return {"model": digest.hexdigest(), "dictionary": self._dictionary.fingerprint, "prefix": prefix}

    def tokenize(self, text: str) -> TokenIds:
        """Token ids of a text, prefix not included; special tokens in the text are read as plain characters."""
        return self._tokenizer.encode(text)

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts, faster than one at a time."""
        return self._tokenizer.encode_many(texts)

    def activations(
        self, contexts: Sequence[TokenIds], features: Sequence[int], *, batch_size: int | None = None
    ) -> list[Float[np.ndarray, "ctx features"]]:
        """Activations of the features at every token of every context, in the order given.

        >>> subject.activations([subject.tokenize("Once upon a time")], [17])[0].shape  # doctest: +SKIP
        (4, 1)
        """
        chosen = self._indices(features)
        return self._each(contexts, lambda inputs: self._dictionary.encode(inputs, chosen), len(features), batch_size)

    def preactivations(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[tuple[Float[np.ndarray, "ctx features"], Float[np.ndarray, "ctx features"]]]:
        """What the features were before gating, and their rank among all features (0 = highest)."""
        return [(values[..., 0], values[..., 1]) for values in self._before_gating(contexts, features)]

    def near_boundary(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[Bool[np.ndarray, "ctx features"]]:
        """Where a pre-activation lies within TOLERANCE of the cut of a top-k: neither on nor off for certain."""
        found = []
        for values in self._before_gating(contexts, features):
            pre, cut = values[..., 0], values[..., 2]
            found.append((np.abs(pre - cut) <= TOLERANCE * np.maximum(np.abs(cut), 1.0)) & (cut > 0))
        return found

    def sparse(
        self, contexts: Sequence[TokenIds]
    ) -> list[tuple[Int[np.ndarray, " nonzero"], Int[np.ndarray, " nonzero"], Float[np.ndarray, " nonzero"]]]:
        """All activations above zero of every context: positions (ascending), features, values."""
        found: dict[TokenIds, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        for batch, inputs in self._forward(contexts, None):
            rows, features, values = (column.cpu().numpy() for column in self._dictionary.sparse(inputs))
            ends = np.cumsum([len(context) for context in batch])
            cuts = np.searchsorted(rows, np.concatenate([[0], ends]))
            for number, context in enumerate(batch):
                part = slice(cuts[number], cuts[number + 1])
                positions = (rows[part] - (ends[number] - len(context))).astype(np.int32)
                found[context] = positions, features[part].astype(np.int32), values[part]
        nothing = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32)
        return [found.get(tuple(context), nothing) for context in contexts]

    def log_likelihood(self, contexts: Sequence[TokenIds]) -> Float[np.ndarray, " contexts"]:
        """Mean log-probability a token, in nats; NaN for an empty context.

        Without a prefix nothing predicts the first token: it is left out, and a context of one token gives NaN.
        """
        found: dict[TokenIds, float] = {}
        skipped = 0 if self.prefix else 1
        for batch, ids in self._batches(contexts, None):
            with torch.inference_mode():
                logits = self._bridge(ids, return_type="logits")
                scores = torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(2, ids[:, 1:, None])[..., 0]
            for row, context in enumerate(batch):
                start = max(len(self.prefix) - 1, 0)
                found[context] = float(scores[row, start : start + len(context) - skipped].mean())
        return np.array([found.get(tuple(context), np.nan) for context in contexts], dtype=np.float32)

    def neighbours(self, feature: int, count: int) -> tuple[tuple[int, float], ...]:
        """The features of highest decoder cosine and that cosine, highest first, the feature itself left out."""
        self.feature(feature)
        cosines = self._directions @ self._directions[feature]
        cosines[feature] = -torch.inf
        best = cosines.topk(min(count, self.d_sae - 1))
        return tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))

    def swaps(
        self, contexts: Sequence[TokenIds], feature: int, positions: Sequence[int], count: int, *, towards_firing: bool
    ) -> list[tuple[Swap, ...]]:
        """The single-token swaps, up to each position, that move the feature's pre-activation there most."""
        self.feature(feature)
        self._check_ids([context for context in contexts if context])
        return self._gradients.swaps(contexts, feature, positions, count, towards_firing=towards_firing)

    def promoted(self, index: int, count: int) -> tuple[tuple[int, float], ...]:
        """The token ids that the feature's decoder direction raises most in the logits, and by how much each.

        The logit lens without the final norm (direct logit attribution): decoder row times unembedding.
        """
        self.feature(index)
        with torch.inference_mode():
            best = (self._dictionary.decoder[index] @ self._bridge.W_U.float()).topk(count)
        return tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))

    @cached_property
    def _gradients(self) -> Gradients:
        return Gradients(self)

    @cached_property
    def _directions(self) -> Tensor:
        return torch.nn.functional.normalize(self._dictionary.decoder, dim=1)

    def _before_gating(self, contexts: Sequence[TokenIds], features: Sequence[int]) -> list[np.ndarray]:
        """Pre-activation, rank and cut on the last axis."""
        chosen = self._indices(features)

        def answer(inputs: Tensor) -> Tensor:
            pre, rank, cut = self._dictionary.preactivations(inputs, chosen)
            return torch.stack([pre, rank.to(pre.dtype), cut[:, None].expand_as(pre)], dim=-1).flatten(1)

        found = self._each(contexts, answer, 3 * len(features), None)
        return [values.reshape(len(values), len(features), 3) for values in found]

    def _each(
        self,
        contexts: Sequence[TokenIds],
        answer: Callable[[Tensor], Tensor],
        width: int,
        batch_size: int | None,
    ) -> list[np.ndarray]:
        """An answer of `width` numbers a token, for every context in the order given."""
        found: dict[TokenIds, np.ndarray] = {(): np.zeros((0, width), dtype=np.float32)}
        for batch, inputs in self._forward(contexts, batch_size):
            rows = answer(inputs).cpu().numpy()
            ends = np.cumsum([len(context) for context in batch])[:-1]
            found.update(zip(batch, np.split(rows, ends), strict=True))
        # Equal contexts get arrays of their own: a caller may write into one.
        return [found[tuple(context)].copy() for context in contexts]

    def _forward(
        self, contexts: Sequence[TokenIds], batch_size: int | None
    ) -> Iterator[tuple[list[TokenIds], Float[Tensor, "tokens d_in"]]]:
        """Batches of distinct contexts, with what the hookpoint held at their tokens, one after the other."""
        for batch, ids in self._batches(contexts, batch_size):
            with torch.inference_mode():
                hidden = self._read(ids)
                lengths = torch.tensor([len(context) for context in batch], device=hidden.device)
                kept = torch.arange(ids.shape[1] - len(self.prefix), device=hidden.device) < lengths[:, None]
                yield batch, hidden[:, len(self.prefix) :][kept]

    def _batches(
        self, contexts: Sequence[TokenIds], batch_size: int | None
    ) -> Iterator[tuple[list[TokenIds], Int[Tensor, "batch ctx"]]]:
        """Distinct contexts that are not empty, longest first, padded at the right."""
        distinct = sorted({tuple(context) for context in contexts if context}, key=lambda ids: (-len(ids), ids))
        self._check_ids(distinct)
        size, first = TOKENS_PER_BATCH.get(self._device.type, 8192), 0
        while first < len(distinct):
            width = len(distinct[first]) + len(self.prefix)
            batch = distinct[first : first + (batch_size or max(1, size // width))]
            first += len(batch)
            rows = np.zeros((len(batch), width), dtype=np.int64)
            for row, context in zip(rows, batch, strict=True):
                row[: len(self.prefix) + len(context)] = self.prefix + context
            yield batch, torch.from_numpy(rows).to(self._device)

    def _read(self, ids: Int[Tensor, "batch ctx"]) -> Float[Tensor, "batch ctx d_in"]:
        """What the hookpoint holds; the forward ends with its layer."""
        held: list[Tensor] = []

        def keep(value: Tensor, hook: object) -> None:  # noqa: ARG001 the hook's signature
            held.append(value.detach())

        self._bridge.run_with_hooks(ids, fwd_hooks=[(self._hook, keep)], stop_at_layer=self._stop, return_type=None)
        return held[0].flatten(2).float()  # attention heads side by side

    def _indices(self, features: Sequence[int]) -> Int[Tensor, " features"]:
        for index in features:
            self.feature(index)
        return torch.tensor(list(features), dtype=torch.long, device=self._device)

    def _check_ids(self, contexts: Sequence[TokenIds]) -> None:
        for context in contexts:
            if len(context) > self.max_tokens:
                raise InputError(
                    f"a context of {len(context)} tokens is longer than {self.model_name} reads "
                    f"({self.max_tokens} after the beginning-of-text token); cut it"
                )
            if min(context) < 0 or max(context) >= len(self.vocabulary):
                raise InputError(f"token ids of {self.model_name} run from 0 to {len(self.vocabulary) - 1}")

    def _check_hookpoint(self) -> None:
        """Run one token: the hookpoint is there and as wide as the dictionary."""
        try:
            with torch.inference_mode():
                width = self._read(torch.zeros((1, 1), dtype=torch.long, device=self._device)).shape[-1]
        except (KeyError, ValueError, IndexError) as error:
            raise SubjectError(
                f"{self.model_name} has no hookpoint {self.hookpoint}, which {self.dictionary_name} reads; "
                f"it has {self._bridge.cfg.n_layers} layers: use the model that the dictionary was trained on"
            ) from error
        if width != self._dictionary.d_in:
            raise SubjectError(
                f"{self.dictionary_name} reads {self._dictionary.d_in} numbers a token, but {self.hookpoint} of "
                f"{self.model_name} holds {width}; use the model that the dictionary was trained on"
            )


def _prefix(tokenizer: TextTokenizer, dictionary: Dictionary) -> TokenIds:
    """The beginning-of-text token, unless the dictionary says that it was trained without."""
    if dictionary.prepend_bos is False:
        return ()
    if tokenizer.beginning is None and dictionary.prepend_bos:
        raise SubjectError(
            f"{dictionary.name} was trained after a beginning-of-text token, but the model's tokeniser names none; "
            "set bos_token in tokenizer_config.json"
        )
    return () if tokenizer.beginning is None else (tokenizer.beginning,)


def _where_to_stop(hookpoint: str) -> tuple[str, int | None]:
    """The hook to read and the first layer that need not run (None where the hook is outside the layers)."""
    parts = hookpoint.split(".")
    if parts[0] != "blocks" or len(parts) < 3 or not parts[1].isdecimal():
        return hookpoint, None
    layer = int(parts[1])
    if parts[2:] == ["hook_resid_pre"] and layer > 0:
        return f"blocks.{layer - 1}.hook_resid_post", layer  # the same numbers, one layer less to run
    return hookpoint, layer + 1
