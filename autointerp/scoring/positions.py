"""Held-out contexts as one row of positions, document after document: what every scorer works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dsl.records import HeldOut


@dataclass(frozen=True, eq=False)
class Positions:
    """Every token of the held-out documents, its rows joined in order.

    `documents` counts the source documents from 0 in the order in which they lie here, without gaps. A position fires
    at an activation of `thresholds.high` or above.
    """

    activations: Float[np.ndarray, " positions"]
    fires: Bool[np.ndarray, " positions"]
    documents: Int[np.ndarray, " positions"]
    document_count: int
    _rows: Int[np.ndarray, " batch"]
    _mask: Bool[np.ndarray, "batch ctx"]

    @classmethod
    def of(cls, held_out: HeldOut) -> Positions:
        """Flatten, leaving the padding out."""
        rows = np.argsort(held_out.documents, kind="stable")
        mask = held_out.batch.mask[rows]
        lengths = held_out.batch.lengths[rows]
        kept = lengths > 0  # a document without tokens is none
        distinct, codes = np.unique(held_out.documents[rows][kept], return_inverse=True)
        activations = held_out.activations[rows][mask]
        return cls(
            activations=activations.astype(np.float64),
            fires=activations >= held_out.thresholds.high,
            documents=np.repeat(codes, lengths[kept]),
            document_count=len(distinct),
            _rows=rows,
            _mask=mask,
        )

    def __len__(self) -> int:
        return len(self.activations)

    def take(self, values: Shaped[np.ndarray, "batch ctx"]) -> Shaped[np.ndarray, " positions"]:
        """Values that are aligned with the batch, in the order of the positions."""
        taken: np.ndarray = values[self._rows][self._mask]
        return taken

    def put(self, values: Shaped[np.ndarray, " positions"]) -> Shaped[np.ndarray, "batch ctx"]:
        """The inverse of `take`, with zeros in the padding."""
        ordered = np.zeros(self._mask.shape, dtype=values.dtype)
        ordered[self._mask] = values
        dense = np.empty_like(ordered)
        dense[self._rows] = ordered
        return dense
