"""The recipe: from a text file to a language model, its dictionary, its masked model, its corpus and their figures.

Six steps, each in a file of its own, run in order and resumable (`steps.py`). Every step reads the files that the
step before it wrote, so all that is trained and measured later is trained and measured on the rounded weights.

>>> build(Path("stories.jsonl"), Path("out")).dictionary.l0  # doctest: +SKIP
16.0
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from tokenizers import Tokenizer

from autointerp.corpus import read_documents
from autointerp.demo.documents import Documents, Split, split
from autointerp.demo.figures import Figures, measure
from autointerp.demo.hookpoint import HOOKPOINT, ResidualStream, load_causal
from autointerp.demo.language_model import train_language_model
from autointerp.demo.masked_model import train_masked_model
from autointerp.demo.sample_corpus import CorpusCounts, sample_stories, write_corpus
from autointerp.demo.settings import END, FULL, BuildSettings, DictionarySettings
from autointerp.demo.sparse_autoencoder import check_sparsity, train_sparse_autoencoder
from autointerp.demo.steps import Steps
from autointerp.demo.tokenizer import tokenize, train_tokenizer
from autointerp.demo.training import Checkpoint, seeded
from autointerp.loading import folder_of
from autointerp.tokens import TextTokenizer
from dsl.errors import InputError

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""

FEWEST_BATCHES = 10
"""Batches of training text that there must be: less is learned by heart at once."""

CORPUS_MEASURED = 250
"""Stories of the corpus on which the dictionary is measured too: it is the text that features will be explained on."""

CORPUS, FIGURES, COUNTS = "corpus.jsonl.gz", "figures.json", "counts.json"
TOKENIZER, SAMPLE = "work/tokenizer.json", "work/sample"
NAMES = {TOKENIZER: "tokenizer", "lm": "language model", "sae": "dictionary", "mlm": "masked model", SAMPLE: "corpus"}
"""What progress calls the steps."""


def build(text: Path, out: Path, *, settings: BuildSettings = FULL, progress: Progress = lambda *_: None) -> Figures:
    """Build a demo under `out` from the documents of a text, .jsonl or .jsonl.gz file; the same call resumes one.

    Writes `lm`, `sae`, `mlm`, `corpus.jsonl.gz` and `figures.json`, and `work`, which resuming needs and which may be
    removed afterwards. Raises InputError for a text that is empty or too small for the settings, and for a folder
    that holds other things.
    """
    check_settings(settings)
    documents = split(read_documents(text), settings.validation)
    return _Build(documents, text.name, Steps(out), out, settings, progress).run()


def train_dictionary(
    model_dir: str | Path,
    hookpoint: str,
    documents: list[str],
    out_dir: Path,
    settings: DictionarySettings,
    *,
    seed: int = 0,
    threads: int = 4,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Train a top-k sparse autoencoder on any local causal model and write it as the SAELens folder `out_dir`.

    The hookpoint is a `blocks.N.hook_resid_post`. Raises InputError where `out_dir` holds something already, and
    SubjectError for a model or hookpoint that does not work. A killed call goes on from its checkpoint.
    """
    if out_dir.exists():
        raise InputError(f"{out_dir} is there already; name a new folder")
    stream = ResidualStream(model_dir, hookpoint)
    tokenizer = TextTokenizer.load(folder_of(model_dir), size=stream.vocabulary)
    prefix = [] if tokenizer.beginning is None else [tokenizer.beginning]
    ids = tokenizer.encode_many(documents)
    key = hashlib.sha256(repr((str(model_dir), hookpoint, settings, seed, threads, ids)).encode()).hexdigest()
    target, path = (out_dir.with_name(f".{out_dir.name}.{part}") for part in ("partial", "checkpoint"))
    target.mkdir(parents=True, exist_ok=True)
    with seeded(seed, threads):
        checkpoint = Checkpoint(path, key, every=100, progress=progress)
        train_sparse_autoencoder(stream, ids, prefix, target, settings, seed=seed, checkpoint=checkpoint)
    target.rename(out_dir)
    path.unlink()


def check_settings(settings: BuildSettings) -> None:
    """Raise InputError for settings that contradict each other, before any work is done."""
    language_model, dictionary = settings.language_model, settings.dictionary
    layer = HOOKPOINT.match(dictionary.hookpoint)
    if layer is None or int(layer[1]) >= language_model.layers:
        raise InputError(
            f"a model of {language_model.layers} layers has no {dictionary.hookpoint}; "
            f"name one of blocks.0 to blocks.{language_model.layers - 1}, with .hook_resid_post"
        )
    check_sparsity(dictionary)
    if language_model.width % language_model.heads:
        raise InputError(f"a width of {language_model.width} does not divide into {language_model.heads} heads")
    if settings.masked_model.context > language_model.context:
        raise InputError("the masked model's context is longer than the language model's, whose positions it takes")


