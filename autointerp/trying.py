"""A debater's probe tool: a text of its own, run through the subject model."""

from __future__ import annotations

from dataclasses import dataclass

from dsl.errors import AutointerpError
from dsl.records import Context, Example
from probes.subject import SubjectModel

LONGEST = 400
"""Characters of a text that is tried."""


@dataclass(frozen=True, slots=True)
class SubjectTryText:
    """Implements `agents.trying.TryText` for one feature of a subject.

    >>> SubjectTryText(subject, 17)(" a hot pizza").activations  # doctest: +SKIP
    (0.0, 0.0, 3.1)
    """

    subject: SubjectModel
    feature: int

    def __call__(self, text: str) -> Example | str:
        """The text as the subject reads it with the feature's activations, or why it cannot be run."""
        if not text.strip():
            return "an empty text has nothing to fire on"
        if len(text) > LONGEST:
            return f"the text has {len(text)} characters; at most {LONGEST} are run"
        ids = self.subject.tokenize(text)
        if len(ids) > self.subject.max_tokens:
            return f"the text has {len(ids)} tokens; the model reads at most {self.subject.max_tokens}"
        try:
            [activations] = self.subject.activations([ids], [self.feature], batch_size=1)
        except AutointerpError as error:
            return str(error)
        strings = self.subject.vocabulary.strings
        context = Context(tuple(strings[token] for token in ids), ids, start=0)
        return Example(context, tuple(map(float, activations[:, 0])))
