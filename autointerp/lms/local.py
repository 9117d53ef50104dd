"""A language model on this machine: transformers, with outlines' and llguidance's masks under a grammar."""

from __future__ import annotations

import hashlib
import json
import math
import random
import string
import threading
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, assert_never

import outlines
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from outlines.backends.llguidance import LLGuidanceBackend
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteriaList,
)

from agents.lm import Completion, Failure, Free, Grammar, Labels, Message, Reply, Request
from autointerp.lms.asking import within, wrong_grammar
from autointerp.lms.conversation import Conversation, well_formed
from autointerp.lms.label_scores import label_logprobs, normalised, padded
from autointerp.lms.model_folder import digest_of, model_folder
from autointerp.lms.stepping import Draw, Finish, GrammarMask, Row, error_of
from autointerp.lms.weights import context_tokens, ends_of, load_weights
from autointerp.loading import first_line

MAX_BATCH = 16
"""Answers written at once, unless said otherwise."""

WAY = 1
"""Counts up when the same request to the same weights gets another answer than before; part of the revision."""

LIBRARIES = ("torch", "transformers", "llguidance")
"""What else decides an answer: another release may round otherwise, or fill a template otherwise."""

Prompt = tuple[int, ...]
_ASCII = string.ascii_letters + string.digits + string.punctuation


