"""The clause that a counterexample suggests: what its fixed tokens say, joined to the explanation, and tried.

Several clauses are written from the slots: the token in question (or its word, or a class that it is of), after the
other fixed tokens, at their distance or anywhere before. What fires unpredicted asks for `or` such a clause; what is
predicted and silent for `except` one, or, where only the original of a pair has what it takes, for `and` that.

Nothing is offered that was not tried. The mended explanation is right about the counterexample, its original and all
its mates, wrong about fewer of the texts that this attack has read, and no more often wrong about the samples, each
context counted for as many as it was drawn from. Of several the one is offered that is wrong about the fewest texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from dsl.complexity import order
from dsl.evaluate import matches
from dsl.nodes import (
    MAX_DEPTH,
    AnyToken,
    Clause,
    Except,
    Explanation,
    Expression,
    LevelName,
    Or,
    conjunction,
    depth,
    union,
)
from dsl.records import Suggestion
from probes.bench import Bench
from probes.clauses import clauses, fixed_tokens, requirements
from probes.slots import Slot, filled
from probes.subject import TokenIds
from probes.trial import Reading, Trial, batch_of
from probes.verify import Candidate

MOST_CLAUSES = 48
"""Clauses that are tried for one counterexample."""


def suggest(
    one: Candidate,
    slots: Sequence[Slot],
    mates: Sequence[Candidate],
    others: Sequence[Reading],
    samples: Sequence[Bench],
    trial: Trial,
) -> Suggestion | None:
    """The clause of those written from the slots that mends the most, or None where none does all that it has to.

    `others` are texts that were read before. Runs the subject on nothing new.

    >>> suggest(shrunk.smallest, slots, mates, question.parents, samples, trial)  # doctest: +SKIP
    Suggestion(how='except', clause=Clause(...), mended=Explanation(...))
    """
    needed = [(text, place) for each in (one, *mates) for text, place in _places(each)]
    varied = [
        text for slot in slots for token in (*slot.held, *slot.lost)
        for text in filled(one, slot.column, slot.side, token).texts
    ]  # fmt: skip
    wanted = list(dict.fromkeys([*(text for text, _ in needed), *varied]))
    readings = {reading.token_ids: reading for reading in (*trial.read(wanted), *others)}
    bench = Bench.of(list(readings.values()), trial.subject.vocabulary, trial.thresholds)
    rows = {text: row for row, text in enumerate(readings)}
    musts = np.array([(rows[text], place) for text, place in dict.fromkeys(needed)])
    now = bench.texts_wrong(trial.explanation)
    passing = [
        (count, order(suggestion.mended), suggestion)
        for suggestion in islice(_written(one, slots, trial), MOST_CLAUSES)
        if bench.agrees(suggestion.mended, musts) and (count := bench.texts_wrong(suggestion.mended)) < now
    ]
    for _, _, suggestion in sorted(passing, key=lambda found: found[:2]):
        if all(each.positions_wrong(suggestion.mended) <= each.positions_wrong(trial.explanation) for each in samples):
            return suggestion
    return None


def _written(one: Candidate, slots: Sequence[Slot], trial: Trial) -> Iterator[Suggestion]:
    explanation = trial.explanation
    strings = trial.subject.vocabulary.strings
    fixed = fixed_tokens(one, slots, "edited", strings)
    own = strings[one.token_ids[one.position]]
    free = not any(each.distance == 0 for each in fixed)
    begins = one.position == 0
    if one.kind == "false_negative":
        for clause in clauses(own, fixed, free, begins):
            mended = widened(explanation, clause)
            if mended is not None:
                yield Suggestion("or", clause, mended)
        return
    if one.paired:
        ids, there = one.original_ids, one.original_position
        assert ids is not None
        assert there is not None
        wanted = fixed_tokens(one, slots, "original", strings)
        edited = one.columns[one.column].is_edit
        for clause in requirements(strings[ids[there]] if edited else None, wanted):
            mended = _restricted(explanation, clause, one, trial)
            if mended is not None:
                yield Suggestion("and", clause, mended)
    for clause in (*clauses(own, fixed, free, begins), *clauses(own, fixed, True, False)):
        if clause != AnyToken():
            mended = narrowed(explanation, clause)
            if mended is not None:
                yield Suggestion("except", clause, mended)


def widened(explanation: Explanation, clause: Expression) -> Explanation | None:
    """The explanation, or the clause; None where that nests too deep."""
    strong = explanation.strong
    return _of(explanation, {"strong": clause if strong is None else union(strong, clause)})


def narrowed(explanation: Explanation, clause: Expression) -> Explanation | None:
    """The feature is silent there, so no level may speak."""
    levels = {name: level for name, _, level in explanation.levels}
    return _of(explanation, {name: _less(level, clause) for name, level in levels.items()})


def _less(level: Expression, clause: Expression) -> Expression:
    if isinstance(level, Except):
        return Except(level.kept, union(level.removed, clause))
    return Except(level, clause)


def _restricted(explanation: Explanation, clause: Expression, one: Candidate, trial: Trial) -> Explanation | None:
    """The clause asked of whatever operand held at the token in question."""
    batch = batch_of([one.token_ids], trial.subject.vocabulary)
    changed: dict[LevelName, Expression] = {}
    for name, _, level in explanation.levels:
        operands = level.operands if isinstance(level, Or) else (level,)
        parts = [_both(part, clause) if matches(part, batch)[0, one.position] else part for part in operands]
        changed[name] = union(*parts) if len(parts) > 1 else parts[0]
    return _of(explanation, changed)


def _both(part: Expression, clause: Expression) -> Expression:
    if isinstance(clause, Clause) and clause.phrase == AnyToken():
        return Clause(part, clause.modifiers)
    return conjunction(part, clause)


def _of(explanation: Explanation, changed: Mapping[LevelName, Expression]) -> Explanation | None:
    """The explanation with some levels changed; None where that nests too deep."""
    levels: dict[LevelName, Expression] = {name: level for name, _, level in explanation.levels} | dict(changed)
    if any(depth(level) > MAX_DEPTH for level in levels.values()):
        return None
    return Explanation.of(levels, explanation.promotes)


def _places(one: Candidate) -> list[tuple[TokenIds, int]]:
    places = [(one.token_ids, one.position)]
    if one.original_ids is not None and one.original_position is not None:
        places.append((one.original_ids, one.original_position))
    return places
