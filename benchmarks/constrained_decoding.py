"""Whether every explanation that is written under the grammar parses, and what the grammar costs a step.

`python benchmarks/constrained_decoding.py` builds a small Llama with random weights, or takes `--model SPEC`, such as
`hf:FOLDER` or `openai:MODEL@URL`. Printed:

- generations: for each temperature, one at a time and in batches, how many texts came, how many parse, are within the
  bounds and round-trip, and how many were cut off or failed otherwise, by kind. The budget of tokens is
  `longest_output`, which is said to guarantee a complete text. Exit code 1 where one did not parse;
- differences: how many of the same requests got another text in a batch than alone (rounding; 0 in most runs);
- mask: milliseconds and share of a step that the grammar's mask takes at batch 1 and 32, over this vocabulary and over
  one of `--vocabulary` tokens, learnt from the Python sources at hand, there also with a model of 80 million parameters
  and as many in its embeddings. The mask takes as long whatever the model, so the share of the small one is an upper
  bound. Local models only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from small_llama import build_small_llama

from agents.lm import Completion, Failure, Grammar, LanguageModel, Message, Request
from autointerp.lms import stepping
from autointerp.lms.local import LocalLM
from autointerp.lms.opening import ModelSpec, _open
from dsl.decoding import Bounds, decoding_grammar, longest_output
from dsl.errors import ExplanationError
from dsl.parse import parse
from dsl.render import render

TEMPERATURES = (0.3, 0.7, 1.0, 1.5)
BATCHES = (1, 32)
SOURCES = 20_000_000  # characters of Python that the larger vocabulary is learnt from


def requests_at(temperature: float, count: int, seed: int, bounds: Bounds) -> list[Request]:
    """Conversations of several lengths; every one is another draw."""
    grammar, most = Grammar(decoding_grammar(bounds)), longest_output(bounds)
    system = Message("system", "You explain features of a language model.")
    return [
        Request(
            (system, Message("user", f"Feature {number}. " + "It fires on these tokens: pie, crust. " * (number % 5))),
            grammar,
            max_tokens=most,
            temperature=temperature,
            seed=seed,
            sample=number,
        )
        for number in range(count)
    ]


def faults(text: str, bounds: Bounds) -> Iterator[str]:
    """What is wrong with a text that a model wrote under the grammar."""
    if len(text.encode()) > longest_output(bounds):
        yield "longer than longest_output"
    try:
        explanation = parse(text)
    except ExplanationError as error:
        yield f"does not parse: {error.reason}"
        return
    if parse(render(explanation)) != explanation:
        yield "does not round-trip"


def generations(lm: LanguageModel, count: int, seed: int, bounds: Bounds) -> bool:
    """Print what came of `count` generations at each temperature and batch; whether all is as it should be."""
    longest, right, texts = 0, True, 0
    print(f"{'temperature':>11} {'batch':>5} {'asked':>6} {'parse':>6} {'distinct':>8} {'seconds':>8}  not so")
    for temperature in TEMPERATURES:
        alone: list[str] = []
        for batch in BATCHES:
            wanted = requests_at(temperature, count, seed, bounds)
            start = time.perf_counter()
            replies = [
                reply for first in range(0, len(wanted), batch) for reply in lm.complete(wanted[first : first + batch])
            ]
            seconds = time.perf_counter() - start
            said = [reply.text if isinstance(reply, Completion) else "" for reply in replies]
            wrong = Counter(reply.kind for reply in replies if isinstance(reply, Failure))
            wrong.update(fault for text in said if text for fault in faults(text, bounds))
            longest = max([longest, *(reply.completion_tokens for reply in replies if isinstance(reply, Completion))])
            texts += len(wanted)
            right = right and not wrong
            parsing = len(wanted) - wrong.total()
            listed = ", ".join(f"{name} {many}" for name, many in sorted(wrong.items())) or "none"
            counts = f"{len(wanted):>6} {parsing:>6} {len(set(said)):>8} {seconds:>8.1f}"
            print(f"{temperature:>11} {batch:>5} {counts}  {listed}")
            if batch == BATCHES[0]:
                alone = said
            else:
                differ = sum(one != other for one, other in zip(alone, said, strict=True))
                print(f"{'':>11} in batches of {batch}, {differ} of {count} texts differ from what was written alone")
    print(f"{texts} texts; longest {longest} tokens of a budget of {longest_output(bounds)}")
    return right


def mask_share(folder: Path, bounds: Bounds, seed: int, texts: int = 64) -> None:
    """Print how long the mask takes, the draw, and a whole step."""
    lm = LocalLM.load(folder, max_batch=max(BATCHES))
    parameters = sum(weight.numel() for weight in lm._model.parameters())
    spent: Counter[str] = Counter()
    undo = [_timed(stepping.GrammarMask, "process_logits", spent), _timed(stepping.Draw, "__call__", spent)]
    print(f"vocabulary of {len(lm._tokenizer)}, {parameters / 1e6:.1f} million parameters: milliseconds a step")
    print(f"{'batch':>7} {'steps':>6} {'step':>8} {'mask':>8} {'share':>7} {'a row':>8} {'draw':>8}")
    for batch in BATCHES:
        wanted = requests_at(1.0, max(texts, batch), seed, bounds)
        lm.complete(wanted[:batch])  # the grammar compiled, the parser built
        spent.clear()
        start = time.perf_counter()
        replies = [r for first in range(0, len(wanted), batch) for r in lm.complete(wanted[first : first + batch])]
        whole = time.perf_counter() - start
        steps, tokens = (
            spent["process_logits calls"],
            sum(r.completion_tokens for r in replies if isinstance(r, Completion)),
        )
        mask, draw = spent["process_logits"], spent["__call__"]
        print(
            f"{batch:>7} {steps:>6} {1e3 * whole / steps:>8.3f} {1e3 * mask / steps:>8.3f} {mask / whole:>7.1%} "
            f"{1e3 * mask / tokens:>8.3f} {1e3 * draw / steps:>8.3f}"
        )
    for restore in undo:
        restore()


def _timed(owner: Any, name: str, spent: Counter[str]) -> Any:
    whole = getattr(owner, name)

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        found = whole(*arguments)
        spent[name] += time.perf_counter() - start  # type: ignore[assignment]
        spent[f"{name} calls"] += 1
        return found

    setattr(owner, name, timed)
    return lambda: setattr(owner, name, whole)


def python_sources() -> Iterator[str]:
    """Sources of installed packages, in order of their names, up to SOURCES characters."""
    left = SOURCES
    for path in sorted(Path(torch.__file__).parents[1].rglob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        yield text
        left -= len(text)
        if left <= 0:
            return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a spec of a language model; the small Llama where none is named")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--count", type=int, default=250, help="texts at each temperature and batch; a quarter thousand"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocabulary", type=int, default=50_000, help="of the larger tokeniser; 0 leaves it out")
    parser.add_argument("--no-mask", action="store_true", help="leave out what the mask costs")
    options = parser.parse_args()
    bounds = Bounds()
    names = ("torch", "transformers", "outlines", "llguidance", "lark")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} of them used; Python "
        f"{platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names)
    )
    print(f"{bounds}, seed {options.seed}")
    with tempfile.TemporaryDirectory() as directory:
        small = build_small_llama(Path(directory) / "small")
        if options.model is None:
            right = generations(LocalLM.load(small, max_batch=max(BATCHES)), options.count, options.seed, bounds)
        else:
            with ExitStack() as stack:  # and no cache: what is kept of an earlier run says nothing of this one
                lm = _open(ModelSpec.parse(options.model), options.device, stack)
                right = generations(lm, options.count, options.seed, bounds)
        if not options.no_mask:
            mask_share(small, bounds, options.seed)
            if options.vocabulary:
                for name, shape in {"large": {}, "deep": {"width": 1024, "layers": 8}}.items():
                    folder = Path(directory) / name
                    build_small_llama(folder, texts=python_sources(), vocabulary=options.vocabulary, **shape)
                    mask_share(folder, bounds, options.seed, texts=4 if shape else 64)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
