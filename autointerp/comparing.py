"""`autointerp compare`: two explanations against each other, by proof and on a sample of real text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import assert_never

import numpy as np
from rich.text import Text

from autointerp import demo, terminal
from autointerp.checking import error_as_json
from autointerp.corpus import read_documents
from autointerp.lexicons import DefaultLexicon
from autointerp.printing import out, shown
from autointerp.tokens import TextTokenizer
from dsl.agreement import Agreement, Witness
from dsl.batch import Batch, Vocabulary
from dsl.compare import Comparison, Differ, EqualOnSample, ProvenEquivalent, ProvenSubsumed, Verdict, compare
from dsl.errors import ExplanationError
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.render import render

DIFFERENT = 1
"""The exit code where a text shows a difference, as `diff` and `cmp` have it."""

CONTEXT = 512
"""Tokens of one row of the sample; longer documents go on in the next."""

ROWS = 64


def compare_texts(
    texts: tuple[str, str], corpus: Path | None, model: Path | None, tokens: int, *, as_json: bool
) -> int:
    """Print how two explanations compare; return the exit code: 0 where no difference was found, 1 where one was."""
    lexicon = DefaultLexicon()
    read = [_read(text, lexicon) for text in texts]
    wrong = {name: each for name, each in zip(_NAMES, read, strict=True) if isinstance(each, ExplanationError)}
    if wrong:
        return _complain(wrong, as_json=as_json)
    one, other = (each for each in read if isinstance(each, Explanation))
    source = corpus or demo.paths().corpus
    folder = model if model is not None or corpus is not None else demo.paths().lm
    batches = word_pieces(source, tokens) if folder is None else tokenised(source, folder, tokens)
    comparison = compare(one, other, batches)
    if as_json:
        terminal.print_line(_line(one, other, comparison, source, folder))
    else:
        _print(one, other, comparison)
    return DIFFERENT if comparison.sample.differing else 0


def tokenised(corpus: Path, folder: Path, tokens: int) -> Iterator[Batch]:
    """The first so many tokens of a corpus, cut by the tokeniser in a model folder; only that is loaded of it."""
    tokenizer = TextTokenizer.load(folder)
    vocabulary = Vocabulary(tokenizer.strings)
    documents = iter(read_documents(corpus))
    rows = (ids for some in iter(lambda: list(islice(documents, 256)), []) for ids in tokenizer.encode_many(some))
    yield from _batches(rows, vocabulary, tokens)


def word_pieces(corpus: Path, tokens: int) -> Iterator[Batch]:
    """As `tokenised`, where no tokeniser is at hand: words with the space before them, digits, punctuation.

    >>> PIECE.findall("Don't stop, 42 times!")
    ["Don't", ' stop', ',', ' 42', ' times', '!']
    """
    index: dict[str, int] = {}
    rows: list[list[int]] = []
    left = tokens
    for text in read_documents(corpus):
        rows.append([index.setdefault(piece, len(index)) for piece in PIECE.findall(text)])
        left -= len(rows[-1])
        if left <= 0:
            break
    yield from _batches(rows, Vocabulary(list(index)), tokens)


PIECE = re.compile(r" ?[^\W\d_]+(?:['\u2019][^\W\d_]+)*| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s")


def _batches(rows: Iterable[list[int]], vocabulary: Vocabulary, tokens: int) -> Iterator[Batch]:
    """Rows cut where a document is too long for one, and the last one where the sample is full."""
    pending: list[tuple[int, list[int]]] = []
    for row in rows:
        row, tokens = row[:tokens], tokens - min(tokens, len(row))
        pending += [(start, row[start : start + CONTEXT]) for start in range(0, len(row), CONTEXT)]
        while len(pending) >= ROWS:
            yield _batch(pending[:ROWS], vocabulary)
            del pending[:ROWS]
        if not tokens:
            break
    if pending:
        yield _batch(pending, vocabulary)


def _batch(rows: list[tuple[int, list[int]]], vocabulary: Vocabulary) -> Batch:
    lengths = np.array([len(row) for _, row in rows], dtype=np.int64)
    ids = np.zeros((len(rows), int(lengths.max())), dtype=np.int32)
    for number, (_, row) in enumerate(rows):
        ids[number, : len(row)] = row
    return Batch(ids, lengths, np.array([start for start, _ in rows], dtype=np.int64), vocabulary)


_NAMES = ("a", "b")


def _read(text: str, lexicon: Lexicon) -> Explanation | ExplanationError:
    try:
        return parse(text, lexicon)
    except ExplanationError as error:
        return error


def _complain(wrong: dict[str, ExplanationError], *, as_json: bool) -> int:
    if as_json:
        terminal.print_line({"valid": False, "errors": {name: error_as_json(each) for name, each in wrong.items()}})
    else:
        for name, error in wrong.items():
            terminal.complain(f"explanation {name.upper()}: {error}")
    return ExplanationError.exit_code


def _line(
    one: Explanation, other: Explanation, comparison: Comparison, corpus: Path, folder: Path | None
) -> dict[str, object]:
    sample = comparison.sample
    return {
        "a": {"canonical": render(one), "simplified": render(comparison.one)},
        "b": {"canonical": render(other), "simplified": render(comparison.other)},
        "verdict": _kind(comparison.verdict),
        "same_promoted": one.promotes == other.promotes,
        "sample": {
            "corpus": str(corpus),
            "tokeniser": "word pieces" if folder is None else str(folder),
            "tokens": sample.tokens,
            "both": sample.both,
            "only_a": sample.only_one,
            "only_b": sample.only_other,
            "neither": sample.neither,
            "differing": sample.differing,
            "levels": [{"a": a, "b": b, "tokens": count} for a, b, count in sample.levels],
        },
        "witnesses": [_witness_line(witness) for witness in sample.witnesses],
    }


def _witness_line(witness: Witness) -> dict[str, object]:
    tokens = [token.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for token in witness.context.tokens]
    return {
        "tokens": tokens,
        "position": witness.position,
        "start": witness.context.start,
        "a": witness.one,
        "b": witness.other,
    }


def _kind(verdict: Verdict) -> str:
    match verdict:
        case ProvenEquivalent():
            return "proven equivalent"
        case ProvenSubsumed("one"):
            return "proven: a predicts wherever b does"
        case ProvenSubsumed():
            return "proven: b predicts wherever a does"
        case EqualOnSample():
            return "equal on this sample"
        case Differ():
            return "differ"
    assert_never(verdict)


def _print(one: Explanation, other: Explanation, comparison: Comparison) -> None:
    for name, written, simple in (("A", one, comparison.one), ("B", other, comparison.other)):
        out.print(Text(f"{name}  {render(written)}", style="green"))
        if simple != written:
            out.print(Text(f"=  {render(simple)}", style="green"))
    out.print(Text(_in_words(comparison), style="bold"))
    if one.promotes != other.promotes:
        out.print("they promote different tokens, which is no part of what they predict")
    out.print(_counts(comparison.sample))
    for witness in comparison.sample.witnesses:
        out.print(_witness(witness))


def _in_words(comparison: Comparison) -> str:
    differing, tokens = comparison.sample.differing, comparison.sample.tokens
    on_sample = f"they differ on {differing:,} of {tokens:,} tokens"
    if not differing:
        on_sample = f"equal on these {tokens:,} tokens"
    match comparison.verdict:
        case ProvenEquivalent():
            return "proven equivalent: both predict the same on every text"
        case ProvenSubsumed("one"):
            return f"proven: wherever B predicts, A does, at least as strongly; {on_sample}"
        case ProvenSubsumed():
            return f"proven: wherever A predicts, B does, at least as strongly; {on_sample}"
        case EqualOnSample():
            return f"nothing proven; {on_sample}"
        case Differ():
            return on_sample
    assert_never(comparison.verdict)


def _counts(sample: Agreement) -> str:
    counts = {"both": sample.both, "only A": sample.only_one, "only B": sample.only_other, "neither": sample.neither}
    words = " · ".join(f"{name} {count:,}" for name, count in counts.items())
    levels = [f"A {a:g} B {b:g} on {count:,}" for a, b, count in sample.levels if a != b]
    return f"predicted: {words}" + (f"\nlevels: {' · '.join(levels)}" if levels else "")


def _witness(witness: Witness) -> Text:
    """The text, its last token marked."""
    *before, last = witness.context.tokens
    text = Text(f"A {witness.one:g}  B {witness.other:g}  ", style="dim")
    text.append(shown("".join(before)), style="not dim")
    text.append(f"<<{shown(last)}>>", style="reverse not dim")
    return text
