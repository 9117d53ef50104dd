"""The exact text of every token id, and a tokeniser that gives ids without special tokens.

The table is built from the tokeniser's vocabulary and not by decoding ids: `decode` drops leading spaces, replaces
bytes that are not UTF-8 alone, and `batch_decode` of one list means one string in newer transformers.

Text is text: `<|endoftext|>` or `<mask>` inside a document is tokenised as the characters it is made of, so that no
corpus and no probe can put a special token into a context.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsl.errors import SubjectError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

METASPACE = "\u2581"
BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")


class TextTokenizer:
    """A fast tokeniser's ids and their texts.

    `strings[i]` is the text of id i; joined over a tokenised text they give the text back, save that a sentencepiece
    tokeniser begins every text with a space if it does not begin with one, and that characters it has neither tokens
    nor bytes for come out as its unknown token. `beginning` is the beginning-of-text id, or None.
    """

    def __init__(self, backend: Tokenizer, *, beginning: int | None, size: int = 0) -> None:
        backend.encode_special_tokens = True
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.beginning = beginning
        self.strings = token_strings(backend, size)
        # Two encodings tell whether a space is put before every text, or only before those that lack one.
        self._always_adds_space = self._raw_text("a") == " a" and self._raw_text(" a") == "  a"

    @classmethod
    def load(cls, folder: Path, *, size: int = 0) -> TextTokenizer:
        """Load from a Hugging Face model folder; `size` is the number of rows of the model's embedding.

        Raises SubjectError where there is no fast tokeniser in the folder.
        """
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise SubjectError(f"{folder} has no tokenizer.json; save the model's fast tokeniser there")
        try:
            backend = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower for a malformed file
            raise SubjectError(f"{path} is not a tokeniser file: {error}; save it again") from error
        return cls(backend, beginning=_beginning(folder, backend), size=size)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, no special tokens; lone surrogates are read back as the bytes they stand for.

        >>> tokenizer.encode(" Hello")  # doctest: +SKIP
        (329, 2654)
        """
        return tuple(self.encode_many([text])[0])

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of many texts, in parallel."""
        encodings = self._backend.encode_batch_fast([self._readable(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _readable(self, text: str) -> str:
        if not text.isascii():
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return text.removeprefix(" ") if self._always_adds_space else text

    def _raw_text(self, text: str) -> str:
        return "".join(self.strings[i] for i in self._backend.encode(text, add_special_tokens=False).ids)


def token_strings(backend: Tokenizer, size: int = 0) -> tuple[str, ...]:
    """The text of every id, of `size` ids at least; bytes that are no UTF-8 on their own are lone surrogates.

    Ids that the model has and the tokeniser has not (padding of the embedding) read `<unused N>`. Raises SubjectError
    for tokenisers that are neither byte-level nor sentencepiece-like.
    """
    spelling = json.loads(backend.to_str())
    special = {token["id"]: token["content"] for token in spelling["added_tokens"]}
    vocabulary = backend.get_vocab(with_added_tokens=True)
    decoders = _decoders(spelling.get("decoder"))
    if "ByteLevel" in decoders:
        text_of = _byte_level_text
    elif decoders & {"Metaspace", "ByteFallback"} or METASPACE in "".join(list(vocabulary)[:1000]):
        text_of = _metaspace_text
    else:
        raise SubjectError(
            "the tokeniser is neither byte-level BPE nor sentencepiece-like, so the exact text of its tokens is not "
            "known; use a model with one of those"
        )
    strings = [f"<unused {index}>" for index in range(max(size, 1 + max(vocabulary.values(), default=-1)))]
    for token, index in vocabulary.items():
        strings[index] = special[index] if index in special else text_of(token)
    return tuple(strings)


def _decoders(decoder: dict[str, Any] | None) -> set[str]:
    """The kinds of decoder there are, nested sequences flattened."""
    if decoder is None:
        return set()
    inner = decoder.get("decoders", ())
    return {decoder["type"]}.union(*(_decoders(item) for item in inner))


def _byte_level_text(token: str) -> str:
    table = _bytes_of_characters()
    if any(character not in table for character in token):
        return token
    return bytes(table[character] for character in token).decode("utf-8", "surrogateescape")


def _metaspace_text(token: str) -> str:
    if match := BYTE_TOKEN.match(token):
        return bytes([int(match[1], 16)]).decode("utf-8", "surrogateescape")
    return token.replace(METASPACE, " ")


@cache
def _bytes_of_characters() -> dict[str, int]:
    """GPT-2's table of printable stand-ins for bytes, inverted."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + number): byte for number, byte in enumerate(others)}


def _beginning(folder: Path, backend: Tokenizer) -> int | None:
    """The tokeniser's beginning-of-text id, else its end-of-text id (as TransformerLens does), else the model's."""
    settings = _read_json(folder / "tokenizer_config.json") | _read_json(folder / "special_tokens_map.json")
    for name in ("bos_token", "eos_token"):
        token = settings.get(name)
        content = token.get("content") if isinstance(token, dict) else token
        if isinstance(content, str) and (index := backend.token_to_id(content)) is not None:
            return index
    index = _read_json(folder / "config.json").get("bos_token_id")
    return index if isinstance(index, int) else None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SubjectError(f"{path} cannot be read: {error}; save the model again") from error
    return value if isinstance(value, dict) else {}
