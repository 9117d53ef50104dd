"""Runs over a model's features: `demo` and `debate`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agents.lm import LanguageModel
from autointerp import terminal
from autointerp.features import explain_feature, open_court
from autointerp.lms.opening import check_servers, open_models
from autointerp.options import CorpusOptions, RunOptions
from autointerp.outcomes import print_ending, print_outcomes
from autointerp.pool import Failed, Finished, Outcome, end, work_through
from autointerp.report import write_report
from autointerp.report.fill import feature_view
from autointerp.specs import check_specs
from autointerp.store import SPLITS
from autointerp.workspace import Workspace, complete, open_workspace
from dsl.errors import AutointerpError, InputError, StoreError

ENOUGH_CONTEXTS = 10
"""A live feature, to be drawn at random, fires in at least so many contexts of each split."""

PROMOTED = 10
"""Tokens of the logit lens that the page shows."""


def explain_model(
    corpus: CorpusOptions, run: RunOptions, out: Path | None, *, as_json: bool, reported: bool = False
) -> None:
    """Explain features of a model: a line of JSON or a summary each, and a page under `out`.

    `reported` adds what the debates were worth: who would have been as good, and where the judge leans.
    """
    check_specs(run)
    check_servers(run.specs)
    if out is not None:
        _writable(out)
    workspace = open_workspace(corpus)
    indices = choose_features(workspace, run)
    with open_models(run.specs, device=corpus.device) as models:
        corpus = replace(complete(corpus), store=workspace.store.folder)
        work = ModelWork(corpus, run, workspace.subject.hookpoint, models)
        abreast = run.abreast(waiting=bool(models))
        if run.in_step > 1:
            coming = in_step(work, indices, run.in_step)
        else:
            coming = work_through(work, indices, run.workers, abreast=abreast)
        outcomes = print_outcomes(coming, as_json=as_json)
    print_ending(outcomes, run.seed, reported=reported, as_json=as_json)
    finished = [outcome for outcome in outcomes if isinstance(outcome, Finished)]
    if out is not None and finished:
        page = out / "index.html"
        title = f"{workspace.subject.model_name} · {workspace.subject.hookpoint}"
        write_report([outcome.view for outcome in finished], page, title=title)
        terminal.console.print(f"wrote {page}", markup=False, soft_wrap=True)
    end(outcomes)


@dataclass(frozen=True, slots=True)
class ModelWork:
    """Explaining features of a model by their index, over a store that stands."""

    corpus: CorpusOptions
    run: RunOptions
    hookpoint: str
    models: Mapping[str, LanguageModel] = field(default_factory=dict)

    def open(self) -> Callable[[int], Finished]:
        torch.set_num_threads(1)  # as for all else that the pool runs
        return self.explaining(open_workspace(self.corpus, collecting=False))

    def explaining(self, workspace: Workspace) -> Callable[[int], Finished]:
        """What explains a feature of a workspace that is open."""
        subject = workspace.subject

        def explain(index: int) -> Finished:
            court = open_court(workspace, index, self.run, self.models)
            result = explain_feature(court)
            strings = subject.vocabulary.strings
            promoted = [(strings[token], raised) for token, raised in subject.promoted(index, PROMOTED)]
            return Finished(result.to_json(), feature_view(result, court.samples, promoted))

        return explain

    def name(self, item: int) -> str:
        return f"{self.hookpoint}/{item}"


def in_step(work: ModelWork, indices: Sequence[int], size: int) -> Iterator[Outcome]:
    """Explain features in this process, so many in step: what they ask of the subject together runs as one batch.

    The waves depend on the order of the features alone, so results do not depend on timing.
    """
    workspace = open_workspace(work.corpus, collecting=False)
    explain = work.explaining(workspace)

    def outcome(index: int) -> Outcome:
        try:
            return explain(index)
        except AutointerpError as error:
            return Failed(work.name(index), str(error), error.exit_code)

    with terminal.progress("features") as advance:
        for start in range(0, len(indices), size):
            advance(start, len(indices))
            yield from workspace.subject.gathering.run([partial(outcome, one) for one in indices[start : start + size]])
        advance(len(indices), len(indices))


def choose_features(workspace: Workspace, run: RunOptions) -> tuple[int, ...]:
    """The features named, or else a sample, under the seed, of those that fire in enough contexts."""
    if run.named:
        return tuple(dict.fromkeys(workspace.index_of(name) for name in run.named))
    live = workspace.store.live_features(ENOUGH_CONTEXTS * len(SPLITS)).tolist()
    order = random.Random(f"{run.seed} features").sample(live, len(live))
    found = (index for index in order if enough_contexts(workspace, index))
    chosen = tuple(itertools.islice(found, run.features))
    if not chosen:
        raise InputError(f"no feature fires in {ENOUGH_CONTEXTS} contexts of each split; name a larger corpus")
    return chosen


def enough_contexts(workspace: Workspace, index: int) -> bool:
    """Whether the feature fires in enough contexts of each split to make samples of them."""
    store = workspace.store
    column, high = store.column(index), store.thresholds(index).high
    splits = store.contexts.splits[np.unique(column.rows[column.values >= high])]
    return bool((np.bincount(splits, minlength=len(SPLITS)) >= ENOUGH_CONTEXTS).all())


def _writable(folder: Path) -> None:
    """Fail before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".autointerp-writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(f"cannot write in {folder}: {error.strerror}; choose another folder with --out") from error
