"""WordNet's files: a small one written here in the real format, and the real one where there is one."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from autointerp.lexicons import DefaultLexicon
from autointerp.wordnet import WordNet, find_wordnet
from dsl.errors import InputError
from dsl.lexicon import Contrasts, Lexicon

WORDS = (
    "animal",
    "dog",
    "dogs",
    "puppy",
    "wolf",
    "wolves",
    "cat",
    "hot",
    "cold",
    "warm",
    "mouse",
    "go",
    "walk",
    "ride",
)
NOUNS = {
    "animal": ("animal", {"~": ["dog", "wolf", "cat", "mouse"]}),
    "dog": ("dog hound", {"@": ["animal"], "~": ["puppy"]}),
    "puppy": ("puppy", {"@": ["dog"]}),
    "wolf": ("wolf gray_wolf", {"@": ["animal"]}),
    "cat": ("cat", {"@": ["animal"]}),
    "mouse": ("mouse", {"@": ["animal"]}),
}
ADJECTIVES = {
    "hot": ("hot", {"!": ["cold"], "&": ["warm"]}),
    "cold": ("cold(p)", {"!": ["hot"]}),
    "warm": ("warm", {"&": ["hot"]}),
}
VERBS = {"walk": ("walk", {"!": ["ride"]}), "ride": ("ride", {"!": ["walk"]}), "go": ("go", {})}
ADVERBS = {"well": ("well", {})}


def write(folder: Path) -> Path:
    """A WordNet of a dozen senses: every sense on a line at the byte offset that pointers and indices name."""
    folder.mkdir(parents=True, exist_ok=True)
    licence = "  1 A licence stands here, its lines beginning with a space.\n"
    parts = (("noun", "n", NOUNS), ("adj", "a", ADJECTIVES), ("verb", "v", VERBS), ("adv", "r", ADVERBS))
    for part, letter, senses in parts:
        offsets: dict[str, int] = {}
        for _ in range(2):  # the offsets have eight digits whatever they are: the second turn fills them in
            lines, here = [], len(licence)
            for name, (words, relations) in senses.items():
                kinds = [(kind, other) for kind, others in relations.items() for other in others]
                pointers = "".join(
                    f" {kind} {offsets.get(other, 0):08d} {letter} {'0101' if kind == '!' else '0000'}"
                    for kind, other in kinds
                )
                spelt = " ".join(f"{word} 0" for word in words.split())
                offsets[name] = here
                lines.append(
                    f"{here:08d} 03 {letter} {len(words.split()):02x} {spelt} {len(kinds):03d}{pointers} | gloss\n"
                )
                here += len(lines[-1])
        (folder / f"data.{part}").write_text(licence + "".join(lines))
        listed = sorted(
            f"{word.split('(')[0]} {letter} 1 0 1 1 {offsets[name]:08d}  \n"
            for name, (words, _) in senses.items()
            for word in words.split()
        )
        (folder / f"index.{part}").write_text(licence + "".join(listed))
    (folder / "noun.exc").write_text("mice mouse\nwolves wolf\n")
    (folder / "verb.exc").write_text("went go\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("share") / "wordnet")


def test_relations_are_read_from_the_files(folder: Path) -> None:
    wordnet = WordNet(folder)
    assert wordnet.synonyms("dog") == {"hound": 0}
    assert wordnet.hyponyms("dog") == {"puppy": 0}
    assert wordnet.cohyponyms("dog") == {"wolf": 0, "cat": 0, "mouse": 0}  # a word of two words is left out
    assert wordnet.antonyms("hot") == {"cold": 0}
    assert wordnet.antonyms("warm") == {"cold": 0}  # by way of hot
    assert wordnet.antonyms("dog") == wordnet.antonyms("zorblat") == {}
    assert wordnet.parts("dog") == ("noun",)


def test_inflected_forms_are_asked_by_their_lemma(folder: Path) -> None:
    wordnet = WordNet(folder)
    assert wordnet.lemmas("mice", "noun") == ("mouse",)
    assert wordnet.lemmas("dogs", "noun") == ("dog",)
    assert wordnet.lemmas("went", "verb") == ("go",)
    assert wordnet.lemmas("walking", "verb") == ("walk",)
    assert wordnet.synonyms("dogs") == {"dog": 0, "hound": 0}


def test_the_version_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    assert WordNet(write(tmp_path / "same")).version == WordNet(folder).version
    (tmp_path / "same" / "noun.exc").write_text("")
    assert WordNet(tmp_path / "same").version != WordNet(folder).version


def test_nltk_folders_and_archives_are_read_too(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "corpora" / "wordnet.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for each in sorted(folder.iterdir()):
            file.write(each, f"wordnet/{each.name}")
    assert WordNet(tmp_path).version == WordNet(archive).version == WordNet(folder).version
    monkeypatch.delenv("WNHOME", raising=False)
    monkeypatch.setenv("NLTK_DATA", os.pathsep.join(("/nowhere", str(tmp_path))))
    found = find_wordnet()
    assert found is not None
    assert found.path == tmp_path
    monkeypatch.setenv("WNHOME", str(folder))
    found = find_wordnet()
    assert found is not None
    assert found.path == folder


def test_a_folder_without_wordnet_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no WordNet.*wordnet-base"):
        WordNet(tmp_path)


def test_files_that_do_not_belong_together_are_said_to(tmp_path: Path) -> None:
    broken = write(tmp_path / "broken")
    (broken / "data.noun").write_text("  1 another licence\n")
    with pytest.raises(InputError, match="install them again"):
        WordNet(broken).synonyms("dog")


def test_the_lexicon_contrasts_words_by_wordnet(folder: Path, tmp_path: Path) -> None:
    lexicon = DefaultLexicon(WORDS, cache=tmp_path, wordnet=lambda: WordNet(folder))
    assert isinstance(lexicon, Lexicon)
    assert isinstance(lexicon, Contrasts)
    assert lexicon.antonyms("hot") == ("cold",)
    assert "cat" in lexicon.cohyponyms("dog")
    assert not {"puppy", "dog", "hound"} & set(lexicon.cohyponyms("dog"))
    assert lexicon.lacks("antonyms") is None
    assert WordNet(folder).version in lexicon.version


def test_without_wordnet_the_lexicon_says_what_it_lacks(tmp_path: Path) -> None:
    words = (*WORDS, "happy", "unhappy", "careful", "careless", "come", "income")
    lexicon = DefaultLexicon(words, cache=tmp_path, wordnet=lambda: None)
    assert lexicon.antonyms("happy") == ("unhappy",)
    assert lexicon.antonyms("careless") == ("careful",)
    assert lexicon.antonyms("come") == lexicon.antonyms("hot") == ()
    assert "no wordnet" in lexicon.version
    assert "no WordNet found; install" in str(lexicon.lacks("antonyms"))
    assert "dog" not in lexicon.cohyponyms("dog")


def test_the_real_wordnet_knows_opposites_and_sisters() -> None:
    wordnet = find_wordnet()
    if wordnet is None:
        pytest.skip("no WordNet on this machine: install Debian's wordnet-base or name its folder in WNHOME")
    assert wordnet.antonyms("hot") == {"cold": 0}
    assert {"blue", "green"} <= set(wordnet.cohyponyms("red"))
    assert "crimson" in wordnet.hyponyms("red")
    assert wordnet.lemmas("mice", "noun") == ("mouse",)
