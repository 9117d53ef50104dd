"""The smallest text that still disagrees, so that a person sees why.

In order: drop what follows the next token; take edits back towards the original (delta debugging, after Zeller and
Hildebrandt, "Simplifying and isolating failure-inducing input", 2002); drop tokens to the left; put plain tokens in
place of others; and again until nothing changes. Each accepted step is smaller in a strict total order (edits, then
length, then plainness token by token), so it ends. A text that the tokeniser would write stays one: where its
characters read back as its tokens, so do those of everything smaller. What is claimed is 1-minimality in left tokens:
dropping any one of them loses the disagreement, or leaves a text that the tokeniser would write otherwise.

Each disagreement shrinks in a coroutine that asks about many smaller ones at once; `shrink_all` runs the coroutines in
step, so every level of all of them is one batch of the subject.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from dsl.batch import Vocabulary
from probes.edits import Column
from probes.subject import SubjectModel, TokenIds
from probes.trial import Trial
from probes.verify import Candidate, stands

PLAIN_STRINGS = (" the", " a", " and", " it", ".", ",", "the", "a")
"""What tokens are replaced by, plainest first, where the subject has them as tokens of their own."""

SIMPLIFIED = 16
"""The longest text in which tokens become plain: in longer ones it costs most of a budget and makes nothing clearer."""

Asking = Generator[list[Candidate], list[bool], None]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The steps from what was found to the smallest, all of which stand; `minimal` where no budget cut it short."""

    steps: tuple[Candidate, ...]
    minimal: bool

    @property
    def smallest(self) -> Candidate:
        return self.steps[-1]


