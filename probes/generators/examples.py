"""The parents as they are: real text on which an explanation may be wrong before anybody edits it.

An edit is credited with nothing that its parent shows already, so what the parents show would be nobody's: a missed
token that every parent has, or a prediction that natural text gives the lie to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.edits import Edit
from probes.question import Question


@dataclass(frozen=True, slots=True)
class Examples:
    """Every parent once, unedited, in random order. They have been read, so they cost probes and no subject tokens."""

    name: str = "examples"

    def lacks(self, question: Question) -> str | None:  # noqa: ARG002
        return None

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        for reading in rng.sample(question.parents, len(question.parents)):
            yield Edit(reading.token_ids, self.name, note="as it is")
