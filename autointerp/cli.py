"""The command line. Each command parses its options, calls one function of the floors below, and prints the result.

Imports of torch and transformers wait inside the commands: `autointerp check` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agents.procedure import Procedure
from autointerp import terminal
from autointerp.options import CorpusOptions, RunOptions
from dsl.errors import ExplanationError

app = typer.Typer(
    name="autointerp",
    help="Executable explanations of sparse-autoencoder features: debated, attacked, and scored on held-out text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
demo_app = typer.Typer(help="Explain features of the embedded model, or rebuild it.", invoke_without_command=True)
app.add_typer(demo_app, name="demo")

Text = Annotated[str, typer.Argument(metavar="EXPLANATION", help="an explanation in the language")]
Texts = Annotated[list[str] | None, typer.Argument(metavar="EXPLANATION", help="explanations in the language")]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", metavar="FILE", help="one explanation a line, indented lines going on; - is standard input"),
]
Json = Annotated[bool, typer.Option("--json", help="one JSON object a line on stdout")]
Seed = Annotated[int, typer.Option(help="decides every random choice; the same seed gives the same bytes")]
Records = Annotated[Path, typer.Option("--records", metavar="FILE", help="feature records, one JSON object a line")]
Model = Annotated[str | None, typer.Option("--model", metavar="DIR", help="model folder (Hugging Face format)")]
Dictionary = Annotated[Path | None, typer.Option("--sae", metavar="DIR", help="dictionary folder (SAELens format)")]
Corpus = Annotated[Path | None, typer.Option("--corpus", metavar="FILE", help="text: .txt, .jsonl or .jsonl.gz")]
MaskedModel = Annotated[Path | None, typer.Option("--mlm", metavar="DIR", help="masked LM for context edits")]
StoreFolder = Annotated[Path | None, typer.Option("--store", metavar="DIR", help="where activations are kept")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
ContextTokens = Annotated[
    int | None, typer.Option("--context-tokens", help="tokens of one context, as documents are cut")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for the page and the results")]
Count = Annotated[int, typer.Option("--features", metavar="N", min=1, help="how many live features, drawn by the seed")]
Named = Annotated[list[str] | None, typer.Option("--feature", metavar="ID", help="hookpoint/index; may be repeated")]
LMS = "hf:PATH, vllm:PATH or openai:MODEL@BASE_URL"
Debaters = Annotated[
    list[str] | None,
    typer.Option("--debater", metavar="SPEC", help=f"search[:STRATEGY], text:FILE, {LMS}; may be repeated"),
]
Judge = Annotated[str, typer.Option("--judge", metavar="SPEC", help=f"builtin, {LMS}")]
Thinks = Annotated[bool, typer.Option("--judge-thinks", help="the judge writes before it answers")]
Candidates = Annotated[
    int, typer.Option("--candidates", min=1, help="explanations a language model draws to hand in the best")
]
Picks = Annotated[
    bool, typer.Option("--pick-quotes", help="quotes are picked for a language model that shows nothing that fires")
]
Consultancy = Annotated[bool, typer.Option("--consultancy", help="the judge hears each side alone")]
ExplanationsOnly = Annotated[bool, typer.Option("--explanations-only", help="a control: the judge sees no quotes")]
Rebuttals = Annotated[int, typer.Option("--rebuttals", min=0, help="rounds in which sides quote against each other")]
Questions = Annotated[int, typer.Option("--questions", min=0, help="rounds in which the judge may ask")]
WriterSpec = Annotated[str | None, typer.Option("--writer", metavar="SPEC", help=f"writes texts for probes: {LMS}")]
AtOnce = Annotated[
    int | None, typer.Option("--at-once", min=1, help="features at hand in a process; more hide the wait for models")
]
InStep = Annotated[
    int,
    typer.Option("--in-step", min=1, help="for a GPU: one process, in which probes of so many features are one batch"),
]
Report = Annotated[bool, typer.Option("--report", help="say at the end what the debates were worth")]
Probes = Annotated[int, typer.Option("--probe-tokens", min=0, help="budget of one attack, in tokens of the subject")]
Rounds = Annotated[int, typer.Option("--rounds", min=0, help="how often, at most, an explanation is mended")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="processes; results do not depend on it")]


def main() -> None:
    """The console script."""
    sys.exit(terminal.exit_code_of(_run))


def _run() -> None:
    try:
        app()
    except SystemExit as ended:
        if ended.code == terminal.INTERRUPTED:  # the library's silent answer to ctrl-C; ours says what is kept
            raise KeyboardInterrupt from ended
        raise


@app.command()
def check(
    texts: Texts = None,
    file: Files = None,
    explain: Annotated[bool, typer.Option("--explain", help="say in plain words what each means")] = False,
    as_json: Json = False,
) -> None:
    """Print the canonical text of explanations, or say where they break and what would stand there (exit 2)."""
    from autointerp.checking import check_all, gather

    if check_all(gather(texts or (), file or ()), as_json=as_json, explain=explain):
        sys.exit(ExplanationError.exit_code)


@app.command("format")
def format_(
    texts: Texts = None,
    file: Files = None,
    width: Annotated[int, typer.Option(min=1, help="columns that a line may have")] = 88,
    as_json: Json = False,
) -> None:
    """Print explanations over several indented lines; they mean the same."""
    from autointerp.checking import format_all, gather

    if format_all(gather(texts or (), file or ()), width=width, as_json=as_json):
        sys.exit(ExplanationError.exit_code)


@app.command()
def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="an explanation in the language")],
    other: Annotated[str, typer.Argument(metavar="B", help="another one")],
    corpus: Corpus = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="DIR", help="folder with the tokenizer.json that cuts the corpus")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=1, help="tokens of the sample")] = 100_000,
    as_json: Json = False,
) -> None:
    """Say whether two explanations predict the same: by proof, and on a sample, with texts that tell them apart.

    With no corpus named, on the embedded one; a corpus without a model is cut in words and punctuation. Exit codes: 0
    where no text was found on which they differ, 1 where one was, 2 where one is no explanation.
    """
    from autointerp.comparing import compare_texts

    code = compare_texts((one, other), corpus, model, tokens, as_json=as_json)
    if code:
        sys.exit(code)


@app.command()
def translate(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="a semantic regex, or a label in plain words")],
    notation: Annotated[str, typer.Option("--from", metavar="NOTATION", help="auto, semantic-regex or label")] = "auto",
    as_json: Json = False,
) -> None:
    """Say in the language what another notation means: candidates with reasons, or why there are none (exit 2)."""
    from autointerp.translations.printing import print_translation

    print_translation(text, notation, as_json=as_json)


@app.command()
def predict(text: Text, records: Records, as_json: Json = False) -> None:
    """Run an explanation on records: what it predicts at every token, no model needed."""
    from autointerp.records_run import predict_records

    predict_records(text, records, as_json=as_json)


@app.command()
def explain(
    records: Records,
    held_out: Annotated[Path | None, typer.Option("--held-out", metavar="FILE", help="records that score only")] = None,
    feature: Named = None,
    debater: Debaters = None,
    judge: Judge = "builtin",
    judge_thinks: Thinks = False,
    candidates: Candidates = 1,
    pick_quotes: Picks = False,
    consultancy: Consultancy = False,
    explanations_only: ExplanationsOnly = False,
    rebuttals: Rebuttals = 0,
    questions: Questions = 0,
    report: Report = False,
    device: Device = "cpu",
    seed: Seed = 0,
    workers: Workers = None,
    at_once: AtOnce = None,
    as_json: Json = False,
) -> None:
    """Debate features that came as records, with no model at hand."""
    from autointerp.records_run import explain_records

    run = RunOptions(
        debaters=tuple(debater or ()),
        judge=judge,
        seed=seed,
        named=tuple(feature or ()),
        workers=workers,
        procedure=_procedure(consultancy, explanations_only, rebuttals, questions),
        judge_thinks=judge_thinks,
        candidates=candidates,
        picks=pick_quotes,
        at_once=at_once,
    )
    explain_records(records, held_out, run, as_json=as_json, reported=report, device=device)


@app.command()
def collect(
    model: Model = None,
    sae: Dictionary = None,
    corpus: Corpus = None,
    store: StoreFolder = None,
    device: Device = "cpu",
    context_tokens: ContextTokens = None,
    as_json: Json = False,
) -> None:
    """Run the model over a corpus once and keep every feature's activations on disk."""
    from autointerp.workspace import collect_store

    collect_store(CorpusOptions(model, sae, corpus, None, store, device, context_tokens), as_json=as_json)


