"""A small planted world for the probes' tests: short texts about banks and rivers, words like words, an infiller."""

from __future__ import annotations

import random
from collections.abc import Sequence

from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Dev, Evidence, Example
from probes.generators import MaskedEdits, Mutants, NeighbourWindows, synonyms
from probes.planted import PlantedSubject
from probes.question import Generator
from probes.subject import TokenIds

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