class _Build:
    """The steps of one build, each a method, in the order in which they run; each gives a digest of what it made."""

    def __init__(
        self, documents: Split, source: str, steps: Steps, out: Path, settings: BuildSettings, progress: Progress
    ) -> None:
        self._split, self._source, self._steps, self._out = documents, source, steps, out
        self._settings, self._progress = settings, progress
        self._text = hashlib.sha256(json.dumps([documents.training, documents.validation]).encode()).hexdigest()

    def run(self) -> Figures:
        made = self._tokenizer()
        tokenizer = Tokenizer.from_file(str(self._out / TOKENIZER))
        documents = tokenize(tokenizer, self._split.training)
        self._check_size(documents)
        language_model = self._language_model(tokenizer, documents, made)
        dictionary = self._dictionary(documents, language_model)
        masked_model = self._masked_model(tokenizer, documents, language_model)
        sample = self._sample(tokenizer, language_model)
        self._run("corpus.jsonl.gz", {"sample": sample}, lambda target, _: self._publish(target))
        return self._figures(tokenizer, [language_model, dictionary, masked_model, sample])

    def _tokenizer(self) -> str:
        settings = self._settings.tokenizer

        def make(target: Path, _: Checkpoint) -> None:
            train_tokenizer(self._split.training, settings).save(str(target))

        return self._run(TOKENIZER, {"settings": asdict(settings)}, make)

    def _language_model(self, tokenizer: Tokenizer, documents: Documents, made: str) -> str:
        settings, seed = self._settings.language_model, self._settings.seed

        def make(target: Path, checkpoint: Checkpoint) -> None:
            target.mkdir()
            train_language_model(documents, tokenizer, target, settings, seed=seed, checkpoint=checkpoint)
            self._describe(target, "a causal language model of GPT-2's architecture", settings)

        return self._run("lm", {"settings": asdict(settings), "tokenizer": made}, make)

    def _dictionary(self, documents: Documents, language_model: str) -> str:
        settings, seed = self._settings.dictionary, self._settings.seed

        def make(target: Path, checkpoint: Checkpoint) -> None:
            target.mkdir()
            stream = ResidualStream(self._out / "lm", settings.hookpoint)
            train_sparse_autoencoder(stream, documents, [END], target, settings, seed=seed, checkpoint=checkpoint)
            self._describe(target, "a top-k sparse autoencoder on ../lm, in SAELens's format", settings)

        return self._run("sae", {"settings": asdict(settings), "lm": language_model}, make)

    def _masked_model(self, tokenizer: Tokenizer, documents: Documents, language_model: str) -> str:
        settings, seed = self._settings.masked_model, self._settings.seed

        def make(target: Path, checkpoint: Checkpoint) -> None:
            target.mkdir()
            source = load_causal(self._out / "lm")
            train_masked_model(documents, tokenizer, source, target, settings, seed=seed, checkpoint=checkpoint)
            self._describe(target, "a masked language model over the tokeniser of ../lm", settings)

        return self._run("mlm", {"settings": asdict(settings), "lm": language_model}, make)

    def _sample(self, tokenizer: Tokenizer, language_model: str) -> str:
        settings, seed = self._settings.corpus, self._settings.seed

        def make(target: Path, checkpoint: Checkpoint) -> None:
            target.mkdir()
            model = load_causal(self._out / "lm")
            stories, counts = sample_stories(model, tokenizer, settings, seed=seed, progress=checkpoint.progress)
            write_corpus(target / CORPUS, stories)
            (target / COUNTS).write_text(json.dumps(asdict(counts)) + "\n", encoding="utf-8")

        return self._run(SAMPLE, {"settings": asdict(settings), "lm": language_model}, make)

    def _publish(self, target: Path) -> None:
        target.write_bytes((self._out / SAMPLE / CORPUS).read_bytes())

    def _figures(self, tokenizer: Tokenizer, made: list[str]) -> Figures:
        def make(target: Path, _: Checkpoint) -> None:
            stories = [
                text for text, _ in zip(read_documents(self._out / CORPUS), range(CORPUS_MEASURED), strict=False)
            ]
            figures = measure(
                self._out,
                self._settings.dictionary.hookpoint,
                validation=tokenize(tokenizer, self._split.validation),
                corpus=tokenize(tokenizer, stories),
                counts=CorpusCounts(**json.loads((self._out / SAMPLE / COUNTS).read_bytes())),
                masked_length=self._settings.masked_model.context,
                described=f"the {len(self._split.validation)} documents of {self._source} whose text, straightened, "
                "has the lowest SHA-256; no model was trained on them",
                seed=self._settings.seed,
                notes=(f"dictionary_on_corpus is measured on the first {len(stories)} stories of the corpus",),
            )
            target.write_text(json.dumps(figures.as_json(), indent=1) + "\n", encoding="utf-8")

        self._run(FIGURES, {"made": made, "source": self._source}, make)
        return TypeAdapter(Figures).validate_json((self._out / FIGURES).read_bytes())

    def _run(self, name: str, inputs: dict[str, Any], make: Callable[[Path, Checkpoint], None]) -> str:
        """One step, under the seed and the number of threads that are part of its key."""
        settings = self._settings

        def seeded_make(target: Path, path: Path, key: str) -> None:
            def advance(done: int, total: int) -> None:
                self._progress(NAMES.get(name, name), done, total)

            with seeded(settings.seed, settings.threads):
                make(target, Checkpoint(path, key, settings.checkpoint_every, advance))

        common = {"text": self._text, "seed": settings.seed, "threads": settings.threads}
        return self._steps.run(name, {**common, **inputs}, seeded_make)

    def _check_size(self, documents: Documents) -> None:
        """Before anything slow: training on less text than this learns it by heart."""
        rows = self._settings.language_model
        tokens, least = sum(map(len, documents)), FEWEST_BATCHES * rows.batch * rows.context
        if tokens < least:
            raise InputError(
                f"{self._source} holds {tokens:,} tokens to train on, and these settings need at least {least:,}; "
                "give more text"
            )

    def _describe(self, folder: Path, what: str, settings: object) -> None:
        (folder / "README.md").write_text(
            f"# {folder.name.removeprefix('partial-')}\n\n"
            f"Built by `autointerp demo build` from {self._source}: {what}.\n"
            f"Weights lie on disk as float16 and run as float32; figures are in `../figures.json`.\n\n"
            f"`{settings}`, seed {self._settings.seed}\n",
            encoding="utf-8",
        )
