"""The built-in dictionary: what it answers, and that its cache changes no answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from autointerp.inflections import Inflections
from autointerp.lexicons import DefaultLexicon, frequent_words
from dsl.nodes import FormsOf, WordsLike, is_word

WORDS = (
    "the", "and", "dog", "puppy", "dogs", "cat", "red", "crimson", "scarlet", "blue", "green", "oven", "bake", "baking",
    "kitchen", "cook", "recipe", "run", "ran", "running", "walk", "walked", "walking", "strolled", "strolling", "car",
    "truck", "sky", "sleep", "bed", "pillow", "money", "bank", "law", "judge", "river", "boat", "music", "song",
    "piano",
)  # fmt: skip


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> DefaultLexicon:
    return DefaultLexicon(WORDS, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def inflections() -> Inflections:
    return Inflections(frequent_words())


@pytest.mark.parametrize(
    ("word", "among", "not_among"),
    [
        ("run", {"run", "ran", "runs", "running"}, set()),
        ("ran", {"run", "ran", "runs", "running"}, set()),
        ("be", {"is", "was", "were", "am", "been", "being"}, {"isn", "m", "ai"}),
        ("child", {"child", "children"}, {"childs"}),
        ("mouse", {"mouse", "mice"}, {"mouses"}),
        ("good", {"good", "better", "best"}, {"gooded", "gooder"}),
        ("happy", {"happy", "happier", "happiest"}, set()),
        ("say", {"say", "said", "says", "saying"}, {"sayed"}),
        ("play", {"play", "played", "plays", "playing"}, {"playe"}),
        ("bake", {"bake", "baked", "bakes"}, set()),
        ("pizza", {"pizza", "pizzas"}, set()),
        ("cry", {"cry", "cried", "cries", "crying"}, set()),
        ("zorblat", {"zorblat"}, set()),
        ("think", {"think", "thought", "thinks", "thinking"}, set()),
        ("life", {"life", "lives"}, {"lifes"}),
        ("live", {"live", "lived", "lives"}, set()),
        ("won", {"win", "winning", "wins"}, {"wons"}),
        ("cold", {"cold", "colder", "coldest"}, {"colds"}),
        ("die", {"die", "died", "dying"}, {"dice"}),
        ("want", {"want", "wanted"}, {"wan"}),
        ("desk", {"desk", "desks"}, set()),
        ("john", {"john"}, {"johnned", "johning"}),
    ],
)
def test_forms_are_those_in_use_and_regular_ones(
    inflections: Inflections, word: str, among: set[str], not_among: set[str]
) -> None:
    forms = inflections.forms(word)
    assert forms[0] == word
    assert among <= set(forms)
    assert not not_among & set(forms)


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("to", {"to"}),
        ("and", {"and"}),
        ("in", {"in"}),
        ("you", {"you"}),
        ("through", {"through"}),
        ("that", {"that", "those"}),
        ("he", {"he", "him"}),
        ("them", {"they", "them"}),
        ("an", {"a", "an"}),
        ("did", {"do", "does", "did", "doing", "done"}),
        ("first", {"first"}),
        ("silent", {"silent"}),
        ("na", {"na"}),
        ("didn", {"didn"}),
        ("ll", {"ll"}),
    ],
)
def test_function_words_and_pieces_of_contractions_have_no_forms_but_their_own(
    inflections: Inflections, word: str, forms: set[str]
) -> None:
    assert set(inflections.forms(word)) == forms


def test_a_form_of_a_frequent_word_is_in_use(inflections: Inflections) -> None:
    comparatives = ("er", "est")
    for word in [word for word in frequent_words()[:1400] if inflections.lemma(word) == word]:
        for form in inflections.forms(word)[1:]:
            assert inflections.rank(form) < 10**9 or form.endswith(comparatives), (word, form)


def test_every_answer_can_stand_in_an_explanation(inflections: Inflections) -> None:
    for word in frequent_words()[1000:3000:7]:
        forms = inflections.forms(word)
        assert all(is_word(form) and form == form.casefold() for form in forms)
        assert len(set(forms)) == len(forms)
        FormsOf(word, forms)


def test_like_gives_the_semantic_field_without_mere_inflections(lexicon: DefaultLexicon) -> None:
    field = lexicon.like("red")
    assert field[0] == "red"
    assert {"crimson", "scarlet"} <= set(field)
    assert not {"judge", "boat"} & set(field)
    assert "dogs" not in lexicon.like("dog")
    assert "puppy" in lexicon.like("Dog")
    WordsLike("red", field)


def test_like_inflects_as_it_was_asked(lexicon: DefaultLexicon) -> None:
    assert "strolled" in lexicon.like("walked")
    assert "walk" not in lexicon.like("walked")


def test_about_gives_words_of_the_topic_each_of_another_lemma(lexicon: DefaultLexicon) -> None:
    words = lexicon.about("cooking")
    assert {"oven", "kitchen", "recipe"} <= set(words)
    assert not {"the", "and", "law"} & set(words)
    assert len(words) >= 5
    assert lexicon.about("the music")[0] == "music"


def test_a_topic_nobody_writes_about_still_gives_two_words(lexicon: DefaultLexicon) -> None:
    assert len(lexicon.about("zorblat")) >= 2


def test_the_version_names_the_words(lexicon: DefaultLexicon) -> None:
    assert lexicon.version == DefaultLexicon(WORDS).version
    assert lexicon.version != DefaultLexicon(WORDS[1:]).version


class CountingEmbedder:
    """Letters counted: near words share letters."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        counts = np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])
        vectors = counts + 0.01
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_vectors_are_made_once_and_answers_do_not_change(tmp_path: Path) -> None:
    first, second = CountingEmbedder(), CountingEmbedder()
    answer = DefaultLexicon(WORDS, cache=tmp_path, embedder=first).like("boat")
    assert DefaultLexicon(WORDS, cache=tmp_path, embedder=second).like("boat") == answer
    assert first.texts > 0
    assert second.texts == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_broken_cache_is_made_again(tmp_path: Path, content: bytes) -> None:
    whole = DefaultLexicon(WORDS, cache=tmp_path, embedder=CountingEmbedder())
    answer = whole.like("boat")
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    again = CountingEmbedder()
    assert DefaultLexicon(WORDS, cache=tmp_path, embedder=again).like("boat") == answer
    assert again.texts > 0


def test_a_cache_of_other_words_is_not_used(tmp_path: Path) -> None:
    DefaultLexicon(WORDS, cache=tmp_path, embedder=CountingEmbedder()).like("boat")
    other = CountingEmbedder()
    DefaultLexicon(WORDS[5:], cache=tmp_path, embedder=other).like("boat")
    assert other.texts > 0


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    lexicon = DefaultLexicon(WORDS, cache=file / "below", embedder=CountingEmbedder())
    assert lexicon.like("boat")[0] == "boat"


def test_the_cache_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOINTERP_CACHE", str(tmp_path / "here"))
    DefaultLexicon(WORDS, embedder=CountingEmbedder()).like("boat")
    assert len(list((tmp_path / "here").iterdir())) == 1


def test_a_word_that_holds_lone_bytes_has_no_forms_but_itself() -> None:
    assert Inflections(["dog"]).forms("\udce2\udc80") == ("\udce2\udc80",)
