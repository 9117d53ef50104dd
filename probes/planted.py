"""A shipped subject whose features are explanations: the truth is known, so probes can be tested against it.

An explanation that says what a feature is must never be caught, whatever the probes do; one that says something else
must be. Nothing is noisy here, and nothing depends on what shares a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.records import Thresholds
from probes.subject import TokenIds
from probes.trial import batch_of


class PlantedSubject:
    """Implements SubjectModel and Neighbours; a feature's activation is `maximum` times what its explanation predicts.

    The tokeniser takes the longest string of the vocabulary at every place; characters that it lacks are spelt in
    bytes. `neighbours` gives, for a feature, others and their cosine.

    >>> from dsl.parse import parse
    >>> subject = PlantedSubject({0: parse('activates on the token " bank"')}, words=["river", "bank"])
    >>> subject.activations([subject.tokenize("a river bank.")], [0])[0][:, 0].tolist()
    [0.0, 0.0, 10.0, 0.0]
    """

    prefix: TokenIds = ()

    def __init__(
        self,
        features: Mapping[int, Explanation],
        words: Iterable[str] = (),
        *,
        maximum: float = 10.0,
        max_tokens: int = 256,
        neighbours: Mapping[int, Sequence[tuple[int, float]]] | None = None,
    ) -> None:
        self.features, self.maximum, self.max_tokens = dict(features), maximum, max_tokens
        self.vocabulary = Vocabulary(_strings(words))
        self.thresholds = Thresholds.from_maximum(maximum)
        self._cosines = dict(neighbours or {})
        self._ids = {string: token for token, string in enumerate(self.vocabulary.strings)}
        self._longest = max(map(len, self.vocabulary.strings))

    def tokenize(self, text: str) -> TokenIds:
        found: list[int] = []
        position = 0
        while position < len(text):
            for length in range(min(self._longest, len(text) - position), 0, -1):
                token = self._ids.get(text[position : position + length])
                if token is not None:
                    found.append(token)
                    break
            else:
                length = 1
                spelling = text[position].encode("utf-8", "surrogateescape")
                found += [self._ids[byte.decode("utf-8", "surrogateescape")] for byte in _bytes(spelling)]
            position += length
        return tuple(found)

    def activations(
        self, contexts: Sequence[TokenIds], features: Sequence[int], *, batch_size: int | None = None
    ) -> list[Float[np.ndarray, "ctx features"]]:
        for context in contexts:
            if len(context) > self.max_tokens:
                raise SubjectError(f"a context of {len(context)} tokens; this subject reads {self.max_tokens}")
        rows: list[Float[np.ndarray, "ctx features"]] = []
        step = batch_size or max(1, len(contexts))
        for start in range(0, len(contexts), step):
            some = contexts[start : start + step]
            batch = batch_of(some, self.vocabulary)
            dense = [self.maximum * evaluate(self.features[feature], batch) for feature in features]
            stacked = np.stack(dense, axis=-1) if dense else np.zeros((*batch.ids.shape, 0))
            rows += [stacked[row, : len(context)].astype(np.float32) for row, context in enumerate(some)]
        return rows

    def neighbours(self, feature: int, count: int) -> tuple[tuple[int, float], ...]:
        return tuple(self._cosines.get(feature, ()))[:count]


def _strings(words: Iterable[str]) -> list[str]:
    """Every word with and without a space before it, printable ASCII, line ends, and the bytes of the rest."""
    singles = [*map(chr, range(32, 127)), "\n", "\t"]
    spare = [bytes([value]).decode("utf-8", "surrogateescape") for value in range(128, 256)]
    control = [chr(value) for value in range(128) if not 32 <= value < 127 and chr(value) not in "\n\t"]
    both = [form for word in words for form in (word, f" {word}")]
    return list(dict.fromkeys([*singles, *control, *spare, *both]))


def _bytes(data: bytes) -> Iterable[bytes]:
    return (bytes([value]) for value in data)
