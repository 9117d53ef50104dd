"""A repairer that needs no debater: the clauses that counterexamples themselves suggest, one by one and together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from dsl.nodes import Explanation
from dsl.records import Counterexample, Evidence
from dsl.simplify import simplify
from probes.suggest import narrowed, widened


@dataclass(frozen=True, slots=True)
class Suggesting:
    """Proposes what `probes.suggest` tried and found to mend a counterexample and its mates.

    The clauses of all causes are also joined, those of the best ranked first: a text has one cause, an explanation may
    have several faults. A clause that is asked for with `and` is tied to the clause it mends, and stands alone.
    """

    def repair(
        self, evidence: Evidence, explanation: Explanation, shown: Sequence[Counterexample], rng: random.Random
    ) -> Sequence[Explanation]:
        del evidence, rng
        suggestions = list(dict.fromkeys(one.suggestion for one in shown if one.suggestion is not None))
        proposals = [each.mended for each in suggestions]
        together = explanation
        for each in suggestions:
            join = {"or": widened, "except": narrowed}.get(each.how)
            longer = None if join is None else join(together, each.clause)
            if longer is not None:
                together = longer
                proposals.append(together)
        return [simplify(one) for one in proposals]
