"""A forger's near-quotes and true quotes in other typography, against a slow reference that shares no code.

`benchmarks/quote_forgery.py` does the same at full size and prints what came of each kind.
"""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import example
from hypothesis import strategies as st

from agents.quotes import LONGEST, QuoteRequest, Rejected, verify
from dsl.records import Evidence
from tests.at_hand import demo_folders, stories
from tests.forging import KINDS, evidence_of, scripts
from tests.laws import law
from tests.quote_trials import is_tight, try_forgeries, try_mangled
from tests.slow_quotes import Reference, folded, plain


def demo_evidence() -> Evidence:
    """Stories as the embedded model's tokeniser cuts them."""
    from autointerp.tokens import TextTokenizer

    tokenizer = TextTokenizer.load(demo_folders()[0])
    rows = [[tokenizer.strings[token] for token in ids[:48]] for ids in tokenizer.encode_many(stories(16))]
    return evidence_of(rows, random.Random(0))


@pytest.mark.parametrize("make", [demo_evidence, scripts])
def test_no_forged_quote_verifies_and_none_where_its_text_does_not_stand(make: object) -> None:
    tried = try_forgeries(make(), 800, random.Random(1))  # type: ignore[operator]
    assert [one for one in tried if one.is_verified and (one.is_forged or one.is_wrong)] == []
    assert {one.kind for one in tried if one.is_forged} == set(KINDS)


@pytest.mark.parametrize("make", [demo_evidence, scripts])
def test_true_quotes_verify_in_whatever_typography(make: object) -> None:
    tried = try_mangled(make(), 600, random.Random(2))  # type: ignore[operator]
    refused = [one for one in tried if not one.is_verified]
    assert not any(one.is_wrong for one in tried)
    assert len(refused) <= 0.01 * len(tried), Counter((one.kind, one.answer.status) for one in refused)


TOKENS = st.sampled_from([
    " the", "the", " art", "st", "art", "s", " ", "\n", "", ".", "...", "\u2026", "..", "-", "--", " -", "\u2014", "'",
    "\u2019", '"', "\u201c", "e", "\u0301", "\u0327", "\u00e9", " caf\u00e9", "\u1112", "\u1161", "\u11ab", "\u200b",
    "\u200d", "\u00ad", "\ufe0f", "\U0001f468", "\U0001f44b\U0001f3fd", "\udcf0\udc9f", "\udc8d", "\udc95", "\udcc2",
    "\udca0", "\udcff", "\udce2", "\udc80", "\udc8d a", "\u05e9\u05dc", "\u200f", "\u0645\u064e", "\u00a0", "\u3000",
    "\ufffd", "\ud83d", "[...]", "1", "A",
])  # fmt: skip
"""Words and pieces of words, marks, jamo, emoji, broken bytes, signs that print nothing, dots and dashes."""

ROWS = st.lists(TOKENS | st.text(max_size=2), min_size=1, max_size=10)


@law(st.lists(ROWS, min_size=1, max_size=2), st.lists(TOKENS, max_size=6).map("".join), everyday=150, full=20_000)
@example([["a", "\udcc2", "\udca0b"]], "a")
@example([["x", "\u0301", " y"]], "y")
@example([["e", "-", "- x"]], "e-")
@example([["-", "-", "-", "-", " a"]], "-- a")
def test_what_is_searched_for_is_found_where_the_reference_finds_it_and_nowhere_else(
    rows: list[list[str]], said: str
) -> None:
    agrees(evidence_of(rows, random.Random(0)), QuoteRequest(said))


@law(st.lists(ROWS, min_size=1, max_size=2), st.data(), everyday=150, full=20_000)
def test_a_part_of_the_text_is_found_where_it_stands(rows: list[list[str]], data: st.DataObject) -> None:
    """A piece of the source itself, with a place or without: what `search` alone seldom hits by chance."""
    evidence = evidence_of(rows, random.Random(0))
    row = data.draw(st.integers(0, len(rows) - 1))
    start = data.draw(st.integers(0, len(rows[row]) - 1))
    stop = data.draw(st.integers(start + 1, len(rows[row])))
    text = "".join(rows[row][start:stop])
    place = data.draw(st.sampled_from([(None, None, None), (row, None, None), (row, start, stop), (row, start, None)]))
    agrees(evidence, QuoteRequest(text, *place))


def agrees(evidence: Evidence, request: QuoteRequest) -> None:
    """Verified only where the text stands, and refused as absent only where it does not."""
    standing = Reference(evidence).standing(request)
    answer = verify(request, evidence)
    if not isinstance(answer, Rejected):
        assert (answer.example, answer.start, answer.stop) in standing
        assert len(answer) <= LONGEST
        assert plain("".join(answer.tokens(evidence)))
        return
    whole = [span for span in standing if plain(request.text) == plain("".join(tokens_of(evidence, span)))]
    spanned = None not in (request.example, request.start, request.stop)
    findable = whole if spanned else [span for span in whole if is_tight(evidence, span)]
    if answer.status in ("absent", "near miss"):
        assert [span for span in findable if spanned or not cuts_a_row(evidence, span)] == []
        if not re.search(r"[-\[]|(?<![.])[.]{2}(?![.])|[.]{4}", plain(request.text)):  # dots that say what they are
            assert [span for span in standing if span[2] - span[1] <= LONGEST and is_tight(evidence, span)] == []
    elif answer.status == "ambiguous":
        assert len(standing) > 1
    if answer.suggestion is not None:
        assert not isinstance(verify(answer.suggestion, evidence), Rejected)


def cuts_a_row(evidence: Evidence, span: tuple[int, int, int]) -> bool:
    """Whether it begins or ends inside a row of dashes: a part of that has to be asked for by its place."""
    example, start, stop = span
    tokens = evidence.examples[example].context.tokens
    ends = [(folded("".join(tokens[:at]))[-1:], folded("".join(tokens[at:]))[:1]) for at in (start, stop)]
    return ("-", "-") in ends


def tokens_of(evidence: Evidence, span: tuple[int, int, int]) -> tuple[str, ...]:
    return evidence.examples[span[0]].context.tokens[span[1] : span[2]]
