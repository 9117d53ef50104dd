"""The door: attack an explanation of one feature with texts run through the subject, and bring back what stands up.

Generators take turns; what they write is run in batches, judged, confirmed at batch size 1, shrunk and ranked. Every
loss on the way is counted, generator by generator. Nothing found within the budget means "unfalsified in so many
probes", never "true".
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dsl.evaluate import evaluate
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Counterexample, Dev, Evidence, Example, Kind, Thresholds
from probes.bank import Cluster, Prevalence, diverse, ranked
from probes.confirm import Confirmation, confirm, counterexample_of, naturalness_of_found, record_cost
from probes.explain import Cause, explain
from probes.probing import Found, Funnel, Probing, Watch
from probes.question import Generator, Question
from probes.shrink import Shrunk, shrink_all
from probes.subject import Embedder, SubjectModel, TokenIds
from probes.trial import Budget, Reading, Trial, batch_of

PARENT_TOKENS, AFTER = 64, 8
"""Parents are windows of at most so many tokens, so many of them after the token that they were chosen for."""

READING, PROBING = 0.15, 0.65
"""Shares of the token budget after which reading parents and probing end; confirming and shrinking have the rest."""

CONFIRMING = 0.3
"""Share of what then is left that confirming may take, the check of a dictionary's gate counted in."""

EXPLAINING = 0.3
"""Share of what is left after confirming that is kept for the explain phase."""

SHRUNK_PER_CLUSTER, KEPT_PER_CLUSTER, CLUSTERS = 2, 8, 8
"""Counterexamples of one cause are much alike: so many are shrunk, so many kept at all, of so many causes."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attack brought back.

    `counterexamples` are confirmed, shrunk, distinct and ranked; `mates` are confirmed ones of the same causes in full
    length, for repair to be tested on. `boundary` counts disagreements given up because a top-k dictionary's cut was
    too near, `overturned` those that a text alone in full precision did not show again, of `confirming` that were
    asked. `first` is the number of probes run when the first that was confirmed was found, None where none was.
    `shrinkings` are how the confirmed ones were shrunk, both sides of a pair column by column.
    """

    counterexamples: tuple[Counterexample, ...]
    mates: tuple[Counterexample, ...]
    funnel: dict[str, Funnel]
    probes: int
    disagreeing: int
    boundary: int
    first: int | None
    tokens: int
    shrinkings: tuple[Shrunk, ...] = ()
    confirming: int = 0
    overturned: int = 0

    @property
    def disagreements_per_thousand(self) -> float:
        return 1000 * self.disagreeing / self.probes if self.probes else 0.0


def attack(
    explanation: Explanation,
    feature: int,
    subject: SubjectModel,
    parents: Evidence | Dev | Sequence[Evidence | Dev],
    thresholds: Thresholds,
    generators: Sequence[Generator],
    budget: Budget,
    rng: random.Random,
    *,
    prevalence: Prevalence | None = None,
    embedder: Embedder | None = None,
    watch: Watch | None = None,
) -> Attack:
    """Look for texts on which the subject disagrees with the explanation, within a budget of subject tokens.

    Parents come from evidence and dev only. Raises TypeError for any other sample: what scoring holds out is never
    probed. `prevalence` knows how common each cause is in a corpus, `embedder` how near texts are to each other. The
    same arguments and seed give the same result; `watch` is told how it goes.

    >>> attack(explanation, 17, subject, [evidence, dev], thresholds, [Mutants()], Budget(50_000), random.Random(0))
    ... # doctest: +SKIP
    """
    trial = Trial(explanation, feature, subject, thresholds, budget)
    samples = _samples(parents)
    question = Question(explanation, feature, subject, thresholds, _parents(samples, trial, rng))
    limit = int(PROBING * budget.tokens)
    probing = Probing(trial, question, generators, rng, limit, embedder, watch)
    probing.run()
    chosen, verdicts = _confirmed(probing)
    shares = None if prevalence is None or not chosen else prevalence.shares(explanation, feature)
    smallest, mates, shrinkings = _shrunk(chosen, probing, samples, shares)
    for one in smallest:
        probing.counts[one.generator].unique += 1
    return Attack(
        counterexamples=smallest,
        mates=mates,
        funnel={name: count.done() for name, count in probing.counts.items()},
        probes=probing.probes,
        disagreeing=sum(count.disagreeing for count in probing.counts.values()),
        boundary=verdicts["boundary"],
        first=min((count.first for count in probing.counts.values() if count.first is not None), default=None),
        tokens=trial.spent,
        shrinkings=shrinkings,
        confirming=verdicts.total(),
        overturned=verdicts["overturned"],
    )


