"""One training loop for all three models: checkpoints without pickles, so that a killed run goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run's state is kept, what it belongs to, after how many steps it is written, and who hears of steps.

    A file of another `key` (other settings, other text) is as good as none.
    """

    path: Path
    key: str
    every: int
    progress: Callable[[int, int], None]


def train(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    rate: Callable[[int], float],
    loss: Callable[[int], Tensor],
    checkpoint: Checkpoint,
    after: Callable[[], None] = lambda: None,
    clip: float = 1.0,
) -> None:
    """Run `steps` steps, or what a checkpoint leaves of them.

    `loss(step)` must depend on nothing but the step and the module's state; `after` runs behind every update. On one
    machine with as many threads, an interrupted run ends with the same bits as one that was not.
    """
    first = _restore(module, optimizer, checkpoint)
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss(step).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
        after()
        if (step + 1) % checkpoint.every == 0 or step + 1 == steps:
            _save(module, optimizer, checkpoint, step + 1)
        checkpoint.progress(step + 1, steps)


def cosine(peak: float, warmup: int, steps: int) -> Callable[[int], float]:
    """A linear rise over `warmup` steps, then half a cosine down to a tenth of the peak."""

    def rate(step: int) -> float:
        if step < warmup:
            return peak * (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        return peak * (0.55 + 0.45 * math.cos(math.pi * done))

    return rate


def linear_tail(peak: float, decay: float, steps: int) -> Callable[[int], float]:
    """The peak, and over the last `decay` of the steps a line to zero."""

    def rate(step: int) -> float:
        return peak * min(1.0, (steps - step) / max(1.0, decay * steps))

    return rate


def adamw(module: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW with betas 0.9 and 0.95; vectors (biases, norms) do not decay."""
    groups = [
        {"params": [p for p in module.parameters() if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in module.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95))


@contextmanager
def seeded(seed: int, threads: int) -> Iterator[None]:
    """Torch's global generator and thread count for the while of a step, put back after it."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _save(module: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint, step: int) -> None:
    tensors = {f"module.{name}": value.detach().clone() for name, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    partial = checkpoint.path.with_name(f"{checkpoint.path.name}.partial")
    save_file(tensors, partial, metadata={"key": checkpoint.key, "step": str(step)})
    partial.replace(checkpoint.path)


def _restore(module: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> int:
    """Load what was saved; returns how many steps were done, 0 where there is nothing to go on from."""
    if not checkpoint.path.is_file():
        return 0
    with safe_open(checkpoint.path, "pt") as file:
        metadata = file.metadata()
        if metadata["key"] != checkpoint.key:
            return 0
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 the file is no dict
    module.load_state_dict(
        {name.removeprefix("module."): value for name, value in tensors.items() if name.startswith("module.")}
    )
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            index, _, slot = rest.partition(".")
            states.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"])
