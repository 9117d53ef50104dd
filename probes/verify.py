"""What counts as a disagreement between an explanation and the subject, and what makes it a minimal pair.

Every rule errs on the side of the explanation. Activations between silent and high decide nothing, and neither do weak
predictions. A prediction one token off is forgiven, so both neighbours must have been seen: the last token of a text
is never judged, since what follows it might be the very token that fires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from jaxtyping import Bool, Float, Int

from dsl.nodes import PREDICTED
from dsl.records import Kind, Thresholds
from probes.edits import Column, edited, locate, original
from probes.subject import TokenIds
from probes.trial import Reading


def false_positives(reading: Reading, thresholds: Thresholds) -> Bool[np.ndarray, " ctx"]:
    """Where the explanation predicts and the feature is silent, there and one token either side."""
    silent = reading.activations <= thresholds.silent
    found: Bool[np.ndarray, " ctx"] = (reading.predicted >= PREDICTED) & _everywhere_near(silent)
    return found


def false_negatives(reading: Reading, thresholds: Thresholds) -> Bool[np.ndarray, " ctx"]:
    """Where the feature fires and the explanation predicts nothing, there or one token either side."""
    unpredicted = reading.predicted == 0
    found: Bool[np.ndarray, " ctx"] = (reading.activations >= thresholds.high) & _everywhere_near(unpredicted)
    return found


def disagreements(
    activations: Float[np.ndarray, "texts ctx"],
    predicted: Float[np.ndarray, "texts ctx"],
    lengths: Int[np.ndarray, " texts"],
    thresholds: Thresholds,
) -> tuple[Bool[np.ndarray, "texts ctx"], Bool[np.ndarray, "texts ctx"]]:
    """False positives and false negatives of many texts at once; both arrays hold zeros in the padding.

    >>> disagreements(np.zeros((1, 2)), np.ones((1, 2)), np.array([2]), Thresholds.from_maximum(1.0))[0]
    array([[ True, False]])
    """
    judged = np.arange(activations.shape[1]) < lengths[:, None] - 1  # the last token never is
    positives = (predicted >= PREDICTED) & _everywhere_near(activations <= thresholds.silent) & judged
    negatives = (activations >= thresholds.high) & _everywhere_near(predicted == 0) & judged
    return positives, negatives


def disagrees(reading: Reading, thresholds: Thresholds, position: int, kind: Kind) -> bool:
    """Whether there is a counterexample of this kind at this position."""
    match kind:
        case "false_positive":
            return bool(false_positives(reading, thresholds)[position])
        case "false_negative":
            return bool(false_negatives(reading, thresholds)[position])
        case _:
            assert_never(kind)


def agrees(reading: Reading, thresholds: Thresholds, position: int) -> bool:
    """Whether the explanation is plainly right here: predicted and fires, or not predicted at all and silent."""
    activation, predicted = reading.activations[position], reading.predicted[position]
    return bool(
        (predicted >= PREDICTED and activation >= thresholds.high)
        or (predicted == 0 and activation <= thresholds.silent)
    )


def margin(activations: Sequence[float], thresholds: Thresholds, position: int, kind: Kind) -> float:
    """How plain a disagreement is, from 0 (at a threshold) to 1 (wholly silent, or firing at the feature's maximum)."""
    match kind:
        case "false_positive":
            near = max(activations[max(0, position - 1) : position + 2])
            return 1.0 if thresholds.silent == 0 else 1.0 - near / thresholds.silent
        case "false_negative":
            room = thresholds.maximum - thresholds.high
            return 1.0 if room == 0 else min(1.0, (activations[position] - thresholds.high) / room)
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A disagreement that was seen once: the text in columns, the token (a column and an offset in it), the kind.

    A pair's columns hold the original too, about which the explanation was right; else the original side is empty.
    """

    columns: tuple[Column, ...]
    column: int
    offset: int
    kind: Kind
    paired: bool

    @property
    def token_ids(self) -> TokenIds:
        return edited(self.columns)

    @property
    def position(self) -> int:
        return sum(len(column.edited) for column in self.columns[: self.column]) + self.offset

    @property
    def original_ids(self) -> TokenIds | None:
        return original(self.columns) if self.paired else None

    @property
    def original_position(self) -> int | None:
        if not self.paired:
            return None
        inside = self.columns[self.column].counterpart(self.offset)
        before = sum(len(column.original) for column in self.columns[: self.column])
        return None if inside is None else before + inside

    @property
    def is_about_context(self) -> bool:
        """A pair with the same token on both sides: only what came before it differs."""
        return self.paired and not self.columns[self.column].is_edit

    @property
    def texts(self) -> tuple[TokenIds, ...]:
        """What has to be read to judge it: the text and, of a pair, the original."""
        whole = self.original_ids
        return (self.token_ids,) if whole is None else (self.token_ids, whole)

    def without_what_follows(self) -> Candidate:
        """Cut after the next token: the subject reads from left to right, so nothing later has a say."""
        stop, kept = self.column, len(self.columns[self.column].edited) - self.offset
        while kept < 2 and stop + 1 < len(self.columns):
            stop += 1
            kept += len(self.columns[stop].edited)
        return replace(self, columns=self.columns[: stop + 1])


def candidate(
    columns: tuple[Column, ...], position: int, kind: Kind, parent: Reading | None, thresholds: Thresholds
) -> Candidate:
    """The disagreement at `position` of the edited side; a minimal pair where the explanation was right before."""
    column, offset = locate(columns, position)
    pair = Candidate(columns, column, offset, kind, paired=True)
    if parent is not None and pair.original_position is not None and agrees(parent, thresholds, pair.original_position):
        return pair
    alone = tuple(Column((), (token,)) for token in edited(columns))
    return Candidate(alone, position, 0, kind, paired=False)


def stands(candidate: Candidate, readings: list[Reading], thresholds: Thresholds) -> bool:
    """Whether the disagreement, and the agreement of a pair's original, hold in readings of `candidate.texts`."""
    if not disagrees(readings[0], thresholds, candidate.position, candidate.kind):
        return False
    if not candidate.paired:
        return True
    position = candidate.original_position
    return position is not None and agrees(readings[1], thresholds, position)


def inherited(columns: tuple[Column, ...], position: int, kind: Kind, parent: Reading, thresholds: Thresholds) -> bool:
    """Whether the parent has the same disagreement at the same place: then the edit has shown nothing."""
    column, offset = locate(columns, position)
    there = Candidate(columns, column, offset, kind, paired=True).original_position
    return there is not None and disagrees(parent, thresholds, there, kind)


def _everywhere_near(holds: Bool[np.ndarray, "*texts ctx"]) -> Bool[np.ndarray, "*texts ctx"]:
    """True where it holds at a token and both its neighbours; the first token has one, the last is never judged."""
    near = holds.copy()
    near[..., 1:] &= holds[..., :-1]
    near[..., :-1] &= holds[..., 1:]
    near[..., -1:] = False
    return near
