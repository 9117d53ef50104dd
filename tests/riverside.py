"""A small planted world for the probes' tests: short texts about banks and rivers, words like words, an infiller."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from dsl.lexicon import Relation
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Dev, Evidence, Example
from probes.generators import AtHand, MaskedEdits, Mutants, NeighbourWindows, Together, suite, synonyms
from probes.planted import PlantedSubject
from probes.question import Generator
from probes.scripted import ScriptedWriter
from probes.subject import Swap, TokenIds

TEXT = "the a and by it was river stream water bank shore money shop house dog man old big deep blue green road tree"
WORDS = tuple(TEXT.split())
ALIKE = (
    ("river", "stream", "water"),
    ("bank", "shore"),
    ("old", "big", "deep"),
    ("dog", "man"),
    ("house", "shop"),
    ("blue", "green"),
)


class SmallLexicon:
    version = "riverside"

    def forms(self, word: str) -> tuple[str, ...]:
        return (word,)

    def like(self, word: str) -> tuple[str, ...]:
        return next((group for group in ALIKE if word in group), (word,))

    def about(self, topic: str) -> tuple[str, ...]:
        return self.like(topic)


class RichLexicon(SmallLexicon):
    """With opposites, words of one kind, and inflections."""

    def forms(self, word: str) -> tuple[str, ...]:
        return ("man", "men") if word in ("man", "men") else (word,)

    def antonyms(self, word: str) -> tuple[str, ...]:
        return {"river": ("road",), "road": ("river",), "old": ("green",)}.get(word, ())

    def cohyponyms(self, word: str) -> tuple[str, ...]:
        return {"bank": ("shop", "house"), "shop": ("bank",), "river": ("tree",)}.get(word, ())

    def lacks(self, relation: Relation) -> str | None:  # noqa: ARG002
        return None


class GradientSubject(PlantedSubject):
    """Tells of each place the word that would move the activation most, by trying them all."""

    def swaps(
        self, contexts: Sequence[TokenIds], feature: int, positions: Sequence[int], count: int, *, towards_firing: bool
    ) -> list[tuple[Swap, ...]]:
        words = [self.tokenize(f" {word}")[0] for word in WORDS]
        sign = 1 if towards_firing else -1
        found = []
        for text, position in zip(contexts, positions, strict=True):
            tried = [(place, word) for place in range(position + 1) for word in words if word != text[place]]
            texts = [text, *((*text[:place], word, *text[place + 1 :]) for place, word in tried)]
            before, *after = (float(row[position, 0]) for row in self.activations(texts, [feature]))
            best: dict[int, Swap] = {}
            for (place, word), value in zip(tried, after, strict=True):
                gain = value - before
                if sign * gain > 0 and (place not in best or sign * gain > sign * best[place].gain):
                    best[place] = Swap(place, word, gain)
            found.append(tuple(sorted(best.values(), key=lambda swap: (-sign * swap.gain, swap.place))[:count]))
        return found


class WordInfiller:
    """Any word is as likely as any other; which ones it names depends on the text and the place only."""

    def __init__(self, subject: PlantedSubject) -> None:
        self.subject = subject

    def infill(
        self, contexts: Sequence[TokenIds], positions: Sequence[int], count: int
    ) -> list[tuple[tuple[int, float], ...]]:
        answers = []
        for context, position in zip(contexts, positions, strict=True):
            words = random.Random(str((context, position))).sample(WORDS, count)
            answers.append(tuple((self.subject.tokenize(f" {word}")[0], 1 / len(WORDS)) for word in words))
        return answers


def planted(truth: str | Explanation, **more: object) -> PlantedSubject:
    return PlantedSubject({0: parse(truth) if isinstance(truth, str) else truth}, WORDS, **more)  # type: ignore[arg-type]


def example(subject: PlantedSubject, text: str, document: str = "") -> Example:
    ids = subject.tokenize(text)
    activations = subject.activations([ids], [0])[0][:, 0]
    tokens = tuple(subject.vocabulary.strings[token] for token in ids)
    return Example(Context(tokens, ids, 0, document), tuple(map(float, activations)))


def texts(count: int, seed: int = 0, length: int = 24) -> list[str]:
    """Random words; rivers and banks in every other text only."""
    rng = random.Random(seed)
    drawn = [" ".join(rng.choices(WORDS, k=length)) for _ in range(count)]
    return [
        text.replace("house", "river").replace("shop", "bank")
        if number % 2
        else text.replace("river", "house").replace("bank", "shop")
        for number, text in enumerate(drawn)
    ]


def evidence(subject: PlantedSubject, count: int = 40, seed: int = 0) -> Evidence:
    return Evidence("0", _examples(subject, count, seed), subject.thresholds, vocabulary=subject.vocabulary)


def dev(subject: PlantedSubject, count: int = 40, seed: int = 1) -> Dev:
    return Dev("0", _examples(subject, count, seed), subject.thresholds, vocabulary=subject.vocabulary)


def _examples(subject: PlantedSubject, count: int, seed: int) -> tuple[Example, ...]:
    found = [subject.tokenize(text) for text in texts(count, seed)]
    activations = subject.activations(found, [0])
    strings = subject.vocabulary.strings
    contexts = [
        Context(tuple(strings[token] for token in ids), ids, 0, f"{seed}-{number}") for number, ids in enumerate(found)
    ]
    pairs = zip(contexts, activations, strict=True)
    return tuple(Example(context, tuple(column[:, 0].tolist())) for context, column in pairs)


def generators(subject: PlantedSubject) -> list[Generator]:
    return [synonyms(SmallLexicon()), MaskedEdits(WordInfiller(subject)), NeighbourWindows(None), Mutants()]


def bag_of_words(found: Sequence[str]) -> np.ndarray:
    """A text's direction: how often it holds each word."""
    counts = np.array([[1e-6 + text.split().count(word) for word in WORDS] for text in found])
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def everything(subject: PlantedSubject, *rivals: str) -> tuple[Generator, ...]:
    """The whole suite, with all that it asks for at hand; windows and unrelated texts are of banks without rivers."""
    quiet = [subject.tokenize(text) for text in ("a dog by the bank and", "the big bank was a shop by the road")]
    windows = [(text, text.index(subject.tokenize(" bank")[0])) for text in quiet]
    unrelated = [subject.tokenize(f"a man was by the old {word} and it was green") for word in ("tree", "road", "dog")]
    return suite(
        AtHand(
            lexicon=RichLexicon(),
            infiller=WordInfiller(subject),
            windows=lambda _feature, _neighbour, count: windows[:count],
            cofiring=lambda _feature, _neighbour: Together(100, 10),
            quiet_windows=lambda _feature, _tokens, count: windows[:count],
            unrelated=lambda _feature, count: unrelated[:count],
            embedder=bag_of_words,
            writer=ScriptedWriter(["the shore and a bank by the river and"], ["the bank of a house", "", "\U0001f389"]),
            rivals=[parse(text) for text in rivals],
        )
    )
