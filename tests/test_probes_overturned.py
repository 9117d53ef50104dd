"""Probes may run roughly, verdicts may not: what only a rough batch showed is overturned, and counted."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from riverside import dev, evidence, generators, planted

from autointerp.results import attack_json
from dsl.parse import parse
from probes.attack import attack
from probes.planted import PlantedSubject
from probes.subject import TokenIds
from probes.trial import Budget

TRUTH = 'activates on the token " bank" in the context of the word "river"'


class Rough(PlantedSubject):
    """Fires on every token of every tenth text that is read in a batch, and nowhere else than it should when alone."""

    def activations(
        self, contexts: Sequence[TokenIds], features: Sequence[int], *, batch_size: int | None = None
    ) -> list[np.ndarray]:
        found = super().activations(contexts, features, batch_size=batch_size)
        if batch_size is None:
            for context, values in zip(contexts, found, strict=True):
                if sum(context) % 10 == 0:
                    values[:] = self.thresholds.maximum
        return found


def test_what_only_a_rough_batch_showed_is_overturned_and_counted() -> None:
    exact = planted(TRUTH)
    rough = Rough.__new__(Rough)
    rough.__dict__.update(exact.__dict__)
    for subject, expected in ((exact, False), (rough, True)):
        found = attack(
            parse(TRUTH),
            0,
            subject,
            [evidence(exact), dev(exact)],
            exact.thresholds,
            generators(exact),
            Budget(10_000),
            random.Random(0),
        )
        assert not found.counterexamples, "the explanation is the truth"
        assert (found.overturned > 0) is expected
        assert found.overturned == found.confirming
        assert attack_json(found)["overturned"] == found.overturned
