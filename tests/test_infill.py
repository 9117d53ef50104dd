"""The masked language model as an infiller: apt, never what it must not say, the same alone or in company."""

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from autointerp.demo import paths
from autointerp.infill import MaskedInfiller
from autointerp.masked_model import likeliest
from autointerp.tokens import TextTokenizer
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from probes.subject import Infiller

COLD = "It was very cold outside, so Mom gave her a warm coat."


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.load(paths().lm)


@pytest.fixture(scope="module")
def vocabulary(tokenizer) -> Vocabulary:
    return Vocabulary(tokenizer.strings)


@pytest.fixture(scope="module")
def infiller(vocabulary) -> MaskedInfiller:
    return MaskedInfiller.load(paths().mlm, vocabulary)


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "mlm"
    shutil.copytree(paths().mlm, folder)
    return folder


def test_it_is_an_infiller(infiller):
    assert isinstance(infiller, Infiller)


def test_it_proposes_what_fits(infiller, tokenizer, vocabulary):
    context = tokenizer.encode(COLD)
    best = [vocabulary.strings[index] for index, _ in infiller.infill([context], [3], 5)[0]]
    assert " hot" in best
    assert " wet" in best


def test_it_never_proposes_special_tokens_or_what_stood_there(infiller, tokenizer):
    context = tokenizer.encode(COLD)
    for position, answers in enumerate(infiller.infill([context] * len(context), range(len(context)), 4096)):
        proposed = {index for index, _ in answers}
        assert proposed == set(range(2, 4096)) - {context[position]}


def test_answers_come_likeliest_first_and_as_many_as_asked(infiller, tokenizer):
    (answers,) = infiller.infill([tokenizer.encode(COLD)], [3], 20)
    values = [probability for _, probability in answers]
    assert len(answers) == 20
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) < 1
    assert infiller.infill([tokenizer.encode(COLD)], [3], 0) == [()]
    assert infiller.infill([], [], 5) == []


def test_equal_probabilities_go_to_the_smaller_id():
    best = likeliest(np.array([0.5, 0.1, 0.1, 0.2, 0.1, 0.2], dtype=np.float32), [0, 1, 2], 4)
    assert [index for index, _ in best] == [3, 5, 4]


def test_company_in_a_batch_changes_nothing(infiller, tokenizer):
    texts = [COLD, "The cat sat.", "Tim and Sue went to the park. They saw a big dog.", "Once upon a time"]
    contexts = [tokenizer.encode(text) for text in texts for _ in range(5)]
    positions = [number % 3 for number in range(len(contexts))]
    together = infiller.infill(contexts, positions, 3)
    for context, position, answers in zip(contexts, positions, together, strict=True):
        (alone,) = infiller.infill([context], [position], 3)
        assert [index for index, _ in alone] == [index for index, _ in answers]
        np.testing.assert_allclose([p for _, p in alone], [p for _, p in answers], atol=1e-5)


def test_a_long_context_is_cropped_around_the_position(infiller, tokenizer):
    context = tokenizer.encode(" ".join([COLD] * 30))
    window = 127  # 128 positions were trained; the first holds the beginning-of-text token
    for position in (0, 5, 200, len(context) - 1):
        start = max(0, min(position - window // 2, len(context) - window))
        cropped = context[start : start + window]
        assert infiller.infill([context], [position], 5) == infiller.infill([cropped], [position - start], 5)


def test_it_is_apt_deep_in_a_long_context_too(infiller, tokenizer):
    context = tokenizer.encode(" ".join([COLD] * 14))
    position = len(context) - len(tokenizer.encode(" " + COLD)) + 3
    assert infiller.infill([context], [position], 1)[0][0][1] > 0.05


@pytest.mark.parametrize("position", [-1, 3])
def test_a_position_outside_its_context_is_an_error(infiller, tokenizer, position):
    with pytest.raises(ValueError, match="outside"):
        infiller.infill([tokenizer.encode("The cat")[:3]], [position + (position > 0)], 1)


def test_as_many_positions_as_contexts_are_needed(infiller):
    with pytest.raises(ValueError, match="2 contexts but 1 positions"):
        infiller.infill([(5,), (6,)], [0], 1)


def test_another_tokeniser_is_refused_and_said_how_to_go_on(tokenizer):
    strings = list(tokenizer.strings)
    strings[700], strings[701] = strings[701], strings[700]
    with pytest.raises(SubjectError, match=r"another tokeniser.*token 700.*use one trained on"):
        MaskedInfiller.load(paths().mlm, Vocabulary(strings))
    with pytest.raises(SubjectError, match=r"4096 tokens, not 4097"):
        MaskedInfiller.load(paths().mlm, Vocabulary([*tokenizer.strings, " new"]))


def test_a_causal_model_is_no_masked_model(vocabulary):
    with pytest.raises(SubjectError, match="masked language model"):
        MaskedInfiller.load(paths().lm, vocabulary)


def test_a_folder_that_is_none_is_one_clear_line(tmp_path, vocabulary):
    with pytest.raises(SubjectError, match="not a folder"):
        MaskedInfiller.load(tmp_path / "none", vocabulary)
    with pytest.raises(SubjectError, match=r"config\.json"):
        MaskedInfiller.load(tmp_path, vocabulary)


def test_weights_that_are_not_numbers_are_refused(copy, vocabulary):
    weights = load_file(copy / "model.safetensors")
    weights["lm_head.dense.weight"][3, 3] = float("nan")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SubjectError, match=r"lm_head\.dense\.weight holds NaN"):
        MaskedInfiller.load(copy, vocabulary)


def test_missing_weights_are_refused_and_not_made_up(copy, vocabulary):
    weights = load_file(copy / "model.safetensors")
    del weights["lm_head.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SubjectError, match=r"lack lm_head\.dense\.weight"):
        MaskedInfiller.load(copy, vocabulary)


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_broken_weights_are_one_clear_line(copy, vocabulary, content):
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(SubjectError, match="does not load"):
        MaskedInfiller.load(copy, vocabulary)


def test_a_tokeniser_without_a_mask_is_refused(copy, vocabulary):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    del settings["mask_token"]
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(SubjectError, match="names no mask_token"):
        MaskedInfiller.load(copy, vocabulary)
