"""The language of explanations and the records it speaks of.

Names load with the module that holds them on first use: `import dsl` costs nothing, reading an explanation does not
load arrays, and only evaluation loads everything.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsl.agreement import Agreement, Witness, agreement
    from dsl.batch import Batch, Vocabulary
    from dsl.compare import Comparison, Differ, EqualOnSample, ProvenEquivalent, ProvenSubsumed, Verdict, compare
    from dsl.complexity import bits, order, size
    from dsl.decoding import Bounds, decoding_grammar, longest_output
    from dsl.digest import digest
    from dsl.errors import AutointerpError, ExplanationError, InputError, StoreError, SubjectError
    from dsl.evaluate import evaluate, matches
    from dsl.layout import layout
    from dsl.lexicon import Lexicon
    from dsl.mutate import Mutant, mutants
    from dsl.nodes import Explanation, Expression
    from dsl.parse import parse
    from dsl.plain import plain_words
    from dsl.records import Context, Counterexample, Dev, Evidence, Example, Feature, HeldOut, Thresholds
    from dsl.render import render, render_expression
    from dsl.simplify import simplify, simplify_expression
    from dsl.subsumption import equivalent, subsumes

__all__ = [
    "Agreement",
    "AutointerpError",
    "Batch",
    "Bounds",
    "Comparison",
    "Context",
    "Counterexample",
    "Dev",
    "Differ",
    "EqualOnSample",
    "Evidence",
    "Example",
    "Explanation",
    "ExplanationError",
    "Expression",
    "Feature",
    "HeldOut",
    "InputError",
    "Lexicon",
    "Mutant",
    "ProvenEquivalent",
    "ProvenSubsumed",
    "StoreError",
    "SubjectError",
    "Thresholds",
    "Verdict",
    "Vocabulary",
    "Witness",
    "agreement",
    "bits",
    "compare",
    "decoding_grammar",
    "digest",
    "equivalent",
    "evaluate",
    "layout",
    "longest_output",
    "matches",
    "mutants",
    "order",
    "parse",
    "plain_words",
    "render",
    "render_expression",
    "simplify",
    "simplify_expression",
    "size",
    "subsumes",
]

_HOMES = {
    "agreement": ("Agreement", "Witness", "agreement"),
    "batch": ("Batch", "Vocabulary"),
    "compare": (
        "Comparison",
        "Differ",
        "EqualOnSample",
        "ProvenEquivalent",
        "ProvenSubsumed",
        "Verdict",
        "compare",
    ),
    "complexity": ("bits", "order", "size"),
    "decoding": ("Bounds", "decoding_grammar", "longest_output"),
    "digest": ("digest",),
    "errors": ("AutointerpError", "ExplanationError", "InputError", "StoreError", "SubjectError"),
    "evaluate": ("evaluate", "matches"),
    "layout": ("layout",),
    "lexicon": ("Lexicon",),
    "mutate": ("Mutant", "mutants"),
    "nodes": ("Explanation", "Expression"),
    "parse": ("parse",),
    "plain": ("plain_words",),
    "records": ("Context", "Counterexample", "Dev", "Evidence", "Example", "Feature", "HeldOut", "Thresholds"),
    "render": ("render", "render_expression"),
    "simplify": ("simplify", "simplify_expression"),
    "subsumption": ("equivalent", "subsumes"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


class _Package(ModuleType):
    """Importing the module `dsl.parse` would put it in the place of the function `dsl.parse`: the function stays."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'dsl' has no attribute {name!r}")
    value: object = getattr(import_module(f"dsl.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
