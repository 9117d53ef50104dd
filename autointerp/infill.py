"""What else could stand at a position of a context: a masked language model over the subject's own tokens.

One over other tokens answers through texts (`autointerp.remapped_infill`), and where there is none the subject itself
(`autointerp.causal_infill`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autointerp.masked_model import MaskedModel, likeliest
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from probes.subject import TokenIds


class MaskedInfiller:
    """Implements `probes.subject.Infiller` with a Hugging Face masked-LM folder that shares the subject's tokeniser."""

    def __init__(self, model: MaskedModel, vocabulary_size: int) -> None:
        self._model, self._size = model, vocabulary_size
        self._special = sorted(index for index in model.special if index < vocabulary_size)

    @classmethod
    def load(cls, folder: str | Path, vocabulary: Vocabulary, *, device: str = "cpu") -> MaskedInfiller:
        """Load a masked-LM folder whose token ids mean what the subject's `vocabulary` says.

        Raises SubjectError where the folder holds no masked language model with a mask token, where weights are
        missing or not finite, and where its tokeniser is another one.
        """
        model = MaskedModel.load(folder, device=device)
        if differs := difference(model, vocabulary):
            raise SubjectError(
                f"the masked language model in {model.folder} has another tokeniser than the subject ({differs}); "
                "use one trained on the subject's tokeniser, or go without masked edits"
            )
        return cls(model, len(vocabulary))

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        """For each context with its one position masked: the likeliest other token ids there, likeliest first.

        Probabilities are the model's, before special tokens and the token that stood there are left out; ties go to
        the smaller id. A context longer than the model reads is cropped around the position. Raises ValueError for a
        position outside its context.

        >>> infiller.infill([subject.tokenize(" It was very cold outside.")], [3], 2)  # doctest: +SKIP
        [((1286, 0.21), (404, 0.12))]
        """
        check_positions(contexts, positions)
        answers: list[tuple[tuple[int, float], ...]] = [()] * len(contexts)
        sides = [
            (tuple(context[:position]), tuple(context[position + 1 :]))
            for context, position in zip(contexts, positions, strict=True)
        ]
        for number, probabilities in self._model.predict(sides):
            there = contexts[number][positions[number]]
            answers[number] = likeliest(probabilities[: self._size], [*self._special, there], count)
        return answers


def difference(model: MaskedModel, vocabulary: Vocabulary) -> str | None:
    """Where the tokens of a masked model are not the subject's own, in words; None where they are, id by id."""
    theirs, ours = TextTokenizer.load(model.folder, size=model.size).strings, vocabulary.strings
    if len(theirs) < len(ours):
        return f"it has {len(theirs)} tokens, not {len(ours)}"
    for index, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        if one != other and index not in model.special:
            return f"token {index} is {one!r}, not {other!r}"
    return None


def check_positions(contexts: Sequence[TokenIds], positions: Sequence[int]) -> None:
    """Raises ValueError where there are not as many positions as contexts, or one lies outside its context."""
    if len(contexts) != len(positions):
        raise ValueError(f"{len(contexts)} contexts but {len(positions)} positions")
    for context, position in zip(contexts, positions, strict=True):
        if not 0 <= position < len(context):
            raise ValueError(f"position {position} lies outside a context of {len(context)} tokens")
