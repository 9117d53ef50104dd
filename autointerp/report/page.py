"""The page: one self-contained HTML file that loads nothing and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autointerp.report import numbers
from autointerp.report.drawn import draw
from autointerp.report.marks import highlighted, visible
from autointerp.report.summary import SCORE_NAMES, summarise
from autointerp.report.view import STAGES, FeatureView
from dsl.errors import StoreError


def write_report(
    results: Sequence[FeatureView], path: Path, *, title: str, summary: Mapping[str, str] | None = None
) -> None:
    """Write the page to `path`, whole or not at all; the same views give the same bytes.

    `summary` is what else readers should know of the run, name to value: model, dictionary, corpus, seed. Raises
    StoreError where the folder cannot be written in.

    >>> write_report([view], Path("out/index.html"), title="stories-lm", summary={"seed": "0"})  # doctest: +SKIP
    """
    text = render_report(results, title=title, summary=summary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text.encode("utf-8"))
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; choose another folder") from error


def render_report(results: Sequence[FeatureView], *, title: str, summary: Mapping[str, str] | None = None) -> str:
    """The page as a text. Everything that comes from outside is escaped by the template engine."""
    templates = files("autointerp.report") / "templates"
    script = (templates / "page.js").read_text("utf-8")
    # Only this script may run, only inline styles apply, and nothing is ever fetched: even if a corpus text got past
    # the escaping it could neither run nor phone home.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            facts=dict(summary or {}),
            policy=policy + "; form-action 'none'",
            css=Markup((templates / "page.css").read_text("utf-8")),
            script=Markup(script),
            summary=summarise(results),
            features=[draw(view, number) for number, view in enumerate(results)],
            score_names=list(SCORE_NAMES.values()),
            stages=STAGES,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autointerp.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "highlighted": highlighted,
        "lines": lambda text: "\n".join(map(visible, text.split("\n"))),
        "token": lambda text: visible(text).replace(" ", "·"),
        "fixed": numbers.fixed,
        "signed": numbers.signed,
        "short": numbers.short,
        "percent": numbers.percent,
    }
    return environment


def _replace(path: Path, content: bytes) -> None:
    """Readers find the old page or the new one, never half of one."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp lets nobody else read; a page is for others
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