class LocalLM:
    """Implements `agents.lm.LanguageModel` with a Hugging Face folder of safetensors, or a hub id with its revision.

    Each answer is drawn with numbers of its own, from the request's seed, sample number, prompt and constraint. So it
    does not depend on what shares its batch, but for rounding: padding changes a logit in its last bits, and where two
    tokens are that close the other one may win. Of 1,400 texts of the small model in the tests none differed in batches
    from what was written alone, in float32; in bfloat16 14 of 100 did. `max_tokens` does not count the token that ends
    a text.

    Labels are not written but scored: each by all its tokens and the end, normalised over the labels, and drawn from
    those at the request's temperature; their numbers are the same whatever else is asked. Calls from several threads
    wait for each other; `autointerp.lms.batching` makes batches of them instead.

    >>> lm = LocalLM.load("models/small")  # doctest: +SKIP
    >>> [reply] = lm.complete([Request((Message("user", "Is it A or B?"),), Labels(("A", "B")))])  # doctest: +SKIP
    >>> reply.text, reply.logprobs  # doctest: +SKIP
    ('A', (('A', -0.1), ('B', -2.3)))
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        name: str,
        revision: str,
        context_tokens: int,
        max_batch: int = MAX_BATCH,
    ) -> None:
        self.name, self.revision, self.context_tokens, self.max_batch = name, revision, context_tokens, max_batch
        self._model, self._tokenizer = model, tokenizer
        self._conversation = Conversation(tokenizer)
        self._ends = ends_of(model, tokenizer)
        self._known = max(tokenizer.get_vocab().values()) + 1
        # What the folder suggests (a repetition penalty, top-p) would make a draw something else than the model's.
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            eos_token_id=sorted(self._ends), pad_token_id=pad
        )
        through: Any = tokenizer  # outlines asks for what this class is called in another version of transformers
        self._backend = LLGuidanceBackend(outlines.from_transformers(model, through))
        if len(self._ends) > 1:
            # Outlines names one end. Where a chat model ends its turns with another one, and that is masked, it would
            # go on for as long as the grammar lets it.
            self._backend.llg_tokenizer = from_tokenizer(tokenizer, eos_token=sorted(self._ends))
        self._matchers: dict[str, LLMatcher] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        device: str = "cpu",
        revision: str | None = None,
        max_batch: int = MAX_BATCH,
        dtype: torch.dtype | None = None,
    ) -> LocalLM:
        """Load a model; in float32, on CUDA in bfloat16, unless said otherwise.

        Raises InputError where there is no such model, a hub id comes without a revision, weights are missing, not
        finite or pickles, or the tokeniser is not one that llguidance reads.
        """
        folder = model_folder(path_or_id, revision)
        dtype = dtype or (torch.bfloat16 if device.startswith("cuda") else torch.float32)
        model, tokenizer = load_weights(folder, dtype, device)
        pinned = f"@{revision}" if revision and "@" not in str(path_or_id) and not Path(path_or_id).is_dir() else ""
        return cls(
            model,
            tokenizer,
            name=f"hf:{path_or_id}{pinned}",
            revision="-".join([digest_of(folder), str(dtype).removeprefix("torch."), device, *_versions(), str(WAY)]),
            context_tokens=context_tokens(model, folder),
            max_batch=max_batch,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results should know about how the model was asked."""
        unspelt = "".join(character for character in _ASCII if character not in self._text(self._label(character)))
        poor = (f"its tokens cannot spell {unspelt}: explanations that need these fail",) if unspelt else ()
        return (*self._conversation.notes, *poor)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the conversation up to where the answer begins, exactly; of one that the template refuses, 0."""
        try:
            return len(self._conversation.ids(messages))
        except ValueError:
            return 0

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order."""
        replies: dict[int, Reply] = {}
        groups: dict[str, list[tuple[int, Request, Prompt]]] = {}
        for number, request in enumerate(requests):
            match self._prompt(request):
                case Failure() as failure:
                    replies[number] = failure
                case prompt:
                    groups.setdefault(_kind(request), []).append((number, request, prompt))
        for group in groups.values():
            group.sort(key=lambda one: len(one[2]))  # rows of one length need no padding
            while group:
                size = self._together(group)
                batch, group = group[:size], group[size:]
                with self._lock, torch.inference_mode():
                    found = self._in_memory([(request, prompt) for _, request, prompt in batch])
                replies.update(zip((number for number, _, _ in batch), found, strict=True))
        return [replies[number] for number in range(len(requests))]

    def _together(self, group: Sequence[tuple[int, Request, Prompt]]) -> int:
        """How many of the first make a batch: filled up to its longest, it may not be written beyond the context."""
        most = 0
        for count, (_, request, prompt) in enumerate(group[: self.max_batch]):
            most = max(most, request.max_tokens)
            if count and len(prompt) + most > self.context_tokens:
                return count
        return min(len(group), self.max_batch)

    def _prompt(self, request: Request) -> Prompt | Failure:
        if fault := wrong_grammar(request.constraint):
            return Failure("refused", fault)
        try:
            prompt = tuple(self._conversation.ids(request.messages))
        except ValueError as error:
            return Failure("refused", str(error))
        match request.constraint:
            case Labels(labels=labels):
                needed = max(len(self._label(label)) for label in labels)
            case _:
                needed = request.max_tokens
        if len(prompt) + needed > self.context_tokens:
            return Failure(
                "too long",
                f"{self.name}: the conversation has {len(prompt)} tokens and {needed} may follow; "
                f"the context holds {self.context_tokens}",
            )
        return prompt

    def _in_memory(self, batch: list[tuple[Request, Prompt]]) -> list[Reply]:
        """The batch, or its halves where memory runs out; later ones are no larger than what fitted."""
        try:
            return self._answered(batch)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            reason = first_line(error)
        # Outside of the handler: the error holds on to the tensors of the failed attempt.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(batch) == 1:
            tokens = len(batch[0][1])
            return [Failure("overloaded", f"{self.name} ran out of memory on {tokens} tokens alone: {reason}")]
        half = len(batch) // 2
        self.max_batch = min(self.max_batch, len(batch) - half)
        return [*self._in_memory(batch[:half]), *self._in_memory(batch[half:])]

    def _answered(self, batch: list[tuple[Request, Prompt]]) -> list[Reply]:
        match batch[0][0].constraint:
            case Labels():
                # Alone each: what they share a batch with would change the last bits of what a judge's votes are made
                # of, and long prompts keep a processor busy as they are.
                return [self._chosen(request, prompt) for request, prompt in batch]
            case _:
                return self._written(batch)

    def _written(self, batch: list[tuple[Request, Prompt]]) -> list[Reply]:
        rows = [self._row(request, prompt) for request, prompt in batch]
        processors: list[Any] = [Draw(rows, self._known)]
        constraint = batch[0][0].constraint
        if isinstance(constraint, Grammar):
            matcher = self._matcher(constraint.lark)
            if matcher.is_error():
                reason = f"{self.name}: llguidance does not take the grammar: {error_of(matcher)}"
                return [Failure("refused", reason) for _ in batch]
            processors.insert(0, GrammarMask(constraint.lark, self._backend.llg_tokenizer, rows, matcher))
        ids, mask = padded([prompt for _, prompt in batch], max(len(prompt) for _, prompt in batch), left=True)
        generate: Any = self._model.generate
        generate(
            input_ids=ids.to(self._model.device),
            attention_mask=mask.to(self._model.device),
            max_new_tokens=max(row.most for row in rows) + 1,
            do_sample=False,
            logits_processor=LogitsProcessorList(processors),
            stopping_criteria=StoppingCriteriaList([Finish(rows, self._ends, self._tokenizer)]),
        )
        return [self._said(request, len(prompt), row) for (request, prompt), row in zip(batch, rows, strict=True)]

    def _row(self, request: Request, prompt: Prompt) -> Row:
        generator = torch.Generator(device=self._model.device).manual_seed(_seed(request, prompt))
        match request.constraint:
            case Free(stop=stop):
                stops = (*(one for one in stop if one), *self._conversation.stops)
            case _:
                stops = ()
        return Row(generator, request.temperature, max(request.max_tokens, 0), stops)

    def _said(self, request: Request, prompt: int, row: Row) -> Reply:
        if row.broken:
            return Failure("refused", f"{self.name}: {row.broken} after {len(row.tokens)} tokens")
        tokens = row.tokens[:-1] if row.tokens and row.tokens[-1] in self._ends else row.tokens
        match request.constraint:
            case Grammar():
                if not row.ended:
                    return Failure("cut off", f"{self.name}: {request.max_tokens} tokens did not end the text")
                text = self._backend.llg_tokenizer.decode_bytes(tokens).decode(errors="replace")
                if not within(request.constraint, text):
                    return Failure("outside the constraint", f"{self.name} said {text[:80]!r}, outside the grammar")
                return Completion(text, prompt, len(row.tokens))
            case _:
                if row.ended:
                    return Completion(_until(self._text(tokens), row.stops), prompt, len(row.tokens))
                # A character of several bytes may have been cut in two.
                return Completion(self._text(tokens[: row.most]).rstrip("\ufffd"), prompt, row.most, cut=True)

    def _chosen(self, request: Request, prompt: Prompt) -> Reply:
        assert isinstance(request.constraint, Labels)
        labels = request.constraint.labels
        spelt = [self._label(label) for label in labels]
        logprobs = label_logprobs(self._model, prompt, spelt, sorted(self._ends))
        if any(map(math.isnan, logprobs)) or not math.isfinite(max(logprobs)):
            return Failure("refused", f"{self.name}: the model's logits are not finite")
        own = normalised(logprobs)
        chosen = _drawn(own, request.temperature, _seed(request, prompt))
        said = tuple(zip(labels, own, strict=True))
        return Completion(labels[chosen], len(prompt), len(spelt[chosen]) + 1, said)

    def _label(self, label: str) -> Prompt:
        ids: list[int] = self._tokenizer(well_formed(label), add_special_tokens=False)["input_ids"]
        return tuple(ids)

    def _text(self, tokens: Sequence[int]) -> str:
        text = self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def _matcher(self, grammar: str) -> LLMatcher:
        if grammar not in self._matchers:
            processor = self._backend.get_cfg_logits_processor(grammar)
            self._matchers[grammar] = LLMatcher(self._backend.llg_tokenizer, processor.grammar, log_level=0)
        return self._matchers[grammar]


