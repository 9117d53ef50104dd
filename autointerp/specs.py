"""Specs on the command line: who debates, who judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.debater import Debater, SearchDebater, TextDebater
from agents.judge import BuiltinJudge, Judge
from agents.lm import LanguageModel
from agents.lm_debater import LMDebater
from agents.lm_judge import LMJudge
from agents.search import STRATEGIES
from agents.trying import TryText
from autointerp.lms.opening import KINDS, ModelSpec, is_model
from autointerp.options import RunOptions
from dsl.errors import InputError
from dsl.lexicon import Lexicon

SEARCH_BUDGET = 20_000
"""Candidates that one search may try."""

DEFAULT_DEBATERS = ("search:context", "search:lexical", "search:semantic")

FEW_EXAMPLES = 20
"""Below so many examples searches that fit them best are fitted to chance: the one that adds up cues stands alone."""


def default_debaters(examples: int) -> tuple[str, ...]:
    """Who debates a feature of so many examples when nobody is named."""
    return DEFAULT_DEBATERS if examples >= FEW_EXAMPLES else ("search:additive",)


def make_debaters(
    specs: Sequence[str],
    lexicon: Lexicon,
    models: Mapping[str, LanguageModel] = {},
    *,
    try_text: TryText | None = None,
    candidates: int = 1,
    picks: bool = False,
) -> tuple[Debater, ...]:
    """One debater a spec, in order: `search[:STRATEGY]`, `text:FILE`, a language model; with no specs, three searches.

    `models` are the language models, by spec, that were opened. Those debaters hold a conversation: make them anew for
    every feature. `try_text` is their probe tool, `candidates` the explanations that each draws to hand in the best;
    with `picks` quotes are picked for one that has shown nothing that fires.
    """

    def debater(spec: str) -> Debater:
        if is_model(spec):
            return LMDebater(models[spec], lexicon, try_text, candidates=candidates, picks=picks)
        return _debater(spec, lexicon)

    return tuple(debater(spec) for spec in specs or DEFAULT_DEBATERS)


def make_judge(spec: str, models: Mapping[str, LanguageModel] = {}, *, thinks: bool = False) -> Judge:
    """`builtin`, the judge that runs each explanation on the verified quotes, or a language model, which may think."""
    if is_model(spec):
        return LMJudge(models[spec], chain_of_thought=thinks)
    if spec != "builtin":
        raise InputError(f"no judge is called {spec!r}; there are: builtin, {', '.join(KINDS.values())}")
    if thinks:
        raise InputError("the built-in judge computes and has no thoughts; --judge-thinks is for a language model")
    return BuiltinJudge()


def check_specs(run: RunOptions) -> None:
    """InputError for a spec that names nobody, before anything is loaded."""
    for spec in run.debaters:
        if is_model(spec):
            ModelSpec.parse(spec)
        else:
            _debater(spec, None)
    if is_model(run.judge):
        ModelSpec.parse(run.judge)
    else:
        make_judge(run.judge, thinks=run.judge_thinks)
    if run.writer is not None:
        if not is_model(run.writer):
            raise InputError(f"{run.writer!r} writes no texts; --writer is one of {', '.join(KINDS.values())}")
        ModelSpec.parse(run.writer)


def _debater(spec: str, lexicon: Lexicon | None) -> Debater:
    kind, _, rest = spec.partition(":")
    match kind:
        case "search":
            strategy = rest or STRATEGIES[0]
            if strategy not in STRATEGIES:
                raise InputError(f"no search strategy is called {strategy!r}; there are: {', '.join(STRATEGIES)}")
            return SearchDebater(strategy, lexicon, SEARCH_BUDGET)
        case "text" if rest:
            try:
                return TextDebater(Path(rest).read_text(encoding="utf-8").strip(), lexicon)
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"cannot read the explanation in {rest}: {error}") from error
        case _:
            there_are = ", ".join(["search[:STRATEGY]", "text:FILE", *KINDS.values()])
            raise InputError(f"no debater is called {spec!r}; there are: {there_are}")
