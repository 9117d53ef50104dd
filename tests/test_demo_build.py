"""The recipe, run whole in its tiny size: resumable, the same bytes every time, never reusing what does not fit."""

import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from autointerp.corpus import read_documents
from autointerp.demo import DemoPaths
from autointerp.demo.build import build, train_dictionary
from autointerp.demo.documents import DocumentRows, PackedRows, split
from autointerp.demo.hookpoint import ResidualStream
from autointerp.demo.masked_model import IGNORED, from_language_model, hide
from autointerp.demo.settings import END, FULL, MASK, TINY, DictionarySettings
from autointerp.demo.sparse_autoencoder import load_sparse_autoencoder, train_sparse_autoencoder
from autointerp.demo.steps import Steps, content_of
from autointerp.demo.training import Checkpoint, cosine, linear_tail, seeded
from autointerp.dictionaries import load as load_dictionary
from autointerp.infill import MaskedInfiller
from autointerp.models import TransformerSubject
from dsl.errors import InputError, StoreError, SubjectError

DOCUMENTS = st.lists(st.lists(st.integers(2, 50), min_size=1, max_size=30), min_size=1, max_size=12)


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    """A few kilobytes of small stories."""
    draw = random.Random(0)
    who, what, did = (
        ["cat", "dog", "bird", "fish", "boy", "girl", "tree"],
        ["big", "small", "red", "old", "happy"],
        ["saw", "ate", "liked"],
    )

    def sentence() -> str:
        return f"The {draw.choice(what)} {draw.choice(who)} {draw.choice(did)} the {draw.choice(who)}."

    path = tmp_path_factory.mktemp("text") / "stories.txt"
    path.write_text("\n\n".join(" ".join(sentence() for _ in range(draw.randint(1, 2))) for _ in range(200)))
    return path


