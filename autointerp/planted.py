"""A store in memory whose features are planted programs, over real texts that are read as any corpus is.

Everything but the activations is the product's own: the tokeniser, contexts, the split 50/20/30 with near-copies on one
side, thresholds, density and samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from autointerp.corpus import read_documents
from autointerp.corpus_pass import SPLITS, CorpusPass, Split
from autointerp.shards import Shard
from autointerp.store import Column, Store
from autointerp.tokens import TextTokenizer
from dsl.batch import Batch, Vocabulary
from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED
from probes.planted_noise import Noise, activations
from probes.planted_suite import Program
from probes.subject import TokenIds

SCREEN_TOKENS = 200_000


@dataclass(frozen=True, slots=True)
class Texts:
    """Files of texts, the folder of the tokeniser that reads them, the length of contexts, and the most tokens to take
    of evidence, dev and held-out. Plain text is cut into pieces of some paragraphs, each a document."""

    files: tuple[str, ...]
    tokeniser: str
    width: int
    most: tuple[int, int, int] = (400_000, 160_000, 1_000_000)


STORIES = ("tinystories_cased.jsonl", "tinystories_truecased.jsonl", "stories_generated.jsonl")
CORPORA = {
    "stories": Texts(STORIES, "stories-lm", 255),
    "merged": Texts(STORIES, "tinystories-656k", 255),
    "speeches": Texts(("state_union.txt",), "stories-lm", 128),
    "articles": Texts(("wikitext2_test.txt",), "stories-lm", 128),
}
"""`merged` has a tokeniser that merges across words; in `speeches` and `articles` most long words are split."""


class PlantedStore(Store):
    """A store of texts; `plant` gives it features, and their activations are worked out when they are asked for."""

    def __init__(self, shard: Shard, splits: str, vocabulary: Vocabulary) -> None:
        super().__init__(Path(), {"splits": splits, "configuration": {"features": 0}}, [shard])
        self.vocabulary, self._shard = vocabulary, shard
        self.programs: Sequence[Program] = ()
        self._noise, self._seed = Noise(), 0

    @classmethod
    def read(cls, texts: Texts, data: Path) -> PlantedStore:
        """Tokenise, cut and split texts of a data folder, and keep no more of each split than is asked for."""
        tokenizer = TextTokenizer.load(data / "models" / texts.tokeniser)
        documents = chain.from_iterable(_documents(data / "text" / name, texts.width) for name in texts.files)
        return cls.of(documents, tokenizer, texts.width, texts.most)

    @classmethod
    def of(
        cls, documents: Iterable[str], tokenizer: TextTokenizer, width: int, most: tuple[int, int, int]
    ) -> PlantedStore:
        """A store of documents, whole contexts of them chosen by chance where there are more than enough."""
        reading = CorpusPass(documents, None)
        contexts: list[TokenIds] = []
        owners: list[int] = []
        for part in reading.shards(_Reader(tokenizer, width), width, 4096):
            contexts += part.contexts
            owners += part.documents
        splits = str(reading.split()["splits"])
        lengths = np.array([len(context) for context in contexts], dtype=np.int64)
        sides = (np.frombuffer(splits.encode("ascii"), dtype=np.int8) - ord("0"))[owners]
        kept = np.zeros(len(contexts), dtype=np.bool_)
        for side, tokens in enumerate(most):
            rows = np.random.default_rng(side).permutation(np.flatnonzero(sides == side))
            kept[rows[: int(np.searchsorted(np.cumsum(lengths[rows]), tokens)) + 1]] = True
        shard = Shard(
            ids=np.concatenate([np.asarray(contexts[row], dtype=np.int32) for row in np.flatnonzero(kept)]),
            offsets=np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64),
            documents=np.asarray(owners, dtype=np.int64)[kept],
            starts=np.zeros(1, dtype=np.int64),
            cells=np.zeros(0, dtype=np.int32),
            values=np.zeros(0, dtype=np.float32),
        )
        return cls(shard, splits, Vocabulary(tokenizer.strings))

    def plant(self, programs: Sequence[Program], noise: Noise, seed: int) -> None:
        """From now on feature i means `programs[i]`; activations depend on the noise and on the seed."""
        self.programs, self._noise, self._seed = programs, noise, seed
        self.manifest["configuration"]["features"] = len(programs)
        self._columns.clear()

    def screens(self) -> list[Batch]:
        """The first contexts of each split: what programs are drawn from."""
        batches = []
        for split in SPLITS:
            rows = self.contexts.rows(split)
            last = int(np.searchsorted(np.cumsum(self.contexts.lengths[rows]), SCREEN_TOKENS)) + 1
            batches.append(self.batch(rows[:last], self.vocabulary))
        return batches

    def truth(self, feature: int, split: Split) -> Bool[np.ndarray, "batch ctx"]:
        """Where the program says that the feature fires, in all contexts of a split."""
        held: Bool[np.ndarray, "batch ctx"] = self._predicted(feature, split) >= PREDICTED
        return held

    def _predicted(self, feature: int, split: Split) -> Float[np.ndarray, "batch ctx"]:
        return evaluate(self.programs[feature].explanation, self.split_batch(split, self.vocabulary))

    def _read_column(self, feature: int) -> Column:
        ids, offsets = self._shard.ids, self._shard.offsets
        predicted = np.zeros(len(ids), dtype=np.float32)
        for split in SPLITS:
            batch = self.split_batch(split, self.vocabulary)
            cells = offsets[self.contexts.rows(split)][:, None] + np.arange(batch.ids.shape[1])
            predicted[cells[batch.mask]] = self._predicted(feature, split)[batch.mask]
        values = activations(predicted, ids, self._noise, np.random.default_rng([self._seed, feature]))
        found = np.flatnonzero(values)
        rows = np.searchsorted(offsets, found, side="right") - 1
        return Column(rows, found - offsets[rows], values[found])


@dataclass(frozen=True)
class _Reader:
    """What reading a corpus asks of a subject, without one."""

    tokenizer: TextTokenizer
    max_tokens: int
    prefix: TokenIds = ()
    d_sae: int = 0

    @property
    def fingerprint(self) -> dict[str, str]:
        return {}

    def tokenize_many(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer.encode_many(texts)

    def sparse(
        self, contexts: Sequence[TokenIds]
    ) -> list[tuple[Int[np.ndarray, " nonzero"], Int[np.ndarray, " nonzero"], Float[np.ndarray, " nonzero"]]]:
        nothing = np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32)
        return [nothing for _ in contexts]


def _documents(path: Path, width: int) -> Iterable[str]:
    return read_documents(path) if path.suffix == ".jsonl" else pieces(path.read_text(encoding="utf-8"), 6 * width)


def pieces(text: str, characters: int) -> Iterator[str]:
    """Running text as documents: paragraphs, each joined to the next until there are so many characters.

    >>> list(pieces("One.\\n\\nTwo.\\nThree, four and five.", 8))
    ['One.\\nTwo.', 'Three, four and five.']
    """
    block: list[str] = []
    for line in text.splitlines():
        if line.strip():
            block.append(line)
        if sum(map(len, block)) >= characters:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)
