"""Tokens a second of evaluation: `python benchmarks/evaluate.py [--tokens 1000000] [--context 256] [--text FILE]`.

The text (by default the demo's corpus) is cut into pieces of at most five letters, so that words span tokens, and
repeated up to the size asked for. Each expression is timed on a fresh batch, where words and characters must first be
found, and on the same batch again, as a search does. The baseline is a plain Python loop that carries the state it
needs from token to token, on the first part of the same text in the same run; its answers are checked to be the same.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from autointerp.corpus import read_documents
from dsl.batch import Batch, Vocabulary
from dsl.evaluate import matches
from dsl.nodes import About, AnyToken, Clause, Expression, Tokens, Within, Words
from dsl.render import render_expression

DEMO = Path(__file__).resolve().parents[1] / "autointerp" / "demo" / "corpus.jsonl.gz"
PIECE = re.compile(r" ?[A-Za-z]{1,5}|\s|.", re.DOTALL)
TOPIC = ("park", "tree", "swing", "slide", "ball", "bench")
Loop = Callable[[list[str]], list[bool]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--baseline-tokens", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--text", type=Path, default=DEMO)
    options = parser.parse_args()

    batch, rows = _cut(options.text, options.tokens, options.context)
    few = rows[: max(1, options.baseline_tokens // options.context)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.text.name}: {batch.ids.size:,} tokens in contexts of {options.context}, ", end="")
    print(f"vocabulary {len(batch.vocabulary):,}; loop on {len(few) * options.context:,}; no randomness")
    head = f"million tokens a second, best of {options.repeats}"
    print(f"{head:<48}{'fresh':>10}{'again':>10}{'loop':>10}{'ratio':>10}")
    for expression, loop in _cases():
        held = matches(expression, batch)
        if [loop(row) for row in few] != held[: len(few)].tolist():
            raise SystemExit(f"the loop and evaluate disagree on {render_expression(expression)}")
        fresh = _best(options.repeats, lambda e=expression: matches(e, _again(batch)))
        again = _best(options.repeats, lambda e=expression: matches(e, batch))
        slow = _best(1, lambda by=loop: [by(row) for row in few])
        speeds = [batch.ids.size / fresh, batch.ids.size / again, len(few) * options.context / slow]
        shown = "".join(f"{speed / 1e6:>10.1f}" for speed in speeds)
        print(f"  {render_expression(expression)[:46]:<46}{shown}{speeds[1] / speeds[2]:>9.0f}x")


def _cases() -> list[tuple[Expression, Loop]]:
    tokens, words = (" dog", " cat", " the"), ("dog", "happy", "wanted", "something")
    context = Clause(Tokens((" dog",)), (Within(Words(("park",))),))
    return [
        (Tokens(tokens), lambda row: _loop_tokens(row, frozenset(tokens))),
        (Words(words), lambda row: [bool(set(words) & ends) for ends in _loop_words(row)]),
        (context, _loop_context),
        (Clause(AnyToken(), (About("park", TOPIC),)), _loop_about),
    ]


def _loop_tokens(row: list[str], tokens: frozenset[str]) -> list[bool]:
    return [token in tokens for token in row]


def _loop_words(row: list[str]) -> list[set[str]]:
    """The words that end at each token, a run of letters carried along (apostrophes are not needed here)."""
    found, run = [], ""
    for token in row:
        ends = set()
        for character in token:
            if character.isalnum():
                run += character.lower()
            else:
                run = ""
        if run and token[-1].isalnum():
            ends.add(run)
        found.append(ends)
    return found


def _loop_context(row: list[str]) -> list[bool]:
    held, last = [], -1000
    for place, (token, ends) in enumerate(zip(row, _loop_words(row), strict=True)):
        held.append(token == " dog" and place - last <= 32)
        if "park" in ends:
            last = place
    return held


def _loop_about(row: list[str]) -> list[bool]:
    held, last = [], dict.fromkeys(TOPIC, -1000)
    for place, ends in enumerate(_loop_words(row)):
        for word in ends & last.keys():
            last[word] = place
        held.append(sum(place - seen < 32 for seen in last.values()) >= 2)
    return held


def _cut(text: Path, size: int, context: int) -> tuple[Batch, list[list[str]]]:
    pieces = [piece for document in read_documents(text) for piece in PIECE.findall(document)]
    ids_of = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    ids = np.resize(np.array([ids_of[piece] for piece in pieces], dtype=np.int32), size // context * context)
    lengths = np.full(size // context, context, dtype=np.int64)
    batch = Batch(ids.reshape(-1, context), lengths, np.zeros_like(lengths), Vocabulary(list(ids_of)))
    strings = batch.vocabulary.strings
    return batch, [[strings[number] for number in row] for row in batch.ids.tolist()]


def _again(batch: Batch) -> Batch:
    """The same contexts with nothing worked out yet."""
    return Batch(batch.ids, batch.lengths, batch.starts, Vocabulary(batch.vocabulary.strings))


def _best(repeats: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