@app.command()
def debate(
    model: Model = None,
    sae: Dictionary = None,
    corpus: Corpus = None,
    mlm: MaskedModel = None,
    store: StoreFolder = None,
    device: Device = "cpu",
    context_tokens: ContextTokens = None,
    features: Count = 5,
    feature: Named = None,
    debater: Debaters = None,
    judge: Judge = "builtin",
    judge_thinks: Thinks = False,
    candidates: Candidates = 1,
    pick_quotes: Picks = False,
    consultancy: Consultancy = False,
    explanations_only: ExplanationsOnly = False,
    rebuttals: Rebuttals = 0,
    questions: Questions = 0,
    writer: WriterSpec = None,
    report: Report = False,
    probe_tokens: Probes = 50_000,
    rounds: Rounds = 3,
    seed: Seed = 0,
    workers: Workers = None,
    at_once: AtOnce = None,
    in_step: InStep = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Debate, attack, repair and score features of a model; with no model named, of the embedded one."""
    from autointerp.pipeline import explain_model

    run = RunOptions(
        debaters=tuple(debater or ()),
        judge=judge,
        seed=seed,
        features=features,
        named=tuple(feature or ()),
        probe_tokens=probe_tokens,
        workers=workers,
        rounds=rounds,
        procedure=_procedure(consultancy, explanations_only, rebuttals, questions),
        judge_thinks=judge_thinks,
        candidates=candidates,
        picks=pick_quotes,
        writer=writer,
        at_once=at_once,
        in_step=in_step,
    )
    options = CorpusOptions(model, sae, corpus, mlm, store, device, context_tokens)
    explain_model(options, run, out, as_json=as_json, reported=report)


@demo_app.callback()
def demo(
    context: typer.Context,
    features: Count = 5,
    feature: Named = None,
    debater: Debaters = None,
    judge: Judge = "builtin",
    judge_thinks: Thinks = False,
    candidates: Candidates = 1,
    pick_quotes: Picks = False,
    consultancy: Consultancy = False,
    explanations_only: ExplanationsOnly = False,
    rebuttals: Rebuttals = 0,
    questions: Questions = 0,
    writer: WriterSpec = None,
    report: Report = False,
    probe_tokens: Probes = 50_000,
    rounds: Rounds = 3,
    seed: Seed = 0,
    workers: Workers = None,
    at_once: AtOnce = None,
    in_step: InStep = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Explain features of the embedded model: debates, counterexamples, repairs, held-out scores, and a page."""
    if context.invoked_subcommand is not None:
        return
    from autointerp.pipeline import explain_model

    run = RunOptions(
        debaters=tuple(debater or ()),
        judge=judge,
        seed=seed,
        features=features,
        named=tuple(feature or ()),
        probe_tokens=probe_tokens,
        workers=workers,
        rounds=rounds,
        procedure=_procedure(consultancy, explanations_only, rebuttals, questions),
        judge_thinks=judge_thinks,
        candidates=candidates,
        picks=pick_quotes,
        writer=writer,
        at_once=at_once,
        in_step=in_step,
    )
    page = out if out is not None or as_json else Path("autointerp-demo")
    explain_model(CorpusOptions(), run, page, as_json=as_json, reported=report)


@demo_app.command()
def build(
    text: Annotated[Path, typer.Option("--text", metavar="FILE", help="what the models are trained on")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="where the models and the corpus go")],
    as_json: Json = False,
) -> None:
    """Train the embedded model, its dictionary and its masked model from a text, and sample its corpus."""
    from autointerp.workspace import build_demo

    build_demo(text, out, as_json=as_json)


