"""The embedded default: a small trained language model, its dictionary, its masked model, and a corpus it wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DemoPaths", "figures", "paths"]


@dataclass(frozen=True, slots=True)
class DemoPaths:
    """Where the parts of a demo lie: a Hugging Face folder, a SAELens folder, a Hugging Face folder, gzipped JSONL."""

    lm: Path
    sae: Path
    mlm: Path
    corpus: Path
    figures: Path

    @classmethod
    def under(cls, folder: Path) -> DemoPaths:
        """The layout that `autointerp demo build` writes and that the package ships.

        >>> DemoPaths.under(Path("out")).corpus.name
        'corpus.jsonl.gz'
        """
        return cls(folder / "lm", folder / "sae", folder / "mlm", folder / "corpus.jsonl.gz", folder / "figures.json")


def paths() -> DemoPaths:
    """The parts of the embedded demo, as installed."""
    return DemoPaths.under(Path(__file__).parent)


def figures() -> dict[str, Any]:
    """What was measured on the embedded demo after its weights were rounded to float16."""
    loaded: dict[str, Any] = json.loads(paths().figures.read_text(encoding="utf-8"))
    return loaded