def _samples(parents: Evidence | Dev | Sequence[Evidence | Dev]) -> tuple[Evidence | Dev, ...]:
    together = (parents,) if isinstance(parents, Evidence | Dev) else tuple(parents)
    for sample in together:
        if not isinstance(sample, Evidence | Dev):
            raise TypeError(f"probes edit evidence and dev examples only, never {type(sample).__name__}")
    return together


def _parents(samples: Sequence[Evidence | Dev], trial: Trial, rng: random.Random) -> tuple[Reading, ...]:
    """Windows of the examples where the feature was seen to fire or the explanation predicts, as read by the subject.

    They are read anew, as texts of their own: an example may be a view of a longer one, and have started elsewhere.
    """
    examples = [example for sample in samples for example in sample.examples]
    rng.shuffle(examples)
    windows = _windows(examples, trial)
    chosen: list[TokenIds] = []
    for window in dict.fromkeys(window for window in windows if window):
        if trial.cost([*chosen, window]) > READING * trial.budget.tokens:
            break
        chosen.append(window)
    return tuple(trial.read(chosen))


def _windows(examples: Sequence[Example], trial: Trial) -> list[TokenIds]:
    """Of each example the tokens about its peak, or about the first prediction; nothing where there is neither."""
    if not examples:
        return []
    contexts = [example.context for example in examples]
    texts = [
        trial.subject.tokenize(context.text) if context.token_ids is None else context.token_ids for context in contexts
    ]
    size = min(PARENT_TOKENS, trial.subject.max_tokens)
    predicted = evaluate(trial.explanation, batch_of(texts, trial.subject.vocabulary)) >= PREDICTED
    windows: list[TokenIds] = []
    for example, ids, row in zip(examples, texts, predicted, strict=True):
        if not ids:
            windows.append(())
            continue
        if example.context.token_ids is not None and example.peak >= trial.thresholds.high:
            centre = int(np.argmax(example.activations))
        elif row[: len(ids)].any():
            centre = int(np.argmax(row[: len(ids)]))
        else:
            windows.append(())
            continue
        stop = min(centre + AFTER, len(ids))
        windows.append(ids[max(0, stop - size) : stop])
    return windows


def _confirmed(probing: Probing) -> tuple[list[list[Found]], Counter[Confirmation]]:
    """The plainest few of each cluster that hold at batch size 1, by cluster; and how often each verdict was given."""
    trial = probing.trial
    distinct: dict[tuple[TokenIds, int, Kind], Found] = {}
    for found in probing.found:
        one = found.candidate
        distinct.setdefault((one.token_ids, one.position, one.kind), found)
    grouped: dict[Cluster, list[Found]] = {}
    for found in _by_turns(sorted(distinct.values(), key=_plainest_first)):
        grouped.setdefault(found.cluster, []).append(found)
    largest = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0]))[:CLUSTERS]
    turns = [mates[place] for place in range(KEPT_PER_CLUSTER) for _, mates in largest if place < len(mates)]
    # The earliest in any case, though last: how soon an explanation fell is reported.
    turns = [*(found for found in turns if found is not probing.found[0]), *probing.found[:1]]
    cost, asked = 0, list[Found]()
    for found in turns:
        cost += 2 * sum(len(text) + len(trial.subject.prefix) for text in found.candidate.texts)
        if cost <= CONFIRMING * trial.left:
            asked.append(found)
    verdicts = confirm([found.candidate for found in asked], trial)
    chosen: dict[Cluster, list[Found]] = {}
    for found, verdict in zip(asked, verdicts, strict=True):
        if verdict == "confirmed":
            count = probing.counts[found.edit.generator]
            count.confirmed += 1
            count.first = found.probe if count.first is None else min(count.first, found.probe)
            chosen.setdefault(found.cluster, []).append(found)
    return list(chosen.values()), Counter(verdicts)


