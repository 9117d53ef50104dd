"""Specs on the command line: who they name, and what is said of those that name nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.judge import BuiltinJudge
from agents.lm_debater import LMDebater
from agents.lm_judge import LMJudge
from agents.scripted_lm import ScriptedLM
from autointerp.lexicons import DefaultLexicon
from autointerp.lms.opening import ModelSpec, check_servers, is_model, open_models
from autointerp.options import RunOptions
from autointerp.specs import check_specs, make_debaters, make_judge
from dsl.errors import InputError


@pytest.mark.parametrize(
    ("spec", "parsed"),
    [
        ("hf:models/small", ModelSpec("hf", "models/small")),
        ("hf:org/name@0123abc", ModelSpec("hf", "org/name", "0123abc")),
        ("vllm:org/name@main", ModelSpec("vllm", "org/name", "main")),
        ("openai:small@http://127.0.0.1:8000/v1", ModelSpec("openai", "small", "http://127.0.0.1:8000/v1")),
        ("openai:a@b@https://host/v1", ModelSpec("openai", "a@b", "https://host/v1")),
    ],
)
def test_a_spec_says_what_kind_of_model_where(spec: str, parsed: ModelSpec) -> None:
    assert is_model(spec)
    assert ModelSpec.parse(spec) == parsed


def test_a_folder_with_an_at_sign_in_its_name_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "small@two"
    folder.mkdir()
    assert ModelSpec.parse(f"hf:{folder}") == ModelSpec("hf", str(folder))


@pytest.mark.parametrize("spec", ["hf:", "openai:small", "openai:@http://host/v1", "openai:small@host", "hf:name@"])
def test_half_a_spec_is_told_what_a_whole_one_looks_like(spec: str) -> None:
    with pytest.raises(InputError, match="names no language model; write"):
        ModelSpec.parse(spec)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="a key goes into OPENAI_API_KEY") as refused:
        check_servers(["openai:small@http://me:canary@127.0.0.1:9/v1"])
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("debaters", "judge"), [(["serach"], "builtin"), ([], "bultin"), (["openai:small"], "builtin")]
)
def test_a_spec_that_names_nobody_is_refused_before_anything_is_loaded(debaters: list[str], judge: str) -> None:
    with pytest.raises(InputError, match=r"there are:|names no language model"):
        check_specs(RunOptions(debaters=tuple(debaters), judge=judge))


def test_the_built_in_judge_has_no_thoughts_to_write_down() -> None:
    with pytest.raises(InputError, match="judge-thinks"):
        check_specs(RunOptions(judge_thinks=True))


def test_a_writer_is_a_language_model() -> None:
    with pytest.raises(InputError, match="writes no texts"):
        check_specs(RunOptions(writer="search"))


def test_debaters_and_judges_of_language_models_stand_beside_the_others() -> None:
    lm = ScriptedLM(lambda _: "")
    lexicon = DefaultLexicon()
    debaters = make_debaters(["hf:x", "search:lexical"], lexicon, {"hf:x": lm})
    assert [type(debater) for debater in debaters] == [LMDebater, type(make_debaters(["search"], lexicon)[0])]
    assert isinstance(make_judge("hf:x", {"hf:x": lm}), LMJudge)
    assert isinstance(make_judge("builtin"), BuiltinJudge)


def test_without_language_models_nothing_is_opened() -> None:
    with open_models(["search", "builtin"]) as models:
        assert models == {}
