"""How natural a text is that a generator wrote: to the subject, to an embedder, and by how much was changed.

It decides nothing: whether a text is a counterexample, the subject and the explanation say. It tells a reader what kind
of text broke the explanation, and lets counterexamples be ranked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dsl.records import Naturalness
from probes.edits import Edit, columns_of
from probes.subject import Embedder, Likelihood, SubjectModel, TokenIds

NOT_AN_EDIT = "not an edit of another text"


def naturalness_of(
    edits: Sequence[tuple[Edit, TokenIds | None]], subject: SubjectModel, embedder: Embedder | None = None
) -> list[Naturalness]:
    """Of each text beside its parent, all in one batch; what a protocol is lacking for is None, and said.

    >>> naturalness_of([(edit, parent)], subject)  # doctest: +SKIP
    [Naturalness(log_likelihood_change=-0.31, cosine=None, edit_rate=0.05, missing=('cosine: no embedder',))]
    """
    changes = _log_likelihood_changes(edits, subject)
    cosines = _cosines(edits, subject, embedder)
    found = []
    for (edit, parent), change, cosine in zip(edits, changes, cosines, strict=True):
        if parent is None:
            missing = tuple(f"{measure}: {NOT_AN_EDIT}" for measure in ("log_likelihood_change", "cosine", "edit_rate"))
            found.append(Naturalness(missing=missing))
            continue
        why = []
        if change is None:
            lacking = (
                "the texts are too short" if isinstance(subject, Likelihood) else "the subject gives no likelihood"
            )
            why.append(f"log_likelihood_change: {lacking}")
        if cosine is None:
            why.append("cosine: no embedder")
        found.append(Naturalness(change, cosine, edit_rate(edit, parent), tuple(why)))
    return found


def mean_naturalness(measured: Sequence[Naturalness]) -> Naturalness | None:
    """The mean of each measure over the texts that have it; None of no texts."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(sum(known) / len(known), 3) if known else None

    if not measured:
        return None
    return Naturalness(
        mean([one.log_likelihood_change for one in measured]),
        mean([one.cosine for one in measured]),
        mean([one.edit_rate for one in measured]),
        tuple(dict.fromkeys(reason for one in measured for reason in one.missing)),
    )


def naturalness_cost(edits: Sequence[tuple[Edit, TokenIds | None]], subject: SubjectModel) -> int:
    """Subject tokens that `naturalness_of` these takes."""
    if not isinstance(subject, Likelihood):
        return 0
    texts = dict.fromkeys(text for edit, parent in edits if parent is not None for text in (edit.token_ids, parent))
    return sum(len(text) + len(subject.prefix) for text in texts)


def edit_rate(edit: Edit, parent: TokenIds) -> float:
    """Tokens put in, taken out or replaced, for every token of the parent.

    >>> edit_rate(Edit.of((1, 2, 3, 4), [Replacement(1, 2, (8, 9))], parent=0, generator="g"), (1, 2, 3, 4))
    0.5
    """
    changed = sum(
        max(len(column.original), len(column.edited))
        for column in columns_of(parent, edit.replacements)
        if column.is_edit
    )
    return changed / max(1, len(parent))


def _log_likelihood_changes(edits: Sequence[tuple[Edit, TokenIds | None]], subject: SubjectModel) -> list[float | None]:
    if not isinstance(subject, Likelihood):
        return [None] * len(edits)
    texts = list(
        dict.fromkeys(text for edit, parent in edits if parent is not None for text in (edit.token_ids, parent))
    )
    known = dict(zip(texts, subject.log_likelihood(texts), strict=True)) if texts else {}
    changes = [None if parent is None else known[edit.token_ids] - known[parent] for edit, parent in edits]
    return [None if change is None or np.isnan(change) else round(float(change), 3) for change in changes]


def _cosines(
    edits: Sequence[tuple[Edit, TokenIds | None]], subject: SubjectModel, embedder: Embedder | None
) -> list[float | None]:
    if embedder is None or not any(parent is not None for _, parent in edits):
        return [None] * len(edits)

    def read(text: TokenIds) -> str:
        return "".join(subject.vocabulary.strings[token] for token in text)

    pairs = [(read(edit.token_ids), read(parent)) for edit, parent in edits if parent is not None]
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    known = dict(zip(texts, embedder(texts), strict=True))
    found = iter(round(float(known[one] @ known[other]), 3) for one, other in pairs)
    return [None if parent is None else next(found) for _, parent in edits]
