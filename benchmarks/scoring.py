"""How long scoring takes: `python benchmarks/scoring.py [--documents 1200] [--tokens 208] [--vocabulary 4096]`.

Prints seconds for the five scores of an explanation and of token lookup, with intervals, on planted activations.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from autointerp.scoring import TokenLookup, score_explanation, score_predictions, shifted
from dsl.batch import Batch, Vocabulary
from dsl.nodes import Clause, Explanation, Tokens, Within
from dsl.records import HeldOut, Thresholds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1200)
    parser.add_argument("--tokens", type=int, default=208)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    held_out = _planted(options.documents, options.tokens, options.vocabulary, np.random.default_rng(0))
    explanation = Explanation(Clause(Tokens((" w3", " w5")), (Within(Tokens((" w0",))),)), weak=Tokens((" w9",)))
    lookup = TokenLookup.fit(held_out.batch, held_out.activations, held_out.thresholds)
    graded = held_out.activations.astype(np.float64) + np.random.default_rng(1).random(held_out.activations.shape)

    print(
        f"{options.documents * options.tokens:,} positions, {options.documents:,} documents, 500 resamples, seed 0; "
        f"best of {options.repeats}"
    )
    _report("explanation, five scores", options.repeats, lambda: score_explanation(explanation, held_out, seed=0))
    _report("token lookup, five scores", options.repeats, lambda: lookup.score(held_out, seed=0))
    _report("shift for the floor", options.repeats, lambda: shifted(held_out, np.random.default_rng(0)))
    _report(
        "continuous predictions, five scores",
        options.repeats,
        lambda: score_predictions(graded > 1, graded, held_out, seed=0),
    )


def _planted(documents: int, tokens: int, vocabulary: int, rng: np.random.Generator) -> HeldOut:
    """Zipfian text in which a few tokens fire, and one position in a hundred for no reason."""
    ids = np.minimum(rng.zipf(1.3, size=(documents, tokens)) - 1, vocabulary - 1).astype(np.int32)
    fires = (np.isin(ids, [3, 5]) & (rng.random(ids.shape) < 0.8)) | (rng.random(ids.shape) < 0.01)
    activations = np.where(fires, rng.uniform(1, 10, ids.shape), 0).astype(np.float32)
    lengths = np.full(documents, tokens, dtype=np.int64)
    batch = Batch(ids, lengths, np.zeros_like(lengths), Vocabulary([f" w{number}" for number in range(vocabulary)]))
    return HeldOut("planted", batch, activations, np.arange(documents), Thresholds(1.0, 0.1, 10.0))


def _report(name: str, repeats: int, work: Callable[[], object]) -> None:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(f"  {name:<38} {min(seconds):7.3f} s")


if __name__ == "__main__":
    main()
