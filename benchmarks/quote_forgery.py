"""A forger against the quote tool: `python benchmarks/quote_forgery.py [--forged 10000] [--true 6000] [--seed 0]`.

Near-quotes of real texts are drawn until so many are forgeries: requests for a text that stands nowhere where the
request says, as a slow reference finds by trying every token span. None may verify. Then true quotes are typed in other
typography; each that does not verify is printed. The evidence: the embedded corpus and, where shared data lie beside
the checkout, encyclopaedia, speeches, records of other models, all cut by a real tokeniser or as they were recorded;
and texts in many scripts, cut at random bytes. The exit code is 1 where a forgery verified, a quote was granted in
another place than its text stands, or fewer than 99% of the true quotes verified.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autointerp.corpus import read_documents
from autointerp.tokens import TextTokenizer
from dsl.records import Evidence
from tests.at_hand import DEMO, SHARED
from tests.forging import KINDS, evidence_of, scripts
from tests.quote_trials import Tried, try_forgeries, try_mangled
from tests.typography import MANGLED

EXAMPLES, TOKENS = 16, 48
"""Of one piece of evidence; debates have 80 longer examples, on which the reference would take hours."""

PIECES = 3
"""Of evidence from each source."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--forged", type=int, default=10_000)
    parser.add_argument("--true", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    begin = time.perf_counter()
    found = list(pieces(asked.seed))
    forged, true = list[Tried](), list[Tried]()
    for number, (_, evidence) in enumerate(found):
        share = range(number, asked.forged, len(found)), range(number, asked.true, len(found))
        forged += try_forgeries(evidence, len(share[0]), random.Random(f"{asked.seed} {number} forged"))
        true += try_mangled(evidence, len(share[1]), random.Random(f"{asked.seed} {number} true"))
    sources = Counter(name for name, _ in found)
    print(f"{len(found)} pieces of evidence ({', '.join(f'{n} of {name}' for name, n in sources.items())}), ", end="")
    print(f"{EXAMPLES} examples of up to {TOKENS} tokens; {time.perf_counter() - begin:.0f} s\n")
    lost = print_forged(forged)
    refused = print_true(true)
    wrong = [one for one in (*forged, *true) if one.is_wrong]
    for one in wrong:
        print(f"granted where it does not stand: {one.kind}: {one.request!r} {one.answer!r}")
    sys.exit(1 if lost or wrong or refused > 0.01 * len(true) else 0)


def pieces(seed: int) -> Iterator[tuple[str, Evidence]]:
    """Evidence by the name of its source."""
    rng = random.Random(seed)
    tokenizer = TextTokenizer.load(DEMO / "lm")
    texts = {"stories": DEMO / "corpus.jsonl.gz"}
    texts |= {path.stem: path for path in sorted((SHARED / "text").glob("*.txt"))}
    for name, path in texts.items():
        documents = [text for text in itertools.islice(read_documents(path), 4_000) if len(text) > 4 * TOKENS]
        for _ in range(PIECES):
            chosen = rng.sample(documents, min(EXAMPLES, len(documents)))
            rows = [[tokenizer.strings[token] for token in ids] for ids in tokenizer.encode_many(chosen)]
            yield name, evidence_of([_window(row, rng) for row in rows], rng)
    for name, rows in recorded():
        for _ in range(PIECES):
            yield name, evidence_of([_window(row, rng) for row in rng.sample(rows, EXAMPLES)], rng)
    for number in range(PIECES):
        yield "many scripts", scripts(seed + number)


def recorded() -> Iterator[tuple[str, list[list[str]]]]:
    """Token strings of other models' features, as they were recorded."""
    folder = SHARED / "records"
    if (path := folder / "glassbox_features.jsonl").is_file():
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        yield path.stem, [example["tokens"] for line in lines for example in line["examples"]]
    if (path := folder / "sae_vis_sequences.json").is_file():
        yield path.stem, [row["tokens"] for row in json.loads(path.read_text(encoding="utf-8")) if row["tokens"]]


def print_forged(tried: Sequence[Tried]) -> int:
    """What came of each kind of near-quote; returns how many forgeries verified."""
    print(f"{'near-quotes':<30}{'drawn':>7}{'true':>6}{'forged':>8}{'verified':>10}   refused as")
    for kind in (*KINDS, ""):
        ours = [one for one in tried if one.kind == kind or not kind]
        forged = [one for one in ours if one.is_forged]
        refused = Counter(str(one.answer.status) for one in forged if not one.is_verified)
        verified = sum(one.is_verified for one in forged)
        said = ", ".join(f"{count} {status}" for status, count in refused.most_common())
        print(f"{kind or 'all':<30}{len(ours):>7}{len(ours) - len(forged):>6}{len(forged):>8}{verified:>10}   {said}")
    print()
    return sum(one.is_forged and one.is_verified for one in tried)


def print_true(tried: Sequence[Tried]) -> int:
    """What came of true quotes in each typography, and each that was refused; returns how many were."""
    print(f"{'true quotes':<30}{'tried':>7}{'verified':>10}{'share':>8}   as")
    for kind in (*MANGLED, ""):
        ours = [one for one in tried if one.kind == kind or not kind]
        verified = [one for one in ours if one.is_verified]
        said = ", ".join(f"{n} {status}" for status, n in Counter(one.answer.status for one in verified).most_common())
        print(f"{kind or 'all':<30}{len(ours):>7}{len(verified):>10}{len(verified) / max(1, len(ours)):>8.2%}   {said}")
    refused = [one for one in tried if not one.is_verified]
    for one in refused:
        print(f"refused, {one.kind}: {one.request.text!r}: {one.answer}")
    return len(refused)


def _window(tokens: Sequence[str], rng: random.Random) -> list[str]:
    start = rng.randint(0, max(0, len(tokens) - TOKENS))
    return list(tokens[start : start + TOKENS])


if __name__ == "__main__":
    main()
