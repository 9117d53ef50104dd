"""AUPRC as average precision, positions of equal prediction entering as one block."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from autointerp.scoring.bootstrap import Statistic
from autointerp.scoring.positions import Positions

CELLS_AT_ONCE = 4_000_000


def auprc(graded: Float[np.ndarray, " positions"], positions: Positions) -> Statistic:
    """Average precision: precision at each distinct prediction, highest first, weighted by the recall it adds.

    No interpolation (Davis and Goadrich 2006 show that it flatters), the same number as scikit-learn's
    `average_precision_score`. Ties are one block, so the order of positions never matters and a constant prediction
    scores the prevalence. Predictions count by rank only. NaN where nothing fires.

    Predictions 1, 1, 0 at positions that fire, do not, do: recall 1/2 at precision 1/2, then 1/2 at 2/3, so 7/12.
    """
    blocks, firing_blocks = _blocks(graded, positions.fires)
    kept = blocks < firing_blocks  # what ranks below every firing position never enters
    # A stable sort of numbers of 16 bits is a radix sort.
    narrow = blocks[kept].astype(np.uint16 if firing_blocks < 2**16 else np.int64)
    order = np.flatnonzero(kept)[np.argsort(narrow, kind="stable")]
    block, document, fires = blocks[order], positions.documents[order], positions.fires[order]
    documents = positions.document_count
    width = max(1, CELLS_AT_ONCE // max(1, documents))

    def statistic(weights: Float[np.ndarray, "resamples documents"]) -> Float[np.ndarray, " resamples"]:
        hits_before = np.zeros(len(weights))
        seen_before = np.zeros(len(weights))
        area = np.zeros(len(weights))
        for first in range(0, firing_blocks, width):
            last = min(first + width, firing_blocks)
            part = slice(*np.searchsorted(block, [first, last]))
            cells = document[part] * (last - first) + (block[part] - first)
            shape = (documents, last - first)
            hits = weights @ np.bincount(cells, fires[part], shape[0] * shape[1]).reshape(shape)
            seen = weights @ np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
            all_hits = hits_before[:, None] + np.cumsum(hits, axis=1)
            all_seen = seen_before[:, None] + np.cumsum(seen, axis=1)
            area += (hits * np.divide(all_hits, all_seen, out=np.zeros_like(hits), where=all_seen > 0)).sum(axis=1)
            hits_before, seen_before = all_hits[:, -1], all_seen[:, -1]
        precision = np.full_like(area, np.nan)
        np.divide(area, hits_before, out=precision, where=hits_before > 0)
        return precision

    return statistic


def _blocks(graded: Float[np.ndarray, " n"], fires: Bool[np.ndarray, " n"]) -> tuple[np.ndarray, int]:
    """The block of each position, 0 the highest prediction, and how many blocks hold a firing position.

    A value at which nothing fires joins the next lower value at which something does: average precision reads
    precision only where recall grows, so merging changes nothing and leaves few blocks.
    """
    distinct = np.unique(-graded)  # with `return_inverse` it would sort places too, which takes several times as long
    inverse = np.searchsorted(distinct, -graded)
    firing = np.zeros(len(distinct), dtype=np.bool_)
    firing[inverse[fires]] = True
    block_of_value: np.ndarray = np.cumsum(firing) - firing
    return block_of_value[inverse], int(firing.sum())
