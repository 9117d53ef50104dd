"""WordNet from its own files, with the standard library: synonyms, antonyms, co-hyponyms, hyponyms.

Debian's `wordnet-base`, Princeton's archive and NLTK's corpus hold the same files: `index.noun` lists the senses of
every word as byte offsets into `data.noun`, the most frequent sense first, and `noun.exc` its irregular forms (see
wndb(5WN)). An index is read at its first question, in a tenth of a second; senses are read where they are asked for.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from dsl.errors import InputError
from dsl.nodes import is_word

Part = Literal["noun", "verb", "adj", "adv"]
PARTS: tuple[Part, ...] = get_args(Part)

SENSES = 3
"""Senses of a word, in each part of speech, that its relations are taken from."""

HOW_TO_GET = "install Debian's wordnet-base or NLTK's wordnet corpus, or name the folder of either in WNHOME"

_OF_LETTER: dict[str, Part] = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_ANTONYM, _SIMILAR = "!", "&"
_HYPERNYM, _HYPONYM = ("@", "@i"), ("~", "~i")
_DETACHED: dict[Part, tuple[tuple[str, str], ...]] = {
    "noun": (
        ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"),
        ("men", "man"), ("ies", "y"),
    ),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pointer:
    """A relation of a sense, or of one of its words (numbered from 1; 0 is the whole sense), to another."""

    symbol: str
    part: Part
    offset: int
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Sense:
    """A synset: its words, lower-case, spaces as underscores, and its relations."""

    part: Part
    offset: int
    words: tuple[str, ...]
    pointers: tuple[Pointer, ...]

    def related(self, *symbols: str, word: str | None = None) -> Iterator[Pointer]:
        """The pointers of these kinds; with a word, those of the whole sense and of that word."""
        for pointer in self.pointers:
            of_word = word is None or pointer.source == 0 or self.words[pointer.source - 1] == word
            if pointer.symbol in symbols and of_word:
                yield pointer


class WordNet:
    """The files in a folder or in a zip of one; raises InputError where there are none that can be read.

    The relations answer with single words in lower case, in the order of the senses they come by (counted from 0, the
    most frequent first), each with that number; inflected forms are asked by their lemma.

    >>> WordNet("/usr/share/wordnet").antonyms("hot")  # doctest: +SKIP
    {'cold': 0}
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        files = _opened(self.path)
        if files is None:
            raise InputError(f"{self.path} holds no WordNet (data.noun, index.noun and the like); {HOW_TO_GET}")
        self._files = files
        self._indices: dict[Part, dict[bytes, bytes]] = {}
        self._data: dict[Part, bytes] = {}
        self._exceptions: dict[Part, dict[str, tuple[str, ...]]] = {}

    @cached_property
    def version(self) -> str:
        """A hash of the files that answers come from."""
        digest = hashlib.sha256()
        for part in PARTS:
            for name in (f"index.{part}", f"data.{part}", f"{part}.exc"):
                content = self._read(name)
                digest.update(f"{name} {len(content)}\n".encode())
                digest.update(content)
        return f"wordnet {digest.hexdigest()[:12]}"

    def senses(self, word: str, part: Part) -> tuple[Sense, ...]:
        """The senses of a word or of what it is an inflection of, the most frequent first."""
        for lemma in self.lemmas(word, part):
            if offsets := self._offsets(lemma, part):
                return tuple(self.sense(part, offset) for offset in offsets)
        return ()

    def parts(self, word: str) -> tuple[Part, ...]:
        """The parts of speech that a word is listed as, by how many senses it was seen in, most first."""
        seen = {part: max((self._seen(lemma, part) for lemma in self.lemmas(word, part)), default=-1) for part in PARTS}
        return tuple(sorted((part for part in PARTS if seen[part] >= 0), key=lambda part: -seen[part]))

    def lemmas(self, word: str, part: Part) -> tuple[str, ...]:
        """What the word is a form of, itself first where it is listed: "mice" gives ("mouse",)."""
        stems = (word.removesuffix(old) + new for old, new in _DETACHED[part] if word.endswith(old) and word != old)
        found = dict.fromkeys((word, *self._exceptions_of(part).get(word, ()), *stems))
        return tuple(lemma for lemma in found if lemma.encode() in self._index(part))

    def synonyms(self, word: str) -> dict[str, int]:
        """Words that share a sense with it."""
        return self._answer(word, lambda sense: (sense,))

    def hyponyms(self, word: str) -> dict[str, int]:
        """Kinds of it: of "dog" puppy, poodle, hound."""
        return self._answer(word, lambda sense: self._follow(sense, _HYPONYM))

    def cohyponyms(self, word: str) -> dict[str, int]:
        """Its sisters, kinds of what it is a kind of: of "red" blue, green, brown. Adjectives have none."""
        return self._answer(word, lambda sense: self._kin(sense, 1))

    def cousins(self, word: str) -> dict[str, int]:
        """Kinds of kinds of what, two steps up, its noun senses are kinds of: of "dog" cat, by way of carnivore."""
        return self._answer(word, lambda sense: self._kin(sense, 2) if sense.part == "noun" else ())

    def antonyms(self, word: str) -> dict[str, int]:
        """Its opposites; of what is above all an adjective and has none of its own, those of the one it is close to."""
        found: dict[str, int] = {}
        indirect: dict[str, int] = {}
        for number, sense, lemma in self._asked(word):
            for opposite in self._opposites(sense, lemma):
                found.setdefault(opposite, number)
            for head in self._follow(sense, (_SIMILAR,)) if self.parts(word)[0] == "adj" else ():
                for opposite in self._opposites(head, None):
                    indirect.setdefault(opposite, number)
        return _single(found or indirect, without=word)

    def sense(self, part: Part, offset: int) -> Sense:
        """The sense at a byte offset of the part's data file."""
        data = self._data_of(part)
        end = data.find(b"\n", offset)
        line = data[offset : end if end >= 0 else len(data)].decode("utf-8", "replace")
        try:
            return _parsed(line, offset)
        except (ValueError, IndexError, KeyError) as error:
            raise InputError(
                f"{self.path}: no sense at byte {offset} of data.{part}; the files do not belong together, "
                "install them again"
            ) from error

    def _opposites(self, sense: Sense, lemma: str | None) -> Iterator[str]:
        for pointer in sense.related(_ANTONYM, word=lemma):
            words = self.sense(pointer.part, pointer.offset).words
            yield from words[pointer.target - 1 : pointer.target] if pointer.target else words

    def _kin(self, sense: Sense, steps: int) -> Iterator[Sense]:
        """What is reached by so many steps up and as many down."""
        reached = [sense]
        for symbols in [_HYPERNYM] * steps + [_HYPONYM] * steps:
            reached = [other for each in reached for other in self._follow(each, symbols)]
        return (other for other in reached if other.offset != sense.offset)

    def _follow(self, sense: Sense, symbols: Iterable[str]) -> Iterator[Sense]:
        for pointer in sense.related(*symbols):
            yield self.sense(pointer.part, pointer.offset)

    def _asked(self, word: str) -> Iterator[tuple[int, Sense, str]]:
        """The senses that relations are taken from, sense by sense, of every part of speech in its order."""
        listed = [(lemma, self.senses(lemma, part)) for part in self.parts(word) for lemma in self.lemmas(word, part)]
        for number in range(SENSES):
            for lemma, senses in listed:
                if number < len(senses):
                    yield number, senses[number], lemma

    def _answer(self, word: str, of: Callable[[Sense], Iterable[Sense]]) -> dict[str, int]:
        found: dict[str, int] = {}
        for number, sense, _ in self._asked(word):
            for other in of(sense):
                for each in other.words:
                    found.setdefault(each, number)
        return _single(found, without=word)

    def _offsets(self, lemma: str, part: Part) -> list[int]:
        """From an index line: lemma, part, senses, pointer symbols, senses again, senses seen, offsets."""
        fields = self._index(part).get(lemma.encode(), b"").split()
        return [int(offset) for offset in fields[len(fields) - int(fields[1]) :]] if fields else []

    def _seen(self, lemma: str, part: Part) -> int:
        fields = self._index(part)[lemma.encode()].split()
        return int(fields[-int(fields[1]) - 1])

    def _index(self, part: Part) -> dict[bytes, bytes]:
        """What follows the word on its line, by word; lines that begin with a space are the licence."""
        if part not in self._indices:
            lines = self._read(f"index.{part}").split(b"\n")
            pairs = (line.partition(b" ") for line in lines if line and not line.startswith(b" "))
            self._indices[part] = {word: rest for word, _, rest in pairs}
        return self._indices[part]

    def _data_of(self, part: Part) -> bytes:
        if part not in self._data:
            self._data[part] = self._read(f"data.{part}")
        return self._data[part]

    def _exceptions_of(self, part: Part) -> dict[str, tuple[str, ...]]:
        if part not in self._exceptions:
            lines = (line.split() for line in self._read(f"{part}.exc").decode("utf-8", "replace").splitlines())
            self._exceptions[part] = {form: tuple(lemmas) for form, *lemmas in filter(None, lines)}
        return self._exceptions[part]

    def _read(self, name: str) -> bytes:
        file = self._files / name
        if name.endswith(".exc") and not file.is_file():
            return b""
        try:
            return file.read_bytes()
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path} has no {name} that can be read ({error}); install it again") from error


