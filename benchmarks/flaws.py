"""Whether probes find flaws that are known to be there: `python benchmarks/flaws.py [--features 240] [--json FILE]`.

Programs of the language are planted in real text (`probes/planted_suite.py`), without noise. Of each, one mutant is
attacked that is too broad or too narrow: one step of `dsl.mutate.mutants` (drop, widen or narrow), proven different,
that differs from the truth on at least 1 in 10,000 positions of the documents for evidence, and only to one side; which
side is dealt by turns. The attack gets 500 probes, evidence and dev samples as the product draws them, and the
product's generators. Said of it:

- found: a counterexample was confirmed. `visible` flaws are those that disagree somewhere on those documents by the
  rules of verification (one token of tolerance, no judgement at the last token); the others can hardly be found.
- edits: found without the generator `examples`, which reads the samples as they are; and of `hidden` flaws, which
  disagree with no sample, so that whoever explained them has been right about all that there was to see.
- minimal: of every shrunk text of at most `--small` tokens, no shorter one stands that is made from the text as it was
  found by leaving out tokens or taking edits back and that still reads back as its tokens, which is tried exhaustively
  (the token in question stays).
- mended: the first suggestion of each feature, beside the truth on all positions of those documents.
- false: what is confirmed against the truth itself, attacked in the same way. Any is a bug.
- alone: what each generator finds with all the probes to itself, and what none of the others alone does, `examples`
  aside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import combinations, islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from flaws_report import report
from jaxtyping import Float

from autointerp import demo
from autointerp.infill import MaskedInfiller
from autointerp.lexicons import DefaultLexicon
from autointerp.planted import CORPORA, PlantedStore
from autointerp.sampling import Samples, sample
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from dsl.evaluate import evaluate
from dsl.mutate import Mutant, mutants
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Feature, Thresholds
from dsl.render import render, render_expression
from probes import verify
from probes.attack import Attack, attack
from probes.edits import Column
from probes.generators import AtHand, suite
from probes.planted_noise import Noise
from probes.planted_suite import draw_programs
from probes.question import Generator
from probes.shrink import Shrunk, reads_back
from probes.subject import TokenIds
from probes.trial import Budget, Trial, batch_of
from probes.verify import Candidate, stands

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
THRESHOLDS = Thresholds(high=0.5, silent=0.05, maximum=1.0)
"""What the language calls predicted fires; weak levels are indeterminate."""

DIFFERENT = 1e-4
FEW = 48
"""Probes that a generator alone is given first."""

TRIED = 50_000
"""Texts of one exhaustive search; what would take more is counted apart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=240)
    parser.add_argument("--probes", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=200_000, help="budget of one attack in subject tokens")
    parser.add_argument("--small", type=int, default=6, help="the longest shrunk text that is checked exhaustively")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--corpus", choices=tuple(CORPORA), action="append", help="default: each")
    parser.add_argument("--alone", action=argparse.BooleanOptionalAction, default=True, help="each generator by itself")
    parser.add_argument("--show", action="store_true", help="list what was not found, and what was not minimal")
    parser.add_argument("--json", type=Path, help="write a line a feature here")
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()

    began = time.perf_counter()
    lexicon = DefaultLexicon()
    lexicon.prepare()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    names = options.corpus or list(CORPORA)
    lines: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        count = options.features * (number + 1) // len(names) - options.features * number // len(names)
        lines += of_corpus(name, count, lexicon, options)
        if options.json:
            options.json.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        print(f"{name}: {count} features; {time.perf_counter() - began:.0f} s so far", flush=True)
    report(lines, small=options.small, alone=options.alone, show=options.show)
    print(f"{time.perf_counter() - began:.0f} s in all, {options.workers} workers; seed {options.seed}")


class TextSubject:
    """The planted programs of a store as a subject: its own tokeniser, no noise, no neighbours."""

    prefix: TokenIds = ()

    def __init__(self, programs: Sequence[Explanation], tokenizer: TextTokenizer, vocabulary: Vocabulary) -> None:
        self.vocabulary, self.max_tokens = vocabulary, 256
        self._programs, self._tokenizer = programs, tokenizer

    def tokenize(self, text: str) -> TokenIds:
        return self._tokenizer.encode(text)

    def activations(
        self,
        contexts: Sequence[TokenIds],
        features: Sequence[int],
        *,
        batch_size: int | None = None,  # noqa: ARG002  nothing depends on it
    ) -> list[Float[np.ndarray, "ctx features"]]:
        if any(len(context) > self.max_tokens for context in contexts):
            raise SubjectError(f"a context of more than {self.max_tokens} tokens")
        batch = batch_of(contexts, self.vocabulary)
        dense = np.stack([evaluate(self._programs[feature], batch) for feature in features], axis=-1)
        return [dense[row, : len(context)] for row, context in enumerate(contexts)]


_STATE: dict[str, Any] = {}


