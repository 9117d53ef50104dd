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
from dataclasses import dataclass
from itertools import islice
from typing import get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.atomic import holds_at
from dsl.batch import Batch, Vocabulary
from dsl.complexity import order
from dsl.evaluate import Evaluator, matches
from dsl.nodes import (
    CONTEXT_WINDOW,
    MAX_DEPTH,
    PREDICTED,
    AnyToken,
    Boundary,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    LevelName,
    Modifier,
    Or,
    Positions,
    RepeatedToken,
    RightAfter,
    Tokens,
    Within,
    Words,
    conjunction,
    depth,
    fold,
    is_word,
    union,
)
from dsl.records import Suggestion, Thresholds
from probes.slots import Slot, filled
from probes.subject import TokenIds
from probes.trial import Reading, Trial, batch_of
from probes.verify import Candidate, disagreements

NEAR = 4
"""A distance between `right after` and `in the context of`, as in `dsl.mutate`."""

MOST_CLAUSES = 48
"""Clauses that are tried for one counterexample."""


class Bench:
    """Texts of which the activations are known, on which any explanation is judged by the rules of verification."""

    def __init__(
        self,
        batch: Batch,
        activations: Float[np.ndarray, "texts ctx"],
        thresholds: Thresholds,
        weights: Sequence[float] = (),
    ) -> None:
        self._evaluator, self._activations, self._thresholds = Evaluator(batch), activations, thresholds
        self._weights = np.array(weights) if weights else np.ones(len(activations))

    @classmethod
    def of(cls, readings: Sequence[Reading], vocabulary: Vocabulary, thresholds: Thresholds) -> Bench:
        """Of texts as they were read."""
        batch = batch_of([reading.token_ids for reading in readings], vocabulary)
        activations = np.zeros(batch.ids.shape, dtype=np.float32)
        for row, reading in enumerate(readings):
            activations[row, : len(reading.activations)] = reading.activations
        return cls(batch, activations, thresholds)

    def texts_wrong(self, explanation: Explanation) -> int:
        """Texts with a counterexample of either kind."""
        return int(self._wrong(explanation).any(axis=1).sum())

    def positions_wrong(self, explanation: Explanation) -> float:
        """Counterexamples, those of each text times its weight."""
        return float(self._wrong(explanation).sum(axis=1) @ self._weights)

    def agrees(self, explanation: Explanation, places: Int[np.ndarray, "places 2"]) -> bool:
        """Whether it is plainly right at these places, as (text, position)."""
        predicted = self._evaluator.evaluate(explanation)[places[:, 0], places[:, 1]]
        activations = self._activations[places[:, 0], places[:, 1]]
        fires, silent = activations >= self._thresholds.high, activations <= self._thresholds.silent
        return bool(np.where(predicted >= PREDICTED, fires, (predicted == 0) & silent).all())

    def _wrong(self, explanation: Explanation) -> Bool[np.ndarray, "texts ctx"]:
        predicted = self._evaluator.evaluate(explanation)
        positives, negatives = disagreements(
            self._activations, predicted, self._evaluator.batch.lengths, self._thresholds
        )
        found: Bool[np.ndarray, "texts ctx"] = positives | negatives
        return found


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


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A token that matters, how far before the token in question it stands (0: it is that token), and what it took."""

    text: str
    distance: int
    held: tuple[str, ...]
    lost: tuple[str, ...]


def _written(one: Candidate, slots: Sequence[Slot], trial: Trial) -> Iterator[Suggestion]:
    explanation = trial.explanation
    strings = trial.subject.vocabulary.strings
    fixed = _fixed(one, slots, "edited", strings)
    own = strings[one.token_ids[one.position]]
    free = not any(each.distance == 0 for each in fixed)
    begins = one.position == 0
    if one.kind == "false_negative":
        for clause in _clauses(own, fixed, free, begins):
            mended = widened(explanation, clause)
            if mended is not None:
                yield Suggestion("or", clause, mended)
        return
    if one.paired:
        ids, there = one.original_ids, one.original_position
        assert ids is not None
        assert there is not None
        wanted = _fixed(one, slots, "original", strings)
        edited = one.columns[one.column].is_edit
        for clause in _requirements(strings[ids[there]] if edited else None, wanted):
            mended = _restricted(explanation, clause, one, trial)
            if mended is not None:
                yield Suggestion("and", clause, mended)
    for clause in (*_clauses(own, fixed, free, begins), *_clauses(own, fixed, True, False)):
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


def _clauses(own: str, fixed: Sequence[_Fixed], free: bool, begins: bool) -> Iterator[Expression]:
    """What the fixed tokens say, from the nearest to the letter to the loosest."""
    here = next((each for each in fixed if each.distance == 0), _Fixed(own, 0, (), ()))
    phrases: list[Expression] = [AnyToken()] if free else list(_atoms(here))
    if free and begins:
        phrases = [Positions(1, 1), Boundary("the start of a sentence"), *phrases]
    before = [each for each in fixed if each.distance > 0]
    if any(each.text == own for each in before):
        phrases.append(RepeatedToken())
    together = [list(each) for each in _modifiers(before)]
    alone = [list(each) for fixed_one in before for each in _modifiers([fixed_one])] if len(before) > 1 else []
    for modifiers in [[]] if not before else [*together, *alone, []]:
        for phrase in phrases:
            yield Clause(phrase, tuple(modifiers)) if modifiers else phrase


def _requirements(own: str | None, fixed: Sequence[_Fixed]) -> Iterator[Expression]:
    """What only the original has: the token that stood in the place of the one in question, or what came before."""
    if own is not None:
        yield from _atoms(_Fixed(own, 0, (), ()))
    before = [each for each in fixed if each.distance > 0]
    for modifiers in _modifiers(before):
        yield Clause(AnyToken(), modifiers)
    if len(before) > 1:
        for each in before:
            for modifiers in _modifiers([each]):
                yield Clause(AnyToken(), modifiers)


def _modifiers(before: Sequence[_Fixed]) -> Iterator[tuple[Modifier, ...]]:
    """All of these before, at their own distance, near, or anywhere in the context; by token, word and class."""
    if not before:
        return
    spellings = [list(_atoms(each)) for each in before]
    for turn in range(max(map(len, spellings))):
        anchors = [atoms[min(turn, len(atoms) - 1)] for atoms in spellings]
        for reach in (0, NEAR, CONTEXT_WINDOW):
            if reach and max(each.distance for each in before) > reach:
                continue
            yield tuple(
                RightAfter(anchor) if max(reach, each.distance) == 1 else Within(anchor, max(reach, each.distance))
                for each, anchor in zip(before, anchors, strict=True)
            )


def _atoms(fixed: _Fixed) -> Iterator[Expression]:
    """The token, the word, and the classes that hold it and all that did as well, and none that did not."""
    yield Tokens((fixed.text,))
    if is_word(fixed.text.strip()):
        yield Words((fold(fixed.text.strip()),))
    for name in get_args(ClassName):
        alike = all(holds_at(text, Class(name)) is True for text in (fixed.text, *fixed.held))
        if alike and all(holds_at(text, Class(name)) is False for text in fixed.lost):
            yield Class(name)


def _fixed(one: Candidate, slots: Sequence[Slot], side: str, strings: Sequence[str]) -> list[_Fixed]:
    """The tokens of one side that most of what was tried could not replace."""
    found = []
    here = one.position if side == "edited" else one.original_position
    assert here is not None
    for slot in slots:
        if slot.side not in ("both", side) or len(slot.lost) <= len(slot.held) or slot.column > one.column:
            continue
        pieces = [column.edited if side == "edited" else column.original for column in one.columns]
        last = here if slot.column == one.column else sum(map(len, pieces[: slot.column + 1])) - 1
        text = strings[[token for piece in pieces for token in piece][last]]
        held, lost = (tuple(strings[token] for token in tokens) for tokens in (slot.held, slot.lost))
        found.append(_Fixed(text, here - last, held, lost))
    return [each for each in found if each.distance <= CONTEXT_WINDOW]


def _places(one: Candidate) -> list[tuple[TokenIds, int]]:
    places = [(one.token_ids, one.position)]
    if one.original_ids is not None and one.original_position is not None:
        places.append((one.original_ids, one.original_position))
    return places
