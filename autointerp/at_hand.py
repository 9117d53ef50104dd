"""What a workspace has for the probes' generators: a lexicon, an infiller, an embedder, and texts of its corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autointerp.causal_infill import CausalInfiller
from autointerp.sampling import neighbour_windows
from autointerp.windows import firing_together, quiet_windows, unrelated_texts
from autointerp.word_vectors import embed
from autointerp.workspace import Workspace
from dsl.nodes import Explanation
from probes.generators import AtHand
from probes.subject import TokenIds, Writer


def at_hand(
    workspace: Workspace, seed: int, rivals: Sequence[Explanation] = (), *, writer: Writer | None = None
) -> AtHand:
    """All that the workspace can give; where no masked model was named the subject fills in for it.

    What is drawn from the corpus depends on the seed and on what is asked for, never on who asked before.

    >>> suite(at_hand(workspace, seed=0))  # doctest: +SKIP
    """
    store = workspace.store

    def rng(*purpose: int) -> np.random.Generator:
        return np.random.default_rng([seed, *purpose])

    def windows(feature: int, neighbour: int, count: int) -> Sequence[tuple[TokenIds, int]]:
        return neighbour_windows(store, feature, neighbour, count, rng(feature, neighbour))

    def quiet(feature: int, tokens: Sequence[int], count: int) -> Sequence[tuple[TokenIds, int]]:
        return quiet_windows(store, feature, tokens, count, rng(feature, *sorted(tokens)))

    def unrelated(feature: int, count: int) -> Sequence[TokenIds]:
        return unrelated_texts(store, feature, count, rng(feature))

    return AtHand(
        lexicon=workspace.lexicon,
        infiller=CausalInfiller(workspace.subject) if workspace.infiller is None else workspace.infiller,
        windows=windows,
        cofiring=lambda feature, neighbour: firing_together(store, feature, neighbour),
        quiet_windows=quiet,
        unrelated=unrelated,
        embedder=embed,
        writer=writer,
        rivals=rivals,
    )
