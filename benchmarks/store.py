"""Collecting against a bare early-stopped forward with top-k, measured in the same process on the same contexts.

    python benchmarks/store.py [--model DIR --sae DIR --corpus FILE] [--tokens 100000] [--threads 2]

Prints one JSON line: tokens a second of both (the best of `--repeats`, taken in turns), peak memory above what the
loaded model takes, bytes a non-zero on disk, and milliseconds to read one feature.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from autointerp.corpus import read_documents
from autointerp.models import TransformerSubject
from autointerp.store import Store, collect
from probes.subject import TokenIds

DEMO = Path(__file__).resolve().parents[1] / "autointerp" / "demo"
CONTEXT = 255


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    subject = TransformerSubject.load(options.model, options.sae)
    documents = _documents(subject, options.corpus, options.tokens)
    bare = _bare_forward(subject, documents)
    bare()  # warm-up
    before = _peak_mib()
    bare_seconds, store_seconds = [], []
    for _ in range(options.repeats):
        bare_seconds.append(_seconds(bare))
        with tempfile.TemporaryDirectory() as folder:
            store_seconds.append(_seconds(lambda: collect(subject, documents, folder)))
            store = Store.open(folder)
            read = [_seconds(lambda: store.column(int(feature))) for feature in store.live_features()[:200]]  # noqa: B023
            nonzero, tokens = int(store.counts.sum()), store.tokens
            on_disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    bare_rate, store_rate = tokens / min(bare_seconds), tokens / min(store_seconds)
    print(
        json.dumps(
            {
                "tokens": tokens,
                "bare_tokens_per_second": round(bare_rate),
                "store_tokens_per_second": round(store_rate),
                "store_over_bare": round(store_rate / bare_rate, 3),
                "peak_mib_above_model": round(_peak_mib() - before, 1),
                "bytes_per_nonzero": round(on_disk / nonzero, 2),
                "milliseconds_per_feature": round(1000 * sorted(read)[len(read) // 2], 3),
                "slowest_feature_milliseconds": round(1000 * max(read), 3),
            }
        )
    )


def _bare_forward(subject: TransformerSubject, documents: list[str]) -> Callable[[], None]:
    """Batches of 32 whole contexts through Hugging Face's own layers up to the hookpoint, then a sparse top-k."""
    dictionary = subject._dictionary
    contexts = sorted((ids for ids in _contexts(subject, documents)), key=len, reverse=True)

    def run() -> None:
        for first in range(0, len(contexts), 32):
            batch = contexts[first : first + 32]
            width = len(batch[0]) + len(subject.prefix)
            ids = torch.tensor(
                [[*subject.prefix, *context] + [0] * (width - len(subject.prefix) - len(context)) for context in batch]
            )
            with torch.inference_mode():
                dictionary.sparse(subject._exact.read(ids)[:, len(subject.prefix) :].flatten(0, 1))

    return run


def _contexts(subject: TransformerSubject, documents: list[str]) -> list[TokenIds]:
    return [
        tuple(ids[start : start + CONTEXT])
        for ids in subject.tokenize_many(documents)
        for start in range(0, len(ids), CONTEXT)
    ]


def _documents(subject: TransformerSubject, corpus: Path, tokens: int) -> list[str]:
    chosen, count = [], 0
    for text in read_documents(corpus):
        chosen.append(text)
        count += len(subject.tokenize(text))
        if count >= tokens:
            break
    return chosen


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO / "lm")
    parser.add_argument("--sae", type=Path, default=DEMO / "sae")
    parser.add_argument("--corpus", type=Path, default=DEMO / "corpus.jsonl.gz")
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
