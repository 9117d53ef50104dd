"""The pipeline, unchanged, on a model that nobody here made, with a dictionary trained on it in minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autointerp.corpus import read_documents
from autointerp.demo.build import train_dictionary
from autointerp.demo.settings import DictionarySettings
from tests.at_hand import SHARED, other_model
from tests.test_cli import Command, command

__all__ = ["command"]  # the fixture


@pytest.mark.slow
def test_a_third_partys_model_is_debated_probed_and_scored(command: Command, tmp_path: Path) -> None:
    model, text = other_model(), SHARED / "text" / "tinystories_cased.jsonl"
    if not text.is_file():
        pytest.skip(f"{text} is not at hand")
    documents = list(read_documents(text))
    settings = DictionarySettings(features=512, steps=300)
    train_dictionary(model, "blocks.0.hook_resid_post", documents[1000:3000], tmp_path / "sae", settings)
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": one}) + "\n" for one in documents[:1000]))
    lines = command.lines(
        *("debate", "--model", model, "--sae", tmp_path / "sae", "--corpus", corpus, "--store", tmp_path / "store"),
        *("--features", 2, "--probe-tokens", 10_000, "--workers", 1, "--json"),
    )
    assert len(lines) == 2
    for line in lines:
        assert line["scores"]["token_f1"]["n"] > 10_000
        # No masked model was named: the model fills in for it.
        assert line["probes"][0]["funnel"]["masked_edits"]["skipped"] is None
        assert line["probes"][0]["funnel"]["masked_edits"]["run"] > 0
