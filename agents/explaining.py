"""How a language model comes to its explanation: written under the decoding grammar, the best of several on demand."""

from __future__ import annotations

import random

from agents.conversation import Conversation
from agents.lm import Grammar
from dsl.decoding import Bounds, decoding_grammar, longest_output
from dsl.errors import ExplanationError
from dsl.evaluate import evaluate
from dsl.lexicon import Lexicon
from dsl.nodes import PREDICTED, Explanation
from dsl.parse import parse
from dsl.records import Evidence
from prompts import inline, load, one_line


def explain(
    talk: Conversation,
    evidence: Evidence,
    bounds: Bounds,
    lexicon: Lexicon | None,
    reason: str,
    rng: random.Random,
    candidates: int = 1,
) -> tuple[Explanation | str, tuple[str, ...]]:
    """Ask for the explanation, `reason` being why now; what was said, parsed where it can be, and notes on the choice.

    Of several candidates the one of highest F1 on the evidence is handed in, the first of equals. A text that does not
    parse, such as a topic of which the lexicon knows nothing, is handed in as it is. Raises NoAnswerError.
    """
    talk.tell(load("debater_explain").fill(reason=reason))
    replies = talk.ask_for(candidates, Grammar(decoding_grammar(bounds)), longest_output(bounds), rng)
    said = [_parsed(reply.text, lexicon) for reply in replies]
    fits = [_f1(one, evidence) if isinstance(one, Explanation) else -1.0 for one in said]
    best = fits.index(max(fits))
    talk.say(one_line(replies[best].text))
    if candidates == 1:
        return said[best], (inline(replies[best].text),)
    notes = [f"candidate, F1 {fit:.3f}: {inline(reply.text)}" for fit, reply in zip(fits, replies, strict=True)]
    if failed := candidates - len(replies):
        notes.append(f"{failed} of {candidates} candidates failed")
    return said[best], tuple(notes)


def _parsed(text: str, lexicon: Lexicon | None) -> Explanation | str:
    try:
        return parse(text, lexicon)
    except ExplanationError:
        return text  # the debate parses it again and says what is wrong with it


def _f1(explanation: Explanation, evidence: Evidence) -> float:
    """On the tokens on which the feature clearly fires or is clearly silent."""
    predicted = evaluate(explanation, evidence.batch) >= PREDICTED
    fires = evidence.activations >= evidence.thresholds.high
    silent = (evidence.activations <= evidence.thresholds.silent) & evidence.batch.mask
    right = int((predicted & fires).sum())
    wrong = int((predicted & silent).sum()) + int((~predicted & fires).sum())
    return 2 * right / (2 * right + wrong) if right or wrong else 0.0
