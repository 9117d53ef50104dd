"""The page: everything on it, nothing from outside run or fetched, the same bytes for the same views."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from trials import BROAD, PIZZA, held, prefers

from agents.judge import BuiltinJudge
from agents.lm_judge import LMJudge
from agents.procedure import Procedure
from autointerp.report import FeatureView, render_report, write_report
from autointerp.report.fill_debate import debate_view, verdict_in_words
from autointerp.report.marks import highlighted, marked, quoted, visible
from autointerp.report.numbers import fixed, percent, short, signed
from autointerp.report.view import (
    AnswerView,
    AttackView,
    CounterexampleView,
    ExampleView,
    HistogramView,
    QuoteView,
    RepairView,
    RoundView,
    ScoreTable,
    SideView,
    VoteView,
)
from dsl.errors import StoreError
from dsl.parse import parse

STORY = (
    "Once upon a time , there was a little girl named Lily . She loved to eat pizza with her mom . One day the pizza "
    'had a thick crust and Lily said " I want pizza ! " Her mom smiled and gave her a big slice .\n They were happy .'
)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;"


def story(rng: random.Random) -> tuple[str, ...]:
    words = STORY.split(" ")
    start = rng.randrange(len(words) - 24)
    return tuple(" " + word for word in words[start : start + 24])


def example(rng: random.Random, source: str = "") -> ExampleView:
    tokens = story(rng)
    activations = [0.0] * len(tokens)
    predicted = [0.0] * len(tokens)
    for number, token in enumerate(tokens):
        if token in (" pizza", " crust", " slice"):
            activations[number] = rng.choice([0.0, 2.5, 4.75, 6.125]) if rng.random() < 0.8 else 0.4
            predicted[number] = 1.0 if token == " pizza" else 0.3 if token == " slice" else 0.0
    return ExampleView(tokens, tuple(activations), tuple(predicted), source)


def scores(rng: random.Random, around: float) -> ScoreTable:
    def one() -> dict[str, float | int]:
        middle = min(0.97, max(0.03, rng.gauss(around, 0.1)))
        return {"value": middle, "low": max(0.0, middle - 0.06), "high": min(1.0, middle + 0.05), "n": 251_340}

    return {name: one() for name in ("token_f1", "precision", "recall", "auprc", "pearson")}


def feature(number: int, *, examples: int = 8) -> FeatureView:
    rng = random.Random(number)
    explanation = (
        'activates on the tokens " pizza", " pizzas" in the context of any form of "eat" ["ate", "eat", "eaten"]'
    )
    other = (
        'activates on words like "pizza" ["crust", "pasta", "pizza", "slice"] except names within 5 tokens after digits'
    )
    evidence = {index: example(rng, f"evidence {index}, document {100 + index}") for index in (2, 5, 11)}
    outcome = ("chosen", "consensus", "abstained")[number % 3]
    original, counter = example(rng), example(rng)
    return FeatureView(
        feature=f"blocks.2.hook_resid_post/{number}",
        explanation=explanation if number % 2 else other,
        outcome=outcome,  # type: ignore[arg-type]
        fallback=outcome == "abstained",
        scores=scores(rng, 0.7),
        high=1.0,
        maximum=6.5,
        baselines={
            "token_lookup": scores(rng, 0.62),
            "token_lookup_full": scores(rng, 0.66),
            "best_by_dev": scores(rng, 0.69),
            "shuffled": scores(rng, 0.08),
        },
        winner="B",
        verdict="chosen with a lead of 0.131; 6 of 6 orders agree",
        held_out=tuple(example(rng, f"document {rng.randrange(4000)}") for _ in range(examples)),
        evidence=evidence,
        sides=tuple(
            SideView(
                label,
                text,
                "It fires on the food whenever somebody eats it; the other side names words that stay silent.",
                (QuoteView(2, 3, 9, "exact"), QuoteView(5, 10, 14, "normalised"), QuoteView(11, 0, 4, "exact")),
                (debater,),
                dev,
                tuple(f'tried {n}: tokens " pizza" scores {0.5 + n / 90:.3f}' for n in range(12)),
            )
            for label, text, debater, dev in (
                ("A", other, "search:semantic", 0.612),
                ("B", explanation, "search:lexical", 0.743),
                ("C", 'activates on the word "pizza"', "search:context", 0.701),
            )
        ),
        votes=tuple(
            VoteView(
                order,
                "B" if n != 4 else None,
                {"A": 0.21, "B": 0.64 - n / 50, "C": 0.33},
                "" if n != 4 else "lead under 0.02",
            )
            for n, order in enumerate(
                [tuple("ABC"), tuple("ACB"), tuple("BAC"), tuple("BCA"), tuple("CAB"), tuple("CBA")]
            )
        ),
        forfeits=(("text:mine.txt", "no quote could be verified"),) if number % 4 == 0 else (),
        counterexamples=(
            CounterexampleView(
                "false_positive",
                "masked edit",
                counter,
                9,
                original,
                9,
                (story(rng), story(rng)[:12], story(rng)[:6]),
                'with " sea" for " river" the feature falls silent at " bank", and is still predicted',
                ("feature 17 fires instead",),
            ),
            CounterexampleView("false_negative", "neighbour window", example(rng), 14),
        )
        if number % 3
        else (),
        attack=AttackView(412, 31.5, {"Synonyms": "no word to swap"}, {"mutants": (9, 8, 7, 3, 2, 1, 1)}),
        repairs=(RepairView(number % 2 == 0, "mends 3 of 4 shown", explanation, other, 4, 3, 2, 1, 0.71, 0.72),),
        density=0.0034,
        histogram=HistogramView(
            tuple(6.5 * n / 24 for n in range(25)), tuple(int(900 * 0.8**n) + rng.randrange(9) for n in range(24))
        ),
        promoted=((" slice", 0.71), (" cheese", 0.64), ("\n", 0.2)),
    )


class Page(HTMLParser):
    """Tags, ids, links and visible text, as a browser's parser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("meta", "input", "br", "wbr", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(
        [feature(n) for n in range(6)], title="stories-lm", summary={"dictionary": "stories-sae", "seed": "0"}
    )


