"""The subject model: exact token texts, the same numbers whatever the batch, and clear words for what does not fit."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from at_hand import demo_folders, demo_subject, other_model, random_weights, stories, write_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from autointerp.models import TOLERANCE, TransformerSubject
from autointerp.tokens import TextTokenizer
from dsl.errors import InputError, SubjectError
from probes.subject import Likelihood, Neighbours, Preactivations, TokenIds

HARD_TEXTS = (
    "",
    " ",
    "\n\n",
    "Once upon a time, there was a little girl.",
    "  two  spaces \t and a tab\r\n",
    "naïve café — “quoted” … 漢字 🎉👩‍👩‍👧 e\u0301",
    "<|endoftext|><mask> <|start_story|> </s> <0x41>",
    "\u2581 is a metaspace\u00a0and a no-break space\u200b",
)


def joined(tokenizer: TextTokenizer, ids: TokenIds) -> str:
    """The text of token ids, bytes put together again."""
    text = "".join(tokenizer.strings[index] for index in ids)
    return text.encode("utf-8", "surrogateescape").decode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(HARD_TEXTS))
@settings(deadline=None)
def test_byte_level_tokens_joined_give_back_any_text(text: str) -> None:
    tokenizer = TextTokenizer.load(demo_folders()[0])
    assert joined(tokenizer, tokenizer.encode(text)) == text


@given(
    st.text("abcdefghijklmnopqrstuvwxyzABC ,.!?'\n\"-") | st.sampled_from(["Once upon a time", "  two", " One", "\n"])
)
@settings(deadline=None)
def test_metaspace_tokens_joined_give_back_the_text_after_one_space(text: str) -> None:
    tokenizer = TextTokenizer.load(other_model())
    ids = tokenizer.encode(text)
    if not ids:
        assert text in ("", " ")
        return
    assert joined(tokenizer, ids) == (text if text.startswith(" ") else " " + text)
    assert tokenizer.encode(joined(tokenizer, ids)) == ids, "reading a text again must not add another space"


def test_characters_without_a_token_are_seen_as_unknown() -> None:
    tokenizer = TextTokenizer.load(other_model())
    assert joined(tokenizer, tokenizer.encode("a 🎉 b")) == " a <unk> b"


def test_special_tokens_in_a_text_are_plain_characters() -> None:
    for folder in (demo_folders()[0], other_model()):
        tokenizer = TextTokenizer.load(folder)
        for text in ("<|endoftext|>", "<mask>", "<|start_story|>", "a<|end_story|>b", "<unk>"):
            ids = tokenizer.encode(text)
            assert tokenizer.beginning not in ids
            assert joined(tokenizer, ids).removeprefix(" ") == text


def test_texts_may_hold_the_surrogates_that_token_strings_do() -> None:
    tokenizer = TextTokenizer.load(demo_folders()[0])
    ids = tokenizer.encode("🎉")
    assert len(ids) > 1
    assert tokenizer.encode("".join(tokenizer.strings[index] for index in ids)) == ids
    assert joined(tokenizer, tokenizer.encode(tokenizer.strings[ids[0]])) == "\ufffd"


def test_rows_that_the_tokeniser_lacks_have_a_text_too() -> None:
    strings = TextTokenizer.load(demo_folders()[0], size=5000).strings
    assert len(strings) == 5000
    assert strings[-1] == "<unused 4999>"
    assert all(strings)


def contexts_of(subject: TransformerSubject, count: int) -> list[TokenIds]:
    """Contexts of all lengths, with repeats and an empty one."""
    rng = random.Random(0)
    texts = [subject.tokenize(text) for text in stories(count)]
    cut = [ids[: rng.randint(1, subject.max_tokens)] for ids in texts]
    return [*cut, (), cut[0], texts[0][: subject.max_tokens]]


def live(subject: TransformerSubject, contexts: list[TokenIds], count: int) -> list[int]:
    """Features that fire there."""
    found = np.concatenate([features for _, features, _ in subject.sparse(contexts)])
    return np.bincount(found, minlength=subject.d_sae).argsort()[-count:].tolist()


def test_numbers_do_not_depend_on_the_batch() -> None:
    subject = demo_subject()
    contexts = contexts_of(subject, 20)
    features = live(subject, contexts, 16)
    together = subject.activations(contexts, features)
    alone = subject.activations(contexts, features, batch_size=1)
    boundary = subject.near_boundary(contexts, features)
    scale = max(values.max(initial=0) for values in together)
    assert scale > 0
    for one, other, unsure in zip(together, alone, boundary, strict=True):
        assert np.abs(one - other)[~unsure].max(initial=0) <= TOLERANCE * scale


def test_answers_come_in_the_order_asked() -> None:
    subject = demo_subject()
    contexts = contexts_of(subject, 6)
    features = live(subject, contexts, 3)
    answers = subject.activations(contexts, features)
    assert [values.shape for values in answers] == [(len(context), 3) for context in contexts]
    for context, values in zip(contexts, answers, strict=True):
        np.testing.assert_allclose(subject.activations([context], features)[0], values, atol=1e-3)
    answers[0][:] = 7
    assert not np.array_equal(answers[0], answers[7]), "equal contexts share no memory"


def test_the_dictionary_reads_what_hugging_face_computes() -> None:
    """And top-k of the plain formulas in numpy on that is what comes out."""
    model_folder, dictionary_folder = demo_folders()
    subject = demo_subject()
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    config = json.loads((dictionary_folder / "cfg.json").read_text())
    weights = {n: w.double().numpy() for n, w in load_file(dictionary_folder / "sae_weights.safetensors").items()}
    layer = int(config["metadata"]["hook_name"].split(".")[1])
    context = subject.tokenize(stories(1)[0])[:100]
    with torch.inference_mode():
        hidden = model(torch.tensor([subject.prefix + context]), output_hidden_states=True).hidden_states[layer + 1]
    x = hidden[0, len(subject.prefix) :].double().numpy()
    pre = (x - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    kth = np.sort(pre, axis=1)[:, [-config["k"]]]
    expected = np.maximum(pre, 0) * (pre >= kth)
    found = subject.activations([context], range(subject.d_sae))[0]
    unsure = subject.near_boundary([context], range(subject.d_sae))[0]
    assert unsure.mean() < 0.001
    assert np.abs(found - expected)[~unsure].max() <= TOLERANCE * expected.max()


def test_sparse_activations_are_those_of_every_feature() -> None:
    subject = demo_subject()
    contexts = contexts_of(subject, 4)
    dense = subject.activations(contexts, range(subject.d_sae))
    for values, (positions, features, found) in zip(dense, subject.sparse(contexts), strict=True):
        rebuilt = np.zeros_like(values)
        rebuilt[positions, features] = found
        np.testing.assert_allclose(rebuilt, values, atol=1e-5)


def test_ranks_say_which_features_were_cut() -> None:
    subject = demo_subject()
    contexts = contexts_of(subject, 2)
    features = live(subject, contexts, 4)
    for values, (pre, rank) in zip(
        subject.activations(contexts, features), subject.preactivations(contexts, features), strict=True
    ):
        assert pre.shape == rank.shape == values.shape
        np.testing.assert_allclose(values[values > 0], pre[values > 0], atol=1e-4)
        assert rank[values > 0].max(initial=0) < 64


def test_the_forward_ends_with_the_hookpoints_layer() -> None:
    subject = demo_subject()
    finished: list[int] = []
    blocks = subject._bridge.original_model.transformer.h
    handles = [
        block.register_forward_hook(lambda *_, number=number: finished.append(number))
        for number, block in enumerate(blocks)
    ]
    subject.activations([(5, 6)], [0])
    for handle in handles:
        handle.remove()
    layer = int(subject.hookpoint.split(".")[1])
    assert finished == list(range(layer + 1))
    assert layer + 1 < len(blocks)


def test_likelihood_is_the_models_own() -> None:
    subject = demo_subject()
    model = AutoModelForCausalLM.from_pretrained(demo_folders()[0], dtype=torch.float32).eval()
    contexts = [subject.tokenize(stories(1)[0])[:30], (), (7,), tuple(reversed(subject.tokenize(stories(1)[0])[:30]))]
    found = subject.log_likelihood(contexts)
    assert np.isnan(found[1])
    for context, value in zip(contexts, found, strict=True):
        if context:
            ids = torch.tensor([subject.prefix + context])
            with torch.inference_mode():
                loss = model(ids, labels=ids).loss.item()
            assert value == pytest.approx(-loss, abs=1e-4)
    assert found[0] > found[3], "a story is likelier than the same story backwards"


def test_neighbours_are_the_closest_decoder_rows() -> None:
    subject = demo_subject()
    weights = load_file(demo_folders()[1] / "sae_weights.safetensors")["W_dec"].float()
    cosines = torch.nn.functional.cosine_similarity(weights, weights[[17]])
    cosines[17] = -2
    found = subject.neighbours(17, 3)
    assert [index for index, _ in found] == cosines.topk(3).indices.tolist()
    assert found[0][1] == pytest.approx(float(cosines.max()), abs=1e-5)
    assert len(subject.neighbours(17, 10**6)) == subject.d_sae - 1


def test_promoted_tokens_are_those_the_decoder_row_raises() -> None:
    subject = demo_subject()
    folder = demo_folders()
    row = load_file(folder[1] / "sae_weights.safetensors")["W_dec"][17].float()
    unembedding = AutoModelForCausalLM.from_pretrained(folder[0], dtype=torch.float32).lm_head.weight.detach()
    logits = unembedding @ row
    found = subject.promoted(17, 4)
    assert [index for index, _ in found] == logits.topk(4).indices.tolist()
    assert found[0][1] == pytest.approx(float(logits.max()), abs=1e-4)


def test_the_subject_has_its_optional_sides() -> None:
    subject = demo_subject()
    assert isinstance(subject, Preactivations)
    assert isinstance(subject, Likelihood)
    assert isinstance(subject, Neighbours)
    assert subject.feature(3).id == f"{subject.hookpoint}/3"
    assert len(subject.prefix) == 1


def test_what_the_model_cannot_read_is_refused() -> None:
    subject = demo_subject()
    with pytest.raises(InputError, match="longer than"):
        subject.activations([(5,) * (subject.max_tokens + 1)], [0])
    with pytest.raises(InputError, match="token ids"):
        subject.activations([(len(subject.vocabulary),)], [0])
    with pytest.raises(InputError, match="features 0 to"):
        subject.activations([(5,)], [subject.d_sae])
    with pytest.raises(InputError, match="features 0 to"):
        subject.neighbours(-1, 3)


@pytest.fixture(scope="module")
def other_dictionary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = random_weights(128, 64, "topk")
    folder = tmp_path_factory.mktemp("sae")
    return write_dictionary(folder, weights, "blocks.0.hook_resid_post", architecture="topk", k=8)


def test_a_model_nobody_here_made_runs_unchanged(other_dictionary: Path) -> None:
    subject = TransformerSubject.load(other_model(), other_dictionary)
    assert subject.prefix == (1,)
    assert subject.max_tokens == 511
    context = subject.tokenize("Once upon a time, there was a little girl named Lily.")
    model = AutoModelForCausalLM.from_pretrained(other_model(), dtype=torch.float32).eval()
    with torch.inference_mode():
        hidden = model(torch.tensor([(1, *context)]), output_hidden_states=True).hidden_states[1][0, 1:]
    np.testing.assert_allclose(
        subject.activations([context, context[:3]], range(64))[0],
        subject._dictionary.encode(hidden).numpy(),
        atol=1e-4,
    )
    [(_, rank)] = subject.preactivations([context], [5])
    assert rank.max() < 64


@pytest.mark.parametrize("hookpoint", ["blocks.1.hook_resid_pre", "blocks.0.hook_mlp_out", "blocks.1.attn.hook_z"])
def test_other_hookpoints_are_read(tmp_path: Path, hookpoint: str) -> None:
    dictionary = write_dictionary(tmp_path, random_weights(128, 32, "standard"), hookpoint)
    subject = TransformerSubject.load(other_model(), dictionary)
    together, *alone = subject.activations([(5, 6, 7, 8)], range(32)) + subject.activations([(5, 6)], range(32))
    assert (together > 0).any()
    np.testing.assert_allclose(together[:2], alone[0], atol=1e-4)


def test_a_dictionary_trained_without_a_beginning_gets_none(tmp_path: Path) -> None:
    metadata = {"hook_name": "blocks.0.hook_resid_post", "prepend_bos": False}
    weights = random_weights(128, 32, "standard")
    subject = TransformerSubject.load(other_model(), write_dictionary(tmp_path, weights, "", metadata=metadata))
    assert subject.prefix == ()
    assert subject.max_tokens == 512
    assert subject.activations([(5, 6)], [0])[0].shape == (2, 1)
    assert np.isnan(subject.log_likelihood([(5,)])[0])
    assert np.isfinite(subject.log_likelihood([(5, 6)])[0])


def refused(model: Path | str, dictionary: Path) -> str:
    with pytest.raises(SubjectError) as caught:
        TransformerSubject.load(model, dictionary)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_dictionary_of_another_width_or_hook_is_refused(tmp_path: Path) -> None:
    wide = write_dictionary(tmp_path / "a", random_weights(130, 32, "standard"), "blocks.0.hook_resid_post")
    assert "reads 130 numbers a token, but blocks.0.hook_resid_post" in refused(other_model(), wide)
    for hookpoint in ("blocks.9.hook_resid_post", "blocks.0.hook_nothing", "nonsense", "blocks.x.y"):
        elsewhere = write_dictionary(tmp_path / "b", random_weights(128, 32, "standard"), hookpoint)
        assert f"has no hookpoint {hookpoint}" in refused(other_model(), elsewhere)


def copied(folder: Path, target: Path) -> Path:
    """A copy that may be written to."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_what_is_no_model_folder_is_refused(tmp_path: Path, other_dictionary: Path) -> None:
    assert "is not a folder" in refused(tmp_path / "none", other_dictionary)
    assert "holds no config.json" in refused(tmp_path, other_dictionary)
    model = copied(other_model(), tmp_path / "model")
    (model / "tokenizer.json").rename(model / "kept")
    assert "has no tokenizer.json" in refused(model, other_dictionary)
    (model / "tokenizer.json").write_text('{"version": "1.0"}')
    assert "is not a tokeniser file" in refused(model, other_dictionary)
    (model / "kept").rename(model / "tokenizer.json")
    (model / "config.json").write_text("{}")
    assert "does not load" in refused(model, other_dictionary)
    shutil.copy(other_model() / "config.json", model / "config.json.new")
    (model / "config.json.new").rename(model / "config.json")
    (model / "model.safetensors").write_bytes(b"\x10\x00")
    assert "does not load" in refused(model, other_dictionary)
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"never read")
    assert "holds no .safetensors" in refused(model, other_dictionary)


