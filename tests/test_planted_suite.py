"""Planted programs: drawn the same way every time, evenly over their strata, and rejected where they say nothing."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import numpy as np
import pytest
from at_hand import SHARED
from stories import Lexis, contexts

from autointerp.corpus_pass import SPLITS
from autointerp.planted import CORPORA, PlantedStore, Texts, pieces
from autointerp.sampling import sample
from dsl.batch import Batch
from dsl.evaluate import matches
from dsl.nodes import AnyToken, Clause, Explanation, Tokens, Within
from dsl.parse import parse
from dsl.records import Context, Feature
from dsl.render import render
from probes.planted_decoys import Decoys
from probes.planted_noise import Noise
from probes.planted_suite import STRATA, Program, Screen, clauses, draw_programs, shorter
from probes.planted_terms import Place, Terms


@cache
def batches() -> tuple[Batch, ...]:
    return tuple(Batch.of(contexts(count, seed)) for count, seed in ((300, 1), (150, 2), (150, 3)))


@cache
def drawn() -> tuple[Program, ...]:
    return draw_programs(batches(), Lexis(), count=60, rng=random.Random(0))


def reason(text: str) -> str | None:
    return Screen(batches()).reason(parse(f"activates {text}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('on the word "kitchen"', None),
        ('on the word "zebra"', "empty"),
        ("on any token", "constant"),
        ("on a repeated token or the first token", "dense"),
        ('strongly on the word "kitchen"; weakly on capitalised words or the words "a", "the"', "swamped"),
        ('on the word "kitchen" right after any token', "equivalent"),
        ('on the word "kitchen" or the word "zebra"', "equivalent"),
        ('on the words "kitchen", "zebra"', "equivalent"),
        ('on tokens ending with "bank"', "equivalent"),
        ('on names or the word "zebra"', "equivalent"),
        ('on the word "dog" except any token right after the word "zebra"', "equivalent"),
        ('on words like "kitchen" ["kitchen", "zebra"]', "equivalent"),
    ],
)
def test_what_says_nothing_or_says_it_at_length_is_rejected(text: str, expected: str | None) -> None:
    assert reason(text) == expected


def test_a_program_at_the_places_of_an_earlier_one_is_rejected() -> None:
    screen = Screen(batches())
    screen.remember(parse('activates on the word "kitchen"'))
    assert screen.reason(parse('activates on the token "hen"')) == "equivalent"


def test_the_same_seed_draws_the_same_programs() -> None:
    one, same, other = (draw_programs(batches(), Lexis(), count=9, rng=random.Random(seed)) for seed in (3, 3, 4))
    assert one == same
    assert {render(each.explanation) for each in one} != {render(each.explanation) for each in other}


def test_every_program_is_of_the_size_and_stratum_that_it_was_drawn_for() -> None:
    programs = drawn()
    assert Counter(one.clauses for one in programs) == {1: 20, 2: 20, 3: 20}
    for one in programs:
        assert clauses(one.explanation) == one.clauses
        assert one.construct in STRATA[one.clauses]
        assert parse(render(one.explanation)) == one.explanation
    assert len({one.construct for one in programs if one.clauses > 1}) >= 15


def test_no_two_programs_fire_at_the_same_places() -> None:
    screen = Screen(batches())
    extents = [screen.held(one.explanation).tobytes() for one in drawn()]
    assert len(set(extents)) == len(extents)


def test_every_program_that_is_drawn_passes_the_screen_again() -> None:
    screen = Screen(batches())
    assert {screen.reason(one.explanation) for one in drawn()} == {None}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('on the word "a"', 1),
        ('on any token right after the word "a"', 1),
        ("on any token inside brackets", 1),
        ('on the word "a" right after the word "b"', 2),
        ('on the word "a" in text about "b" ["b", "c"]', 2),
        ('strongly on the word "a"; weakly on the word "b"', 2),
        ('on the word "a" except any token right after (the word "b" or the word "c")', 3),
    ],
)
def test_clauses_are_atoms_and_modifiers_without_an_anchor(text: str, size: int) -> None:
    assert clauses(parse(f"activates {text}")) == size


def test_what_is_shorter_is_a_part() -> None:
    whole = parse('activates on the words "a", "b" right after the word "c" except the word "d"')
    parts = {render(part) for part in shorter(whole)}
    assert 'activates on the words "a", "b" right after the word "c"' in parts
    assert 'activates on the words "a", "b" except the word "d"' in parts
    assert 'activates on the word "a" right after the word "c" except the word "d"' in parts
    assert all(clauses(part) <= clauses(whole) for part in shorter(whole))


def test_what_is_said_of_a_place_holds_there() -> None:
    batch = batches()[0]
    terms = Terms(batch, Lexis(), random.Random(0))
    kinds = (terms.atom, terms.broad, terms.narrow, terms.phrase, terms.positions, terms.matching, terms.followed)
    said = 0
    for _ in range(100):
        place = terms.place()
        for kind in kinds[:-1]:
            if (atom := kind(place)) is not None:
                said += 1
                assert matches(atom, batch)[place], render(Explanation(atom))
        for modifier in (terms.right_after(place), terms.within(place), terms.context(place), terms.inside(place)):
            if modifier is not None:
                said += 1
                assert matches(Clause(AnyToken(), (modifier,)), batch)[place]
    assert said > 400


def test_a_decoy_is_what_stands_near_most_of_the_firing_positions() -> None:
    rng = random.Random(0)
    rows = []
    for number in range(400):
        cue = number % 2 == 0
        before = " near" if cue and rng.random() < 0.8 else " far"
        rows.append(Context((" x", before, " y" if cue else " z", " target", " w"), start=0))
    batch = Batch.of(rows)
    truth = Explanation(Clause(Tokens((" target",)), (Within(Tokens((" y",)), 2),)))
    decoy = Decoys(batch).find(truth, matches(truth.strong or AnyToken(), batch))
    assert decoy is not None
    assert decoy.token == " near"
    assert 0.7 < decoy.share < 0.9


def test_running_text_is_cut_into_pieces_that_lose_nothing() -> None:
    text = "\n\n".join(f"Paragraph {number} of some length." for number in range(50))
    found = list(pieces(text, 100))
    assert len(found) > 5
    assert "\n".join(found).split() == text.split()


@cache
def store(name: str = "articles") -> PlantedStore:
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not at hand")
    return PlantedStore.read(CORPORA[name], SHARED)


@pytest.mark.slow
def test_no_text_is_in_two_splits() -> None:
    held = store()
    texts = []
    for split in SPLITS:
        rows = held.contexts.rows(split)
        ids, lengths = held.ids(rows)
        texts.append(
            {tuple(row[:length]) for row, length in zip(ids.tolist(), lengths.tolist(), strict=True) if length > 30}
        )
    documents = [set(held.contexts.documents[held.contexts.rows(split)].tolist()) for split in SPLITS]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not documents[one] & documents[other]
        assert not texts[one] & texts[other]


@pytest.mark.slow
def test_samples_of_a_planted_store_are_the_products_and_say_exactly_what_the_program_says() -> None:
    held = store()
    programs = draw_programs(held.screens(), None, count=9, rng=random.Random(0))
    held.plant(programs, Noise(), 0)
    for index in range(len(programs)):
        samples = sample(held, held.vocabulary, Feature("m", "h", "d", index), seed=0)
        truth = held.truth(index, "held_out")
        fires = samples.held_out.activations >= samples.held_out.thresholds.high
        assert (fires == truth).all()
        assert samples.evidence.density == pytest.approx(held.truth(index, "evidence").sum() / _tokens(held), rel=1e-6)
        activating = sum(one.peak >= samples.evidence.thresholds.high for one in samples.evidence.examples)
        assert activating == 40


@pytest.mark.slow
def test_the_shared_corpora_give_three_hundred_programs_over_the_strata() -> None:
    found: list[Program] = []
    for name, texts in CORPORA.items():
        small = Texts(texts.files, texts.tokeniser, texts.width, (200_000, 80_000, 80_000))
        if not SHARED.is_dir():
            pytest.skip(f"{SHARED} is not at hand")
        held = PlantedStore.read(small, SHARED)
        found += draw_programs(held.screens(), None, count=75, rng=random.Random(f"0 {name}"))
    assert len(found) == 300
    assert Counter(one.clauses for one in found) == {1: 100, 2: 100, 3: 100}
    by_lexicon = {"any form of", "words like", "in text about", "right after + about"}
    for size, strata in STRATA.items():
        missing = set(strata) - {one.construct for one in found if one.clauses == size} - by_lexicon
        assert len(missing) <= 2, (size, missing)
    assert np.mean([one.decoy is not None for one in found if one.clauses > 1]) > 0.2


def _tokens(held: PlantedStore) -> int:
    return int(held.contexts.lengths[held.contexts.rows("evidence")].sum())


def test_a_place_is_a_pair() -> None:
    assert np.arange(6).reshape(2, 3)[Place(1, 2)] == 5
