"""`autointerp probe`: a person's own explanation of a feature, attacked with a live funnel, or put to a saved bank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.live import Live

from autointerp import printing, terminal
from autointerp.features import open_court
from autointerp.lexicons import DefaultLexicon
from autointerp.options import CorpusOptions, RunOptions
from autointerp.workspace import index_of, load_subject, open_workspace
from dsl.batch import Vocabulary
from dsl.errors import InputError
from dsl.nodes import Explanation
from dsl.parse import parse
from probes.bank import replay, reread
from probes.bank_file import Bank, load, save
from probes.probing import Funnel, Watch

STANDS = 1
"""The exit code of a replay under which some counterexample of the bank stands."""


@dataclass(frozen=True, slots=True)
class BankFiles:
    """`saved`: where counterexamples go, beside those that the file holds already; `replayed`: a bank to replay."""

    saved: Path | None = None
    replayed: Path | None = None


def probe_explanation(
    text: str, corpus: CorpusOptions, run: RunOptions, banks: BankFiles, *, threads: int, as_json: bool
) -> int:
    """Attack one explanation of one feature and show what stands up, or replay a bank; returns the exit code.

    `threads` are those of the model on a CPU. A small one is fastest with one, which is also what a run gives each of
    its processes.
    """
    explanation = parse(text, DefaultLexicon())
    [name] = run.named
    torch.set_num_threads(threads)
    if banks.replayed is not None:
        return _replay(explanation, name, corpus, banks.replayed, as_json=as_json)
    workspace = open_workspace(corpus)
    court = open_court(workspace, workspace.index_of(name), run)
    evidence, vocabulary = court.samples.evidence, workspace.subject.vocabulary
    bank = Bank(evidence.feature, explanation, evidence.thresholds, ())
    if banks.saved is not None and banks.saved.exists():  # before the work, so that a wrong file costs none
        bank = _bank_of(banks.saved, evidence.feature, vocabulary)
    with _live(explanation) as watch:
        found = court.attack(explanation, "attack", watch=watch)
    if banks.saved is not None:
        save(bank.merged(found.counterexamples), banks.saved, vocabulary)
    if as_json:
        terminal.print_line(printing.attack_line(evidence.feature, explanation, found, workspace.subject.prefix))
    else:
        printing.print_attack(explanation, found, evidence.thresholds)
        if banks.saved is not None:
            terminal.console.print(f"saved in {banks.saved}", markup=False, soft_wrap=True)
    return 0


def _replay(explanation: Explanation, name: str, corpus: CorpusOptions, path: Path, *, as_json: bool) -> int:
    """Run the texts of a bank anew, one at a time, and say which of them the explanation is wrong about."""
    subject = load_subject(corpus)
    index = index_of(subject, name)
    bank = _bank_of(path, f"{subject.hookpoint}/{index}", subject.vocabulary)
    now = reread(bank.counterexamples, subject, index)
    held = replay(now, bank.explanation, bank.thresholds, subject.vocabulary)
    standing = replay(now, explanation, bank.thresholds, subject.vocabulary)
    if as_json:
        terminal.print_line(printing.replay_line(bank, explanation, now, standing, held, subject.prefix))
    else:
        printing.print_replay(bank, now, standing, held)
    return STANDS if any(standing) else 0


def _bank_of(path: Path, feature: str, vocabulary: Vocabulary) -> Bank:
    bank = load(path, vocabulary)
    if bank.feature != feature:
        raise InputError(f"{path} holds counterexamples of {bank.feature}, not of {feature}; name that feature's bank")
    return bank


@contextmanager
def _live(explanation: Explanation) -> Iterator[Watch | None]:
    """The funnel as it fills, on stderr; nothing where stderr is no terminal."""
    if not terminal.console.is_terminal:
        yield None
        return
    with Live(console=terminal.console, transient=True, refresh_per_second=4) as live:

        def watch(funnels: Mapping[str, Funnel], probes: int) -> None:
            live.update(printing.funnel_table(explanation, funnels, f"{probes} probes"))

        yield watch
