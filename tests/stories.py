"""Small texts for the search's tests: sentences from a few templates, in tokens that split long words in two."""

from __future__ import annotations

import random

from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Evidence, Example, Thresholds

NAMES = ("Anna", "Ben", "Mia", "Tom", "Sara")
NOUNS = ("dog", "cat", "boat", "garden", "pizza", "ladder", "stone", "basket", "bank", "river", "cake", "kitchen")
ADJECTIVES = ("red", "big", "old", "happy", "tiny", "crimson", "scarlet", "blue")
VERBS = ("saw", "found", "took", "runs", "ran", "running", "kept", "liked", "painted", "watched")
PLACES = ("park", "house", "school", "forest", "shop")


class Lexis:
    version = "stories"

    def forms(self, word: str) -> tuple[str, ...]:
        return ("run", "ran", "runs", "running") if word in ("run", "ran", "runs", "running") else (word,)

    def like(self, word: str) -> tuple[str, ...]:
        reds = ("red", "crimson", "scarlet")
        return (word, *(each for each in reds if each != word)) if word in reds else (word,)

    def about(self, topic: str) -> tuple[str, ...]:
        return (topic,)


def sentence(rng: random.Random) -> str:
    noun, other = rng.sample(NOUNS, 2)
    name, place, verb = rng.choice(NAMES), rng.choice(PLACES), rng.choice(VERBS)
    colour = rng.choice(ADJECTIVES)
    return rng.choice(
        (
            f"{name} {verb} a {colour} {noun} in the {place}.",
            f"The {noun} {verb} the {other}.",
            f"One day {name} {verb} the {noun} near the {place}.",
            f"The {colour} {noun} was in the {place}.",
            f"{name} said the {noun} and the {other} were {colour}.",
        )
    )


def tokens(text: str) -> tuple[str, ...]:
    """Words with their leading space, cut after four letters; punctuation on its own."""
    pieces: list[str] = []
    for number, word in enumerate(text.replace(".", " .").split()):
        if word == ".":
            pieces.append(".")
            continue
        spaced = word if number == 0 else f" {word}"
        head, tail = spaced[:5], spaced[5:]
        pieces += [head, tail] if tail else [head]
    return tuple(pieces)


def contexts(count: int, seed: int, *, starts: bool = True) -> list[Context]:
    rng = random.Random(seed)
    texts = [" ".join(sentence(rng) for _ in range(rng.randint(3, 9))) for _ in range(count)]
    return [Context(tokens(text), start=0 if starts else None, document=str(n)) for n, text in enumerate(texts)]


def labelled(truth: str | Explanation, sample: list[Context]) -> list[Example]:
    from dsl.batch import Batch

    explanation = parse(truth) if isinstance(truth, str) else truth
    predicted = evaluate(explanation, Batch.of(sample))
    return [
        Example(context, tuple(4.0 * float(value) for value in row[: len(context.tokens)]))
        for context, row in zip(sample, predicted, strict=True)
    ]


def evidence(truth: str, seed: int = 0, *, count: int = 40, starts: bool = True) -> Evidence:
    """About `count` activating contexts and as many others, with the density of all that were drawn."""
    drawn = labelled(truth, contexts(400, seed, starts=starts))
    active = [each for each in drawn if each.peak > 0][:count]
    silent = [each for each in drawn if each.peak == 0][:count]
    fired = sum(value > 0 for each in drawn for value in each.activations)
    density = fired / sum(len(each.activations) for each in drawn)
    return Evidence("planted", (*active, *silent), Thresholds.from_maximum(4.0), density)
