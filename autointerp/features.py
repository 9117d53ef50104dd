"""One feature of a model from beginning to end: sample, debate, attack, repair, score."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.debate import admit, debate
from agents.debater import Debater
from agents.judge import Judge
from agents.lm import LanguageModel
from agents.transcript import Argument, Side, Transcript
from autointerp.at_hand import at_hand
from autointerp.defence import Defence, defend
from autointerp.lms.writing import LMWriter
from autointerp.measures import side_scores
from autointerp.measures.repair_usage import since, spent
from autointerp.options import RunOptions
from autointerp.prevalence import StorePrevalence
from autointerp.repair import RepairOutcome, repair
from autointerp.results import FeatureResult
from autointerp.sampling import Samples, sample
from autointerp.scoring import Scores, TokenLookup, dev_score, score_explanation, shifted
from autointerp.specs import make_debaters, make_judge
from autointerp.suggesting import Suggesting
from autointerp.trying import SubjectTryText
from autointerp.word_vectors import embed
from autointerp.workspace import Workspace
from dsl.errors import InputError
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.records import Counterexample, Evidence, HeldOut
from probes.attack import Attack, attack
from probes.generators import suite
from probes.probing import Watch
from probes.subject import Writer
from probes.trial import Budget


@dataclass(frozen=True, eq=False)
class Court:
    """What every explanation of one feature is put before: its samples, the model, and who may mend it."""

    workspace: Workspace
    index: int
    samples: Samples
    debaters: Sequence[Debater]
    judge: Judge
    run: RunOptions
    writer: Writer | None = None

    def dev_score(self, explanation: Explanation) -> float:
        return dev_score(explanation, self.samples.dev)

    def rng(self, purpose: str) -> random.Random:
        """A stream of its own for each purpose, so that more work in one place changes nothing elsewhere."""
        return random.Random(f"{self.run.seed} {self.samples.evidence.feature} {purpose}")

    def attack(
        self,
        explanation: Explanation,
        purpose: str,
        rivals: Sequence[Explanation] = (),
        *,
        watch: Watch | None = None,
    ) -> Attack:
        """Look for texts on which the explanation is wrong, also where rivals say something else."""
        workspace = self.workspace
        return attack(
            explanation,
            self.index,
            workspace.subject,
            [self.samples.evidence, self.samples.dev],
            self.samples.evidence.thresholds,
            suite(at_hand(workspace, self.run.seed, rivals, writer=self.writer)),
            Budget(self.run.probe_tokens, self.run.probes),
            self.rng(purpose),
            prevalence=StorePrevalence(workspace.store, workspace.subject.vocabulary),
            watch=watch,
            embedder=embed,
        )

    def defend(self, explanation: Explanation, rivals: Sequence[Explanation] = ()) -> Defence:
        """Attack, mend with what was found, and attack what came of it, for as long as mending helps."""
        if not self.run.probe_tokens:
            return Defence(explanation, explanation)
        return defend(
            explanation,
            lambda now, number: self.attack(now, f"attack {number}", rivals),
            self._repair,
            rounds=self.run.rounds,
        )

    def _repair(
        self,
        explanation: Explanation,
        found: Sequence[Counterexample],
        remembered: Sequence[Counterexample],
        number: int,
    ) -> RepairOutcome:
        return repair(
            explanation,
            found,
            self.samples.evidence,
            [*(DebaterAtWork(debater, self.workspace.lexicon) for debater in self.debaters), Suggesting()],
            self.dev_score,
            self.workspace.subject.vocabulary,
            self.rng(f"repair {number}"),
            remembered=remembered,
        )


@dataclass(frozen=True, slots=True)
class DebaterAtWork:
    """A debater that mends: its proposal is held to the rules of the debate, and counts only where it could stand."""

    debater: Debater
    lexicon: Lexicon

    def repair(
        self, evidence: Evidence, explanation: Explanation, shown: Sequence[Counterexample], rng: random.Random
    ) -> Sequence[Explanation]:
        proposal = self.debater.repair(evidence, Argument(explanation, (), ""), shown, rng)
        admitted = admit(proposal, evidence, lexicon=self.lexicon)
        return [admitted.explanation] if isinstance(admitted, Argument) else []


def open_court(workspace: Workspace, index: int, run: RunOptions, models: Mapping[str, LanguageModel] = {}) -> Court:
    """Sample the feature's behaviour; InputError where it never fires, or always. `models` are by their specs."""
    feature = workspace.subject.feature(index)
    samples = sample(workspace.store, workspace.subject.vocabulary, feature, seed=run.seed)
    debaters = make_debaters(
        run.debaters,
        workspace.lexicon,
        models,
        try_text=SubjectTryText(workspace.subject, index),
        candidates=run.candidates,
        picks=run.picks,
    )
    judge = make_judge(run.judge, models, thinks=run.judge_thinks)
    writer = None if run.writer is None else LMWriter(models[run.writer])
    return Court(workspace, index, samples, debaters, judge, run, writer)


