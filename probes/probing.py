"""The rounds of the generators: edits are drawn, run in batches and judged, and every loss on the way is counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from jaxtyping import Bool

from dsl.records import Kind, Naturalness
from probes.bank import Cluster, cluster_of
from probes.edits import Column, Edit, columns_of
from probes.naturalness import mean_naturalness, naturalness_cost, naturalness_of
from probes.question import Generator, Question, in_turn
from probes.subject import Embedder, TokenIds
from probes.trial import Reading, Trial
from probes.turns import Turns
from probes.verify import Candidate, candidate, false_negatives, false_positives, inherited, margin

SAMPLED = 2
"""Edits of each generator whose naturalness is measured: the subject reads them to the last layer for it."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """What became of one generator's edits. `valid`: not empty, not too long; `run`: distinct and within the budget.

    `disagreeing` texts show something that their parent does not; `shrunk` ones are 1-minimal. Of those that disagree
    in one way only the plainest few are confirmed and shrunk; `first` is how many probes had been run, by all, when the
    first of this one's that was confirmed later was found. `skipped` says why a generator could not run at all.
    `naturalness` is the mean over the first few edits of its first turn, None where none was measured.
    """

    generated: int = 0
    valid: int = 0
    run: int = 0
    disagreeing: int = 0
    confirmed: int = 0
    shrunk: int = 0
    unique: int = 0
    first: int | None = None
    skipped: str | None = None
    naturalness: Naturalness | None = None


Watch = Callable[[Mapping[str, Funnel], int], None]
"""Called after every round of turns with the funnels so far and the number of probes run: it only looks."""


@dataclass(slots=True)
class Count:
    """A funnel while it is being counted."""

    generated: int = 0
    valid: int = 0
    run: int = 0
    disagreeing: int = 0
    confirmed: int = 0
    shrunk: int = 0
    unique: int = 0
    first: int | None = None
    skipped: str | None = None
    naturalness: Naturalness | None = None

    def done(self) -> Funnel:
        return Funnel(**{name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Found:
    """A disagreement, who wrote the text, the parent as it stood before, and when it was found."""

    candidate: Candidate
    edit: Edit
    parent: TokenIds | None
    margin: float
    cluster: Cluster
    probe: int
    """How many probes had been run, this one counted."""


@dataclass(eq=False)
class Probing:
    """The turns of the generators, until they have no more to write or `limit` tokens or the probes are spent."""

    trial: Trial
    question: Question
    generators: Sequence[Generator]
    rng: random.Random
    limit: int
    embedder: Embedder | None = None
    watch: Watch | None = None
    counts: dict[str, Count] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    seen: set[TokenIds] = field(default_factory=set)
    probes: int = 0

    def run(self) -> None:
        writing: dict[str, Iterator[Edit]] = {}
        base = self.rng.getrandbits(64)
        question = replace(self.question, spend=self._spend)
        for generator in self.generators:
            count = self.counts[generator.name] = Count(skipped=generator.lacks(question))
            if count.skipped is None:
                # Each draws from a stream of its own, so that leaving one out changes nothing in what others write.
                own = random.Random(f"{base} {generator.name}")
                writing[generator.name] = generator.edits(question, own)
        turns = Turns(writing)
        first_round = True
        while writing:
            drawn: dict[str, list[Edit]] = {}
            for name, length in turns.lengths(writing).items():
                drawn[name] = list(islice(writing[name], length))
                if len(drawn[name]) < length:
                    del writing[name]
            # The first of each, then the second of each: a budget that ends in mid-round has asked everyone.
            before = {name: self.counts[name].run for name in drawn}
            known = len(self.found)
            goes_on = self._run(self._admitted(list(in_turn(map(iter, drawn.values())))))
            for name in drawn:
                causes = [found.cluster for found in self.found[known:] if found.edit.generator == name]
                turns.learn(name, run=self.counts[name].run - before[name], causes=causes)
            if first_round:
                self._sample(drawn)
                first_round = False
            if self.watch is not None:
                self.watch({name: count.done() for name, count in self.counts.items()}, self.probes)
            if not goes_on:
                return

    def _spend(self, tokens: int) -> bool:
        """Count what a generator is about to run, where there is still as much."""
        affordable = self.trial.spent + tokens <= self.limit
        if affordable:
            self.trial.spend(tokens)
        return affordable

    def _sample(self, drawn: Mapping[str, Sequence[Edit]]) -> None:
        """Measure how natural the first few edits of everyone are, where there is the budget for it."""
        sample = {
            name: [edit for edit in edits if edit.token_ids in self.seen][:SAMPLED] for name, edits in drawn.items()
        }
        texts = [
            (edit, None if edit.parent is None else self.question.parents[edit.parent].token_ids)
            for edits in sample.values()
            for edit in edits
        ]
        if not self._spend(naturalness_cost(texts, self.trial.subject)):
            return
        measured = iter(naturalness_of(texts, self.trial.subject, self.embedder))
        for name, edits in sample.items():
            self.counts[name].naturalness = mean_naturalness([next(measured) for _ in edits])

    def _admitted(self, edits: Sequence[Edit]) -> list[Edit]:
        admitted = []
        for edit in edits:
            count = self.counts[edit.generator]
            count.generated += 1
            if not 0 < len(edit.token_ids) <= self.trial.subject.max_tokens:
                continue
            count.valid += 1
            if edit.token_ids not in self.seen:
                self.seen.add(edit.token_ids)
                admitted.append(edit)
        return admitted

    def _run(self, edits: Sequence[Edit]) -> bool:
        """Run and judge; False when the budget is spent."""
        trial = self.trial
        probes = trial.budget.probes
        affordable: list[Edit] = []
        cost = trial.spent
        for edit in edits:
            cost += trial.cost([edit.token_ids])
            if cost > self.limit or (probes is not None and self.probes + len(affordable) >= probes):
                break
            affordable.append(edit)
        readings = trial.read([edit.token_ids for edit in affordable])
        for edit, reading in zip(affordable, readings, strict=True):
            self.probes += 1
            self.counts[edit.generator].run += 1
            found = self._judged(edit, reading)
            if found is not None:
                self.counts[edit.generator].disagreeing += 1
                self.found.append(found)
        return len(affordable) == len(edits)

    def _judged(self, edit: Edit, reading: Reading) -> Found | None:
        """The plainest disagreement that the parent does not have: a pair if there is one, at the token of interest."""
        trial, thresholds = self.trial, self.trial.thresholds
        parent = None if edit.parent is None else self.question.parents[edit.parent]
        columns: tuple[Column, ...] | None = None
        best: tuple[tuple[bool, bool, bool, float, int], Candidate] | None = None
        wrong: dict[Kind, Bool[np.ndarray, " ctx"]] = {
            "false_positive": false_positives(reading, thresholds),
            "false_negative": false_negatives(reading, thresholds),
        }
        for kind, where in wrong.items():
            for position in map(int, np.flatnonzero(where)):
                if columns is None:
                    columns = _columns(edit, parent)
                if parent is not None and inherited(columns, position, kind, parent, thresholds):
                    continue
                one = candidate(columns, position, kind, parent, thresholds)
                # Rounded: which is plainer must not hang on a last bit, which differs with what shared the run.
                plain = round(margin(reading.activations.tolist(), thresholds, position, kind), 4)
                key = (one.paired, one.is_about_context, position == edit.position, plain, -position)
                if best is None or key > best[0]:
                    best = key, one
        if best is None:
            return None
        (_, _, _, plain, _), one = best
        cluster = cluster_of(one.token_ids, one.position, one.kind, trial.explanation, trial.subject.vocabulary)
        original = None if parent is None else parent.token_ids
        return Found(one.without_what_follows(), edit, original, plain, cluster, self.probes)


def _columns(edit: Edit, parent: Reading | None) -> tuple[Column, ...]:
    if parent is None:
        return tuple(Column((), (token,)) for token in edit.token_ids)
    return columns_of(parent.token_ids, edit.replacements)
