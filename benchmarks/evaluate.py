"""Tokens a second of evaluation on one core: `python benchmarks/evaluate.py [--tokens 1000000] [--context 256]`.

The text (by default the demo's corpus) is cut into pieces of at most five letters, so that words span tokens, and
repeated up to the size asked for. Five kinds of expression are timed: fresh (a new vocabulary, whose words must first
be found), on a new batch of a known vocabulary, as a corpus goes by, and on the same batch again, as a search does.
They are compared, in the same run and on the first part of the same text, with the reference interpreter of the tests
and with a plain version: pandas where it can say the same and is installed, else a Python loop that carries what it
needs from token to token. All answers are checked to be the same. Then the context clause is run over corpora of two
lengths in a memory-mapped file, each in a process of its own, for the most memory that it takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import re
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
import reference

from autointerp.corpus import read_documents
from dsl.batch import Batch, Vocabulary
from dsl.evaluate import evaluate_chunks, matches
from dsl.nodes import Expression
from dsl.parse import parse

try:
    import pandas  # type: ignore[import-untyped,unused-ignore]
except ImportError:
    pandas = None

DEMO = Path(__file__).resolve().parents[1] / "autointerp" / "demo" / "corpus.jsonl.gz"
PIECE = re.compile(r" ?[A-Za-z]{1,5}|\s|.", re.DOTALL)
FIELD = ("blue", "bright", "brown", "color", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
REGEX = "^ [A-Z][a-z]+$"
CONTEXT = 'the token " dog" in the context of the word "park"'
IDEOGRAPHS = 3_000

Plain = Callable[[list[list[str]]], list[list[bool]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """An expression, and the same said without the language; `by` names what the plain version is made of."""

    name: str
    text: str
    plain: Plain
    by: str

    @property
    def expression(self) -> Expression:
        return _read(self.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--plain-tokens", type=int, default=100_000)
    parser.add_argument("--reference-tokens", type=int, default=1_024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--text", type=Path, default=DEMO)
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000_000, 10_000_000], help="lengths of corpora")
    options = parser.parse_args()

    batch = _cut(options.text, options.tokens, options.context)
    plain, slow = (_rows(batch, count) for count in (options.plain_tokens, options.reference_tokens))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.text.name}: {batch.ids.size:,} tokens in contexts of {options.context}, ", end="")
    print(
        f"vocabulary {len(batch.vocabulary):,}; plain version on {_count(plain):,}, reference on {_count(slow):,}; ",
        end="",
    )
    print("one process, one thread; no randomness")
    print(f"million tokens a second, best of {options.repeats}; ratios are to a new batch of a known vocabulary")
    head = ("fresh", "new batch", "again", "plain", "reference")
    print(f"{'':<28}{''.join(f'{name:>11}' for name in head)}{'x plain':>9}{'x reference':>13}")
    for kind in _kinds():
        _time(kind, batch, plain, slow, options.repeats)
    _time_without_spaces(options.context)
    for length in options.memory:
        print(f"peak memory over {length:>12,} tokens: {_memory(options.text, length, options.context)}")


def _kinds() -> list[Kind]:
    tokens = (" cat", " dog", " the")
    listed = ", ".join(f'"{word}"' for word in FIELD)
    five = '(the token " dog" or the word "cat" or digits) and not (tokens ending with "s" or capitalised words)'
    if pandas is None:
        token_set = Kind("token set", 'the tokens " cat", " dog", " the"', _each(lambda token: token in tokens), "loop")
        regex = Kind("regex", f"tokens matching /{REGEX}/", _each(lambda token: bool(re.search(REGEX, token))), "loop")
    else:
        token_set = Kind("token set", 'the tokens " cat", " dog", " the"', _framed(lambda s: s.isin(tokens)), "pandas")
        regex = Kind("regex", f"tokens matching /{REGEX}/", _framed(lambda s: s.str.contains(REGEX)), "pandas")
    return [
        token_set,
        Kind("context clause", CONTEXT, lambda rows: [_context(row) for row in rows], "loop"),
        Kind("field of 12 words", f'words like "red" [{listed}]', lambda rows: [_field(row) for row in rows], "loop"),
        regex,
        Kind("boolean of five atoms", five, lambda rows: [_five(row) for row in rows], "loop"),
    ]


def _time(kind: Kind, batch: Batch, plain: list[list[str]], slow: list[list[str]], repeats: int) -> None:
    expression = kind.expression
    held = matches(expression, batch)
    for rows, answers in ((plain, kind.plain(plain)), (slow, _reference(expression, slow))):
        if answers != held[: len(rows)].tolist():
            raise SystemExit(f"two versions disagree on {kind.text}")
    speeds = (
        batch.ids.size / _best(repeats, lambda: matches(expression, _anew(batch, known=False))),
        batch.ids.size / _best(repeats, lambda: matches(expression, _anew(batch, known=True))),
        batch.ids.size / _best(repeats, lambda: matches(expression, batch)),
        _count(plain) / _best(2, lambda: kind.plain(plain)),
        _count(slow) / _best(1, lambda: _reference(expression, slow)),
    )
    shown = "".join(f"{speed / 1e6:>11.1f}" for speed in speeds[:3])
    shown += f"{speeds[3] / 1e6:>11.2f}{speeds[4] / 1e6:>11.4f}"
    print(f"  {kind.name:<26}{shown}{speeds[1] / speeds[3]:>8.0f}x{speeds[1] / speeds[4]:>12,.0f}x  plain: {kind.by}")


def _time_without_spaces(context: int) -> None:
    """The worst case for words: hardly a beginning of a word is met twice."""
    rng = np.random.default_rng(0)
    strings = [chr(0x4E00 + number) for number in range(IDEOGRAPHS)] + ["。"]
    ids = rng.integers(0, IDEOGRAPHS, size=(100_000 // context, context)).astype(np.int32)
    ids[rng.random(ids.shape) < 0.07] = IDEOGRAPHS
    lengths = np.full(len(ids), context, dtype=np.int64)
    batch = Batch(ids, lengths, np.zeros_like(lengths), Vocabulary(strings))
    seconds = _best(1, lambda: matches(_read(f'the token "。" in the context of the word "{strings[0]}"'), batch))
    print(f"  {'without spaces, context':<26}{ids.size / seconds / 1e6:>11.2f}   ({ids.size:,} ideographs, seed 0)")


def _each(holds: Callable[[str], bool]) -> Plain:
    return lambda rows: [[holds(token) for token in row] for row in rows]


def _framed(holds: Callable[[pandas.Series], pandas.Series]) -> Plain:
    """One column of all tokens, as analysts would do it; making the column is part of it."""

    def plain(rows: list[list[str]]) -> list[list[bool]]:
        column = pandas.Series([token for row in rows for token in row])
        answers: list[list[bool]] = holds(column).to_numpy(dtype=bool).reshape(len(rows), -1).tolist()
        return answers

    return plain


def _words(row: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each token and the words that end at it as written (one at most here), a run of letters carried along."""
    run = ""
    for token in row:
        for character in token:
            run = run + character if character.isalnum() else ""
        yield token, [run] if run else []


