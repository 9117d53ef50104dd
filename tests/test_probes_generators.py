"""What generators write: edits of their parents, tokenised as text, in the case of what they replace."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from riverside import ALIKE, SmallLexicon, WordInfiller, generators, planted, texts

from dsl.evaluate import evaluate
from dsl.mutate import mutants
from dsl.parse import parse
from probes.edits import Edit, columns_of, edited
from probes.generators import MaskedEdits, Mutants, NeighbourWindows, synonyms
from probes.planted import PlantedSubject
from probes.question import Generator, Question, atoms_of, by_salience, focuses, looked_at
from probes.trial import Budget, Trial, batch_of

TRUTH = 'activates on the token " bank" in the context of the word "river"'
SUBJECT = planted(TRUTH)


def question(explanation: str = TRUTH, some: list[str] | None = None) -> Question:
    told = parse(explanation)
    trial = Trial(told, 0, SUBJECT, SUBJECT.thresholds, Budget(10**6))
    ids = [SUBJECT.tokenize(text) for text in (texts(12) if some is None else some)]
    return Question(told, 0, SUBJECT, SUBJECT.thresholds, tuple(trial.read(ids)))


def first(generator: Generator, count: int, asked: Question, seed: int = 0) -> list[Edit]:
    return list(islice(generator.edits(asked, random.Random(seed)), count))


@pytest.mark.parametrize("generator", [one for one in generators(SUBJECT) if not isinstance(one, NeighbourWindows)])
def test_edits_say_truly_what_they_changed(generator: Generator) -> None:
    asked = question()
    found = first(generator, 150, asked)
    assert len(found) > 50
    for edit in found:
        assert edit.generator == generator.name
        assert edit.parent is not None
        parent = asked.parents[edit.parent].token_ids
        assert edited(columns_of(parent, edit.replacements)) == edit.token_ids
        assert edit.token_ids != parent
        text = "".join(SUBJECT.vocabulary.strings[token] for token in edit.token_ids)
        assert edit.token_ids == SUBJECT.tokenize(text)
        assert edit.note
    assert first(generator, 150, asked) == found


def test_synonyms_keep_case_and_swap_for_words_alike() -> None:
    asked = question('activates on the word "bank"', ["River by the BANK the"])
    swapped = {edit.note for edit in first(synonyms(SmallLexicon()), 100, asked)}
    assert swapped == {"River -> Stream", "River -> Water", "BANK -> SHORE"}
    assert all(any(w in group for group in ALIKE) for w in ("river", "bank"))


def test_masked_edits_change_only_what_comes_before_the_token_of_interest() -> None:
    asked = question('activates on the token " bank"', ["a dog and a man by the big bank the"])
    found = first(MaskedEdits(WordInfiller(SUBJECT)), 60, asked)
    bank = 8
    assert {len(edit.replacements) for edit in found} == {8, 3, 1}
    assert all(replacement.stop <= bank for edit in found for replacement in edit.replacements)
    assert all(edit.position == bank for edit in found)


def test_every_mutant_edit_tells_some_mutant_from_the_explanation() -> None:
    asked = question()
    found = first(Mutants(), 80, asked)
    rivals = [mutant.explanation for mutant in mutants(asked.explanation)]
    batch = batch_of([edit.token_ids for edit in found], SUBJECT.vocabulary)
    ours = evaluate(asked.explanation, batch) >= 0.5
    told = sum((ours != (evaluate(rival, batch) >= 0.5)).any(axis=1).astype(int) for rival in rivals)
    assert (told > 0).all()
    # On both sides of the line.
    at = [edit.position for edit in found]
    here = [bool(ours[row, place]) for row, place in enumerate(at) if place is not None]
    assert True in here
    assert False in here


def test_neighbour_windows_without_a_prediction_are_not_run() -> None:
    subject = PlantedSubject({0: parse(TRUTH)}, ["bank", "the"], neighbours={0: [(4, 0.5)]})
    yes, no = subject.tokenize(" bank the"), subject.tokenize(" the the")
    generator = NeighbourWindows(lambda _feature, _neighbour, _count: [(yes, 0), (no, 1)])
    told = parse('activates on the token " bank"')
    asked = Question(told, 0, subject, subject.thresholds, ())
    assert [edit.token_ids for edit in generator.edits(asked, random.Random(0))] == [yes]


def test_the_last_token_is_never_worth_attacking() -> None:
    asked = question('activates on the token " bank"', ["the bank", "the bank the", "the dog by"])
    assert focuses(asked) == [(1, 1)]


def test_what_the_explanation_looks_at_comes_early() -> None:
    text = "the river " + " ".join(["dog"] * 20) + " bank the"
    asked = question(some=[text])
    [looked] = looked_at(asked)
    focus = 22
    assert {1, focus} <= set(looked.nonzero()[0].tolist())
    places = [by_salience(focus, looked, range(focus + 1), random.Random(seed)).index(1) for seed in range(50)]
    assert sum(places) / len(places) < 7


def test_atoms_include_the_words_of_a_topic() -> None:
    found = atoms_of(parse('activates on the token " bank" in text about "water" ["river", "stream"]'))
    assert found == (
        parse('activates on the words "river", "stream"').strong,
        parse('activates on the token " bank"').strong,
    )
