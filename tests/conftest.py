"""Types are checked as the tests run: by jaxtyping, and in modules of `dsl` without arrays by beartype alone.

Beside beartype's check jaxtyping binds the signature anew at each call, to keep the names of axes: most of the time
that small functions take which call each other a million times, and of no use where no array is.
"""

from __future__ import annotations

from pathlib import Path

from beartype import BeartypeConf
from beartype.claw import beartype_package
from jaxtyping import install_import_hook

DSL = Path(__file__).resolve().parents[1] / "dsl"


def with_arrays() -> list[str]:
    """The modules of `dsl` that take a name from jaxtyping."""
    paths = sorted(DSL.glob("*.py"))
    return [f"dsl.{path.stem}" for path in paths if "from jaxtyping import" in path.read_text(encoding="utf-8")]


beartype_package("dsl", conf=BeartypeConf(claw_is_pep526=False))
install_import_hook([*with_arrays(), "agents", "probes", "autointerp"], "beartype.beartype")
