"""Infillers where no masked model shares the subject's tokens: one over other tokens, and the subject itself."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from at_hand import demo_subject, other_model, random_weights, write_dictionary
from transformers import BertConfig, BertForMaskedLM

from autointerp.causal_infill import CausalInfiller
from autointerp.demo import paths
from autointerp.infill import MaskedInfiller
from autointerp.models import TransformerSubject
from autointerp.remapped_infill import RemappedInfiller, load_infiller
from dsl.batch import Vocabulary
from dsl.errors import SubjectError
from probes.subject import Infiller

COLD = "It was very cold outside, so Mom gave her a warm coat."


@cache
def strangers() -> tuple[TransformerSubject, RemappedInfiller]:
    """A model with a sentencepiece-like tokeniser, and the demo's masked model, which is byte-level."""
    import tempfile

    folder = Path(tempfile.mkdtemp())
    write_dictionary(folder, random_weights(128, 16, "standard"), "blocks.0.hook_resid_post")
    subject = TransformerSubject.load(other_model(), folder)
    infiller = load_infiller(paths().mlm, subject.vocabulary)
    assert isinstance(infiller, RemappedInfiller)
    return subject, infiller


def place_of(subject: TransformerSubject, text: str, word: str) -> tuple[tuple[int, ...], int]:
    ids = subject.tokenize(text)
    return ids, [subject.vocabulary.strings[token] for token in ids].index(word)


def test_a_masked_model_over_the_same_tokens_is_used_as_it_is() -> None:
    infiller = load_infiller(paths().mlm, demo_subject().vocabulary)
    assert isinstance(infiller, MaskedInfiller)
    text, place = place_of(demo_subject(), COLD, " cold")
    assert infiller.infill([text], [place], 5) == MaskedInfiller.load(paths().mlm, demo_subject().vocabulary).infill(
        [text], [place], 5
    )


def test_one_over_other_tokens_proposes_what_fits_in_the_subject_s_tokens() -> None:
    """Here a token holds the space after it, there the one before."""
    subject, infiller = strangers()
    assert isinstance(infiller, Infiller)
    text, place = place_of(subject, COLD, "cold ")
    [answers] = infiller.infill([text], [place], 8)
    proposed = [subject.vocabulary.strings[token] for token, _ in answers]
    assert {"hot ", "warm ", "big "} & set(proposed)
    assert all(string.endswith(" ") for string in proposed)
    assert text[place] not in [token for token, _ in answers]
    values = [probability for _, probability in answers]
    assert values == sorted(values, reverse=True)


def test_one_over_other_tokens_reads_the_same_as_over_its_own() -> None:
    """Where the subject's token is a token of the masked model, the two are asked the same and answer the same."""
    subject, infiller = strangers()
    own = MaskedInfiller.load(paths().mlm, demo_subject().vocabulary)
    theirs, there = place_of(subject, COLD, "cold ")
    ours, here = place_of(demo_subject(), " " + COLD, " cold")
    [[(mapped, probability), *_]] = infiller.infill([theirs], [there], 1)
    best = {demo_subject().vocabulary.strings[token]: value for token, value in own.infill([ours], [here], 50)[0]}
    assert best[" " + subject.vocabulary.strings[mapped].strip()] == pytest.approx(probability, abs=1e-4)


def test_long_texts_and_pieces_of_characters_are_read_too() -> None:
    subject, infiller = strangers()
    text = subject.tokenize(" ".join([COLD] * 20))
    for place in (1, len(text) // 2, len(text) - 3):
        assert infiller.infill([text], [place], 3)[0]
    broken = Vocabulary(["\udcf0", "\udc9f", " cold", " hot", " "])
    reading = load_infiller(paths().mlm, broken)
    assert [token for token, _ in reading.infill([(0, 1, 2)], [2], 200)[0]] == [4, 3]
    assert reading.infill([(4, 0)], [0], 5) is not None
    with pytest.raises(ValueError, match="outside"):
        infiller.infill([text], [len(text)], 1)


def test_wordpiece_is_understood(tmp_path: Path) -> None:
    """Its words have no space before them, and pieces begin with ##: proposals take the place's own form."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cold", "hot", "##er", "a"]
    added = [{"id": n, "content": word, "special": True} for n, word in enumerate(words[:5])]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [token | flags for token in added],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {word: n for n, word in enumerate(words)}},
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {"mask_token": "[MASK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(tmp_path)
    vocabulary = Vocabulary([" The", " cold", " Hot", " a", "er", " A"])
    infiller = load_infiller(tmp_path, vocabulary)
    proposed = {vocabulary.strings[token] for token, _ in infiller.infill([(0, 1, 3)], [0], 9)[0]}
    # In the case of " The": "cold" is capitalised into nothing that is there. Later in a text a word stays a word.
    assert proposed == {" Hot", " A"}
    proposed = {vocabulary.strings[token] for token, _ in infiller.infill([(0, 3, 1)], [1], 9)[0]}
    assert proposed == {" cold"}
    proposed = {vocabulary.strings[token] for token, _ in infiller.infill([(0, 4, 1)], [1], 9)[0]}
    assert proposed == set()
    assert [token for token, _ in infiller.infill([(1,) * 40], [20], 2)[0]] == [3]
    with pytest.raises(SubjectError, match="tokeniser"):
        MaskedInfiller.load(tmp_path, vocabulary)


def test_a_causal_model_fills_in_what_goes_with_both_sides() -> None:
    subject = demo_subject()
    infiller = CausalInfiller(subject)
    assert isinstance(infiller, Infiller)
    text, place = place_of(subject, COLD, " cold")
    [answers] = infiller.infill([text], [place], 5)
    assert text[place] not in [token for token, _ in answers]
    values = [probability for _, probability in answers]
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) <= 1 + 1e-6
    # What follows has a say: "gave ... a warm coat" goes better with some proposals than with what is likeliest alone.
    [alone] = infiller.infill([text[: place + 1]], [place], 5)
    assert [token for token, _ in alone] != [token for token, _ in answers]


def test_a_causal_model_answers_alike_alone_and_in_company() -> None:
    subject = demo_subject()
    infiller = CausalInfiller(subject)
    texts = [subject.tokenize(text) for text in (COLD, "The cat sat.", COLD * 5)]
    asked = [(text, place) for text in texts for place in (0, 2, len(text) - 1)]
    together = infiller.infill([text for text, _ in asked], [place for _, place in asked], 3)
    for (text, place), answers in zip(asked, together, strict=True):
        [alone] = infiller.infill([text], [place], 3)
        assert [token for token, _ in alone] == [token for token, _ in answers]
    assert infiller.infill([], [], 3) == []
    assert infiller.infill([texts[0]], [1], 0) == [()]


def test_a_causal_model_without_a_prefix_has_nothing_to_say_of_the_first_token(tmp_path: Path) -> None:
    write_dictionary(
        tmp_path, random_weights(128, 16, "standard"), "blocks.0.hook_resid_post", metadata={
            "hook_name": "blocks.0.hook_resid_post", "prepend_bos": False}
    )  # fmt: skip
    subject = TransformerSubject.load(other_model(), tmp_path)
    assert subject.prefix == ()
    text = subject.tokenize("Once upon a time")
    assert CausalInfiller(subject).infill([text, text], [0, 1], 2)[0] == ()