def test_the_page_is_well_formed_with_distinct_ids_and_links_that_lead_somewhere(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.links
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)


def test_nothing_is_fetched_and_only_the_pages_own_script_may_run(page: str) -> None:
    parsed = Page(page)
    assert not [value for name, value in parsed.attributes if name in ("src", "srcset", "action", "data")]
    assert all(link.startswith("#") for link in parsed.links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert {name for name, _ in parsed.attributes if name.startswith("on")} == set()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#39;none&#39;" in policy
    [script] = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy.replace("&#43;", "+")


def test_text_from_a_corpus_cannot_become_markup() -> None:
    text = ExampleView(
        (HOSTILE, "\udce2", "\ud800", "\x00\u202e\n"), (3.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), HOSTILE
    )
    hostile = replace(
        feature(1),
        feature=HOSTILE,
        explanation=f'activates on the token "{HOSTILE}"',
        held_out=(text,),
        evidence={0: text},
        verdict=HOSTILE,
        sides=(SideView(HOSTILE, HOSTILE, HOSTILE, (QuoteView(0, 0, 2, HOSTILE),), (HOSTILE,), 0.1, (HOSTILE,)),),
        votes=(VoteView((HOSTILE,), HOSTILE, {HOSTILE: 0.1}, HOSTILE),),
        forfeits=((HOSTILE, HOSTILE),),
        counterexamples=(
            CounterexampleView("false_positive", HOSTILE, text, 0, text, 0, ((HOSTILE,),), HOSTILE, (HOSTILE,)),
        ),
        promoted=((HOSTILE, 0.1),),
        unscored={HOSTILE: HOSTILE},
        skipped={HOSTILE: HOSTILE},
        attack=AttackView(1, 1.0, {HOSTILE: HOSTILE}, {HOSTILE: (1,)}),
        repairs=(RepairView(True, HOSTILE, HOSTILE, HOSTILE, 1, 1, 1, 1, 0.1, 0.1),),
    )
    text_of_page = render_report([hostile], title=HOSTILE, summary={HOSTILE: HOSTILE})
    parsed = Page(text_of_page)
    assert parsed.tags.count("script") == 1
    assert "img" not in parsed.tags
    assert "onerror" not in dict(parsed.attributes)
    assert text_of_page.encode("utf-8")
    assert "\x00" not in text_of_page
    assert "\u202e" not in text_of_page


def test_white_space_bytes_and_control_characters_are_visible() -> None:
    assert visible("a\n\t\udce2\udcff\x07\u202e\ud900") == "a↵⇥⟨e2⟩⟨ff⟩␇⟨U+202E⟩\ufffd"
    blank = marked(ExampleView((" ", "\n", "x"), (2.0, 2.0, 0.0), (0.0, 1.0, 0.0)), 1.0, 4.0)
    assert [span.text for span in blank.spans] == ["·", "↵", "x"]


def test_both_tracks_show_and_disagreements_are_counted() -> None:
    both = marked(
        ExampleView(("a", "b", "c", "d", "e"), (4.0, 4.0, 0.0, 0.5, 0.0), (1.0, 0.0, 1.0, 0.3, 0.0)), 1.0, 4.0
    )
    assert [(span.text, span.classes) for span in both.spans] == [
        ("a", "a10 p"), ("b", "a10 mi"), ("c", "fa"), ("d", "a1 pw"), ("e", ""),
    ]  # fmt: skip
    assert (both.hits, both.missed, both.false_alarms) == (1, 1, 1)


def test_long_texts_are_cut_around_what_matters() -> None:
    count = 1000
    activations = [0.0] * count
    activations[900] = 3.0
    long = ExampleView(("x",) * count, tuple(activations), (0.0,) * count)
    cut = marked(long, 1.0, 3.0, limit=50)
    assert (cut.cut_before, cut.cut_after, cut.missed) == (True, True, 1)
    assert sum(len(span.text) for span in cut.spans) == 50
    elsewhere = marked(long, 1.0, 3.0, position=3, limit=50)
    assert (elsewhere.cut_before, elsewhere.missed) == (False, 0)


def test_numbers_line_up() -> None:
    assert [fixed(-0.001), fixed(-0.5), fixed(0.1234, 3)] == ["0.00", "\N{MINUS SIGN}0.50", "0.123"]
    assert [signed(-0.5), signed(0.25), percent(0.00123), short(12.345)] == [
        "\N{MINUS SIGN}0.500", "+0.250", "0.12%", "12.3",
    ]  # fmt: skip


def test_one_feature_is_compared_with_nothing() -> None:
    assert "paired:" not in render_report([feature(1)], title="t")
    assert "paired:" in render_report([feature(1), feature(2)], title="t")


def test_a_quote_shows_what_fires_and_no_prediction() -> None:
    source = ExampleView(("a", "b", "c"), (4.0, 4.0, 0.0), (1.0, 0.0, 1.0))
    assert [(span.text, span.classes) for span in quoted(source, 0, 3, 1.0, 4.0)] == [
        ("a", "a10"),
        ("b", "a10"),
        ("c", ""),
    ]


def test_syntax_is_coloured_and_no_character_lost() -> None:
    text = 'strongly on tokens matching /a\\/"b/ or the word "on"; weakly on tokens 1 to 4 inside brackets'
    spans = highlighted(text)
    assert "".join(span.text for span in spans) == text
    assert [span.text for span in spans if "s-string" in span.classes] == ['"on"']
    assert [span.text for span in spans if "s-regex" in span.classes] == ['/a\\/"b/']
    assert [span.text for span in spans if "s-number" in span.classes] == ["1", "4"]


def test_views_of_the_barest_features_render() -> None:
    bare = FeatureView(
        feature="f",
        explanation="activates on any token",
        outcome="abstained",
        fallback=True,
        scores=dict.fromkeys(("token_f1", "precision", "recall", "auprc", "pearson")),
        unscored={"auprc": "no held-out position fires"},
        high=1.0,
        maximum=1.0,
    )
    text = render_report([bare], title="t")
    assert "no held-out position fires" in text
    assert "1 of 1 features have no AUPRC" in text
    Page(text)
    Page(render_report([], title="nothing"))
    Page(
        render_report(
            [replace(bare, baselines={"token_lookup": None, "shuffled": scores(random.Random(0), 0.1)})], title="t"
        )
    )


def test_the_summary_counts_and_compares_in_pairs() -> None:
    views = [feature(n) for n in range(6)]
    text = render_report(views, title="t")
    gains = [view.scores["auprc"]["value"] - view.baselines["token_lookup"]["auprc"]["value"] for view in views]  # type: ignore[index]
    assert f"higher on {sum(gain > 0 for gain in gains)}." in text
    mean = sum(gains) / 6
    assert f"paired: {mean:+.3f}".replace("-", "\N{MINUS SIGN}") in text


def test_the_same_views_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests'); from test_report import feature; from pathlib import Path;"
        "from autointerp.report import write_report; write_report([feature(1)], Path(sys.argv[1]), title='t')"
    )
    for name in ("one.html", "two.html"):
        environment = {**os.environ, "PYTHONHASHSEED": "1" if name == "one.html" else "2"}
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / name)],
            check=True,
            env=environment,
            cwd=Path(__file__).parents[1],
        )
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_hundred_features_stay_under_four_megabytes(tmp_path: Path) -> None:
    view = feature(1, examples=40)
    few, many = tmp_path / "few.html", tmp_path / "many.html"
    write_report([view] * 2, few, title="t")
    write_report([view] * 4, many, title="t")
    each = (many.stat().st_size - few.stat().st_size) / 2
    assert few.stat().st_size + 98 * each < 4_000_000