def _context(row: list[str]) -> list[bool]:
    held, last = [], -1_000
    for place, (token, ends) in enumerate(_words(row)):
        held.append(token == " dog" and place - last <= 32)
        if any(word.lower() == "park" for word in ends):
            last = place
    return held


def _field(row: list[str]) -> list[bool]:
    return [any(word.lower() in FIELD for word in ends) for _, ends in _words(row)]


def _five(row: list[str]) -> list[bool]:
    return [
        (token == " dog" or any(word.lower() == "cat" for word in ends) or token.strip().isdecimal())
        and not (token.endswith("s") or any(word[0].isupper() for word in ends))
        for token, ends in _words(row)
    ]


def _reference(expression: Expression, rows: list[list[str]]) -> list[list[bool]]:
    for cached in (reference.holds, reference.characters_of, reference.words_of):
        cached.cache_clear()
    return [reference.matches(expression, tuple(row), 0) for row in rows]


def _memory(text: Path, length: int, context: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        batch = _cut(text, length, context)
        path = Path(folder) / "ids.npy"
        np.save(path, batch.ids.astype(np.uint16))
        spawning = multiprocessing.get_context("spawn")  # a fork would begin with the memory of this process
        with spawning.Pool(1) as pool:
            seconds, allocated, resident = pool.apply(_run_over, (path, batch.vocabulary.strings))
        mapped = path.stat().st_size
    megabytes = [f"{size / 2**20:.0f} MB" for size in (allocated, resident, mapped)]
    return (
        f"{megabytes[0]} allocated, {megabytes[1]} resident with all libraries, {megabytes[2]} the mapped file; "
        f"{length / seconds / 1e6:.0f} M tokens/s"
    )


def _run_over(path: Path, strings: Sequence[str]) -> tuple[float, int, int]:
    """Seconds of a context clause over the whole file, the most bytes that it allocates, and the process's peak."""
    ids = np.load(path, mmap_mode="r")
    lengths = np.full(len(ids), ids.shape[1], dtype=np.int64)
    explanation = parse(f"activates on {CONTEXT}")

    def work() -> None:
        for _ in evaluate_chunks(explanation, ids, lengths, np.zeros_like(lengths), Vocabulary(strings)):
            pass

    seconds, resident = _best(1, work), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tracemalloc.start()
    work()
    return seconds, tracemalloc.get_traced_memory()[1], resident


def _cut(text: Path, size: int, context: int) -> Batch:
    pieces = [piece for document in read_documents(text) for piece in PIECE.findall(document)]
    ids_of = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    ids = np.resize(np.array([ids_of[piece] for piece in pieces], dtype=np.int32), size // context * context)
    lengths = np.full(size // context, context, dtype=np.int64)
    return Batch(ids.reshape(-1, context), lengths, np.zeros_like(lengths), Vocabulary(list(ids_of)))


def _rows(batch: Batch, tokens: int) -> list[list[str]]:
    some = batch.ids[: max(1, tokens // batch.ids.shape[1])]
    return [[batch.vocabulary.strings[number] for number in row] for row in some.tolist()]


def _anew(batch: Batch, *, known: bool) -> Batch:
    """The same contexts with nothing worked out yet, or with the vocabulary's words known."""
    vocabulary = batch.vocabulary if known else Vocabulary(batch.vocabulary.strings)
    return Batch(batch.ids, batch.lengths, batch.starts, vocabulary)


def _read(text: str) -> Expression:
    expression = parse(f"activates on {text}").strong
    assert expression is not None
    return expression


def _count(rows: list[list[str]]) -> int:
    return sum(map(len, rows))


def _best(repeats: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