@pytest.fixture(scope="session")
def built(text, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "demo"
    build(text, out, settings=TINY)
    return out


def contents(out: Path) -> dict[str, str]:
    return {name: content_of(out / name) for name in ("lm", "sae", "mlm", "corpus.jsonl.gz", "figures.json")}


def test_the_tiny_recipe_makes_parts_that_the_program_loads(built):
    parts = DemoPaths.under(built)
    subject = TransformerSubject.load(parts.lm, parts.sae)
    assert (subject.d_sae, subject.hookpoint) == (64, "blocks.0.hook_resid_post")
    ids = subject.tokenize("The big cat saw the dog.")
    assert MaskedInfiller.load(parts.mlm, subject.vocabulary).infill([ids], [2], 3)[0]
    assert len(list(read_documents(parts.corpus))) == TINY.corpus.stories


def test_the_tiny_dictionary_explains_some_variance_with_k_features(text, built):
    figures = build(text, built, settings=TINY)
    assert figures.dictionary.l0 <= TINY.dictionary.k
    assert 0.2 < figures.dictionary.fraction_of_variance_explained < 1
    assert figures.language_model.loss < np.log(300) / 2


def test_the_same_text_gives_the_same_bytes(text, built, tmp_path):
    build(text, tmp_path / "again", settings=TINY)
    assert contents(tmp_path / "again") == contents(built)


class Killed(Exception):  # noqa: N818 nothing is wrong with the build
    """Stands for a kill: nothing in the recipe catches it."""


@pytest.mark.parametrize(
    ("step", "after"),
    [("language model", 3), ("language model", 33), ("language model", 60), ("dictionary", 12), ("masked model", 7),
     ("corpus", 1)],
)  # fmt: skip
def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(text, built, tmp_path, step, after):
    def kill(name: str, done: int, _total: int) -> None:
        if (name, done) == (step, after) or (name == step == "corpus"):
            raise Killed

    with pytest.raises(Killed):
        build(text, tmp_path / "demo", settings=TINY, progress=kill)
    assert not (tmp_path / "demo" / "figures.json").exists()

    reported: list[tuple[str, int]] = []
    build(text, tmp_path / "demo", settings=TINY, progress=lambda name, done, _: reported.append((name, done)))
    assert contents(tmp_path / "demo") == contents(built)
    if step != "corpus":
        first = next(done for name, done in reported if name == step) if after < 60 else 60
        assert first == after - after % TINY.checkpoint_every + 1 or after == 60


def test_a_build_survives_sigkill(text, built, tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from autointerp.demo.build import build\n"
        "from autointerp.demo.settings import TINY\n"
        "def kill(name, done, total):\n"
        "    if (name, done) == ('masked model', 12): os.kill(os.getpid(), signal.SIGKILL)\n"
        "build(Path(sys.argv[1]), Path(sys.argv[2]), settings=TINY, progress=kill)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, text, tmp_path / "demo"], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "demo" / "mlm").exists()
    build(text, tmp_path / "demo", settings=TINY)
    assert contents(tmp_path / "demo") == contents(built)


def test_a_finished_build_does_nothing_again(text, built):
    reported: list[str] = []
    build(text, built, settings=TINY, progress=lambda name, *_: reported.append(name))
    assert reported == []


def test_changed_settings_remake_what_depends_on_them_and_nothing_else(text, built, tmp_path):
    out = tmp_path / "demo"
    build(text, out, settings=TINY)
    reported: set[str] = set()
    changed = replace(TINY, dictionary=replace(TINY.dictionary, k=2))
    figures = build(text, out, settings=changed, progress=lambda name, *_: reported.add(name))
    assert reported == {"dictionary"}
    assert figures.dictionary.l0 <= 2
    before, after = contents(built), contents(out)
    assert {name for name in before if before[name] != after[name]} == {"sae", "figures.json"}


def test_another_text_remakes_everything(text, built, tmp_path):
    out, other = tmp_path / "demo", tmp_path / "other.txt"
    build(text, out, settings=TINY)
    other.write_text(text.read_text().replace("cat", "cow"))
    build(other, out, settings=TINY)
    before, after = contents(built), contents(out)
    assert not {name for name in before if before[name] == after[name]}


def test_a_part_that_was_changed_by_hand_is_made_again(text, built, tmp_path):
    out = tmp_path / "demo"
    build(text, out, settings=TINY)
    (out / "sae" / "cfg.json").write_text("{}")
    build(text, out, settings=TINY)
    assert contents(out) == contents(built)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no text"),
        ("\n \n", "holds no text"),
        ("One story.\n\nAnother one.", "2 different documents"),
        ("\n\n".join(["The same story."] * 50), "1 different documents"),
        ("\n\n".join(f"Story {number}." for number in range(40)), "give more text"),
    ],
)
def test_too_little_text_is_one_clear_line(tmp_path, content, message):
    (tmp_path / "text.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        build(tmp_path / "text.txt", tmp_path / "out", settings=TINY)


def test_a_missing_text_is_one_clear_line_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="not a file"):
        build(tmp_path / "none.txt", tmp_path / "out", settings=TINY)
    assert not (tmp_path / "out").exists()