def plain_tokens(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Token ids of PLAIN_STRINGS in the vocabulary, plainest first."""
    wanted = set(PLAIN_STRINGS)
    found: dict[str, int] = {}
    for token, string in enumerate(vocabulary.strings):
        if string in wanted:
            found.setdefault(string, token)
    return tuple(found[string] for string in PLAIN_STRINGS if string in found)


def reads_back(token_ids: TokenIds, subject: SubjectModel) -> bool:
    """Whether the tokeniser writes the text of these tokens in just these tokens: then a user can type it.

    >>> reads_back(subject.tokenize(" a river bank"), subject)  # doctest: +SKIP
    True
    """
    text = "".join(subject.vocabulary.strings[token] for token in token_ids)
    try:
        text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError:
        return False  # it begins or ends inside a character
    return tuple(subject.tokenize(text)) == token_ids


def shrink_all(candidates: Sequence[Candidate], trial: Trial, *, tokens: int) -> list[Shrunk]:
    """Shrink each candidate, all in step, with at most `tokens` subject tokens in all."""
    stop_at = trial.spent + min(tokens, trial.left)
    plain = plain_tokens(trial.subject.vocabulary)
    shrinkers = [_Shrinker(candidate, plain, trial.subject) for candidate in candidates]
    running = {index: shrinker.run() for index, shrinker in enumerate(shrinkers)}
    asked = {index: questions for index, asking in running.items() if (questions := next(asking, None)) is not None}
    finished = set(range(len(shrinkers))) - set(asked)
    while asked:
        answered: dict[int, list[Candidate]] = {}
        texts: list[TokenIds] = []
        for index, questions in asked.items():
            more = [text for question in questions for text in question.texts]
            if trial.spent + trial.cost([*texts, *more]) <= stop_at:
                answered[index] = questions
                texts += more
        trial.read(texts)
        asked = {}
        for index, questions in answered.items():
            answers = [shrinkers[index].holds(question, trial) for question in questions]
            try:
                asked[index] = running[index].send(answers)
            except StopIteration:
                finished.add(index)
    return [Shrunk(tuple(shrinker.steps), index in finished) for index, shrinker in enumerate(shrinkers)]


class _Shrinker:
    """The way down of one candidate: `run` asks which smaller ones stand, `steps` are those that it took."""

    def __init__(self, candidate: Candidate, plain: tuple[int, ...], subject: SubjectModel) -> None:
        self.steps = [candidate]
        self._reads_back = [reads_back(text, subject) for text in candidate.texts]
        self._plain = {token: rank for rank, token in enumerate(plain)}

    @property
    def now(self) -> Candidate:
        return self.steps[-1]

    def holds(self, smaller: Candidate, trial: Trial) -> bool:
        """Whether it stands, and either side still reads back as its tokens where it did at first."""
        return stands(smaller, trial.read(smaller.texts), trial.thresholds) and all(
            reads_back(text, trial.subject) for text, did in zip(smaller.texts, self._reads_back, strict=True) if did
        )

    def run(self) -> Asking:
        cut = self.now.without_what_follows()
        if cut != self.now:
            [holds] = yield [cut]
            if holds:
                self._accept(cut)
        while True:
            before = self.now
            edits = [index for index, column in enumerate(before.columns) if column.is_edit]
            if before.paired and len(edits) > 1:
                yield from self._fewest(edits, _taken_back)
            yield from self._fewest(list(range(self.now.column)), _dropped)
            yield from self._simplified()
            if self.now == before:
                return

    def _fewest(self, movable: list[int], change: Callable[[Candidate, Sequence[int]], Candidate]) -> Asking:
        """Change as many of the movable columns as will go, halving the pieces that are tried, down to single ones."""
        start, kept, changed = self.now, movable, list[int]()
        size = len(kept)
        while kept:
            pieces = [kept[first : first + size] for first in range(0, len(kept), size)]
            holds = yield [change(start, sorted([*changed, *piece])) for piece in pieces]
            loose = [piece for piece, held in zip(pieces, holds, strict=True) if held]
            if loose:
                # Each piece may go alone; how many go together is asked of all beginnings of the list at once.
                heads = [[index for piece in loose[: count + 1] for index in piece] for count in range(len(loose))]
                together = yield [change(start, sorted([*changed, *head])) for head in heads]
                gone = max((head for head, held in zip(heads, together, strict=True) if held), key=len)
                changed = sorted([*changed, *gone])
                kept = [index for index in kept if index not in set(gone)]
                self._accept(change(start, changed))
            elif size == 1:
                return
            size = max(1, min(size // 2, len(kept)))

    def _simplified(self) -> Asking:
        """Plain tokens for all that are not what the generator put in, nor the token in question."""
        now = self.now
        if len(now.token_ids) > SIMPLIFIED:
            return
        options = [
            (index, token)
            for index, column in enumerate(now.columns)
            if index != now.column and len(column.edited) == 1 and not (now.paired and column.is_edit)
            for token in self._plain
            if self._rank(token) < self._rank(column.edited[0])
        ]
        holds = yield [_put(now, [option]) for option in options]
        plainest: dict[int, int] = {}
        for (index, token), held in zip(options, holds, strict=True):
            if held:
                plainest.setdefault(index, token)
        heads = [list(plainest.items())[: count + 1] for count in range(len(plainest))]
        together = yield [_put(now, head) for head in heads]
        for head, held in zip(reversed(heads), reversed(together), strict=True):
            if held:
                self._accept(_put(now, head))
                return

    def _accept(self, smaller: Candidate) -> None:
        if self._order(smaller) >= self._order(self.now):
            raise AssertionError("a step of shrinking that does not shrink")
        self.steps.append(smaller)

    def _order(self, candidate: Candidate) -> tuple[int, int, int, tuple[tuple[int, int], ...]]:
        edits = sum(column.is_edit for column in candidate.columns) if candidate.paired else 0
        length = len(candidate.token_ids)
        of_original = len(candidate.original_ids or ())
        return (edits, length, of_original, tuple(self._rank(token) for token in candidate.token_ids))

    def _rank(self, token: int) -> tuple[int, int]:
        return (0, self._plain[token]) if token in self._plain else (1, token)


def _dropped(candidate: Candidate, indices: Sequence[int]) -> Candidate:
    gone = set(indices)
    columns = tuple(column for index, column in enumerate(candidate.columns) if index not in gone)
    return replace(
        candidate, columns=columns, column=candidate.column - sum(index < candidate.column for index in gone)
    )


def _taken_back(candidate: Candidate, indices: Sequence[int]) -> Candidate:
    """The original in place of these edits; what was put in where nothing was is dropped."""
    back = set(indices)
    inside: int | None = candidate.offset
    if candidate.column in back:
        inside = candidate.columns[candidate.column].counterpart(candidate.offset)
    if inside is None:
        raise AssertionError("a pair whose token has no counterpart")
    columns = tuple(
        Column(column.original, column.original) if index in back else column
        for index, column in enumerate(candidate.columns)
    )
    empty = [index for index in back if not columns[index].original]
    return _dropped(replace(candidate, columns=columns, offset=inside), empty)


def _put(candidate: Candidate, tokens: Sequence[tuple[int, int]]) -> Candidate:
    columns = list(candidate.columns)
    for index, token in tokens:
        columns[index] = Column((token,) if candidate.paired else (), (token,))
    return replace(candidate, columns=tuple(columns))