def test_weights_that_are_not_finite_or_not_there_are_named(tmp_path: Path, other_dictionary: Path) -> None:
    model = copied(other_model(), tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    broken = dict(weights) | {"model.norm.weight": weights["model.norm.weight"] * float("nan")}
    save_file(broken, model / "model.safetensors", metadata={"format": "pt"})
    assert "model.norm.weight holds NaN" in refused(model, other_dictionary)
    del broken["model.norm.weight"]
    save_file(broken, model / "model.safetensors", metadata={"format": "pt"})
    assert "lack model.norm.weight" in refused(model, other_dictionary)


def test_a_hub_id_that_is_not_at_hand_is_refused(
    other_dictionary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "neither a folder nor a model" in refused("nobody/no-such-model", other_dictionary)


def test_loading_is_silent(other_dictionary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    TransformerSubject.load(other_model(), other_dictionary)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_fingerprints_know_the_model(tmp_path: Path, other_dictionary: Path) -> None:
    first = TransformerSubject.load(other_model(), other_dictionary).fingerprint
    again = TransformerSubject.load(copied(other_model(), tmp_path / "model"), other_dictionary).fingerprint
    assert first == again
    weights = load_file(tmp_path / "model" / "model.safetensors")
    weights["model.norm.weight"] *= 2
    save_file(weights, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    changed = TransformerSubject.load(tmp_path / "model", other_dictionary).fingerprint
    assert changed["model"] != first["model"]
    assert changed["dictionary"] == first["dictionary"]


def test_a_verdict_its_gate_and_its_rank_are_of_one_run_of_the_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = TransformerSubject.load(*demo_folders())
    runs: list[int] = []
    read = subject._exact.read

    def counted(ids: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        runs.append(len(ids))
        return read(ids, *rest)

    monkeypatch.setattr(subject._exact, "read", counted)
    monkeypatch.setattr("autointerp.models.HELD_ALONE", 10)
    texts: list[tuple[int, ...]] = [(5, 6, 7), (8, 9), (5, 6, 7)]

    def asked() -> list[np.ndarray]:
        ranks = subject.preactivations(texts, [17])
        near = subject.near_boundary(texts, [17])
        return [*subject.activations(texts, [17], batch_size=1), *near, *(array for pair in ranks for array in pair)]

    first = asked()
    assert runs == [1, 1]
    subject.activations([tuple(range(20, 30))], [17], batch_size=1)
    again = asked()
    assert runs == [1] * 5, "what is held is bounded, and what was dropped is run again"
    for one, other in zip(first, again, strict=True):
        assert one.tobytes() == other.tobytes()
