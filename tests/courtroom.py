"""A run of debates over small planted features, held for real: who stands on trial is known, the judge is scripted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

from agents.debate import debate
from agents.debater import TextDebater
from agents.judge import Ballot, Judge
from agents.transcript import JudgeView, ShownArgument, Transcript
from autointerp.defence import Defence
from autointerp.features import winning_sides
from autointerp.measures import side_scores
from autointerp.results import FeatureResult
from autointerp.sampling import held_out_of
from autointerp.scoring import dev_score, score_explanation
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.parse import parse
from dsl.records import Context, Dev, Evidence, Example, HeldOut, Thresholds

WORDS = [f" {a}{b}" for a in ("ba", "de", "fi", "go", "lu", "ma") for b in ("ck", "nt", "sh", "rd")]
HIGH = Thresholds(1.0, 0.1, 2.0)


class Scripted:
    """A judge that answers each view as it is told, by label."""

    name, margin = "scripted", 0.02

    def __init__(self, answer: Callable[[JudgeView], str | None]) -> None:
        self._answer = answer

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        labels = [self._answer(view) for view in views]
        return [Ballot(label, {} if label is None else {label: 1.0}) for label in labels]


class Silent:
    """A judge that never gets an answer."""

    name, margin = "silent", 0.02

    def votes(self, views: Sequence[JudgeView]) -> list[Ballot]:
        return [Ballot(None, {}, "timeout: no answer within 60 s", answered=False) for _ in views]


def first(view: JudgeView) -> str:
    return view.labels[0]


def letter_a(view: JudgeView) -> str:
    return min(view.labels)


def longest(view: JudgeView) -> str:
    return max(view.arguments, key=_length).label


def shortest(view: JudgeView) -> str:
    return min(view.arguments, key=_length).label


def _length(argument: ShownArgument) -> tuple[int, str]:
    """Of equally long ones always the same: the first in view would be a bias of another kind."""
    return len(argument.explanation), argument.explanation


def wise(skill: float, seed: int) -> Callable[[JudgeView], str]:
    """Takes the best explanation so often, and any of them otherwise: wherever it stands and however long it is."""
    rng = random.Random(seed)

    def answer(view: JudgeView) -> str:
        if rng.random() < skill:
            return max(view.arguments, key=lambda argument: _merit(argument.explanation)).label
        return rng.choice(view.labels)

    return answer


def trial(number: int, judge: Judge, *, seed: int = 0, more: Sequence[str] = ()) -> tuple[Transcript, HeldOut]:
    """One debate. The better explanation is the longer one about half of the time, and there are two to four."""
    evidence, dev, held_out, texts = _planted(number)
    debaters = [TextDebater(text, name=f"text {seat}") for seat, text in enumerate([*texts, *more])]
    transcript = debate(evidence, debaters, judge, lambda one: dev_score(one, dev), random.Random(f"{seed} {number}"))
    return transcript, held_out


def result(number: int, judge: Judge, *, seed: int = 0) -> FeatureResult:
    """The same with its scores, unprobed."""
    transcript, held_out = trial(number, judge, seed=seed)
    winner, best = (side.argument.explanation for side in winning_sides(transcript))
    return FeatureResult(
        feature=f"planted/{number}",
        explanation=winner,
        transcript=transcript,
        defence=Defence(winner, winner),
        scores=score_explanation(winner, held_out, seed=seed, resamples=10),
        baselines={
            "best_by_dev": score_explanation(best, held_out, seed=seed, resamples=10),
            "token_lookup": None,
        },
        sides_held_out=side_scores(transcript, held_out, seed),
    )


def run(judge: Judge, *, features: int = 40, seed: int = 0) -> list[dict[str, object]]:
    """The JSON lines of a run."""
    return [result(number, judge, seed=seed).to_json() for number in range(features)]


@cache
def _planted(number: int) -> tuple[Evidence, Dev, HeldOut, tuple[str, ...]]:
    """The feature fires on two or five words; its rivals know too few of them, or others besides."""
    rng = random.Random(f"planted {number}")
    words = rng.sample(WORDS, 12)
    fires, others = words[: 2 if rng.random() < 0.5 else 5], words[5:]
    truth = _text(fires)
    _TRUTHS[truth] = 1.0
    rivals = [
        _text([*fires, *others[:4]]),  # longer and worse
        _text(fires[:1]),  # shorter and worse
        _text([*fires[:1], *others[:5]]),
    ]
    rng.shuffle(rivals)
    texts = [truth, *rivals[: rng.choice((1, 2, 2, 3))]]
    rng.shuffle(texts)
    samples = [_examples(truth, rng, count) for count in (8, 8, 24)]
    evidence, dev, unseen = samples
    name = f"planted/{number}"
    return Evidence(name, evidence, HIGH), Dev(name, dev, HIGH), held_out_of(name, unseen, HIGH), tuple(texts)


def _examples(truth: str, rng: random.Random, count: int) -> tuple[Example, ...]:
    """Texts in which the feature does what it is said to, and now and then not."""
    contexts = [Context(tuple(rng.choices(WORDS, k=20)), document=f"document {row}") for row in range(count)]
    predicted = evaluate(parse(truth), Batch.of(contexts))
    return tuple(
        Example(context, tuple(2.0 * (bool(value) != (rng.random() < 0.02)) for value in predicted[row, :20]))
        for row, context in enumerate(contexts)
    )


_TRUTHS: dict[str, float] = {}


def _merit(explanation: str) -> float:
    return _TRUTHS.get(explanation, 0.0)


def _text(words: Sequence[str]) -> str:
    """Canonical: a list is in alphabetical order."""
    quoted = ", ".join(f'"{word}"' for word in sorted(words))
    return f"activates on the token{'s' if len(words) > 1 else ''} {quoted}"
