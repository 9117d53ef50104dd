"""`predict` and `explain` over records: features that came as strings and activations, with no model at hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.debate import admit, debate
from agents.debater import Debater
from agents.lm import LanguageModel
from agents.transcript import Argument, Transcript
from autointerp import printing, terminal
from autointerp.defence import Defence
from autointerp.features import baselines, winning_sides
from autointerp.lexicons import DefaultLexicon
from autointerp.lms.opening import check_servers, open_models
from autointerp.measures import side_scores
from autointerp.measures.repair_usage import since, spent
from autointerp.options import RunOptions
from autointerp.outcomes import print_ending, print_outcomes
from autointerp.pool import Finished, end, work_through
from autointerp.records_file import FeatureRecord, read_records
from autointerp.report.fill import feature_view
from autointerp.results import FeatureResult
from autointerp.sampling import Samples, held_out_of, split_records, thresholds_of
from autointerp.scoring import dev_score, score_explanation
from autointerp.specs import check_specs, default_debaters, make_debaters, make_judge
from dsl.batch import Batch
from dsl.errors import InputError
from dsl.evaluate import evaluate
from dsl.nodes import Explanation
from dsl.parse import parse
from dsl.records import Dev, Evidence, Example

NO_MODEL = "no model at hand: the feature came as records"


def predict_records(text: str, path: Path, *, as_json: bool) -> None:
    """Print what an explanation predicts at every token of every example."""
    explanation = parse(text, DefaultLexicon())
    for record in read_records(path):
        batch = Batch.of([example.context for example in record.examples])
        predicted = evaluate(explanation, batch)
        for number, example in enumerate(record.examples):
            values = predicted[number, : len(example.activations)].tolist()
            if as_json:
                terminal.print_line({"feature": record.feature, "example": number, "predicted": values})
            else:
                printing.print_prediction(record.feature, number, example, values)


def explain_records(
    path: Path, held_out: Path | None, run: RunOptions, *, as_json: bool, reported: bool = False, device: str = "cpu"
) -> None:
    """Explain every feature of a records file, or the named ones; local language models run on `device`."""
    check_specs(run)
    check_servers(run.specs)
    records = {record.feature: record for record in read_records(path)}
    unseen = {record.feature: record for record in read_records(held_out)} if held_out is not None else None
    missing = [name for name in run.named if name not in records]
    if missing:
        raise InputError(f"{path} has no feature {', '.join(missing)}; it has {_some(records)}")
    names = list(dict.fromkeys(run.named)) or list(records)
    DefaultLexicon().prepare()
    with open_models(run.specs, device=device) as models:
        work = RecordsWork(records, unseen, run, models)
        abreast = run.abreast(waiting=bool(models))
        outcomes = print_outcomes(work_through(work, names, run.workers, abreast=abreast), as_json=as_json)
    print_ending(outcomes, run.seed, reported=reported, as_json=as_json)
    end(outcomes)


@dataclass(frozen=True, slots=True)
class RecordsWork:
    """Explaining features by name, from records; `unseen` are the records that score only, where there are some."""

    records: Mapping[str, FeatureRecord]
    unseen: Mapping[str, FeatureRecord] | None
    run: RunOptions
    models: Mapping[str, LanguageModel] = field(default_factory=dict)

    def open(self) -> Callable[[str], Finished]:
        lexicon = DefaultLexicon()
        judge = make_judge(self.run.judge, self.models, thinks=self.run.judge_thinks)

        def explain(name: str) -> Finished:
            examples = self.records[name].examples
            specs = self.run.debaters or default_debaters(len(examples))
            debaters = make_debaters(specs, lexicon, self.models, candidates=self.run.candidates, picks=self.run.picks)
            if self.unseen is None:
                samples = split_records(name, examples, self.run.seed)
            else:
                samples = all_as_evidence(name, examples, self.unseen.get(name))
            rng = random.Random(f"{self.run.seed} {name} debate")
            transcript = debate(
                samples.evidence,
                debaters,
                judge,
                lambda one: dev_score(one, samples.dev),
                rng,
                lexicon=lexicon,
                procedure=self.run.procedure,
            )
            result = _scored(transcript, samples, self.run.seed)
            if self.unseen is None:
                everything = Evidence(name, examples, thresholds_of(name, examples))
                debated = spent(debaters)
                refitted, why_not = _refitted(transcript, everything, debaters, self.run.seed, lexicon)
                result = replace(
                    result,
                    explanation=refitted,
                    defence=Defence(result.explanation, refitted),
                    repair_usage=since(debated, spent(debaters)),
                    skipped={**result.skipped, **({"refit": why_not} if why_not else {})},
                )
            return Finished(result.to_json(), feature_view(result, samples))

        return explain

    def name(self, item: str) -> str:
        return item


def all_as_evidence(name: str, examples: tuple[Example, ...], unseen: FeatureRecord | None) -> Samples:
    """Every record is evidence; with nothing left over for dev, ties are broken by the fit to the evidence itself.

    The feature fires above a tenth of its maximum over the evidence. A feature that the held-out records lack is
    explained all the same, and unscored.
    """
    thresholds = thresholds_of(name, examples)
    evidence = Evidence(name, examples, thresholds)
    held_out = held_out_of(name, () if unseen is None else unseen.examples, thresholds)
    dev = Dev(name, examples, thresholds)
    return Samples(evidence, dev, held_out, (), lambda: (evidence.batch, evidence.activations))


def _scored(transcript: Transcript, samples: Samples, seed: int) -> FeatureResult:
    """The debate's explanation, scored on what it did not see."""
    winner, best = winning_sides(transcript)
    explanation = winner.argument.explanation
    return FeatureResult(
        feature=samples.evidence.feature,
        explanation=explanation,
        transcript=transcript,
        defence=Defence(explanation, explanation),
        scores=score_explanation(explanation, samples.held_out, seed=seed),
        baselines=baselines(samples, explanation, best.argument.explanation, seed),
        sides_held_out=side_scores(transcript, samples.held_out, seed),
        skipped={"probes": NO_MODEL, "repair": NO_MODEL},
    )


def _refitted(
    transcript: Transcript, everything: Evidence, debaters: Sequence[Debater], seed: int, lexicon: DefaultLexicon
) -> tuple[Explanation, str]:
    """What the winner proposes when it may see all records; should that not stand, what it proposed before, and why."""
    winner, _ = winning_sides(transcript)
    rng = random.Random(f"{seed} {everything.feature} refit")
    proposal = debaters[winner.seats[0]].propose(everything, rng)
    admitted = admit(proposal, everything, lexicon=lexicon)
    if isinstance(admitted, Argument):
        return admitted.explanation, ""
    return winner.argument.explanation, admitted


def _some(names: Mapping[str, object]) -> str:
    first = list(names)[:5]
    return ", ".join(first) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