def test_writing_replaces_whole_pages_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "index.html"
    write_report([feature(1)], path, title="first")
    write_report([feature(1)], path, title="second")
    assert "<title>second</title>" in path.read_text("utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    assert path.stat().st_mode & 0o444 == 0o444


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*; choose another folder"):
        write_report([], blocked / "index.html", title="t")
    (tmp_path / "taken").mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        write_report([], tmp_path / "taken", title="t")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "taken"]


def test_rounds_votes_and_thoughts_of_a_debate_are_shown() -> None:
    text = ExampleView((" a", " hot", " pizza", " now"), (0.0, 0.0, 3.0, 0.0), (0.0, 0.0, 1.0, 0.0))
    answers = (AnswerView("B", (QuoteView(0, 0, 2, "exact"),), 1), AnswerView("A", ()))
    view = replace(
        feature(1),
        evidence={0: text},
        sides=tuple(replace(side, quotes=(QuoteView(0, 1, 3, "exact"),)) for side in feature(1).sides),
        rounds=(
            RoundView("rebuttal", answers=answers),
            RoundView("question", f"Why S1? {HOSTILE}", (("S1", "B"),), answers),
            RoundView("question", reason="the judge does not ask"),
        ),
        votes=(
            VoteView(("A", "B"), "A", {"A": -0.1, "B": -2.0}, "", ("B", "A"), -3.0, thoughts=f"well,\n{HOSTILE}"),
            VoteView(("B", "A"), None, {}, "timeout: slow", ("A", "B"), answered=False),
        ),
    )
    page = render_report([view], title="a debate")
    parsed = Page(page)
    assert "img" not in parsed.tags
    for said in ("Rebuttal", "Why S1?", "S1 is side B", "the judge does not ask", "1 quote refused", "added nothing"):
        assert said in page
    assert "<td>A · B</td>" in page
    assert '<td class="soft">B · A</td>' in page
    assert "no answer" in page
    assert "What the judge wrote" in page
    assert ">none</th>" in page


