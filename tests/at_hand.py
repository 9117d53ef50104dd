"""Where the real models and texts are that tests read: the embedded demo, or shared data beside the checkout."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autointerp.models import TransformerSubject

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
DEMO = ROOT / "autointerp" / "demo"


def demo_folders() -> tuple[Path, Path]:
    """The demo's language model and dictionary."""
    shared = SHARED / "models"
    for model, dictionary in ((DEMO / "lm", DEMO / "sae"), (shared / "stories-lm", shared / "stories-sae")):
        if (model / "config.json").is_file() and (dictionary / "cfg.json").is_file():
            return model, dictionary
    pytest.skip("neither autointerp/demo nor shared data hold a model")


def other_model() -> Path:
    """A real third-party model, with a sentencepiece-like tokeniser."""
    folder = SHARED / "models" / "tinystories-656k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not at hand")
    return folder


@cache
def demo_subject() -> TransformerSubject:
    return TransformerSubject.load(*demo_folders())


def stories(count: int) -> list[str]:
    """The first stories of the corpus at hand."""
    from autointerp.corpus import read_documents

    for path in (DEMO / "corpus.jsonl.gz", SHARED / "text" / "stories_generated.jsonl"):
        if path.is_file():
            return list(islice(read_documents(path), count))
    pytest.skip("neither autointerp/demo nor shared data hold a corpus")


def random_weights(d_in: int, d_sae: int, architecture: str, *, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of a dictionary that fires on some of its features."""
    generator = np.random.default_rng(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.normal(size=shape).astype(np.float32))

    weights = {"W_enc": normal(d_in, d_sae) / d_in**0.5, "W_dec": normal(d_sae, d_in), "b_dec": normal(d_in) / 4}
    match architecture:
        case "gated":
            return weights | {"b_gate": normal(d_sae) / 4, "b_mag": normal(d_sae) / 4, "r_mag": normal(d_sae) / 4}
        case "jumprelu":
            return weights | {"b_enc": normal(d_sae) / 4, "threshold": normal(d_sae).abs() / 2}
        case _:
            return weights | {"b_enc": normal(d_sae) / 4}


def write_dictionary(folder: Path, weights: dict[str, torch.Tensor], hookpoint: str, **config: object) -> Path:
    """A SAELens folder."""
    folder.mkdir(parents=True, exist_ok=True)
    d_in, d_sae = weights["W_enc"].shape
    settings = {"architecture": "standard", "d_in": d_in, "d_sae": d_sae, "metadata": {"hook_name": hookpoint}}
    (folder / "cfg.json").write_text(json.dumps(settings | config))
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "sae_weights.safetensors")
    return folder
