"""Specs on the command line: who debates, who judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.debater import Debater, SearchDebater, TextDebater
from agents.judge import BuiltinJudge, Judge
from agents.search import STRATEGIES
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


def make_debaters(specs: Sequence[str], lexicon: Lexicon) -> tuple[Debater, ...]:
    """One debater a spec, in order: `search`, `search:STRATEGY`, `text:FILE`; with no specs, three searches."""
    return tuple(_debater(spec, lexicon) for spec in specs or DEFAULT_DEBATERS)


def make_judge(spec: str) -> Judge:
    """`builtin`: the judge that runs each explanation on the verified quotes."""
    if spec != "builtin":
        raise InputError(f"no judge is called {spec!r}; there is: builtin")
    return BuiltinJudge()


def _debater(spec: str, lexicon: Lexicon) -> Debater:
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
            raise InputError(f"no debater is called {spec!r}; there are: search[:STRATEGY] and text:FILE")
