"""A masked language model with a tokeniser of its own as an infiller for the subject's tokens, by way of text.

What stands before and after the subject's token is text, which the masked model tokenises in its own way around one
mask; what it proposes is text again, and counts where that is one token of the subject's. Proposals that are none (a
piece of a word, a word that the subject spells in two) are passed over, so a tokeniser much finer or coarser than the
subject's proposes less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from autointerp.infill import MaskedInfiller, check_positions, difference
from autointerp.masked_model import MaskedModel, likeliest
from autointerp.tokens import token_strings
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from probes.spelling import in_case_of
from probes.subject import TokenIds

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEPTH = 20
"""So many times as many proposals are looked through as are asked for."""


def load_infiller(
    folder: str | Path, vocabulary: Vocabulary, *, device: str = "cpu"
) -> MaskedInfiller | RemappedInfiller:
    """The infiller for a masked-LM folder: over the subject's tokens where they are its own, through text where not.

    Raises SubjectError where the folder holds no masked language model that can be used.
    """
    model = MaskedModel.load(folder, device=device)
    backend = _tokenizer(model)
    if not _is_wordpiece(backend) and difference(model, vocabulary) is None:
        return MaskedInfiller(model, len(vocabulary))
    return RemappedInfiller(model, backend, vocabulary)


class RemappedInfiller:
    """Implements `probes.subject.Infiller` with a masked model over other tokens than the subject's.

    Byte-level, sentencepiece-like and WordPiece tokenisers are understood.
    """

    def __init__(self, model: MaskedModel, backend: Tokenizer, vocabulary: Vocabulary) -> None:
        self._model, self._backend, self._vocabulary = model, backend, vocabulary
        self._wordpiece = _is_wordpiece(backend)
        self._strings = (
            _wordpiece_strings(backend, model.size) if self._wordpiece else token_strings(backend, model.size)
        )
        self._lower = self._wordpiece and backend.encode("A", add_special_tokens=False).tokens == ["a"]

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        """As `MaskedInfiller.infill`; probabilities are the masked model's for its own token of that text."""
        check_positions(contexts, positions)
        gaps = [self._gap(context, position) for context, position in zip(contexts, positions, strict=True)]
        answers: list[tuple[tuple[int, float], ...]] = [()] * len(contexts)
        sides = [(self._encoded(gap.before), self._encoded(gap.after)) for gap in gaps]
        for number, probabilities in self._model.predict(sides):
            answers[number] = self._proposed(probabilities, contexts[number][positions[number]], gaps[number], count)
        return answers

    def _gap(self, context: TokenIds, position: int) -> _Gap:
        strings = [self._vocabulary.strings[token] for token in context]
        return _Gap.of("".join(strings[:position]), strings[position], "".join(strings[position + 1 :]))

    def _encoded(self, text: str) -> TokenIds:
        """Pieces of characters at the cut are read as unknown ones."""
        readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return tuple(self._backend.encode(readable, add_special_tokens=False).ids)

    def _proposed(
        self, probabilities: Float[np.ndarray, " vocabulary"], there: int, gap: _Gap, count: int
    ) -> tuple[tuple[int, float], ...]:
        found: dict[int, float] = {}
        for index, probability in likeliest(probabilities, sorted(self._model.special), DEPTH * count):
            token = self._subject_token(self._strings[index], gap)
            if token is not None and token != there and len(found) < count:
                found.setdefault(token, probability)
        return tuple(found.items())

    def _subject_token(self, proposal: str, gap: _Gap) -> int | None:
        """The subject's token that reads as the proposal in the gap; None where there is none."""
        if self._wordpiece:
            begins_word = not proposal.startswith("##")
            word = proposal.removeprefix("##")
            if begins_word and self._lower:
                word = in_case_of(gap.word, word)
        else:
            begins_word = proposal.startswith(" ")
            word = proposal.removeprefix(" ")
        # At the very beginning of a text a word has no space before it to be told by.
        if begins_word != gap.begins_word and gap.before:
            return None
        return next(iter(self._vocabulary.ids.get(f"{gap.lead}{word}{gap.trail}", ())), None)


@dataclass(frozen=True, slots=True)
class _Gap:
    """A place in a text: what stands before and after the word there, and the spaces that its token holds.

    A space belongs to the token before it, to the one after it, or is one of its own, as tokenisers differ; to the
    masked model it belongs to the word, so it is taken from the text and put back with the proposal.
    """

    before: str
    word: str
    after: str
    lead: str
    trail: str
    begins_word: bool

    @classmethod
    def of(cls, before: str, token: str, after: str) -> _Gap:
        word = token.strip(" ")
        if not word:
            return cls(before, token, after, "", "", begins_word=False)
        lead = token[: len(token) - len(token.lstrip(" "))]
        trail = token[len(token.rstrip(" ")) :]
        begins_word = (before + lead).endswith(" ")
        return cls((before + lead).removesuffix(" "), word, trail + after, lead, trail, begins_word)


def _tokenizer(model: MaskedModel) -> Tokenizer:
    from tokenizers import Tokenizer

    path = model.folder / "tokenizer.json"
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower for a malformed file
        raise SubjectError(f"{path} is not a tokeniser file: {error}; save it again") from error
    backend.encode_special_tokens = True
    backend.no_truncation()
    backend.no_padding()
    return backend


def _is_wordpiece(backend: Tokenizer) -> bool:
    return type(backend.model).__name__ == "WordPiece"


def _wordpiece_strings(backend: Tokenizer, size: int) -> tuple[str, ...]:
    strings = [""] * size
    for token, index in backend.get_vocab(with_added_tokens=True).items():
        if index < size:
            strings[index] = token
    return tuple(strings)
