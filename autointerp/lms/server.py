"""A language model behind any server that speaks OpenAI's protocol: vLLM, llama.cpp, the hosted ones.

vLLM is best started so, lest grammars go to another backend and the model's folder change how tokens are drawn:

    python -m vllm.entrypoints.openai.api_server --model MODEL --enable-prefix-caching --generation-config vllm \\
        --structured-outputs-config '{"backend": "guidance"}'

On a CPU add `--no-enable-chunked-prefill`: in vLLM 0.32 a prompt that is read in pieces and has a seed ends the engine.
For a model that thinks aloud unless told not to add `--default-chat-template-kwargs '{"enable_thinking": false}'`.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, TypeAdapter, ValidationError

from agents.lm import Completion, Constraint, Failure, Free, Grammar, Labels, Message, Reply, Request
from autointerp.lms.asking import as_sent, begins, body_of, upper_estimate, upper_tokens, within, wrong_grammar
from autointerp.lms.background import Background
from autointerp.lms.label_logprobs import label_logprobs
from autointerp.lms.retrying import ABSENCE, Counts, FaultError, GaveUpError, Limits, Retrying, Sleep
from autointerp.lms.wire import ChatReply, ListedModel, ModelList, TokenCount, fault_of
from autointerp.terminal import console
from dsl.errors import InputError
from prompts import load

GrammarSupport = Literal["auto", "server", "plain"]
Record = TypeVar("Record", bound=BaseModel)

DEFAULT_LIMITS = Limits()

DEFAULT_CONTEXT = 8_192
"""Tokens of context of a model whose server does not say."""

REGENERATIONS = 2
"""How often a text outside its constraint is asked for again, with another seed."""

_TRIAL = "quince and medlar"
"""What no model says unless a grammar makes it."""

_FEW_RETRIES = 2
"""For questions about the model: there is an answer to go on with where the server has none."""

_PATIENCE = 10.0
"""Seconds that `check` waits for an answer: no model has to run for it."""


class ServerLM:
    """Answers from a server, any number at once; every reply is held to its constraint here, whatever the server does.

    `grammar` says who keeps a text to its grammar or labels: the "server", by vLLM's `structured_outputs`; nobody
    ("plain"): the prompt says the format; or "auto": a trial at the first such request decides, and says so where the
    server ignores or refuses the field. Either way a text outside its constraint is asked for again twice, and then a
    failure. `context_tokens` overrides what the server says. The key is read from OPENAI_API_KEY where none is given;
    some servers need none. `sleep`, `rng` and `limits` are how faults are waited out; none of them changes an answer.
    Raises InputError for an address that cannot be one, or that holds a password.

    >>> lm = ServerLM("small", "http://127.0.0.1:8000/v1")
    >>> lm.name
    'openai:small@http://127.0.0.1:8000/v1'
    >>> lm.complete([Request((Message("user", "A or B?"),), Labels(("A", "B")))])  # doctest: +SKIP
    [Completion(text='B', prompt_tokens=9, completion_tokens=2, logprobs=(('A', -3.4), ('B', -0.03)), cut=False)]
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        key: str | None = None,
        grammar: GrammarSupport = "auto",
        context_tokens: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
        note: Callable[[str], None] = console.print,
    ) -> None:
        self._address = _checked(base_url)
        self._model, self._grammar, self._context = model, grammar, context_tokens
        self._key = key if key is not None else os.environ.get("OPENAI_API_KEY", "")
        self._client = openai.AsyncOpenAI(
            base_url=self._address,
            api_key=self._key or "none",  # the SDK wants one, also where the server does not
            max_retries=0,
            timeout=openai.Timeout(limits.reply, connect=limits.connect),
        )
        self._retrying = Retrying(limits, sleep=sleep, rng=rng or random.Random(0))
        self._background = Background(self._client.close)
        self._note, self._notes = note, dict[str, None]()
        self._lock = threading.Lock()
        self._listed: ListedModel | None = None
        self._counts_tokens = self._tells_logprobs = True
        self._trial: asyncio.Task[bool] | None = None
        self._regenerations = self._discarded = 0

    def __repr__(self) -> str:
        return f"ServerLM({self._model!r}, {self._address!r})"

    @property
    def name(self) -> str:
        return f"openai:{self._model}@{self._address}"

    @property
    def revision(self) -> str:
        """What the server lists of the model that stays the same, and how this client asks; "unlisted" without."""
        listed = self._facts()
        asked = f"grammar {self._grammar}, plain format {load('plain_format').version}"
        if listed is None or listed == ListedModel(id=self._model):
            return f"unlisted; {asked}"
        return f"root {listed.root}, parent {listed.parent}, {listed.max_model_len} tokens; {asked}"

    @property
    def context_tokens(self) -> int:
        if self._context is not None:
            return self._context
        listed = self._facts()
        return listed.max_model_len if listed and listed.max_model_len else DEFAULT_CONTEXT

    @property
    def counts(self) -> Counts:
        """Calls and retries so far, and calls in flight: how it went, never part of a result."""
        return self._retrying.counts

    @property
    def regenerations(self) -> int:
        """How often a text outside its constraint was asked for again."""
        return self._regenerations

    @property
    def discarded_tokens(self) -> int:
        """Tokens of texts outside their constraint, which no completion counts."""
        return self._discarded

    @property
    def notes(self) -> tuple[str, ...]:
        """What the server was seen to ignore or refuse, each said once."""
        return tuple(self._notes)

    def check(self) -> None:
        """Ask once what models there are: InputError, within seconds, where nobody answers or another key is wanted.

        A server that answers anything else, such as that it lists no models, may answer requests all the same.
        """
        try:
            asked = self._asked(self._client.get, "/models", ModelList, retries=1, options={"timeout": _PATIENCE})
            self._listed = self._own(self._background.run(asked))
        except GaveUpError as gave_up:
            fault = gave_up.fault
            if fault.kind in ABSENCE:
                raise InputError(
                    f"{self.name} does not answer: {fault.reason}; start it, or name its address"
                ) from None
            if fault.reason.startswith("HTTP 401"):
                raise InputError(f"{self.name}: {fault.reason}") from None

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """As vLLM's /tokenize counts; `upper_estimate` where the server has no such thing."""
        if self._counts_tokens:
            body = {"model": self._model, "messages": as_sent(messages)}
            url = self._address.removesuffix("/v1") + "/tokenize"
            try:
                return self._background.run(self._asked(self._client.post, url, TokenCount, body=body)).count
            except GaveUpError as gave_up:
                self._counts_tokens = gave_up.fault.again  # a server that is down may be asked again
        return upper_estimate(messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        """All requests run side by side, as many at once as the server bears."""
        return self._background.run(self._complete(requests)) if requests else []

    def close(self) -> None:
        """End what runs and let go of all connections."""
        self._background.close()

    async def _complete(self, requests: Sequence[Request]) -> list[Reply]:
        return list(await asyncio.gather(*map(self._answer, requests)))

    async def _answer(self, request: Request) -> Reply:
        """Ask until a text is within its constraint, a few times."""
        if fault := wrong_grammar(request.constraint):
            return Failure("refused", fault)
        retries = 0
        texts = []
        try:
            by_server = not isinstance(request.constraint, Free) and await self._constrains()
            for again in range(REGENERATIONS + 1):
                reply, made = await self._generated(request, again, by_server)
                retries += made
                match self._judged(request, reply, by_server):
                    case str(outside):
                        texts.append(outside)
                        self._discarded += reply.usage.completion_tokens or 0
                    case Failure(kind=kind, reason=reason):
                        return Failure(kind, reason, retries)
                    case completion:
                        return completion
                self._regenerations += again < REGENERATIONS
        except GaveUpError as gave_up:
            return Failure(gave_up.fault.kind, self._told(gave_up.fault), retries + gave_up.retries)
        return Failure("outside the constraint", self._ignored(request.constraint, texts, by_server), retries)

    async def _generated(self, request: Request, again: int, by_server: bool) -> tuple[ChatReply, int]:
        """One generation, over as many attempts as it takes; without log-probabilities where they are refused."""
        labels = isinstance(request.constraint, Labels) and self._tells_logprobs
        try:
            return await self._retrying.call(lambda: self._chat(body_of(request, again, by_server), labels))
        except GaveUpError as gave_up:
            refused = gave_up.fault.kind == "refused" and "logprobs" in gave_up.fault.reason
            if not (labels and refused):
                raise
            self._tells_logprobs = False
            self._say(f"{self.name} tells no log-probabilities: judges vote without them")
            return await self._generated(request, again, by_server)

    async def _chat(self, body: dict[str, Any], labels: bool) -> ChatReply:
        if labels:
            body |= {"logprobs": True, "top_logprobs": 20}
        try:
            raw = await self._client.chat.completions.with_raw_response.create(model=self._model, **body)
        except openai.OpenAIError as error:
            raise fault_of(error, self._key) from None
        return ChatReply.read(raw.content)

    def _judged(self, request: Request, reply: ChatReply, by_server: bool) -> Reply | str:
        """The completion or the failure that a reply is; the text alone where it is outside its constraint."""
        choice = reply.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            return Failure("refused", f"{self.name} will not answer")
        text, cut = choice.message.content or "", choice.finish_reason == "length"
        prompt, written = reply.usage.prompt_tokens, reply.usage.completion_tokens
        prompt = upper_estimate(request.messages) if prompt is None else prompt
        written = upper_tokens(text) if written is None else written
        if isinstance(request.constraint, Free):
            return Completion(text, prompt, written, cut=cut)
        text = text if by_server else text.strip()
        if not within(request.constraint, text):
            if not (cut and by_server and begins(request.constraint, text)):
                return text
            so_far = f"{written} of at most {request.max_tokens} tokens: {text[-40:]!r}"
            return Failure("cut off", f"{self.name} was cut off after {so_far}")
        logprobs: tuple[tuple[str, float], ...] = ()
        if isinstance(request.constraint, Labels):
            logprobs = label_logprobs(request.constraint.labels, choice.first_tokens)
        return Completion(text, prompt, written, logprobs)

    async def _constrains(self) -> bool:
        """Whether the server keeps texts to their grammar: found out once, by a grammar that allows one odd text."""
        if self._grammar != "auto":
            return self._grammar == "server"
        if self._trial is None:
            self._trial = asyncio.create_task(self._tried())
        trial = self._trial
        try:
            return await asyncio.shield(trial)
        except GaveUpError:  # it is not known yet: the next request tries again
            if self._trial is trial:
                self._trial = None
            raise

    async def _tried(self) -> bool:
        request = Request((Message("user", "Name two fruits."),), Grammar(f'start: "{_TRIAL}"'), max_tokens=64)
        said = []
        for again in range(REGENERATIONS + 1):  # one odd reply may be a fault on the way
            try:
                reply, _ = await self._generated(request, again, True)
            except GaveUpError as gave_up:
                if gave_up.fault.kind != "refused":
                    raise
                await self._generated(replace(request, constraint=Free()), again, False)  # or is it all refused?
                self._say(f"{self.name} refuses grammars ({gave_up.fault.reason}): {_GOING_ON}")
                return False
            text = reply.choices[0].message.content or ""
            if text == _TRIAL:
                return True
            said.append(text)
        self._say(f"{self.name} ignores grammars (it answered {said[-1][:40]!r}): {_GOING_ON}")
        return False

    def _facts(self) -> ListedModel | None:
        """What the server lists of the model; None where it cannot be asked, which is not remembered."""
        if self._listed is None:
            try:
                models = self._background.run(self._asked(self._client.get, "/models", ModelList))
            except GaveUpError as gave_up:
                if gave_up.fault.again and gave_up.fault.kind != "malformed":
                    return None
                models = ModelList(data=[])
            self._listed = self._own(models)
        return self._listed

    def _own(self, models: ModelList) -> ListedModel:
        return next((one for one in models.data if one.id == self._model), ListedModel(id=self._model))

    async def _asked(
        self,
        method: Callable[..., Any],
        path: str,
        record: type[Record],
        *,
        retries: int = _FEW_RETRIES,
        **asked: Any,
    ) -> Record:
        """What the server says to a question other than for a completion, as a record."""

        async def attempt() -> Record:
            try:
                answer = await method(path, cast_to=object, **asked)
            except openai.OpenAIError as error:
                raise fault_of(error, self._key) from None
            except ValueError:  # the SDK lets errors of the JSON reader through
                answer = None
            try:
                return TypeAdapter(record).validate_python(answer)
            except ValidationError:
                raise FaultError("malformed", f"{path} answers something else", again=False) from None

        return (await self._retrying.call(attempt, retries))[0]

    def _told(self, fault: FaultError) -> str:
        hint = ""
        if fault.reason.startswith("HTTP 404") and not urlsplit(self._address).path:
            hint = " (does its address end in /v1?)"
        elif fault.wait is not None and fault.wait > self._retrying.limits.patience:
            hint = f" (it asks to wait {fault.wait:.0f} s)"
        return f"{self.name}: {fault.reason}{hint}"

    def _ignored(self, constraint: Constraint, texts: Sequence[str], by_server: bool) -> str:
        what = "its labels" if isinstance(constraint, Labels) else "its grammar"
        how = f"ignores {what}" if by_server else f"is not held to {what} by the server, and missed the format"
        return f"{self.name} {how}: {len(texts)} texts outside, the last {texts[-1][:80]!r}"

    def _say(self, note: str) -> None:
        with self._lock:
            if note in self._notes:
                return
            self._notes[note] = None
        self._note(note)


_GOING_ON = "the prompt says the format instead"


def _checked(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{base_url!r} is no address of a server; write one such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(f"the address of {parts.hostname} holds more than an address; a key goes into OPENAI_API_KEY")
    return base_url.rstrip("/")
