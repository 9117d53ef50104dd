"""What `dsl` offers by name, and what importing it costs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import dsl
from dsl import errors

PUBLIC = {
    "Agreement", "AutointerpError", "Batch", "Bounds", "Comparison", "Context", "Counterexample", "Dev", "Differ",
    "EqualOnSample", "Evidence", "Example", "Explanation", "ExplanationError", "Expression", "Feature", "HeldOut",
    "InputError", "Lexicon", "Mutant", "ProvenEquivalent", "ProvenSubsumed", "StoreError", "SubjectError",
    "Thresholds", "Verdict", "Vocabulary", "Witness", "agreement", "bits", "compare", "decoding_grammar", "digest",
    "equivalent", "evaluate", "layout", "longest_output", "matches", "mutants", "order", "parse", "plain_words",
    "render", "render_expression", "simplify", "simplify_expression", "size", "subsumes",
}  # fmt: skip


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_dsl_offers_exactly_its_public_names() -> None:
    assert set(dsl.__all__) == PUBLIC == set(dir(dsl))
    for name in PUBLIC:
        assert getattr(dsl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'lark'"):
        _ = dsl.lark  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "first", ["import dsl.parse", "from dsl.parse import parse", "import dsl.evaluate, dsl.render"]
)
def test_functions_keep_their_names_whatever_is_imported_first(first: str) -> None:
    code = f"{first}\nfrom dsl import parse, render, evaluate\nprint(all(map(callable, (parse, render, evaluate))))"
    assert run(code) == "True"


def test_importing_dsl_loads_no_library() -> None:
    heavy = ("numpy", "lark", "re2", "jaxtyping", "torch", "transformers")
    assert run(f"import dsl, sys; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_reading_an_explanation_loads_no_arrays() -> None:
    code = "import sys; from dsl import parse, render; render(parse('activates on digits'))"
    assert run(f"{code}\nprint('numpy' in sys.modules)") == "False"


def test_reading_an_explanation_needs_no_interegular() -> None:
    code = "import sys; sys.modules['interegular'] = None\nfrom dsl import parse, render"
    assert run(f"{code}\nprint(render(parse('activates on digits')))") == "activates on digits"


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(dsl.__path__)))
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"dsl.{name}")).failed == 0


def test_every_error_that_a_user_can_cause_has_one_root_and_an_exit_code() -> None:
    codes = {kind.__name__: kind.exit_code for kind in errors.AutointerpError.__subclasses__()}
    assert codes == {"InputError": 2, "ExplanationError": 2, "SubjectError": 3, "StoreError": 4}
    assert all(name in (errors.__doc__ or "") for name in codes)