def find_wordnet() -> WordNet | None:
    """The WordNet of this machine: in WNHOME, in NLTK_DATA, in NLTK's own places, in Debian's; None where none is."""
    home = Path.home()
    nltk = [Path(each) for each in os.environ.get("NLTK_DATA", "").split(os.pathsep) if each]
    nltk += [home / "nltk_data", *(Path(sys.prefix) / each for each in ("nltk_data", "share/nltk_data"))]
    nltk += [Path(each) / "nltk_data" for each in ("/usr/share", "/usr/local/share", "/usr/lib", "/usr/local/lib")]
    named = [Path(os.environ["WNHOME"])] if os.environ.get("WNHOME") else []
    places = [*named, *nltk, Path("/usr/share/wordnet"), Path("/usr/local/share/wordnet")]
    return next((WordNet(place) for place in places if _opened(place) is not None), None)


def _opened(path: Path) -> Path | zipfile.Path | None:
    """Where the files lie: in the folder named, in Princeton's `dict` below it, or in NLTK's corpus, zipped or not."""
    for folder in (path, path / "dict", path / "wordnet", path / "corpora" / "wordnet"):
        if _is_whole(folder):
            return folder
    for archive in (path, path / "corpora" / "wordnet.zip"):
        if archive.is_file() and zipfile.is_zipfile(archive):
            for inside in ("wordnet/", "dict/", ""):
                if _is_whole(found := zipfile.Path(archive, inside)):
                    return found
    return None


def _is_whole(folder: Path | zipfile.Path) -> bool:
    return all((folder / f"{kind}.{part}").is_file() for kind in ("index", "data") for part in PARTS)


def _parsed(line: str, offset: int) -> Sense:
    """A line of a data file: offset, lexicographer file, type, words, pointers, and after a bar the gloss."""
    fields = line.partition("|")[0].split()
    if int(fields[0]) != offset:
        raise ValueError(f"the line says offset {fields[0]}")
    count = int(fields[3], 16)
    words = tuple(
        word.partition("(")[0].lower() for word in fields[4 : 4 + 2 * count : 2]
    )  # "(p)" says where it stands
    start = 4 + 2 * count
    pointers = tuple(
        Pointer(symbol, _OF_LETTER[letter], int(target), int(numbers[:2], 16), int(numbers[2:], 16))
        for symbol, target, letter, numbers in (
            fields[start + 1 + 4 * each : start + 5 + 4 * each] for each in range(int(fields[start]))
        )
    )
    return Sense(_OF_LETTER[fields[2]], offset, words, pointers)


def _single(found: dict[str, int], *, without: str) -> dict[str, int]:
    return {word: number for word, number in found.items() if word != without and is_word(word)}