def test_the_full_size_refuses_a_few_kilobytes_before_it_trains(text, tmp_path):
    with pytest.raises(InputError, match="need at least 81,920"):
        build(text, tmp_path / "out", settings=FULL)
    assert not (tmp_path / "out" / "lm").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(text, tmp_path):
    (tmp_path / "lm").mkdir()
    with pytest.raises(InputError, match="not empty"):
        build(text, tmp_path, settings=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["lm"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(text, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be made"):
        build(text, tmp_path / "file" / "out", settings=TINY)


def test_a_damaged_manifest_is_one_clear_line(text, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        build(text, tmp_path, settings=TINY)


@pytest.mark.parametrize(
    "settings",
    [
        replace(TINY, dictionary=replace(TINY.dictionary, hookpoint="blocks.2.hook_resid_post")),
        replace(TINY, dictionary=replace(TINY.dictionary, hookpoint="blocks.0.hook_mlp_out")),
        replace(TINY, dictionary=replace(TINY.dictionary, k=65)),
        replace(TINY, language_model=replace(TINY.language_model, heads=5)),
        replace(TINY, masked_model=replace(TINY.masked_model, context=64)),
    ],
)
def test_settings_that_contradict_each_other_are_refused_before_any_work(text, tmp_path, settings):
    with pytest.raises(InputError):
        build(text, tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()


def test_a_dictionary_can_be_trained_on_any_local_model(text, built, tmp_path):
    documents = list(read_documents(text))
    train_dictionary(built / "lm", "blocks.1.hook_resid_post", documents, tmp_path / "sae", TINY.dictionary)
    dictionary = load_dictionary(tmp_path / "sae")
    assert (dictionary.hookpoint, dictionary.prepend_bos) == ("blocks.1.hook_resid_post", True)
    assert [path.name for path in tmp_path.iterdir()] == ["sae"]
    with pytest.raises(InputError, match="there already"):
        train_dictionary(built / "lm", "blocks.1.hook_resid_post", documents, tmp_path / "sae", TINY.dictionary)


def test_a_hookpoint_that_the_model_lacks_is_one_clear_line(built, tmp_path):
    with pytest.raises(SubjectError, match="has 2 layers"):
        train_dictionary(built / "lm", "blocks.7.hook_resid_post", ["text"], tmp_path / "sae", TINY.dictionary)
    with pytest.raises(SubjectError, match="not on hook_embed"):
        train_dictionary(built / "lm", "hook_embed", ["text"], tmp_path / "sae", TINY.dictionary)


class PlantedStream(ResidualStream):
    """Token i holds direction i, scaled and shifted: what a dictionary ought to find is known."""

    def __init__(self, directions: torch.Tensor) -> None:
        self.folder, self.hookpoint = Path("planted"), "blocks.0.hook_resid_post"
        self.context, self.width = 64, directions.shape[1]
        self._directions = directions

    def read(self, ids: torch.Tensor) -> torch.Tensor:
        return 40 * self._directions[ids] + 40 * self._directions[ids.roll(1, dims=1)] + 7


def test_the_dictionary_finds_planted_directions(tmp_path):
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(24, 16, generator=generator), dim=1)
    draw = np.random.default_rng(0)
    documents = [draw.integers(2, 24, 60).tolist() for _ in range(200)]
    settings = DictionarySettings(features=48, k=2, batch=16, steps=400, learning_rate=3e-3, dead_after=5_000)
    checkpoint = Checkpoint(tmp_path / "checkpoint", "", every=1000, progress=lambda *_: None)
    with seeded(0, 1):
        train_sparse_autoencoder(
            PlantedStream(directions), documents, [END], tmp_path, settings, seed=0, checkpoint=checkpoint
        )
    found = torch.nn.functional.normalize(load_sparse_autoencoder(tmp_path).W_dec, dim=1)
    best = (directions[2:] @ found.T).max(dim=1).values
    assert float(best.median()) > 0.95


@given(DOCUMENTS, st.integers(2, 12), st.integers(1, 4), st.integers(0, 40))
def test_packed_rows_are_pieces_of_documents_in_their_order_and_depend_on_the_step_alone(
    documents, length, batch, step
):
    total = sum(len(document) + 1 for document in documents)
    if total < length:
        return
    try:
        rows = PackedRows(documents, length=length, batch=batch, start=END, seed=1)
    except InputError:
        return
    ids = rows.batch(step)
    assert ids.shape[1] == length
    assert 1 <= len(ids) <= batch
    rows.batch(step + 7)
    again = PackedRows(documents, length=length, batch=batch, start=END, seed=1)
    assert torch.equal(ids, rows.batch(step))
    assert torch.equal(ids, again.batch(step))
    joined = ["".join(map(chr, [END, *document])) for document in documents]
    for row in ids.tolist():
        text = "".join(map(chr, row))
        pieces = [chr(END) + piece for piece in text.split(chr(END))[1:]]
        assert all(any(piece in document for document in joined) for piece in pieces)


@given(DOCUMENTS, st.integers(2, 12))
def test_document_rows_hold_every_token_once(documents, length):
    rows = DocumentRows(documents, length=length, prefix=[END])
    ids, kept = rows.padded(rows.rows)
    assert ids[kept].tolist() == [token for document in documents for token in document]
    assert (ids[:, 0] == END).all()
    assert not kept[:, 0].any()
    assert ids.shape[1] <= length


def test_validation_documents_do_not_depend_on_order_and_are_no_training_documents():
    texts = [f"Story number {number}." for number in range(300)]
    one, other = split(texts, 20), split(reversed(texts), 20)
    assert set(one.validation) == set(other.validation)
    assert len(one.validation) == 20
    assert not set(one.validation) & set(one.training)
    assert len(one.training) == 280
    assert len(split(texts, 1000).validation) == 30


def test_curly_quotes_are_made_straight_and_repeats_dropped():
    texts = ["\u201cIt\u2019s\u201d \u2014 so", '"It\'s" - so', *(f"Story {number}" for number in range(30))]
    documents = split(texts, 1)
    assert sorted(documents.training + documents.validation).count('"It\'s" - so') == 1


def test_hiding_masks_replaces_and_leaves_in_the_published_shares():
    generator = np.random.default_rng(0)
    ids = generator.integers(2, 500, (200, 200))
    ids[:, 0] = END
    corrupted, labels = hide(ids, 0.2, 500, generator)
    chosen = (labels != IGNORED).numpy()
    assert chosen.mean() == pytest.approx(0.2, abs=0.01)
    assert (corrupted.numpy()[chosen] == MASK).mean() == pytest.approx(0.8, abs=0.02)
    assert (corrupted.numpy()[chosen] == ids[chosen]).mean() == pytest.approx(0.1, abs=0.02)
    assert (corrupted.numpy()[~chosen] == ids[~chosen]).all()
    assert not chosen[:, 0].any()


def test_the_masked_model_starts_with_the_layers_of_the_language_model():
    with seeded(0, 1):
        source = GPT2LMHeadModel(GPT2Config(vocab_size=60, n_positions=16, n_embd=32, n_layer=2, n_head=2)).eval()
        for weight in source.parameters():
            torch.nn.init.normal_(weight, std=0.2)
        hidden = torch.randn(1, 7, 32)
    target = from_language_model(source, 16).eval()
    causal = torch.full((7, 7), torch.finfo(torch.float32).min).triu(1)[None, None]
    for theirs, ours in zip(source.transformer.h, target.roberta_prelayernorm.encoder.layer, strict=True):
        expected, got = (layer(hidden, attention_mask=causal) for layer in (theirs, ours))
        first = [output[0] if isinstance(output, tuple) else output for output in (expected, got)]
        torch.testing.assert_close(first[1], first[0])


def test_rates_rise_stay_and_fall_as_named():
    rate = cosine(1.0, 10, 110)
    assert [rate(0), rate(9), rate(10)] == pytest.approx([0.1, 1.0, 1.0])
    assert rate(109) == pytest.approx(0.1, abs=1e-3)
    tail = linear_tail(1.0, 0.5, 100)
    assert [tail(0), tail(50), tail(75), tail(99)] == pytest.approx([1.0, 1.0, 0.5, 0.02])


def test_seeding_leaves_the_generator_and_the_threads_of_others_alone():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with seeded(3, 1):
        first = torch.rand(3)
    with seeded(3, 1):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_step_that_fails_leaves_no_part_under_its_name(tmp_path):
    def fail(target: Path, _checkpoint: Path, _key: str) -> None:
        target.mkdir()
        (target / "half").write_text("written")
        raise Killed

    steps = Steps(tmp_path / "out")
    with pytest.raises(Killed):
        steps.run("part", {}, fail)
    assert not (tmp_path / "out" / "part").exists()
    steps.run("part", {}, lambda target, *_: target.write_text("whole"))
    assert (tmp_path / "out" / "part").read_text() == "whole"