def _kind(request: Request) -> str:
    """Requests of one kind can share a batch."""
    match request.constraint:
        case Free():
            return "free"
        case Labels():
            return "labels"
        case Grammar(lark=grammar):
            return f"grammar {grammar}"
        case _:
            assert_never(request.constraint)


def _seed(request: Request, prompt: Prompt) -> int:
    """A row's own: neither two prompts nor two samples draw the same numbers."""
    constraint = request.constraint
    said = [request.seed, request.sample, prompt, _kind(request), getattr(constraint, "labels", ())]
    return int.from_bytes(hashlib.sha256(json.dumps(said).encode()).digest()[:8], "big") >> 1


def _drawn(logprobs: Sequence[float], temperature: float, seed: int) -> int:
    """The place of the likeliest, or of one drawn at a temperature."""
    top = max(logprobs)
    if temperature <= 0:
        return logprobs.index(top)
    weights = [math.exp((one - top) / temperature) for one in logprobs]
    return random.Random(seed).choices(range(len(weights)), weights)[0]


def _until(text: str, stops: Iterable[str]) -> str:
    ends = [text.find(stop) for stop in stops]
    return text[: min((end for end in ends if end >= 0), default=len(text))]


def _is_out_of_memory(error: Exception) -> bool:
    said = str(error).lower()
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in said or "can't allocate" in said
    )


def _versions() -> list[str]:
    return [f"{name}{version(name)}" for name in LIBRARIES]
