"""vLLM's engine in this process: many requests at once on one GPU or several, under grammars, with shared prefixes."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_never

from agents.lm import Completion, Constraint, Failure, Free, Grammar, Labels, Message, Reply, Request
from autointerp.lms.asking import seed_of, within, wrong_grammar
from autointerp.lms.conversation import Conversation
from autointerp.lms.label_logprobs import label_logprobs
from autointerp.lms.model_folder import digest_of, model_folder
from autointerp.loading import first_line
from dsl.errors import InputError, SubjectError

TOP = 20
"""First tokens of a label whose log-probabilities are asked for."""


class OfflineVLLM:
    """A model in vLLM's engine; every request has sampling parameters of its own, also in one batch with others.

    The engine batches continuously and keeps the keys and values of prefixes that requests share. Calls from several
    threads wait for each other; `autointerp.lms.batching` makes batches of them instead. Labels are decoded as a
    choice, with the log-probabilities of their first tokens after the mask. The same seed gives the same text, but for
    rounding that depends on what shares a batch.

    >>> lm = OfflineVLLM.load("models/small")  # doctest: +SKIP
    >>> lm.complete([Request((Message("user", "A or B?"),), Labels(("A", "B")))])  # doctest: +SKIP
    [Completion(text='B', prompt_tokens=9, completion_tokens=2, logprobs=(('A', -3.4), ('B', -0.03)), cut=False)]
    """

    max_batch = 256

    def __init__(self, engine: Any, *, name: str, revision: str) -> None:
        self.name, self.revision = name, revision
        self.context_tokens: int = engine.model_config.max_model_len
        self._engine, self._vllm = engine, _vllm()
        self._conversation = Conversation(engine.get_tokenizer())
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path_or_id: str | Path, *, revision: str | None = None, **engine: Any) -> OfflineVLLM:
        """Start an engine on a Hugging Face folder of safetensors, or a hub id with its revision.

        `engine` holds vLLM's own engine arguments, such as `tensor_parallel_size=2`. Raises InputError where vLLM is
        not installed or there is no such model, SubjectError where the engine does not start.
        """
        vllm = _vllm()
        folder = model_folder(path_or_id, revision)
        settings = {
            "enable_prefix_caching": True,
            "structured_outputs_config": {"backend": "guidance"},  # left to itself it tries others, with other results
            "disable_log_stats": False,
            "seed": 0,
        }
        if importlib.import_module("vllm.platforms").current_platform.is_cpu():
            # A prompt that is read in pieces rewinds its seeded generator, which one of a CPU cannot: the engine dies.
            settings["enable_chunked_prefill"] = False
        caught: tuple[type[Exception], ...] = (RuntimeError, OSError, *_refusals())
        try:
            started = vllm.LLM(model=str(folder), **(settings | engine))
        except caught as error:
            raise SubjectError(f"vLLM does not start on {path_or_id}: {first_line(error)}") from error
        dtype = str(started.model_config.dtype).removeprefix("torch.")
        asked = json.dumps(engine, sort_keys=True, default=str)
        return cls(
            started,
            name=f"vllm:{path_or_id}{f'@{revision}' if revision else ''}",
            revision=f"{digest_of(folder)}-{dtype}-vllm-{vllm.__version__}-{asked}",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of results should know about how the model was asked."""
        return self._conversation.notes

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the conversation up to where the answer begins, exactly; of one that the template refuses, 0."""
        try:
            return len(self._conversation.ids(messages))
        except ValueError:
            return 0

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in order; the engine sees them all at once."""
        asked = [self._asked(request) for request in requests]
        fitting = [one for one in asked if not isinstance(one, Failure)]
        with self._lock:
            outputs = iter(self._generated(fitting))
        replies: list[Reply] = []
        for request, one in zip(requests, asked, strict=True):
            output = one if isinstance(one, Failure) else next(outputs)
            replies.append(output if isinstance(output, Failure) else self._judged(request, output))
        return replies

    def close(self) -> None:
        """Stop the engine and its processes; nothing is answered any more."""
        self._engine.llm_engine.engine_core.shutdown()

    def _asked(self, request: Request) -> tuple[list[int], Any] | Failure:
        """A prompt's tokens and its own sampling parameters, or why they are not to be had."""
        if fault := wrong_grammar(request.constraint):
            return Failure("refused", fault)
        try:
            prompt = self._conversation.ids(request.messages)
            parameters = self._parameters(request)
        except _refusals() as error:
            return Failure("refused", f"{self.name}: {first_line(error)}")
        if len(prompt) + request.max_tokens > self.context_tokens:
            room = f"{len(prompt)} tokens and {request.max_tokens} to come; the context holds {self.context_tokens}"
            return Failure("too long", f"{self.name}: {room}")
        return prompt, parameters

    def _parameters(self, request: Request) -> Any:
        stop = [*request.constraint.stop, *self._conversation.stops] if isinstance(request.constraint, Free) else []
        return self._vllm.SamplingParams(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            seed=seed_of(request),
            stop=stop,
            logprobs=TOP if isinstance(request.constraint, Labels) else None,
            structured_outputs=self._structured(request.constraint),
        )

    def _structured(self, constraint: Constraint) -> Any:
        match constraint:
            case Free():
                return None
            case Labels(labels):
                kind: dict[str, Any] = {"choice": list(labels)}
            case Grammar(lark):
                kind = {"grammar": lark}
            case _:
                assert_never(constraint)
        return importlib.import_module("vllm.sampling_params").StructuredOutputsParams(**kind)

    def _generated(self, asked: Sequence[tuple[list[int], Any]]) -> list[Any]:
        """What the engine makes of each; where it refuses a batch, of its halves; a failure of what it refuses."""
        if not asked:
            return []
        prompts = [{"prompt_token_ids": prompt} for prompt, _ in asked]
        try:
            return list(self._engine.generate(prompts, [parameters for _, parameters in asked], use_tqdm=False))
        except _refusals() as error:
            if len(asked) == 1:
                return [Failure("refused", f"{self.name}: {first_line(error)}")]
            half = len(asked) // 2
            return [*self._generated(asked[:half]), *self._generated(asked[half:])]
        except _engine_died():
            return [Failure("server error", f"{self.name}: the engine has died; see its log") for _ in asked]

    def _judged(self, request: Request, output: Any) -> Reply:
        """The completion or the failure that an output is, held to its constraint once more."""
        [said] = output.outputs
        text, prompt, written = said.text, len(output.prompt_token_ids), len(said.token_ids)
        cut = said.finish_reason == "length"
        if said.finish_reason not in ("stop", "length"):
            return Failure("server error", f"{self.name} ended with {said.finish_reason!r}")
        if isinstance(request.constraint, Free):
            return Completion(text, prompt, written, cut=cut)
        if not within(request.constraint, text):
            if cut:
                return Failure("cut off", f"{self.name}: {request.max_tokens} tokens did not end the text")
            return Failure("outside the constraint", f"{self.name} said {text[:80]!r}, outside its constraint")
        logprobs: tuple[tuple[str, float], ...] = ()
        if isinstance(request.constraint, Labels) and said.logprobs:
            first = [(one.decoded_token or "", one.logprob) for one in said.logprobs[0].values()]
            logprobs = label_logprobs(request.constraint.labels, first)
        return Completion(text, prompt, written, logprobs)


def _vllm() -> Any:
    try:
        return importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        if error.name == "vllm":
            raise InputError('vLLM is not installed; on Linux: pip install "autointerp[vllm]"') from error
        raise SubjectError(f"vLLM is installed but lacks a package: {first_line(error)}") from error
    except ImportError as error:
        raise SubjectError(f"vLLM is installed but cannot be imported: {first_line(error)}") from error


def _refusals() -> tuple[type[Exception], ...]:
    """What vLLM raises for a request that it does not take: once a ValueError, of late an error of its own."""
    own = getattr(importlib.import_module("vllm"), "exceptions", None)
    return (ValueError, *filter(None, [getattr(own, "VLLMClientError", None)]))


def _engine_died() -> type[Exception]:
    died: type[Exception] = importlib.import_module("vllm.v1.engine.exceptions").EngineDeadError
    return died
