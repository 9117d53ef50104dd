"""Every generator against a planted feature and an explanation that is wrong in the way that it is for."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import strategies as st
from laws import law
from riverside import WORDS, GradientSubject, RichLexicon, WordInfiller, bag_of_words, everything, example, planted
from strategies import explanations

from dsl.evaluate import evaluate
from dsl.mutate import mutants
from dsl.nodes import PREDICTED, Explanation
from dsl.parse import parse
from dsl.records import Counterexample, Evidence
from probes.attack import Attack, attack
from probes.edits import Edit, columns_of, edited
from probes.generators import (
    Ablations,
    AtHand,
    GradientSwaps,
    Injections,
    Lookalikes,
    MaskedEdits,
    Mutants,
    NeighbourWindows,
    Paraphrases,
    RandomContexts,
    Rivals,
    Then,
    Together,
    Tokenisations,
    WrittenTexts,
    antonyms,
    cases,
    cohyponyms,
    inflections,
    misspellings,
    suite,
    synonyms,
)
from probes.planted import PlantedSubject
from probes.question import Generator, Question
from probes.scripted import ScriptedWriter
from probes.trial import Budget, Trial, batch_of

RIVER_BANK = 'activates on the token " bank" in the context of the word "river"'
BANK = 'activates on the token " bank"'
EXAMPLES = ("a man was by the deep river bank and", "the river was big and it was by the old bank the")


def attacked(
    subject: PlantedSubject, explanation: str, generator: Generator, texts: tuple[str, ...] = EXAMPLES, seed: int = 0
) -> Attack:
    evidence = Evidence("0", tuple(example(subject, text) for text in texts), subject.thresholds)
    return attack(
        parse(explanation), 0, subject, evidence, subject.thresholds, [generator], Budget(40_000), random.Random(seed)
    )


def smallest(found: Attack) -> Counterexample:
    return min(found.counterexamples, key=lambda one: (len(one.example.context.tokens), one.example.context.tokens))


def question(subject: PlantedSubject, explanation: str | Explanation, texts: tuple[str, ...] = EXAMPLES) -> Question:
    told = parse(explanation) if isinstance(explanation, str) else explanation
    trial = Trial(told, 0, subject, subject.thresholds, Budget(10**6))
    readings = trial.read([subject.tokenize(text) for text in texts])
    return Question(told, 0, subject, subject.thresholds, tuple(readings))


LEXICON = RichLexicon()
UNRELATED = "a dog by the old tree and it was green"

PLANTED = {
    "synonyms": (
        'activates on the words "bank", "shore"', 'activates on the word "bank"', synonyms(LEXICON),
        (" shore", " the"), "false_negative",
    ),
    "cohyponyms": (
        'activates on the words "bank", "shop"', 'activates on the word "bank"', cohyponyms(LEXICON),
        (" shop", " the"), "false_negative",
    ),
    "antonyms": (RIVER_BANK, BANK, antonyms(LEXICON), (" road", " bank", " the"), "false_positive"),
    "inflections": (
        'activates on any form of "man" ["man", "men"]', 'activates on the word "man"', inflections(LEXICON),
        (" ", "m", "e", "n", " the"), "false_negative",
    ),
    "cases": (BANK, 'activates on the word "bank"', cases(), (" ", "B", "A", "N", "K", " the"), "false_positive"),
    "misspellings": (
        'activates on tokens ending with "n"', 'activates on words like "man" ["man", "green"]', misspellings(), None,
        "false_negative",
    ),
    "tokenisations": (BANK, 'activates on the word "bank"', Tokenisations(), None, "false_positive"),
    "ablations": (RIVER_BANK, BANK, Ablations(), (" bank", " the"), "false_positive"),
    "masked_edits": (RIVER_BANK, BANK, MaskedEdits(WordInfiller(planted(BANK))), None, "false_positive"),
    "mutants": (RIVER_BANK, BANK, Mutants(), (" bank", " the"), "false_positive"),
    "rivals": (RIVER_BANK, BANK, Rivals([parse(RIVER_BANK), parse(BANK)]), (" bank", " the"), "false_positive"),
    "random_contexts": (RIVER_BANK, BANK, RandomContexts(), None, "false_positive"),
    "paraphrases": (
        'activates on the token " bank" in the context of the word "old"', BANK, Paraphrases(LEXICON),
        (" big", " bank", " the"), "false_positive",
    ),
    "written": (
        'activates on the token " shore"', BANK, WrittenTexts(ScriptedWriter(["the shore by the bank the"], [])),
        (" shore", " the"), "false_negative",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_each_generator_finds_its_flaw_and_it_is_shrunk_to_the_smallest(name: str) -> None:
    truth, explanation, generator, tokens, kind = PLANTED[name]
    subject = planted(truth)
    found = attacked(subject, explanation, generator)
    assert found.counterexamples, found.funnel
    best = smallest(found)
    assert best.generator == name
    if tokens is not None:
        assert best.example.context.tokens == tokens
    if kind is not None:
        assert best.kind == kind
    assert found.funnel[name].unique == len(found.counterexamples)


@pytest.mark.parametrize("name", PLANTED)
def test_no_generator_finds_anything_against_the_truth(name: str) -> None:
    truth, _, generator, _, _ = PLANTED[name]
    found = attacked(planted(truth), truth, generator)
    assert found.probes > 0
    assert (found.disagreeing, found.counterexamples) == (0, ())


def test_pairs_find_the_trigger_that_single_ablations_miss() -> None:
    """The feature asks for a river or a stream, and every text has both."""
    subject = planted('activates on the token " bank" in the context of the words "river", "stream"')
    texts = ("a river and the stream by the bank the", "the stream was by a deep river and a bank the")
    asked = question(subject, BANK, texts)
    silenced: dict[int, int] = {1: 0, 2: 0}
    for edit in Ablations().edits(asked, random.Random(0)):
        changed = sum(len(replacement.token_ids) or 1 for replacement in edit.replacements)
        gone = sum(replacement.stop - replacement.start for replacement in edit.replacements)
        assert edit.position is not None
        silent = subject.activations([edit.token_ids], [0])[0][edit.position, 0] == 0
        if changed == gone <= 2:
            silenced[gone] += silent
    assert silenced[1] == 0
    assert silenced[2] > 0
    # Of the pair that was found one trigger goes on both sides; taking the other away is what is left to see.
    best = smallest(attacked(subject, BANK, Ablations(), texts))
    assert best.example.context.tokens == (" bank", " the")
    assert best.original is not None
    assert best.original.context.tokens in ((" river", " bank", " the"), (" stream", " bank", " the"))


def test_gradients_lead_to_what_else_fires_and_to_what_silences() -> None:
    truth = (
        'activates strongly on the token " shop" in the context of the word "river"; '
        'moderately on the token " bank" in the context of the word "river"'
    )
    subject = GradientSubject({0: parse(truth)}, WORDS)
    found = attacked(subject, 'activates on the token " bank" in the context of the word "river"', GradientSwaps())
    [missed] = [one for one in found.counterexamples if one.kind == "false_negative"][:1]
    assert missed.example.context.tokens[missed.position] == " shop"
    found = attacked(subject, 'activates on the tokens " bank", " shop"', GradientSwaps())
    assert smallest(found).kind == "false_positive"
    assert len(smallest(found).example.context.tokens) == 3


def test_injected_triggers_fire_where_the_explanation_asks_for_a_context() -> None:
    subject = planted(BANK)
    generator = Injections(lambda _feature, _count: [subject.tokenize(UNRELATED)])
    found = attacked(subject, RIVER_BANK, generator)
    assert smallest(found).example.context.tokens == (" bank", " the")
    assert smallest(found).kind == "false_negative"
    strategies = {edit.note.split(":")[0] for edit in generator.edits(question(subject, RIVER_BANK), random.Random(0))}
    assert strategies == {"prepend", "intersperse", "replace"}


def test_lookalikes_come_most_alike_first_and_only_where_something_is_predicted() -> None:
    subject = planted(RIVER_BANK)
    near, far, out = (
        subject.tokenize(text)
        for text in (
            "a man was by the deep stream bank and",
            "the blue shop house tree bank road",
            "a man was by the deep",
        )
    )
    windows = [(far, 5), (out, 5), (near, 7)]
    generator = Lookalikes(lambda _feature, _tokens, _count: windows, bag_of_words)
    edits = list(generator.edits(question(subject, BANK), random.Random(0)))
    assert [edit.token_ids for edit in edits] == [near, far]
    found = attacked(subject, BANK, generator)
    assert smallest(found).example.context.tokens == (" bank", " the")


def test_neighbours_that_never_fire_alone_are_passed_over_and_strangers_come_last() -> None:
    counted = {1: Together(100, 0), 2: Together(100, 99), 3: Together(100, 40)}
    subject = PlantedSubject({0: parse(RIVER_BANK)}, WORDS, neighbours={0: [(1, 0.9), (2, 0.8), (3, 0.7)]})
    window = subject.tokenize("the money was by the bank and")
    generator = NeighbourWindows(lambda _feature, _neighbour, _count: [(window, 5)], lambda _feature, n: counted[n])
    notes = [edit.note.split()[1] for edit in generator.edits(question(subject, BANK), random.Random(0))]
    assert notes == ["3", "1"]


def test_one_generator_after_another_reaches_what_neither_does_alone() -> None:
    """The word fires in capitals too, but never after a river; every text has one, and none is in capitals."""
    truth = 'activates on the token " bank" or (the word "bank" except (any token in the context of the word "river"))'
    subject = planted(truth)
    for alone in (Ablations(), cases()):
        found = attacked(subject, BANK, alone)
        assert not [one for one in found.counterexamples if one.kind == "false_negative"]
    found = attacked(subject, BANK, Then(Ablations(), cases()))
    missed = [one for one in found.counterexamples if one.kind == "false_negative"]
    assert missed
    assert missed[0].generator == "ablations then cases"
    assert missed[0].example.context.text.strip().lower().startswith("bank")


@pytest.mark.parametrize("step", ["drop", "widen", "narrow", "negate"])
def test_every_step_of_mutation_writes_texts_on_both_sides_of_its_line(step: str) -> None:
    told = parse('activates on the word "tree" or (the words "bank", "shop" within 4 tokens after the word "river")')
    subject = planted(told)
    asked = question(subject, told, (*EXAMPLES, "the old tree was by the river the"))
    edits = list(Mutants(RichLexicon()).edits(asked, random.Random(0)))
    batch = batch_of([edit.token_ids for edit in edits], subject.vocabulary)
    ours = evaluate(told, batch) >= PREDICTED
    sides = set()
    for mutant in mutants(told, RichLexicon()):
        if mutant.step == step:
            theirs = evaluate(mutant.explanation, batch) >= PREDICTED
            sides |= {"ours"} if (ours & ~theirs).any() else set()
            sides |= {"theirs"} if (theirs & ~ours).any() else set()
    # What is narrower holds nowhere else; what is wider holds wherever the original does; dropping and negating may
    # do either.
    assert sides >= {"widen": {"theirs"}, "narrow": {"ours"}}.get(step, {"ours", "theirs"})
    assert any(f"({step}: " in edit.note for edit in edits)


HOSTILE = {
    "nothing": (),
    "an empty text": ("",),
    "one token": (" bank",),
    "one letter": ("b",),
    "emoji": ("\U0001f389\U0001f469\u200d\U0001f467 bank \u6f22", "\U0001f389"),
    "bytes that are no character": ("\udcf0\udc9f bank the",),
    "spaces": ("   ", "\n\n", " \t bank \n"),
    "never fires": ("a dog and a man", "the the the"),
    "long": (" ".join(["bank"] * 255),),
    "apostrophes": ("it's the bank's don't bank ' the",),
}
NAMES = [generator.name for generator in suite(AtHand())]


@pytest.mark.parametrize("texts", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("explanation", [BANK, 'activates on the token "\\n"', "activates on any token"])
def test_hostile_texts_end_in_edits_that_say_truly_what_they_are(texts: tuple[str, ...], explanation: str) -> None:
    subject = GradientSubject({0: parse(RIVER_BANK)}, WORDS, neighbours={0: [(0, 0.9)]})
    asked = question(subject, explanation, texts)
    for generator in (*everything(subject, RIVER_BANK), Then(Ablations(), cases())):
        for edit in islice(generator.edits(asked, random.Random(0)), 40):
            assert_true(edit, generator, asked)


WILD = st.text(st.sampled_from(" .'\n\"(bank river the Bank\U0001f389\u00e9")) | st.sampled_from(EXAMPLES)


@law(
    explanations((" bank", " river", "."), ("bank", "river"), max_leaves=3),
    st.lists(WILD, max_size=3),
    everyday=15,
    full=400,
)
def test_whatever_is_asked_edits_say_truly_what_they_are(told: Explanation, texts: list[str]) -> None:
    subject = planted(RIVER_BANK)
    asked = question(subject, told, tuple(text[:80] for text in texts))
    for generator in everything(subject, RIVER_BANK):
        for edit in islice(generator.edits(asked, random.Random(1)), 12):
            assert_true(edit, generator, asked)


def assert_true(edit: Edit, generator: Generator, asked: Question) -> None:
    assert edit.generator == generator.name
    assert edit.position is None or 0 <= edit.position < max(1, len(edit.token_ids))
    if edit.parent is not None:
        parent = asked.parents[edit.parent].token_ids
        assert edited(columns_of(parent, edit.replacements)) == edit.token_ids
        assert edit.token_ids != parent
        assert edit.note


@pytest.mark.parametrize("generator", suite(AtHand()), ids=NAMES)
def test_what_is_missing_is_said_and_counted_and_nothing_is_written_without_it(generator: Generator) -> None:
    subject = planted(RIVER_BANK)
    asked = question(subject, BANK)
    missing = generator.lacks(asked)
    found = attacked(subject, BANK, generator)
    assert found.funnel[generator.name].skipped == missing
    if missing is not None:
        assert not missing.endswith(".")
        assert list(generator.edits(asked, random.Random(0))) == []
        assert found.probes == 0


def test_the_suite_lacks_nothing_where_everything_is_at_hand() -> None:
    subject = GradientSubject({0: parse(RIVER_BANK)}, WORDS, neighbours={0: [(0, 0.9)]})
    asked = question(subject, BANK)
    generators = everything(subject, RIVER_BANK)
    assert {one.name: one.lacks(asked) for one in generators} == dict.fromkeys(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    for one in generators:
        assert list(islice(one.edits(asked, random.Random(0)), 1)), one.name


SCRIPT = """
import random, sys, hashlib
from itertools import islice
sys.path.insert(0, {tests!r})
from riverside import GradientSubject, WORDS, everything
from test_generators_planted import BANK, RIVER_BANK, question
from dsl.parse import parse
subject = GradientSubject({{0: parse(RIVER_BANK)}}, WORDS, neighbours={{0: [(0, 0.9)]}})
asked = question(subject, BANK)
found = [list(islice(one.edits(asked, random.Random(0)), 60)) for one in everything(subject, RIVER_BANK)]
print(hashlib.sha256(repr(found).encode("utf-8", "surrogatepass")).hexdigest())
"""


def test_edits_do_not_depend_on_the_hash_seed() -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    told = [
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True, text=True
        )
        for seed in ("1", "2")
    ]
    assert told[0].returncode == 0, told[0].stderr
    assert told[0].stdout == told[1].stdout != ""
