"""What tests of debates share: planted evidence, debaters by text, and language-model judges that answer by rule."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence

from agents.debate import Settings, debate
from agents.debater import Debater, TextDebater
from agents.judge import Judge
from agents.lm import Failure, Labels, Request
from agents.procedure import PLAIN, Procedure
from agents.scripted_lm import ScriptedLM
from agents.transcript import Transcript
from dsl.batch import Batch
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Context, Evidence, Example, Thresholds

PIZZA = 'activates on the token " pizza"'
CRUST = 'activates on the token " pizza" in the context of the word "crust"'
DOG = 'activates on the word "dog"'
BROAD = "activates on any token"
WORDS = (" the", " a", " dog", " ran", " old", " red", " house", " then", " pizza", " crust", " saw", ".")


def planted(text: str, seed: int = 0, rows: int = 20) -> Evidence:
    """Evidence of a feature that is exactly this explanation, in random texts."""
    rng = random.Random(seed)
    contexts = [Context(tuple(rng.choices(WORDS, k=20)), document=f"document {row}") for row in range(rows)]
    predicted = evaluate(parse(text), Batch.of(contexts))
    examples = tuple(
        Example(context, tuple(float(value) * rng.uniform(1, 2) for value in predicted[row, :20]))
        for row, context in enumerate(contexts)
    )
    return Evidence("planted/0", examples, Thresholds(0.2, 0.02, 2.0))


def no_dev(explanation: Explanation) -> float:
    del explanation
    return 0.0


def held(
    *texts: str,
    judge: Judge,
    procedure: Procedure = PLAIN,
    evidence: Evidence | None = None,
    debaters: Sequence[Debater] | None = None,
    calls: int = 200,
    seed: int = 0,
) -> Transcript:
    """A debate of explanations that stand for themselves, or of these debaters."""
    people = debaters or [TextDebater(text, name=f"text {number}") for number, text in enumerate(texts)]
    rng = random.Random(seed)
    return debate(evidence or planted(PIZZA), people, judge, no_dev, rng, Settings(calls=calls), procedure=procedure)


def asked(request: Request) -> str:
    """All that a request says."""
    return "\n".join(message.text for message in request.messages)


def explanations(request: Request) -> dict[str, str]:
    """The explanations in a judge's request by label, in the order in which they stand."""
    return dict(re.findall(r"^Explanation (\w+): (.*)$", asked(request), re.MULTILINE))


def prefers(
    choose: Callable[[dict[str, str]], str | Failure], likely: float | None = None, **settings: int
) -> ScriptedLM:
    """A model that chooses a label by the explanations in sight, in their order; it gives its choice this probability.

    Free text, which it is asked for where it may think or put a question, is always the same.
    """

    def answer(request: Request) -> str | Failure:
        return choose(explanations(request)) if isinstance(request.constraint, Labels) else "Which texts decide?"

    def logprobs(request: Request) -> dict[str, float]:
        assert isinstance(request.constraint, Labels)
        assert likely is not None
        chosen, labels = answer(request), request.constraint.labels
        rest = (1 - likely) / (len(labels) - 1)
        return {label: math.log(likely if label == chosen else rest) for label in labels}

    return ScriptedLM(answer, logprobs=None if likely is None else logprobs, **settings)
