"""Gradients of pre-activations: exact where they can be checked, and swaps that do what they say."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from at_hand import demo_subject, other_model, random_weights, stories, write_dictionary

from autointerp.gradients import Gradients
from autointerp.models import TransformerSubject
from probes.subject import Gradient, TokenIds


@cache
def firing(count: int) -> tuple[int, list[TokenIds], list[int]]:
    """A feature that is often on, texts in which it is, and where it is highest in each."""
    subject = demo_subject()
    texts = [subject.tokenize(story)[:48] for story in stories(40)]
    features = np.concatenate([columns for _, columns, _ in subject.sparse(texts)])
    often = np.bincount(features, minlength=subject.d_sae)
    feature = int(np.argsort(-often, kind="stable")[60])
    rows = [column[:, 0] for column in subject.activations(texts, [feature])]
    chosen = [number for number, row in enumerate(rows) if row.max() > 0][:count]
    return feature, [texts[number] for number in chosen], [int(rows[number].argmax()) for number in chosen]


def test_a_subject_tells_gradients() -> None:
    assert isinstance(demo_subject(), Gradient)


def test_the_gradient_is_what_small_steps_say() -> None:
    subject = demo_subject()
    feature, texts, positions = firing(2)
    assert_exact(subject, feature, [text[: place + 1] for text, place in zip(texts, positions, strict=True)])


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated"])
def test_other_models_and_dictionaries_have_exact_gradients_too(architecture: str, tmp_path: Path) -> None:
    weights = random_weights(128, 64, architecture)
    write_dictionary(tmp_path, weights, "blocks.0.hook_resid_post", architecture=architecture)
    subject = TransformerSubject.load(other_model(), tmp_path)
    assert_exact(subject, 3, [subject.tokenize(text) for text in ("Once upon a time there was a dog.", "A cat")])


def assert_exact(subject: TransformerSubject, feature: int, texts: list[TokenIds]) -> None:
    """Moved a little in some direction, the embeddings move the pre-activation as the gradient says."""
    for text, gradient in zip(texts, Gradients(subject)._gradients(texts, feature), strict=True):
        direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(0))
        direction /= direction.norm()
        step = 1e-2 * float(subject._bridge.W_E.std())
        numeric = (
            moved(subject, feature, text, step * direction) - moved(subject, feature, text, -step * direction)
        ) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(
            numeric, rel=0.02, abs=0.02 * float(gradient.norm())
        )


def moved(subject: TransformerSubject, feature: int, text: TokenIds, by: torch.Tensor) -> float:
    """The pre-activation at the last token with the embeddings moved."""
    held = {}

    def embedded(value, hook):  # type: ignore[no-untyped-def]  # noqa: ARG001
        value = value.clone()
        value[0, len(subject.prefix) :] += by
        return value

    def keep(value, hook):  # type: ignore[no-untyped-def]  # noqa: ARG001
        held["hidden"] = value

    ids = torch.tensor([[*subject.prefix, *text]])
    with torch.inference_mode():
        subject._bridge.run_with_hooks(
            ids,
            fwd_hooks=[("hook_embed", embedded), (subject._hook, keep)],
            stop_at_layer=subject._stop,
            return_type=None,
        )
        values, _, _ = subject._dictionary.preactivations(held["hidden"][:, -1].float(), torch.tensor([feature]))
    return float(values[0, 0])


def test_swaps_come_best_first_at_places_of_their_own_and_move_the_feature_as_asked() -> None:
    subject = demo_subject()
    feature, texts, positions = firing(8)
    felt = subject.preactivations(texts, [feature])
    before = [values[position, 0] for (values, _), position in zip(felt, positions, strict=True)]
    for towards_firing in (False, True):
        found = subject.swaps(texts, feature, positions, 4, towards_firing=towards_firing)
        moves = []
        for text, position, swaps, value in zip(texts, positions, found, before, strict=True):
            assert len(swaps) <= 4
            assert len({swap.place for swap in swaps}) == len(swaps)
            sizes = [abs(swap.gain) for swap in swaps]
            assert sizes == sorted(sizes, reverse=True)
            for swap in swaps:
                assert 0 <= swap.place <= position
                assert (swap.gain > 0) == towards_firing
                assert subject.tokenize(subject.vocabulary.strings[swap.token]) == (swap.token,)
            if swaps:
                put = (*text[: swaps[0].place], swaps[0].token, *text[swaps[0].place + 1 :])
                [(values, _)] = subject.preactivations([put], [feature])
                moves.append(values[position, 0] - value)
        # A first-order estimate of a jump: right on average, not every time.
        assert np.mean(moves) > 0 if towards_firing else np.mean(moves) < 0


def test_company_changes_nothing() -> None:
    subject = demo_subject()
    feature, texts, positions = firing(6)
    together = subject.swaps(texts, feature, positions, 3, towards_firing=False)
    for text, position, swaps in zip(texts, positions, together, strict=True):
        [alone] = subject.swaps([text], feature, [position], 3, towards_firing=False)
        assert [(swap.place, swap.token) for swap in alone] == [(swap.place, swap.token) for swap in swaps]
        np.testing.assert_allclose([swap.gain for swap in alone], [swap.gain for swap in swaps], rtol=1e-3, atol=1e-4)


def test_nothing_asked_is_nothing_answered_and_positions_are_checked() -> None:
    subject = demo_subject()
    text = subject.tokenize("Once upon a time")
    assert subject.swaps([], 3, [], 4, towards_firing=True) == []
    assert subject.swaps([text], 3, [1], 0, towards_firing=True) == [()]
    with pytest.raises(ValueError, match="outside"):
        subject.swaps([text], 3, [len(text)], 4, towards_firing=True)
    with pytest.raises(ValueError, match="outside"):
        subject.swaps([()], 3, [0], 4, towards_firing=True)
