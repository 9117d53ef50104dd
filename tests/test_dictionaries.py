"""SAELens folders: the same numbers as plain numpy, and one clear line for every folder that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from at_hand import random_weights, write_dictionary

from autointerp.dictionaries import load
from autointerp.dictionaries.saelens import SaeLens
from dsl.errors import SubjectError

HOOK = "blocks.0.hook_resid_post"
D_IN, D_SAE, K = 12, 40, 5
ARCHITECTURES = ("standard", "jumprelu", "topk", "gated")


def folder_with(folder: Path, architecture: str, **config: Any) -> tuple[Path, dict[str, np.ndarray]]:
    weights = random_weights(D_IN, D_SAE, architecture)
    extra = {"k": K} if architecture == "topk" else {}
    path = write_dictionary(folder, weights, HOOK, architecture=architecture, **(extra | config))
    return path, {name: weight.double().numpy() for name, weight in weights.items()}


def inputs(count: int = 30) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(count, D_IN)).astype(np.float32))


def relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def reference(
    x: np.ndarray, w: dict[str, np.ndarray], architecture: str, *, subtract: bool, rescale: bool
) -> np.ndarray:
    """The formulas as the field writes them down, in double precision."""
    if subtract:
        x = x - w["b_dec"]
    if architecture == "gated":
        gate = (x @ w["W_enc"] + w["b_gate"]) > 0
        return gate * relu(x @ (w["W_enc"] * np.exp(w["r_mag"])) + w["b_mag"])
    pre = x @ w["W_enc"] + w["b_enc"]
    if architecture == "standard":
        return relu(pre)
    if architecture == "jumprelu":
        return relu(pre) * (pre > w["threshold"])
    if rescale:
        pre = pre * np.linalg.norm(w["W_dec"], axis=1)
    kth = np.sort(pre, axis=1)[:, [-K]]
    return relu(pre) * (pre >= kth)


@pytest.mark.parametrize("subtract", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_activations_are_those_of_plain_numpy(tmp_path: Path, architecture: str, subtract: bool) -> None:
    path, weights = folder_with(tmp_path, architecture, apply_b_dec_to_input=subtract)
    found = load(path).encode(inputs()).numpy()
    expected = reference(inputs().double().numpy(), weights, architecture, subtract=subtract, rescale=False)
    assert (expected > 0).any()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_topk_may_rank_by_the_decoders_norm(tmp_path: Path) -> None:
    path, weights = folder_with(tmp_path, "topk", rescale_acts_by_decoder_norm=True)
    expected = reference(inputs().double().numpy(), weights, "topk", subtract=True, rescale=True)
    np.testing.assert_allclose(load(path).encode(inputs()).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("normalisation", ["constant_norm_rescale", "layer_norm"])
def test_inputs_may_be_normalised_first(tmp_path: Path, normalisation: str) -> None:
    path, weights = folder_with(tmp_path, "standard", normalize_activations=normalisation)
    x = inputs().double().numpy()
    if normalisation == "layer_norm":
        x = x - x.mean(axis=1, keepdims=True)
        x = x / (x.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    else:
        x = x * D_IN**0.5 / np.linalg.norm(x, axis=1, keepdims=True)
    expected = reference(x, weights, "standard", subtract=True, rescale=False)
    np.testing.assert_allclose(load(path).encode(inputs()).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_subset_of_features_is_gated_like_all(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary = load(folder_with(tmp_path, architecture)[0])
    everything = dictionary.encode(inputs())
    chosen = torch.tensor([7, 3, 3, 39])
    torch.testing.assert_close(dictionary.encode(inputs(), chosen), everything[:, chosen])
    monkeypatch.setattr("autointerp.dictionaries.saelens.CHUNK", 4 * D_SAE)
    torch.testing.assert_close(dictionary.encode(inputs()), everything)
    assert dictionary.encode(inputs(0), chosen).shape == (0, 4)


def test_a_feature_asked_for_alone_is_gated_as_among_others_ties_too() -> None:
    weights = random_weights(D_IN, D_SAE, "topk")
    weights["W_enc"][:, 20:] = weights["W_enc"][:, :20]
    weights["b_enc"][20:] = weights["b_enc"][:20]  # every pre-activation twice: one of each pair is tied at the cut
    dictionary = SaeLens("tied", HOOK, None, "topk", K, True, False, "none", weights, "")
    everything = dictionary.encode(inputs(), torch.arange(D_SAE))
    assert bool((everything > 0).any())
    for feature in range(D_SAE):
        alone = dictionary.encode(inputs(), torch.tensor([feature]))[:, 0]
        assert bool(((alone > 0) == (everything[:, feature] > 0)).all())
        torch.testing.assert_close(alone, everything[:, feature])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sparse_activations_are_the_dense_ones(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autointerp.dictionaries.saelens.CHUNK", 7 * D_SAE)
    dictionary = load(folder_with(tmp_path, architecture)[0])
    rows, features, values = dictionary.sparse(inputs())
    dense = torch.zeros(len(inputs()), D_SAE)
    dense[rows, features] = values
    torch.testing.assert_close(dense, dictionary.encode(inputs()))
    assert bool((values > 0).all())
    assert bool((rows.diff() >= 0).all())


def test_ranks_say_what_topk_keeps(tmp_path: Path) -> None:
    dictionary = load(folder_with(tmp_path, "topk")[0])
    pre, rank, cut = dictionary.preactivations(inputs(), torch.arange(D_SAE))
    activations = dictionary.encode(inputs())
    kept = (rank < K) & (pre > 0)
    torch.testing.assert_close(activations > 0, kept)
    torch.testing.assert_close(activations[kept], pre[kept])
    assert bool(((pre >= cut[:, None]) == (rank < K)).all())


def test_half_precision_weights_run_in_single(tmp_path: Path) -> None:
    path, _ = folder_with(tmp_path, "topk")
    full = load(path)
    halves = {name: weight.half() for name, weight in full.weights.items()}
    half = load(write_dictionary(tmp_path / "half", halves, HOOK, architecture="topk", k=K))
    assert half.encode(inputs()).dtype == torch.float32
    rounded = {name: weight.float().double().numpy() for name, weight in halves.items()}
    expected = reference(inputs().double().numpy(), rounded, "topk", subtract=True, rescale=False)
    np.testing.assert_allclose(half.encode(inputs()).numpy(), expected, atol=1e-5)


def test_the_configuration_of_older_versions_is_read(tmp_path: Path) -> None:
    weights = random_weights(D_IN, D_SAE, "topk")
    path = write_dictionary(
        tmp_path,
        weights,
        HOOK,
        metadata={},
        hook_name="blocks.1.hook_mlp_out",
        prepend_bos=False,
        activation_fn_str="topk",
        activation_fn_kwargs={"k": K},
    )
    dictionary = load(path)
    assert (dictionary.hookpoint, dictionary.prepend_bos, dictionary.k) == ("blocks.1.hook_mlp_out", False, K)


def test_fingerprints_differ_with_weights_and_settings(tmp_path: Path) -> None:
    def fingerprint(name: str, seed: int, **config: Any) -> str:
        weights = random_weights(D_IN, D_SAE, "standard", seed=seed)
        return load(write_dictionary(tmp_path / name, weights, HOOK, **config)).fingerprint

    prints = [fingerprint("a", 0), fingerprint("b", 1), fingerprint("c", 0, apply_b_dec_to_input=False)]
    assert len(set(prints)) == 3
    assert fingerprint("d", 0) == prints[0]


def refused(path: Path) -> str:
    with pytest.raises(SubjectError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_saelens_folder_is_refused(tmp_path: Path) -> None:
    assert "is not a folder" in refused(tmp_path / "none")
    assert "holds no cfg.json" in refused(tmp_path)
    path, _ = folder_with(tmp_path / "sae", "standard")
    (path / "sae_weights.safetensors").write_bytes(b"\x10\x00\x00")
    assert "damaged" in refused(path)
    (path / "sae_weights.safetensors").unlink()
    assert "holds no sae_weights.safetensors" in refused(path)
    (path / "sae_weights.pt").write_bytes(b"never read")
    assert "holds no sae_weights.safetensors" in refused(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    weights = random_weights(D_IN, D_SAE, "standard")
    weights["W_dec"][3, 4] = value
    assert "W_dec holds NaN or infinite" in refused(write_dictionary(tmp_path, weights, HOOK))


def test_tensors_that_do_not_fit_the_configuration_are_named(tmp_path: Path) -> None:
    weights = random_weights(D_IN, D_SAE, "standard")
    assert "threshold" in refused(write_dictionary(tmp_path / "a", weights, HOOK, architecture="jumprelu"))
    assert "W_enc is [12, 40], but cfg.json says [13, 40]" in refused(
        write_dictionary(tmp_path / "b", weights, HOOK, d_in=13)
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architecture": "transcoder"}, "architecture is 'transcoder'"),
        ({"architecture": "topk"}, "needs k from 1"),
        ({"architecture": "topk", "k": 41}, "needs k from 1"),
        ({"d_in": 0}, "d_in is 0"),
        ({"metadata": {}}, "names no hookpoint"),
        ({"normalize_activations": "whitening"}, "normalize_activations is 'whitening'"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    weights = random_weights(D_IN, D_SAE, "standard")
    assert said in refused(write_dictionary(tmp_path, weights, HOOK, **config))


def test_a_configuration_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path, _ = folder_with(tmp_path, "standard")
    for text in ("{", json.dumps([1]), ""):
        (path / "cfg.json").write_text(text)
        assert "cfg.json" in refused(path)