def explain_feature(court: Court) -> FeatureResult:
    """Hold the debate, defend the explanation it chose, and score it beside the controls given the same treatment."""
    samples, workspace = court.samples, court.workspace
    transcript = debate(
        samples.evidence,
        court.debaters,
        court.judge,
        court.dev_score,
        court.rng("debate"),
        lexicon=workspace.lexicon,
        procedure=court.run.procedure,
    )
    winner, best = winning_sides(transcript)
    rivals = [side.argument.explanation for side in transcript.sides]
    debated = spent(court.debaters)
    defence = court.defend(winner.argument.explanation, rivals)
    defended = spent(court.debaters)
    control_defence = defence if best == winner else court.defend(best.argument.explanation, rivals)
    explanation, seed = defence.after, court.run.seed
    return FeatureResult(
        feature=samples.evidence.feature,
        explanation=explanation,
        transcript=transcript,
        defence=defence,
        scores=score_explanation(explanation, samples.held_out, seed=seed),
        baselines=baselines(samples, explanation, control_defence.after, seed),
        before_repair=score_explanation(defence.before, samples.held_out, seed=seed) if defence.repaired else None,
        sides_held_out=side_scores(transcript, samples.held_out, seed),
        repair_usage=since(debated, defended),
        control_usage=since(defended, spent(court.debaters)),
        prefix=workspace.subject.prefix,
        skipped={f"samples {number}": note for number, note in enumerate(samples.notes)},
    )


def winning_sides(transcript: Transcript) -> tuple[Side, Side]:
    """The side to report and the best by dev score; InputError, with the reasons, where every debater forfeited."""
    if transcript.winner is None or transcript.best_by_dev is None:
        reasons = "; ".join(f"{forfeit.debater}: {forfeit.reason}" for forfeit in transcript.forfeits)
        raise InputError(f"no debater handed in an explanation that could stand ({reasons})")
    return transcript.winner, transcript.sides[transcript.best_by_dev]


def baselines(
    samples: Samples, explanation: Explanation, best_by_dev: Explanation, seed: int
) -> Mapping[str, Scores | None]:
    """What the scores are read against, on the same held-out documents and from the same resamples."""
    evidence, held_out = samples.evidence, samples.held_out
    training, activations = samples.training()
    lookup = TokenLookup.fit(evidence.batch, evidence.activations, evidence.thresholds)
    full = TokenLookup.fit(training, activations, evidence.thresholds)
    return {
        "token_lookup": lookup.score(held_out, seed=seed),
        "token_lookup_full": full.score(held_out, seed=seed),
        "best_by_dev": score_explanation(best_by_dev, held_out, seed=seed),
        "shuffled": shuffled_floor(explanation, held_out, seed),
    }


def shuffled_floor(explanation: Explanation, held_out: HeldOut, seed: int) -> Scores:
    """What the explanation scores against the same activations moved along their documents."""
    return score_explanation(explanation, shifted(held_out, np.random.default_rng(seed)), seed=seed)
