"""Shared beginnings run once, and the numbers are those of each text alone, whatever the model is made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from at_hand import demo_subject, other_model, random_weights, write_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st

from autointerp import forward
from autointerp.models import TOLERANCE, TransformerSubject
from probes.subject import TokenIds

TOKENS = st.integers(0, 2047)


@st.composite
def edits(draw: st.DrawFn) -> list[TokenIds]:
    """Texts cut from a few others and going on in another way: prefixes of each other, repeats, empty ones."""
    found: list[TokenIds] = [tuple(draw(st.lists(TOKENS, max_size=40)))]
    for _ in range(draw(st.integers(1, 12))):
        old = found[draw(st.integers(0, len(found) - 1))]
        kept = draw(st.integers(0, len(old)))
        found.append((*old[:kept], *draw(st.lists(TOKENS, max_size=6)), *old[kept + 1 :][: draw(st.integers(0, 40))]))
    return found


@pytest.fixture(scope="module")
def other_subject(tmp_path_factory: pytest.TempPathFactory) -> TransformerSubject:
    weights = random_weights(128, 64, "standard")
    folder = write_dictionary(tmp_path_factory.mktemp("sae"), weights, "blocks.1.hook_resid_post")
    return TransformerSubject.load(other_model(), folder)


def assert_as_alone(subject: TransformerSubject, texts: list[TokenIds], features: list[int]) -> None:
    together = subject.activations(texts, features)
    alone = subject.activations(texts, features, batch_size=1)
    unsure = subject.near_boundary(texts, features)
    scale = max((float(values.max(initial=0)) for values in alone), default=0.0)
    for one, other, near in zip(together, alone, unsure, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other)[~near].max(initial=0) <= TOLERANCE * scale


@given(edits())
@settings(deadline=None, max_examples=30)
def test_trees_give_the_numbers_of_each_text_alone(texts: list[TokenIds]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "WORTHWHILE", 10.0)  # trees even where they save nothing
        assert_as_alone(demo_subject(), texts, list(range(0, 3072, 32)))


@given(texts=edits())
@settings(deadline=None, max_examples=30)
def test_trees_of_a_model_nobody_here_made_too(other_subject: TransformerSubject, texts: list[TokenIds]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "WORTHWHILE", 10.0)
        assert_as_alone(other_subject, texts, list(range(64)))


def single_edits(length: int, tokens: int) -> list[TokenIds]:
    text = np.random.default_rng(1).integers(0, tokens, length).tolist()
    return [
        tuple(text),
        *((*text[:place], (text[place] + 1) % tokens, *text[place + 1 :]) for place in range(5, length, 2)),
    ]


@pytest.mark.parametrize("length", [20, 64, 200])
def test_edits_of_one_text_run_what_they_share_once(length: int) -> None:
    subject = TransformerSubject(**_parts(demo_subject()))
    texts = single_edits(length, 4000)
    assert_as_alone(subject, texts, [17, 1060])
    assert subject.work.asked == sum(len(text) + 1 for text in texts)
    assert subject.work.run < 0.8 * subject.work.asked
    assert not subject.work.unshared


def test_texts_that_share_nothing_run_one_by_one() -> None:
    subject = TransformerSubject(**_parts(demo_subject()))
    subject.activations([(5, 6, 7), (8, 9, 10)], [0])
    assert subject.work.run == subject.work.asked == 8
    assert not subject.work.unshared


def _parts(subject: TransformerSubject) -> dict[str, object]:
    """What a subject was made of, for one with counts of its own."""
    return {
        "bridge": subject._bridge,
        "tokenizer": subject._tokenizer,
        "dictionary": subject._dictionary,
        "model_name": subject.model_name,
        "window": subject._window,
        "files": subject._files,
    }


SMALL = {"vocab_size": 2048, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
GATED = SMALL | {"intermediate_size": 128, "max_position_embeddings": 128}
ARCHITECTURES = {
    "learned positions": transformers.GPT2Config(vocab_size=2048, n_positions=128, n_embd=64, n_layer=2, n_head=2),
    "rotary": transformers.LlamaConfig(**GATED),
    "rotary in part": transformers.GPTNeoXConfig(**GATED),
    "grouped heads": transformers.Qwen3Config(**GATED, num_key_value_heads=1, head_dim=32),
    "soft caps": transformers.Gemma2Config(**GATED, num_key_value_heads=1, head_dim=32, sliding_window=4096),
    "positions from the mask": transformers.OPTConfig(
        **SMALL, ffn_dim=128, max_position_embeddings=128, word_embed_proj_dim=64
    ),
    "parallel": transformers.FalconConfig(**SMALL, alibi=False),
    "a sliding window": transformers.MistralConfig(**GATED, num_key_value_heads=1, sliding_window=16),
    "local layers": transformers.GPTNeoConfig(
        vocab_size=2048,
        hidden_size=64,
        num_layers=2,
        num_heads=2,
        attention_types=[[["global", "local"], 1]],
        window_size=16,
        max_position_embeddings=128,
    ),
    "alibi": transformers.BloomConfig(vocab_size=2048, hidden_size=64, n_layer=2, n_head=2),
    "alibi by index": transformers.MptConfig(vocab_size=2048, d_model=64, n_heads=2, n_layers=2, max_seq_len=128),
    "a state": transformers.MambaConfig(vocab_size=2048, hidden_size=64, num_hidden_layers=2, state_size=8),
}
REFUSING = {"a sliding window", "local layers", "alibi", "alibi by index", "a state"}
QUICK = {"rotary", "a sliding window", "alibi", "a state"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in ARCHITECTURES]
)
def test_every_architecture_shares_or_says_why_not(tmp_path: Path, name: str) -> None:
    subject = random_model(tmp_path, ARCHITECTURES[name])
    texts = single_edits(40, 2048)
    assert_as_alone(subject, texts, list(range(32)))
    if name in REFUSING:
        [(reason, count)] = subject.work.unshared.items()
        assert reason.startswith(("the model reads a tree otherwise", "the model refuses a tree"))
        assert count == len(texts)
        assert subject.work.run == subject.work.asked
    else:
        assert not subject.work.unshared
        assert subject.work.run < 0.8 * subject.work.asked


def test_a_window_that_texts_stay_within_is_no_hindrance(tmp_path: Path) -> None:
    config = transformers.MistralConfig(**GATED, num_key_value_heads=1, sliding_window=100)
    subject = random_model(tmp_path, config)
    assert_as_alone(subject, single_edits(40, 2048), list(range(32)))
    assert not subject.work.unshared
    long = single_edits(120, 2048)
    assert_as_alone(subject, long, list(range(32)))
    assert sum(subject.work.unshared.values()) == len(long)


def random_model(folder: Path, config: transformers.PreTrainedConfig) -> TransformerSubject:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.25)  # far from flat attention, so that a wrong ancestor shows
    model.save_pretrained(folder / "model")
    for path in other_model().glob("tokenizer*"):
        shutil.copy(path, folder / "model")
    dictionary = write_dictionary(folder / "sae", random_weights(64, 32, "standard"), "blocks.1.hook_resid_post")
    return TransformerSubject.load(folder / "model", dictionary)


def test_half_precision_is_for_probes_and_never_for_verdicts() -> None:
    exact = demo_subject()
    half = TransformerSubject(**_parts(exact), half=_half_of_demo)
    texts = [text[:30] for text in single_edits(64, 4000)[::4]]
    features = list(range(0, 3072, 8))
    for one, other in zip(
        half.activations(texts, features, batch_size=1),
        exact.activations(texts, features, batch_size=1),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    some = features[:8]
    for one, other in zip(half.near_boundary(texts, some), exact.near_boundary(texts, some), strict=True):
        np.testing.assert_array_equal(one, other)
    rough = np.concatenate(half.activations(texts, features))
    fine = np.concatenate(exact.activations(texts, features))
    assert 1e-4 < np.abs(rough - fine)[(rough > 0) & (fine > 0)].max() / fine.max() < 0.1
    assert ((rough > 0) != (fine > 0)).mean() < 0.01


def _half_of_demo() -> object:
    from at_hand import demo_folders

    from autointerp.loading import load_bridge, read_config

    folder = demo_folders()[0]
    return load_bridge(folder, read_config(folder), "cpu", dtype=torch.bfloat16)


@pytest.mark.gpu
def test_on_a_gpu_probes_run_in_half_precision_and_verdicts_agree_with_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from at_hand import demo_folders

    gpu, cpu = TransformerSubject.load(*demo_folders(), device="cuda"), demo_subject()
    texts, features = single_edits(64, 4000), list(range(0, 3072, 8))
    rough = np.concatenate(gpu.activations(texts, features))
    assert gpu.work.run < 0.8 * gpu.work.asked
    fine = np.concatenate(gpu.activations(texts, features, batch_size=1))
    reference = np.concatenate(cpu.activations(texts, features, batch_size=1))
    near = np.concatenate(cpu.near_boundary(texts, features))
    np.testing.assert_allclose(fine[~near], reference[~near], atol=1e-3 * reference.max())
    assert np.abs(rough - reference)[(rough > 0) & (reference > 0)].max() < 0.1 * reference.max()