def test_a_debate_with_rounds_is_shown_from_its_transcript() -> None:
    procedure = Procedure(rebuttals=1, questions=1)
    lm = prefers(lambda seen: next(label for label, said in seen.items() if said == PIZZA), likely=0.9)
    transcript = held(PIZZA, BROAD, judge=LMJudge(lm, chain_of_thought=True), procedure=procedure)
    told = debate_view(transcript, parse(PIZZA))
    assert [turn.kind for turn in told.rounds] == ["rebuttal", "question"]
    assert [vote.shown for vote in told.votes] == [vote.shown for vote in transcript.votes]
    view = replace(
        feature(1),
        evidence=told.evidence,
        sides=told.sides,
        rounds=told.rounds,
        votes=told.votes,
        maximum=2.0,
        high=0.2,
    )
    page = render_report([view], title="a debate")
    for quotes in (answer.verified for turn in transcript.rounds for answer in turn.answers):
        assert all(f'href="#f0-e{quote.example}"' in page for quote in quotes)
    assert "Which texts decide?" in page
    assert verdict_in_words(transcript).startswith("chosen with a lead of 2.890; 2 of 2")
    alone = held(PIZZA, BROAD, judge=BuiltinJudge(), procedure=Procedure(format="consultancy"))
    assert verdict_in_words(alone).endswith("each side judged alone")
