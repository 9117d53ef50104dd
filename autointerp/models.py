"""The subject model: a causal language model with a dictionary at one of its hookpoints, through TransformerLens.

Numbers do not depend on what shares a batch within TOLERANCE, since padding stands at the right of causal attention;
only where a pre-activation lies that close to a top-k dictionary's cut may a feature be on in one batch and off in
another (`near_boundary`). That holds in float32, in which everything runs except, on a GPU, the bulk of probes: these
are bfloat16, good to about a hundredth, and whatever they find is confirmed in float32, each text alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from autointerp.activation_cache import ActivationCache, Request, keys_of
from autointerp.bulk import Answers, Bulk, Wanted
from autointerp.dictionaries import Dictionary, load
from autointerp.forward import TOKENS_PER_BATCH, TOLERANCE, TREE_TOKENS, Forward, Work
from autointerp.fused import fuse_activations
from autointerp.gathering import Gathering
from autointerp.gradients import Gradients
from autointerp.hookpoints import check_hookpoint, prefix_of, where_to_stop
from autointerp.loading import context_size, folder_of, load_bridge, read_config
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.records import Feature
from probes.subject import Swap, TokenIds

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

__all__ = ["TOLERANCE", "Precision", "TransformerSubject"]

Precision = Literal["float32", "bfloat16"]

HELD_ALONE = 4096
"""Tokens of texts run alone for which the hookpoint is remembered: a verdict, its gate and its rank are of one run."""


class TransformerSubject:
    """A language model and a dictionary that reads one of its hookpoints; see probes.subject for what it answers.

    Contexts are token ids without the prefix, which the subject puts before each. Every call raises InputError for a
    context longer than `max_tokens` or an id that the model has not. `cache` may be set to keep what batches of probes
    were answered; `work` counts what was asked and what was run. Threads share a subject by taking turns: what they ask
    for in batches is run as one by `gathering`.
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
        half: Callable[[], TransformerBridge] | None = None,
    ) -> None:
        self._bridge, self._tokenizer, self._dictionary, self._files = bridge, tokenizer, dictionary, files
        self._device = torch.device(bridge.cfg.device or "cpu")
        self.model_name, self.dictionary_name = model_name, dictionary.name
        self.hookpoint, self.d_sae = dictionary.hookpoint, dictionary.d_sae
        self.vocabulary = Vocabulary(tokenizer.strings)
        self.prefix = prefix_of(tokenizer, dictionary)
        self.max_tokens = window - len(self.prefix)
        self._hook, self._stop = where_to_stop(dictionary.hookpoint)
        self.cache: ActivationCache | None = None
        self.work = Work()
        self.gathering: Gathering[Request, Answers] = Gathering(self.answers)
        self._window, self._half = window, half
        self._exact = Forward(bridge, self._hook, self._stop, self.prefix, window)
        self._bulk = Bulk(self._exact, half)
        self._held: dict[TokenIds, Float[Tensor, "ctx d_in"]] = {}
        check_hookpoint(self._exact, dictionary, self.model_name)

    @classmethod
    def load(
        cls,
        model: str | Path,
        dictionary: str | Path,
        *,
        device: str = "cpu",
        revision: str | None = None,
        precision: Precision | None = None,
    ) -> TransformerSubject:
        """Load a Hugging Face model folder (or hub id, at `revision`) and a SAELens folder.

        A hub id is downloaded where it is not in the local cache, unless HF_HUB_OFFLINE is set. `precision` is that of
        batches of probes: bfloat16 on a GPU and float32 elsewhere if None. Raises SubjectError, saying what to do, for
        whatever does not load or does not fit together.

        >>> TransformerSubject.load("stories-lm", "stories-sae").hookpoint  # doctest: +SKIP
        'blocks.2.hook_resid_post'
        """
        features = load(Path(dictionary)).to(device)
        folder = folder_of(model, revision)
        config = read_config(folder)
        tokenizer = TextTokenizer.load(folder, size=int(config.get_text_config().vocab_size))
        bridge = load_bridge(folder, config, device)
        fuse_activations(bridge)
        if precision is None:
            precision = "bfloat16" if torch.device(device).type == "cuda" else "float32"

        def half() -> TransformerBridge:
            in_half = load_bridge(folder, config, device, dtype=torch.bfloat16)
            fuse_activations(in_half)
            return in_half

        files = sorted(path for pattern in ("*.json", "*.safetensors") for path in folder.glob(pattern))
        name = Path(model).resolve().name if Path(model).exists() else str(model)
        window = context_size(config, bridge)
        rough = half if precision == "bfloat16" else None
        return cls(bridge, tokenizer, features, model_name=name, window=window, files=files, half=rough)

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
        self._check_features(features)
        if batch_size == 1:
            return self._alone(contexts, self._encoder(features), len(features))
        if batch_size is not None:
            return self._each(contexts, self._encoder(features), len(features), batch_size)
        request = Request(tuple(self._distinct(contexts)), tuple(features))
        gathering = self.gathering
        found = gathering.ask(request) if gathering.includes_me else self.answers([request])[0]
        return _in_order(contexts, found, len(features))

    def answers(self, requests: Sequence[Request]) -> list[Answers]:
        """The activations that each request is for, all of them run together; `activations` has checked them.

        The numbers are those of these very requests in this order, found in the cache or run: where the answer to one
        of them was lost, all are run again.
        """
        asked = [sum(len(context) + len(self.prefix) for context in request.contexts) for request in requests]
        self.work.asked += sum(asked)
        kept = self._kept(requests)
        if kept is not None:
            self.work.cached += sum(asked)
            return kept
        wanted = [Wanted(request.contexts, self._encoder(request.features)) for request in requests]
        found = self._bulk.answers(wanted, self.work)
        if self.cache is not None:
            for key, request, answers in zip(keys_of(self._numerics, requests), requests, found, strict=True):
                if request.contexts:
                    self.cache.put(key, np.concatenate([answers[context] for context in request.contexts]))
        return found

    def preactivations(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[tuple[Float[np.ndarray, "ctx features"], Float[np.ndarray, "ctx features"]]]:
        """What the features were before gating, and their rank among all features (0 = highest), each text alone."""
        return [(values[..., 0], values[..., 1]) for values in self._before_gating(contexts, features)]

    def near_boundary(
        self, contexts: Sequence[TokenIds], features: Sequence[int]
    ) -> list[Bool[np.ndarray, "ctx features"]]:
        """Where a pre-activation, each text alone, is within TOLERANCE of a top-k's cut: neither on nor off surely."""
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
        for batch, inputs in self._exact.one_by_one(self._distinct(contexts)):
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
        for batch, ids in self._exact.batches(self._distinct(contexts)):
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
        self._check_features(features)
        chosen = self._indices(features)

        def answer(inputs: Tensor) -> Tensor:
            pre, rank, cut = self._dictionary.preactivations(inputs, chosen)
            return torch.stack([pre, rank.to(pre.dtype), cut[:, None].expand_as(pre)], dim=-1).flatten(1)

        found = self._alone(contexts, answer, 3 * len(features))
        return [values.reshape(len(values), len(features), 3) for values in found]

    def _alone(self, contexts: Sequence[TokenIds], answer: Callable[[Tensor], Tensor], width: int) -> list[np.ndarray]:
        """As `_each`, nothing sharing the run with a text; the texts asked for last are not run again."""
        found: dict[TokenIds, np.ndarray] = {}
        for context in self._distinct(contexts):
            held = self._held.pop(context, None)
            if held is None:
                [(_, held)] = self._exact.one_by_one([context], 1)
            self._held[context] = held
            while len(self._held) > 1 and sum(map(len, self._held)) > HELD_ALONE:
                self._held.pop(next(iter(self._held)))
            with torch.inference_mode():
                found[context] = answer(held).cpu().numpy()
        return _in_order(contexts, found, width)

    def _each(
        self,
        contexts: Sequence[TokenIds],
        answer: Callable[[Tensor], Tensor],
        width: int,
        batch_size: int | None,
    ) -> list[np.ndarray]:
        """An answer of `width` numbers a token, in float32, for every context in the order given."""
        found: dict[TokenIds, np.ndarray] = {}
        for batch, inputs in self._exact.one_by_one(self._distinct(contexts), batch_size):
            ends = np.cumsum([len(context) for context in batch])[:-1]
            found.update(zip(batch, np.split(answer(inputs).cpu().numpy(), ends), strict=True))
        return _in_order(contexts, found, width)

    @cached_property
    def _numerics(self) -> dict[str, object]:
        """All that determines the last bit of a batch's numbers, beside the batch."""
        return self.fingerprint | {
            "precision": "float32" if self._half is None else "bfloat16",
            "device": self._device.type,
            "torch": torch.__version__,
            "batches": [TOKENS_PER_BATCH, TREE_TOKENS],
            "gelu_new": "one kernel",
        }

    def _distinct(self, contexts: Sequence[TokenIds]) -> list[TokenIds]:
        """The contexts that are not empty, each once, in a fixed order; InputError for what the model cannot read."""
        distinct = sorted({tuple(context) for context in contexts if context})
        self._check_ids(distinct)
        return distinct

    def _kept(self, requests: Sequence[Request]) -> list[Answers] | None:
        """What the cache holds for all of these requests; None where it lacks any."""
        if self.cache is None:
            return None
        found: list[Answers] = []
        for key, request in zip(keys_of(self._numerics, requests), requests, strict=True):
            lengths = [len(context) for context in request.contexts]
            values = self.cache.get(key) if lengths else np.zeros((0, len(request.features)), np.float32)
            if values is None or values.shape != (sum(lengths), len(request.features)):
                return None
            found.append(dict(zip(request.contexts, np.split(values, np.cumsum(lengths)[:-1]), strict=False)))
        return found

    def _encoder(self, features: Sequence[int]) -> Callable[[Tensor], Tensor]:
        chosen = self._indices(features)
        return lambda inputs: self._dictionary.encode(inputs, chosen)

    def _indices(self, features: Sequence[int]) -> Int[Tensor, " features"]:
        return torch.tensor(list(features), dtype=torch.long, device=self._device)

    def _check_features(self, features: Sequence[int]) -> None:
        for index in features:
            self.feature(index)

    def _check_ids(self, contexts: Sequence[TokenIds]) -> None:
        for context in contexts:
            if len(context) > self.max_tokens:
                raise InputError(
                    f"a context of {len(context)} tokens is longer than {self.model_name} reads "
                    f"({self.max_tokens} after the beginning-of-text token); cut it"
                )
            if min(context) < 0 or max(context) >= len(self.vocabulary):
                raise InputError(f"token ids of {self.model_name} run from 0 to {len(self.vocabulary) - 1}")


def _in_order(
    contexts: Sequence[TokenIds], found: dict[TokenIds, np.ndarray], width: int
) -> list[Float[np.ndarray, "_ width"]]:
    """The answers in the order asked; equal contexts get arrays of their own, since a caller may write into one."""
    nothing = np.zeros((0, width), dtype=np.float32)
    return [found.get(tuple(context), nothing).copy() for context in contexts]