def of_corpus(name: str, count: int, lexicon: DefaultLexicon, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line a feature, in order, from processes that share what was read."""
    texts = CORPORA[name]
    store = PlantedStore.read(texts, options.data)
    rng = random.Random(f"{options.seed} {name} flaws")
    # Some programs have no mutant that differs on one side only, so more are drawn than are wanted.
    programs = draw_programs(store.screens(), lexicon, count=count + count // 4 + 2, rng=rng)
    store.plant(programs, Noise(), options.seed)
    tokenizer = TextTokenizer.load(options.data / "models" / texts.tokeniser)
    subject = TextSubject([program.explanation for program in programs], tokenizer, store.vocabulary)
    try:
        infiller: MaskedInfiller | None = MaskedInfiller.load(demo.paths().mlm, store.vocabulary)
    except SubjectError:
        infiller = None  # it reads another tokeniser's tokens
    _STATE.update(
        corpus=name, store=store, subject=subject, lexicon=lexicon, infiller=infiller, options=options,
        batch=store.split_batch("evidence", store.vocabulary),
    )  # fmt: skip
    with get_context("fork").Pool(options.workers) as pool:
        return list(islice((line for line in pool.imap(judged, range(len(programs))) if line is not None), count))


def default_generators() -> tuple[Generator, ...]:
    """The product's own; those that need a decoder, gradients or a language model say that they lack it."""
    store, seed = _STATE["store"], _STATE["options"].seed

    def unrelated(feature: int, count: int) -> list[TokenIds]:
        silent = ~(store.truth(feature, "evidence")).any(axis=1)
        drawn = np.random.default_rng([seed, feature]).permutation(np.flatnonzero(silent))[:count]
        batch = _STATE["batch"]
        return [tuple(batch.ids[row, : min(64, batch.lengths[row])].tolist()) for row in drawn.tolist()]

    return suite(AtHand(_STATE["lexicon"], _STATE["infiller"], unrelated=unrelated))


def judged(feature: int) -> dict[str, Any] | None:
    """Flaw one truth, attack what comes of it and the truth, and say how that went; None where no flaw is to be had."""
    store, options = _STATE["store"], _STATE["options"]
    program = store.programs[feature]
    wanted = ("broad", "narrow")[feature % 2]
    rng = random.Random(f"{options.seed} {_STATE['corpus']} {feature}")
    flawed = flaw(program.explanation, wanted, rng)
    if flawed is None:
        return None
    mutant, direction, share, visible = flawed
    samples = sample(store, store.vocabulary, Feature("planted", "planted", "planted", feature), seed=options.seed)
    generators = default_generators()
    began = time.perf_counter()
    found = attacked(mutant.explanation, feature, samples, generators)
    seconds = time.perf_counter() - began
    against_truth = attacked(program.explanation, feature, samples, generators)
    edits = [generator for generator in generators if generator.name != "examples"]
    by_edits = attacked(mutant.explanation, feature, samples, edits)
    alone = {}
    for generator in generators:
        if not options.alone and generator.name != "examples":
            continue
        # Most that it finds it finds soon, and the first probes of many are the probes of few.
        by_it = attacked(mutant.explanation, feature, samples, [generator], FEW)
        if not by_it.counterexamples and by_it.probes >= FEW:
            by_it = attacked(mutant.explanation, feature, samples, [generator])
        alone[generator.name] = {
            "found": bool(by_it.counterexamples),
            "first": by_it.first,
            "skipped": by_it.funnel[generator.name].skipped,
        }
    return {
        "corpus": _STATE["corpus"],
        "clauses": program.clauses,
        "construct": program.construct,
        "truth": render(program.explanation),
        "flawed": render(mutant.explanation),
        "step": mutant.step,
        "direction": direction,
        "differs": share,
        "visible": visible,
        "found": bool(found.counterexamples),
        "first": found.first,
        "probes": found.probes,
        "tokens": found.tokens,
        "seconds": seconds,
        "funnel": {name: asdict(funnel) for name, funnel in found.funnel.items()},
        "best": shown(found),
        "shrunk": [minimal(one, mutant.explanation, feature) for one in found.shrinkings],
        "false": [one.example.context.text for one in (*against_truth.counterexamples, *against_truth.mates)],
        "false_disagreeing": against_truth.disagreeing,
        "truth_probes": against_truth.probes,
        "edits": bool(by_edits.counterexamples),
        "edits_first": by_edits.first,
        "hidden": not alone["examples"]["found"],
        "alone": alone,
        "mended": mended(program.explanation, mutant.explanation, found),
    }


def flaw(truth: Explanation, wanted: str, rng: random.Random) -> tuple[Mutant, str, float, int] | None:
    """A mutant too broad or too narrow, the share of positions on which it differs, and the disagreements there are."""
    batch = _STATE["batch"]
    right = evaluate(truth, batch) >= PREDICTED
    options = [mutant for mutant in mutants(truth, _STATE["lexicon"]) if mutant.step != "negate"]
    rng.shuffle(options)
    second = None
    for mutant in options:
        says = evaluate(mutant.explanation, batch) >= PREDICTED
        more, less = int((says & ~right).sum()), int((right & ~says).sum())
        if (more and less) or more + less < DIFFERENT * batch.lengths.sum():
            continue
        direction = "broad" if more else "narrow"
        chosen = mutant, direction, (more + less) / int(batch.lengths.sum()), disagreements(truth, mutant.explanation)
        if direction == wanted:
            return chosen
        second = second or chosen
    return second


def disagreements(truth: Explanation, explanation: Explanation) -> int:
    """Positions of the documents for evidence at which verification sees a disagreement."""
    batch = _STATE["batch"]
    found = verify.disagreements(evaluate(truth, batch), evaluate(explanation, batch), batch.lengths, THRESHOLDS)
    return int(sum(kind.sum() for kind in found))


def mended(truth: Explanation, flawed: Explanation, found: Attack) -> dict[str, Any] | None:
    """What the first suggestion says, and the positions of the documents for evidence on which it is then wrong."""
    suggestion = next((one.suggestion for one in found.counterexamples if one.suggestion is not None), None)
    if suggestion is None:
        return None
    right, before, after = (evaluate(one, _STATE["batch"]) >= PREDICTED for one in (truth, flawed, suggestion.mended))
    return {
        "how": suggestion.how,
        "clause": render_expression(suggestion.clause),
        "before": int((before != right).sum()),
        "after": int((after != right).sum()),
    }


def attacked(
    explanation: Explanation,
    feature: int,
    samples: Samples,
    generators: Sequence[Generator],
    probes: int | None = None,
) -> Attack:
    options = _STATE["options"]
    return attack(
        explanation,
        feature,
        _STATE["subject"],
        [samples.evidence, samples.dev],
        THRESHOLDS,
        generators,
        Budget(options.tokens, probes or options.probes),
        random.Random(f"{options.seed} {feature} attack"),
    )


def shown(found: Attack) -> dict[str, object] | None:
    if not found.counterexamples:
        return None
    best = found.counterexamples[0]
    return {
        "kind": best.kind,
        "generator": best.generator,
        "text": "|".join(best.example.context.tokens),
        "original": None if best.original is None else "|".join(best.original.context.tokens),
    }


def minimal(shrunk: Shrunk, explanation: Explanation, feature: int) -> dict[str, Any]:
    """The length that shrinking reached, and the least that exhaustive search does; None where that was not tried."""
    subject, small = _STATE["subject"], _STATE["options"].small
    start, reached = shrunk.steps[0], len(shrunk.smallest.token_ids)
    line: dict[str, Any] = {
        "length": reached,
        "least": None,
        "paired": start.paired,
        "minimal": shrunk.minimal,
        "text": _spelt(shrunk.smallest),
        "shorter": None,
    }
    shorter = list(islice(below(start, reached), TRIED + 1)) if reached <= small else []
    if reached > small or len(shorter) > TRIED:
        return line
    line["least"] = reached
    trial = Trial(explanation, feature, subject, THRESHOLDS, Budget(10**12))
    trial.read([text for one in shorter for text in one.texts])
    for one in sorted(shorter, key=lambda one: len(one.token_ids)):
        if stands(one, trial.read(one.texts), trial.thresholds) and _reads_back(one, start):
            return line | {"least": len(one.token_ids), "shorter": _spelt(one)}
    return line


def _reads_back(one: Candidate, start: Candidate) -> bool:
    """As its tokens, on either side on which the text that it comes from does."""
    subject = _STATE["subject"]
    return all(
        reads_back(text, subject)
        for text, first in zip(one.texts, start.texts, strict=True)
        if reads_back(first, subject)
    )


def _spelt(one: Candidate) -> str:
    strings = _STATE["subject"].vocabulary.strings
    sides = ["|".join(strings[token] for token in side) for side in one.texts]
    return f"{' < '.join(sides)} @{one.position}"


def below(start: Candidate, length: int) -> Iterator[Candidate]:
    """Every candidate shorter than `length` that leaving out columns and taking edits back gives."""
    before, after = range(start.column), range(start.column + 1, len(start.columns))
    room = length - 1
    for kept_after in range(2):
        for tail in combinations(after, kept_after):
            for kept in range(room):
                for left in combinations(before, kept):
                    chosen = [*left, start.column, *tail]
                    choices = [_forms(start.columns[index], start.paired) for index in chosen]
                    for columns in product(*choices):
                        own = columns[kept]
                        if sum(len(column.edited) for column in columns) >= length or not own.edited:
                            continue
                        offset = start.offset
                        if own != start.columns[start.column]:
                            inside = start.columns[start.column].counterpart(start.offset)
                            if inside is None:
                                continue
                            offset = inside
                        yield replace(start, columns=tuple(columns), column=kept, offset=offset)


def _forms(column: Column, paired: bool) -> list[Column]:
    back = Column(column.original, column.original)
    return [column, back] if paired and column.is_edit and column.original else [column]


if __name__ == "__main__":
    main()