@app.command()
def probe(
    text: Text,
    feature: Annotated[str, typer.Option("--feature", metavar="ID", help="hookpoint/index, or just the index")],
    model: Model = None,
    sae: Dictionary = None,
    corpus: Corpus = None,
    mlm: MaskedModel = None,
    store: StoreFolder = None,
    device: Device = "cpu",
    context_tokens: ContextTokens = None,
    probe_tokens: Probes = 50_000,
    probes: Annotated[int | None, typer.Option("--probes", min=0, help="texts to try at most")] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="keep what is found, beside what this bank holds"),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="try only the counterexamples of this bank")
    ] = None,
    seed: Seed = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="of the model, on a CPU")] = 1,
    as_json: Json = False,
) -> None:
    """Attack your own explanation of one feature with real runs of the model.

    With --replay no new texts are written: those of the bank are run again, and the exit code is 1 where any stands.
    """
    from autointerp.probing_run import BankFiles, probe_explanation

    run = RunOptions(seed=seed, named=(feature,), probe_tokens=probe_tokens, probes=probes)
    options = CorpusOptions(model, sae, corpus, mlm, store, device, context_tokens)
    code = probe_explanation(text, options, run, BankFiles(save, replay), threads=threads, as_json=as_json)
    if code:
        sys.exit(code)


def _procedure(consultancy: bool, explanations_only: bool, rebuttals: int, questions: int) -> Procedure:
    return Procedure(
        format="consultancy" if consultancy else "debate",
        shown="explanations" if explanations_only else "quotes",
        rebuttals=rebuttals,
        questions=questions,
    )


if __name__ == "__main__":
    main()
