"""Activations of this program against SAELens's own, each from its own environment, on the same texts.

    python benchmarks/saelens_agreement.py write OUT.npz                 # with this program
    SAELENS/bin/python benchmarks/saelens_agreement.py compare OUT.npz   # where sae-lens is installed

`make test-saelens` builds the second environment and runs both: sae-lens needs an older TransformerLens than ours.
`write` keeps the texts (probes of the embedded model: edits of windows of its corpus), what the hookpoint held at every
token, and the activations of all features: read alone, as verdicts are, and in trees, as probes are. `compare` encodes
with `sae_lens.SAE` what was held, and what its own TransformerLens holds on the same token ids. It fails where what was
read alone differs by more than 1e-5 of itself from SAELens on the same inputs (or fires where SAELens is silent, or the
other way round), or anything differs by more than 1e-5 of the largest activation. In trees a pre-activation at the very
cut of a top-k may pass or not: such places are counted.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "autointerp" / "demo"
LIMIT = 1e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["write", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, default=DEMO / "lm")
    parser.add_argument("--sae", type=Path, default=DEMO / "sae")
    parser.add_argument("--corpus", type=Path, default=DEMO / "corpus.jsonl.gz")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.step == "write":
        write(options)
    else:
        sys.exit(compare(options))


def write(options: argparse.Namespace) -> None:
    from autointerp.corpus import read_documents
    from autointerp.models import TransformerSubject

    rng = np.random.default_rng(options.seed)
    subject = TransformerSubject.load(options.model, options.sae)
    texts: list[tuple[int, ...]] = []
    for document in read_documents(options.corpus):
        window = list(subject.tokenize(document)[:64])
        for _ in range(8):
            if window:
                window[int(rng.integers(len(window)))] = int(rng.integers(5, len(subject.vocabulary)))
                texts.append(tuple(window))
        if len(texts) >= options.texts:
            break
    features = range(subject.d_sae)
    alone = np.concatenate(subject.activations(texts, features, batch_size=1))
    in_trees = np.concatenate(subject.activations(texts, features))
    assert subject.work.run < subject.work.asked, "no trees were run"
    held = [rows.numpy() for text in texts for _, rows in subject._exact.one_by_one([text], 1)]
    np.savez(
        options.file,
        ids=np.concatenate([np.array(subject.prefix + text) for text in texts]),
        lengths=np.array([len(subject.prefix + text) for text in texts]),
        prefix=len(subject.prefix),
        hookpoint=subject.hookpoint,
        held=np.concatenate(held),
        alone=alone,
        in_trees=in_trees,
    )


def compare(options: argparse.Namespace) -> int:
    import sae_lens
    from transformer_lens.model_bridge import TransformerBridge

    file = np.load(options.file)
    sae = sae_lens.SAE.load_from_disk(str(options.sae), device="cpu").float()
    bridge = TransformerBridge.boot_transformers(str(options.model), device="cpu", dtype=torch.float32)
    hookpoint, prefix = str(file["hookpoint"]), int(file["prefix"])
    rows = []
    with torch.inference_mode():
        for ids in np.split(file["ids"], np.cumsum(file["lengths"])[:-1]):
            _, cache = bridge.run_with_cache(torch.from_numpy(ids)[None], names_filter=hookpoint)
            rows.append(cache[hookpoint][0, prefix:].float())
        same, own = encode(sae, torch.from_numpy(file["held"])), encode(sae, torch.cat(rows))
    print(json.dumps({"sae_lens": sae_lens.__version__, "texts": len(file["lengths"]), "positions": len(own)}))
    alone, in_trees = torch.from_numpy(file["alone"]), torch.from_numpy(file["in_trees"])
    exact = _differences("alone, same inputs", alone, same)
    others = [_differences("alone, own forward", alone, own), _differences("in trees, own forward", in_trees, own)]
    agree = exact["of_itself"] <= LIMIT and not exact["in_one_only"] and exact["activations"]
    return 0 if agree and all(one["of_largest"] <= LIMIT for one in others) else 1


def _differences(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> dict[str, float]:
    """The largest difference where both fire, over the activation and over the largest of all."""
    both = (ours > 0) & (theirs > 0)
    difference = (ours - theirs).abs()[both]
    figures = {
        "activations": int(both.sum()),
        "of_itself": float((difference / theirs[both]).max()),
        "of_largest": float(difference.max() / theirs.max()),
        "in_one_only": int(((ours > 0) != (theirs > 0)).sum()),
    }
    print(json.dumps({"compared": name} | figures))
    return figures


def encode(sae: object, inputs: torch.Tensor) -> torch.Tensor:
    return torch.cat([sae.encode(some) for some in inputs.split(2048)])  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
