"""Two generators in one: what the second makes of texts that the first has written.

Some disagreements are two steps away: a context that has to be emptied before another token can fire. Edits of both
steps are one edit of the first text, so pairs and shrinking go on as for any other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import islice

from dsl.evaluate import evaluate
from probes.edits import Edit, Replacement
from probes.question import Generator, Question
from probes.subject import TokenIds
from probes.trial import Reading, batch_of


@dataclass(frozen=True, slots=True)
class Then:
    """`second` after `first`: `texts` edits of the first at a time are read by the subject and edited again.

    What the reading costs is counted as spent; `second` is asked `each` edits of every such batch.

    >>> Then(Ablations(), cases()).name
    'ablations then cases'
    """

    first: Generator
    second: Generator
    texts: int = 8
    each: int = 32

    @property
    def name(self) -> str:
        return f"{self.first.name} then {self.second.name}"

    def lacks(self, question: Question) -> str | None:
        return self.first.lacks(question) or self.second.lacks(question)

    def edits(self, question: Question, rng: random.Random) -> Iterator[Edit]:
        once = self.first.edits(question, rng)
        while some := list(islice(once, self.texts)):
            readable = [edit for edit in some if 0 < len(edit.token_ids) <= question.subject.max_tokens]
            readings = _read(question, [edit.token_ids for edit in readable])
            if readings is None:
                return
            between = replace(question, parents=readings)
            for edit in islice(self.second.edits(between, rng), self.each):
                yield self._of_original(question, edit, None if edit.parent is None else readable[edit.parent])

    def _of_original(self, question: Question, edit: Edit, before: Edit | None) -> Edit:
        """The second edit as an edit of what the first edited."""
        if before is None or before.parent is None:
            return Edit(edit.token_ids, self.name, position=edit.position, note=edit.note)
        original = question.parents[before.parent].token_ids
        note = f"{before.note}; {edit.note}"
        return Edit(edit.token_ids, self.name, before.parent, _between(original, edit.token_ids), edit.position, note)


def _read(question: Question, texts: list[TokenIds]) -> tuple[Reading, ...] | None:
    if not question.spend(sum(len(text) + len(question.subject.prefix) for text in texts)):
        return None
    activations = question.subject.activations(texts, [question.feature])
    predicted = evaluate(question.explanation, batch_of(texts, question.subject.vocabulary))
    return tuple(
        Reading(text, column[:, 0], predicted[row, : len(text)])
        for row, (text, column) in enumerate(zip(texts, activations, strict=True))
    )


def _between(old: TokenIds, new: TokenIds) -> tuple[Replacement, ...]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Replacement(start, stop, new[first:last])
        for tag, start, stop, first, last in matcher.get_opcodes()
        if tag != "equal"
    )
