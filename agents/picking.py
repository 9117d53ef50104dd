"""How a debater that cannot read chooses its quotes: where its explanation is right, and one contrast."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from agents.passages import Place
from agents.quotes import LONGEST, SHORTEST, Quote, QuoteRequest, share_of_tokens, verify, whole_characters
from dsl.batch import Batch
from dsl.evaluate import evaluate, matches
from dsl.nodes import PREDICTED, Clause, Except, Explanation, Expression, Or, union
from dsl.records import Context, Evidence

_WIDEST = 16  # tokens: enough for a sentence, and three of them leave room under the limit of what may be shown
_LEFTS = (3, 5, 7, 11, 15)
_MOST_SIDES = 6
_FAILURES_TRIED = 64  # a bound on the work, of which a few places suffice


def pick_quotes(
    evidence: Evidence, explanation: Explanation, rng: random.Random, count: int = 3
) -> tuple[QuoteRequest, ...]:
    """Quotes that would convince: at most `count`, from distinct examples where there are enough, all sure to verify.

    The first shows the highest activation that the explanation predicts, the others lower ones, each with as much text
    before it as it takes for the explanation to hold within the quote. The last is a contrast, where there is one: the
    feature is silent on a token that a broader explanation would predict, and this explanation says so.
    """
    predicted = evaluate(explanation, evidence.batch) >= PREDICTED
    chosen: list[tuple[QuoteRequest, Quote]] = []
    contrast = next(_contrasts(evidence, explanation, predicted, rng, _width(evidence, count)), None)
    firing = evidence.activations >= evidence.thresholds.high
    for wanted in (firing & predicted, firing):
        for row, position in _ranked(evidence, wanted, rng, count):
            if len(chosen) == count - (contrast is not None and bool(chosen)):
                break
            request = _with_context(evidence, explanation, row, position, _width(evidence, count))
            quote = verify(request, evidence, [quote for _, quote in chosen])
            if isinstance(quote, Quote):
                chosen.append((request, quote))
    if contrast is not None and chosen and isinstance(verify(contrast, evidence, [q for _, q in chosen]), Quote):
        return (*(request for request, _ in chosen), contrast)
    return tuple(request for request, _ in chosen)


def pick_against(
    evidence: Evidence,
    explanation: Explanation,
    rivals: Sequence[Explanation],
    rng: random.Random,
    count: int = 3,
    taken: Sequence[Quote] = (),
) -> tuple[QuoteRequest, ...]:
    """Quotes that show rivals wrong: at most `count`, each rival's turn in order, all sure to verify beside `taken`.

    Each ends at a token about which the explanation is right and the rival is wrong, both run on the quote alone, too:
    missed where the feature plainly fires, or predicted where it is plainly silent. The strongest are shown first of
    what fires, and of what is silent those that come at random.
    """
    fires = (evidence.activations >= evidence.thresholds.high) & evidence.batch.mask
    silent = (evidence.activations <= evidence.thresholds.silent) & evidence.batch.mask
    says = evaluate(explanation, evidence.batch) >= PREDICTED
    against: list[Iterator[QuoteRequest]] = []
    for rival in rivals:
        claims = evaluate(rival, evidence.batch) >= PREDICTED
        wrong = (fires & says & ~claims, silent & ~says & claims)
        against.append(_failures(evidence, explanation, rival, wrong, rng, _width(evidence, count)))
    chosen: list[tuple[QuoteRequest, Quote]] = []
    while against and len(chosen) < count:
        turn = against.pop(0)
        for request in turn:
            quote = verify(request, evidence, [*taken, *(quote for _, quote in chosen)])
            if isinstance(quote, Quote):
                chosen.append((request, quote))
                against.append(turn)
                break
    return tuple(request for request, _ in chosen)


def _failures(
    evidence: Evidence,
    explanation: Explanation,
    rival: Explanation,
    wrong: tuple[Bool[np.ndarray, "batch ctx"], Bool[np.ndarray, "batch ctx"]],
    rng: random.Random,
    width: int,
) -> Iterator[QuoteRequest]:
    """Spans that end where the rival is wrong, missed and wrongly predicted in turn; first those that show it alone."""
    missed, alarms = (np.argwhere(places).tolist() for places in wrong)
    rng.shuffle(missed)
    rng.shuffle(alarms)
    missed.sort(key=lambda place: -float(evidence.activations[place[0], place[1]]))
    places = [place for pair in itertools.zip_longest(missed, alarms) for place in pair if place is not None]
    unclear: list[QuoteRequest] = []
    for row, position in places[:_FAILURES_TRIED]:
        fires = bool(wrong[0][row, position])
        tokens = evidence.examples[row].context.tokens
        for left in sorted({min(left, position, width - 1) for left in (*_LEFTS, _WIDEST - 1)}):
            cut = Batch.of([Context(tokens[position - left : position + 1])])
            own, other = (float(evaluate(one, cut)[0, left]) >= PREDICTED for one in (explanation, rival))
            request = whole_characters(Place(row, position - left, position + 1), evidence)
            if own == fires and other != fires:
                yield request
                break
        else:
            unclear.append(request)
    yield from unclear


def _width(evidence: Evidence, count: int) -> int:
    share = share_of_tokens(evidence, _MOST_SIDES)
    return _WIDEST if share is None else max(SHORTEST, min(_WIDEST, LONGEST, share // count))


def _ranked(
    evidence: Evidence, wanted: Bool[np.ndarray, "batch ctx"], rng: random.Random, count: int
) -> list[tuple[int, int]]:
    """Positions to quote, best first: the peak, one at random from each lower band of strength, then all others."""
    strength = np.where(wanted, evidence.activations, -1.0)
    rows = [row for row in np.argsort(-strength.max(axis=1, initial=-1.0), kind="stable").tolist() if wanted[row].any()]
    peaks = [(row, int(strength[row].argmax())) for row in rows]
    bands = [peaks[len(peaks) * band // count : len(peaks) * (band + 1) // count] for band in range(count)]
    first = peaks[:1] + [rng.choice(band) for band in bands[1:] if band]
    others = [(row, position) for row, position in np.argwhere(wanted).tolist() if (row, position) not in first]
    rng.shuffle(others)
    quoted = {row for row, _ in first}
    return first + sorted(others, key=lambda place: (place[0] in quoted, place not in peaks))


def _with_context(evidence: Evidence, explanation: Explanation, row: int, position: int, width: int) -> QuoteRequest:
    """The shortest span up to the position within which the explanation predicts it, or a middling one."""
    lefts = [min(left, position) for left in _LEFTS if left < width] or [min(width - 1, position)]
    tokens = evidence.examples[row].context.tokens
    cut = Batch.of([Context(tokens[position - left : position + 1]) for left in lefts])
    holds = evaluate(explanation, cut)[np.arange(len(lefts)), np.array(lefts)] >= PREDICTED
    left = lefts[int(holds.argmax())] if holds.any() else lefts[len(lefts) // 2]
    return whole_characters(Place(row, position - left, position + 1), evidence)


def _contrasts(
    evidence: Evidence,
    explanation: Explanation,
    predicted: Bool[np.ndarray, "batch ctx"],
    rng: random.Random,
    width: int,
) -> Iterator[QuoteRequest]:
    """Silent tokens that a broader explanation would predict: this one without its conditions, or a list of tokens.

    Without such a quote nobody would show where the feature is silent, and the broadest explanation would always win.
    """
    silent = (evidence.activations <= evidence.thresholds.silent) & evidence.batch.mask & ~predicted
    fires = evidence.activations >= evidence.thresholds.high
    alike = np.isin(evidence.batch.ids, np.unique(evidence.batch.ids[fires]))
    bare = np.zeros_like(silent)
    if explanation.predicted is not None:
        bare = matches(_bare(explanation.predicted), evidence.batch)
    for wanted in (silent & bare, silent & alike & ~bare):
        places = np.argwhere(wanted).tolist()
        rng.shuffle(places)
        for row, position in places:
            request = whole_characters(Place(row, max(0, position + 1 - width), position + 1), evidence)
            if isinstance(verify(request, evidence), Quote):
                yield request


def _bare(expression: Expression) -> Expression:
    """The phrases of an expression, without what else must hold."""
    match expression:
        case Clause(phrase, _):
            return _bare(phrase)
        case Except(kept, _):
            return _bare(kept)
        case Or(operands):
            return union(*map(_bare, operands))
        case _:
            return expression
