"""How common each way of being wrong is in the documents that evidence was drawn from: one pass, no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from autointerp.store import Store
from dsl.batch import Batch, Vocabulary
from dsl.evaluate import Evaluator
from dsl.nodes import Explanation, Or, fold
from dsl.render import render_expression
from probes.bank import Cluster
from probes.verify import disagreements


@dataclass(frozen=True, eq=False)
class StorePrevalence:
    """Implements `probes.bank.Prevalence` over a store's documents for evidence; held-out ones are never looked at.

    >>> StorePrevalence(store, subject.vocabulary).shares(explanation, 17)  # doctest: +SKIP
    {('false_positive', 'the token " bank"'): 0.00021, ('false_negative', 'shore'): 3.1e-05}
    """

    store: Store
    vocabulary: Vocabulary

    def shares(self, explanation: Explanation, feature: int) -> Mapping[Cluster, float]:
        """The share of positions that are counterexamples, by cluster as `probes.bank.cluster_of` has them."""
        batch = self.store.split_batch("evidence", self.vocabulary)
        activations = self.store.column(feature).dense(self.store.contexts.rows("evidence"), batch.ids.shape[1])
        evaluator = Evaluator(batch)
        positives, negatives = disagreements(
            activations, evaluator.evaluate(explanation), batch.lengths, self.store.thresholds(feature)
        )
        counts = _by_clause(explanation, positives, evaluator) | _by_token(batch, negatives)
        positions = int(batch.lengths.sum())
        return {cluster: count / positions for cluster, count in counts.items()}


def _by_clause(
    explanation: Explanation, wrong: Bool[np.ndarray, "batch ctx"], evaluator: Evaluator
) -> dict[Cluster, int]:
    """Each goes to the first clause that holds there."""
    predicted = explanation.predicted
    if predicted is None:
        return {}
    counts: dict[Cluster, int] = {}
    for clause in predicted.operands if isinstance(predicted, Or) else (predicted,):
        here = wrong & evaluator.matches(clause)
        if here.any():
            counts["false_positive", render_expression(clause)] = int(here.sum())
        wrong = wrong & ~here
    return counts


def _by_token(batch: Batch, wrong: Bool[np.ndarray, "batch ctx"]) -> dict[Cluster, int]:
    counts: dict[Cluster, int] = {}
    tokens, found = np.unique(batch.ids[wrong], return_counts=True)
    for token, count in zip(tokens.tolist(), found.tolist(), strict=True):
        cluster = "false_negative", fold(batch.vocabulary.strings[token].strip())
        counts[cluster] = counts.get(cluster, 0) + count
    return counts
