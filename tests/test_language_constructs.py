"""Every construct is documented, and its examples do what the documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import reference
from lark import Lark

import dsl
from dsl.batch import Batch
from dsl.constructs import CONSTRUCTS, SECTIONS, Construct, tokens_of
from dsl.ebnf import language
from dsl.evaluate import evaluate
from dsl.nodes import ClassName
from dsl.parse import parse
from dsl.records import Context
from dsl.render import render

GRAMMAR = Lark((Path(dsl.__file__).parent / "grammar.lark").read_text(encoding="utf-8"), parser="lalr")


def test_every_rule_of_the_grammar_and_every_class_is_documented_and_nothing_else() -> None:
    rules = {name.removeprefix("first_") if name != "first_token" else name for name in language() if name.islower()}
    constructs = {name for name in rules if not name.startswith("_")}
    assert set(CONSTRUCTS) == constructs | set(get_args(ClassName))
    assert len(CONSTRUCTS) == sum(len(section.constructs) for section in SECTIONS)


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=list(CONSTRUCTS))
def test_an_example_fires_where_it_should_and_is_silent_where_it_should(construct: Construct) -> None:
    explanation = parse(construct.example)
    for text, level in ((construct.fires, construct.level), (construct.silent, 0.0)):
        tokens, place = tokens_of(text)
        predicted = evaluate(explanation, Batch.of([Context(tokens, start=0)]))[0]
        assert predicted[place] == np.float32(level), text
        np.testing.assert_allclose(predicted, reference.evaluate(explanation, tokens, 0), atol=1e-6)


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=list(CONSTRUCTS))
def test_examples_are_canonical_and_use_what_they_are_an_example_of(construct: Construct) -> None:
    assert render(parse(construct.example)) == construct.example
    if construct.name in get_args(ClassName):
        assert construct.name in construct.example
    else:
        used = {str(tree.data).removeprefix("first_") for tree in GRAMMAR.parse(construct.example).iter_subtrees()}
        assert construct.name.removeprefix("first_") in used


@pytest.mark.parametrize("construct", CONSTRUCTS.values(), ids=list(CONSTRUCTS))
def test_meanings_are_sentences(construct: Construct) -> None:
    assert construct.meaning[0].isupper()
    assert construct.meaning.endswith(".")
