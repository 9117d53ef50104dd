"""From specs on the command line to language models that answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.lm import LanguageModel
from autointerp.cache import cache_folder
from autointerp.lms.call_cache import Cached
from autointerp.lms.hosting import HostedLM, hosted
from dsl.errors import InputError

KINDS = {
    "hf": "hf:FOLDER or hf:ID@REVISION",
    "vllm": "vllm:FOLDER or vllm:ID@REVISION",
    "openai": "openai:MODEL@BASE_URL",
}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A language model as named on the command line; `at` is its revision, or the URL of its server.

    >>> ModelSpec.parse("openai:small@http://127.0.0.1:8000/v1")
    ModelSpec(kind='openai', model='small', at='http://127.0.0.1:8000/v1')
    """

    kind: str
    model: str
    at: str | None = None

    @classmethod
    def parse(cls, spec: str) -> ModelSpec:
        """InputError, saying what a spec looks like, for anything else."""
        kind, _, rest = spec.partition(":")
        if kind not in KINDS:
            raise InputError(f"no language model is called {spec!r}; there are: {', '.join(KINDS.values())}")
        # The last @ of an address may stand behind a password, which no error may repeat: the address opens it.
        opens = "http" if kind == "openai" else ""
        before, mark, after = rest.rpartition(f"@{opens}")
        model, at = (before, opens + after) if mark and not Path(rest).exists() else (rest, None)
        if not model or at == "" or (kind == "openai" and not (at or "").startswith(("http://", "https://"))):
            raise InputError(f"{spec!r} names no language model; write {KINDS[kind]}")
        return cls(kind, model, at)


def is_model(spec: str) -> bool:
    """Whether a spec names a language model, rather than something that needs none."""
    return spec.partition(":")[0] in KINDS


def check_servers(specs: Sequence[str]) -> None:
    """InputError, saying what to do, for a server among some specs that does not answer."""
    for spec in dict.fromkeys(filter(is_model, specs)):
        model = ModelSpec.parse(spec)
        if model.kind == "openai":
            with ExitStack() as stack:
                _open(model, "", stack)


@contextmanager
def open_models(specs: Sequence[str], *, device: str = "cpu") -> Iterator[dict[str, HostedLM]]:
    """The language models among some specs, each opened once and asked through a cache of every call on disk.

    They answer until the end of the block, also in other processes. InputError for one that cannot be had, such as a
    server that does not answer.

    >>> with open_models(["search", "hf:models/small"]) as models:  # doctest: +SKIP
    ...     list(models)
    ['hf:models/small']
    """
    with ExitStack() as stack:
        models: dict[str, LanguageModel] = {}
        for spec in dict.fromkeys(filter(is_model, specs)):
            models[spec] = Cached(_open(ModelSpec.parse(spec), device, stack), cache_folder("calls.sqlite3"))
        yield stack.enter_context(hosted(models)) if models else {}


def _open(spec: ModelSpec, device: str, stack: ExitStack) -> LanguageModel:
    """The client, closed with the stack. What it needs is heavy, and imported only where it is asked for."""
    match spec.kind:
        case "openai":
            from autointerp.lms.server import ServerLM

            assert spec.at is not None
            server = ServerLM(spec.model, spec.at)
            stack.callback(server.close)
            server.check()
            return server
        case "hf":
            from autointerp.lms.local import LocalLM

            return _batching(LocalLM.load(spec.model, device=device, revision=spec.at), stack)
        case _:
            from autointerp.lms.vllm_offline import OfflineVLLM

            return _batching(OfflineVLLM.load(spec.model, revision=spec.at), stack)


def _batching(model: LanguageModel, stack: ExitStack) -> LanguageModel:
    from autointerp.lms.batching import Batching

    batching = Batching(model)
    stack.callback(batching.close)
    return batching