def _shrunk(
    chosen: list[list[Found]],
    probing: Probing,
    samples: Sequence[Evidence | Dev],
    shares: Mapping[Cluster, float] | None,
) -> tuple[tuple[Counterexample, ...], tuple[Counterexample, ...], tuple[Shrunk, ...]]:
    """The first of each cluster shrunk, then the second of each, while the budget lasts; the others as they are."""
    trial = probing.trial
    mates_of = {mates[0].cluster: tuple(found.candidate for found in mates) for mates in chosen}
    done: list[Shrunk] = []
    causes: list[Cause] = []
    explaining = int(EXPLAINING * trial.left)
    waves = [[mates[place] for mates in chosen if place < len(mates)] for place in range(SHRUNK_PER_CLUSTER)]
    for number, wave in enumerate(waves):
        reserve = explaining + sum(record_cost(found, trial) for later in waves[number:] for found in later)
        shrinkings = shrink_all([found.candidate for found in wave], trial, tokens=max(0, trial.left - reserve))
        again = confirm([shrinking.smallest for shrinking in shrinkings], trial)
        natural = naturalness_of_found(wave, trial, probing.embedder)
        for found, shrinking, verdict, measured in zip(wave, shrinkings, again, natural, strict=True):
            # What is small only in a batch is not small: the text as it was found has been confirmed before.
            steps = shrinking.steps if verdict == "confirmed" else shrinking.steps[:1]
            probing.counts[found.edit.generator].shrunk += shrinking.minimal and verdict == "confirmed"
            record = counterexample_of(steps, found, trial, naturalness=measured)
            if shares is not None:
                record = replace(record, prevalence=shares.get(found.cluster, 0.0))
            causes.append(Cause(steps[-1], record, mates_of[found.cluster]))
            done.append(Shrunk(steps, shrinking.minimal and verdict == "confirmed"))
    kept = [found for mates in chosen for found in mates[SHRUNK_PER_CLUSTER:]]
    rest = [counterexample_of((found.candidate,), found, trial, tagged=False) for found in kept]
    if shares is not None:
        rest = [replace(one, prevalence=shares.get(found.cluster, 0.0)) for one, found in zip(rest, kept, strict=True)]
    others = [*probing.question.parents, *trial.read([found.edit.token_ids for found in probing.found])]
    small = explain(causes, others, samples, trial, random.Random(probing.rng.getrandbits(64)))
    best = diverse(ranked(small, trial.thresholds), trial.explanation, trial.subject.vocabulary)
    return best, ranked(rest, trial.thresholds), tuple(done)


def _plainest_first(found: Found) -> tuple[object, ...]:
    one = found.candidate
    return (not one.paired, not one.is_about_context, -found.margin, len(one.token_ids), one.token_ids, one.position)


def _by_turns(ordered: Sequence[Found]) -> list[Found]:
    """The first of each generator in each cluster, then the second of each: no generator crowds out the others."""
    rank: dict[tuple[Cluster, str], int] = {}
    turns: list[int] = []
    for found in ordered:
        key = found.cluster, found.edit.generator
        rank[key] = rank.get(key, -1) + 1
        turns.append(rank[key])
    return [ordered[place] for place in sorted(range(len(ordered)), key=lambda place: (turns[place], place))]
