"""The embedded default as shipped: small, in the ordinary formats, float16 on disk and float32 in memory."""

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from autointerp.corpus import read_documents
from autointerp.demo import DemoPaths, figures, paths
from autointerp.demo.figures import Figures, measure_dictionary
from autointerp.demo.hookpoint import ResidualStream
from autointerp.demo.sample_corpus import write_corpus
from autointerp.demo.settings import END, FULL
from autointerp.demo.sparse_autoencoder import load_sparse_autoencoder
from autointerp.dictionaries import load as load_dictionary
from autointerp.models import TransformerSubject

LARGEST = 16 * 2**20


def test_everything_together_is_at_most_16_mebibytes():
    shipped = paths()
    places = [shipped.lm, shipped.sae, shipped.mlm, shipped.corpus, shipped.figures]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    assert sum(file.stat().st_size for file in files) <= LARGEST


def test_naming_the_paths_imports_nothing_heavy():
    check = (
        "import sys, autointerp.demo as d; d.paths(); d.figures()\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("file", sorted(paths().lm.parent.glob("*/*.safetensors")), ids=lambda file: file.parent.name)
def test_weights_lie_as_float16_and_are_finite(file):
    tensors = load_file(file)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


@pytest.mark.parametrize(("kind", "part"), [(AutoModelForCausalLM, "lm"), (AutoModelForMaskedLM, "mlm")])
def test_models_run_in_float32_even_where_nobody_asks_for_it(kind, part):
    model, report = kind.from_pretrained(getattr(paths(), part), output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_both_models_have_one_tokenizer_whose_special_ids_are_0_and_1():
    lm, mlm = (AutoTokenizer.from_pretrained(folder) for folder in (paths().lm, paths().mlm))
    assert lm.get_vocab() == mlm.get_vocab()
    assert (lm.bos_token_id, lm.eos_token_id, mlm.mask_token_id) == (0, 0, 1)


def test_the_dictionary_loads_and_names_its_hookpoint():
    dictionary = load_dictionary(paths().sae)
    assert (dictionary.hookpoint, dictionary.d_in, dictionary.d_sae) == ("blocks.2.hook_resid_post", 192, 3072)
    assert dictionary.prepend_bos is True


def test_the_corpus_is_what_the_figures_say():
    documents = list(read_documents(paths().corpus))
    counts = figures()["corpus"]
    assert len(documents) == counts["stories"] >= 4000
    assert sum(map(len, documents)) == counts["characters"]
    assert len(set(documents)) == len(documents)
    dropped = sum(counts[reason] for reason in ("cut_off", "short", "not_text", "duplicate", "over_length"))
    assert counts["sampled"] == counts["stories"] + dropped


def test_every_story_fits_the_model_and_has_40_tokens():
    subject = TransformerSubject.load(paths().lm, paths().sae)
    lengths = [len(ids) for ids in subject.tokenize_many(list(read_documents(paths().corpus)))]
    assert min(lengths) >= 40
    assert max(lengths) <= subject.max_tokens == 255
    assert sum(lengths) == figures()["corpus"]["tokens"]


def test_the_corpus_bytes_depend_on_the_stories_alone(tmp_path):
    stories = list(read_documents(paths().corpus))
    write_corpus(tmp_path / "again.jsonl.gz", stories)
    assert gzip.decompress((tmp_path / "again.jsonl.gz").read_bytes()) == gzip.decompress(paths().corpus.read_bytes())
    write_corpus(tmp_path / "once more.jsonl.gz", stories)
    assert (tmp_path / "again.jsonl.gz").read_bytes() == (tmp_path / "once more.jsonl.gz").read_bytes()


def test_the_figures_have_the_shape_that_a_build_gives():
    recorded = figures()
    assert set(recorded) == set(Figures.__dataclass_fields__)
    assert recorded["dictionary"]["l0"] == FULL.dictionary.k
    assert recorded["dictionary"]["features"] == FULL.dictionary.features


def test_the_recorded_figures_of_the_dictionary_hold_on_other_stories_of_the_corpus():
    stream = ResidualStream(paths().lm, "blocks.2.hook_resid_post")
    tokenizer = AutoTokenizer.from_pretrained(paths().lm)
    stories = list(read_documents(paths().corpus))[1000:1030]
    measured = measure_dictionary(
        stream, load_sparse_autoencoder(paths().sae), [tokenizer(story)["input_ids"] for story in stories], [END]
    )
    recorded = figures()["dictionary_on_corpus"]
    assert measured.l0 == pytest.approx(recorded["l0"], abs=0.01)
    assert measured.fraction_of_variance_explained == pytest.approx(
        recorded["fraction_of_variance_explained"], abs=0.02
    )
    assert measured.loss_recovered == pytest.approx(recorded["loss_recovered"], abs=0.01)


def test_the_recipe_reads_the_dictionary_as_the_program_does():
    inputs = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 192)).astype(np.float32))
    ours = load_sparse_autoencoder(paths().sae).encode(inputs)
    torch.testing.assert_close(load_dictionary(paths().sae).encode(inputs), ours)


def test_the_recipe_reads_the_hookpoint_as_the_program_does():
    subject = TransformerSubject.load(paths().lm, paths().sae)
    story = subject.tokenize(next(iter(read_documents(paths().corpus))))
    features = list(range(0, 3072, 64))
    stream, sae = ResidualStream(paths().lm, "blocks.2.hook_resid_post"), load_sparse_autoencoder(paths().sae)
    ours = sae.encode(stream.read(torch.tensor([[END, *story]]))[0, 1:])[:, features]
    np.testing.assert_allclose(subject.activations([story], features)[0], ours.numpy(), atol=1e-3)


def test_a_built_folder_has_the_layout_of_the_shipped_one(tmp_path):
    assert DemoPaths.under(paths().lm.parent) == paths()
    assert json.loads(paths().figures.read_text(encoding="utf-8")) == figures()
    assert DemoPaths.under(tmp_path).sae == tmp_path / "sae"
