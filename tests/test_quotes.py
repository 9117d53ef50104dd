"""The quote tool: what is in the evidence verifies, what is not never does."""

from __future__ import annotations

import copy
import dataclasses
import gc
import random
import unicodedata
import weakref

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents import quotes as quotes_module
from agents.normal_form import normalise, shown
from agents.passages import Place
from agents.quotes import (
    LONGEST,
    Quote,
    QuoteRequest,
    Rejected,
    share_of_tokens,
    verify,
    verify_all,
    whole_characters,
)
from dsl.records import Context, Evidence, Example, Thresholds


def evidence_of(*contexts: list[str], firing: frozenset[str] = frozenset()) -> Evidence:
    """Evidence on which the feature fires at the tokens named."""
    examples = tuple(
        Example(Context(tuple(tokens)), tuple(2.0 if token in firing else 0.0 for token in tokens))
        for tokens in contexts
    )
    return Evidence("f", examples, Thresholds(1.0, 0.1, 2.0))


def verified(text: str, evidence: Evidence) -> Quote:
    answer = verify(QuoteRequest(text), evidence)
    assert isinstance(answer, Quote), answer
    return answer


def refused(text: str, evidence: Evidence) -> Rejected:
    answer = verify(QuoteRequest(text), evidence)
    assert isinstance(answer, Rejected), answer
    return answer


PIZZA = evidence_of(
    [" the", " hot", " pizza", " will", " start", "s", " now", "\n", " Then"],
    [" a", " dog", " and", " the", " cat"],
    firing=frozenset({" pizza", "\n"}),
)


class TestStatuses:
    def test_a_quote_as_it_stands_is_exact(self) -> None:
        quote = verified("the hot pizza", PIZZA)
        assert (quote.example, quote.start, quote.stop, quote.status) == (0, 0, 3, "exact")
        assert quote.text(PIZZA) == " the hot pizza"
        assert quote.firing(PIZZA) == (False, False, True)

    def test_typography_and_white_space_are_folded(self) -> None:
        evidence = evidence_of([" She", " said", " \u201cWait", "\u2026\u201d", "\u00a0", " it\u2019s", "\u200b fine"])
        assert verified('said "Wait..." it\'s fine', evidence).status == "normalised"
        assert verified("She  said", evidence).status == "normalised"

    def test_an_ellipsis_joins_two_parts_of_one_example_in_order(self) -> None:
        quote = verified("the hot ... starts", PIZZA)
        assert (quote.start, quote.stop, quote.status) == (0, 6, "elided")
        assert quote.text(PIZZA) == " the hot pizza will starts"
        assert refused("starts ... the hot", PIZZA).status == "absent"
        assert refused("the hot ... dog", PIZZA).status == "absent"

    def test_ellipses_at_the_ends_only_say_that_the_text_goes_on(self) -> None:
        assert verified("... dog and...", PIZZA).status == "elided"

    def test_several_ellipses_join_several_parts_in_order(self) -> None:
        for text in ("the ... pizza ... starts", "the\u2026 pizza [...] starts now", "hot (...) will ... now"):
            assert verified(text, PIZZA).status == "elided"
        assert refused("the ... will ... pizza", PIZZA).status == "absent"
        assert refused("the ... pizza ... star", PIZZA).status == "absent"

    def test_dots_of_the_source_may_stand_for_themselves_beside_those_that_leave_words_out(self) -> None:
        evidence = evidence_of([" He", " ran", "...", " and", " ran", " home", ".", " Then"])
        assert verified("ran... and", evidence).status == "exact"
        assert verified("ran... and ... home", evidence).status == "elided"
        assert verified("ran home....", evidence).text(evidence) == " ran home."
        assert verified("ran home...", evidence).text(evidence) == " ran home"
        assert verified("ran......", evidence).text(evidence) == " ran..."

    def test_an_elided_text_in_several_places_needs_to_say_which(self) -> None:
        evidence = evidence_of([" a", " b", " x", " c", " y", " c", " d"])
        assert refused("a b ... c", evidence) == Rejected("ambiguous", places=2)
        assert verified("a b ... c y", evidence).stop == 5

    def test_an_elided_quote_is_short_as_a_whole(self) -> None:
        evidence = evidence_of([" one", *[f" x{number}" for number in range(LONGEST)], " two"])
        assert refused("one ... two", evidence).status == "too long"
        between = [f" x{number}" for number in range(LONGEST - 2)]
        assert refused("one ... two three", evidence_of([" one", *between, " two", " three"])).status == "too long"
        twice = evidence_of([" one", " x", " two", " three", *between[3:], " two", " three"])
        assert verified("one ... two three", twice).stop == 4

    def test_a_text_in_several_places_needs_a_span(self) -> None:
        evidence = evidence_of([" so", " it", " is"], [" so", " it", " was"])
        assert refused("so it", evidence) == Rejected("ambiguous", places=2)
        assert isinstance(verify(QuoteRequest("so it", example=1), evidence), Quote)
        assert isinstance(verify(QuoteRequest("so it", example=1, start=0, stop=2), evidence), Quote)

    def test_a_near_miss_is_suggested_and_not_accepted(self) -> None:
        answer = refused("the hot piza", PIZZA)
        assert answer.status == "near miss"
        assert answer.suggestion == QuoteRequest(" the hot pizza", 0, 0, 3)
        assert "did you mean" in str(answer)

    def test_case_is_kept(self) -> None:
        assert refused("The hot pizza", PIZZA).status == "near miss"

    def test_a_span_with_another_text_is_refused_and_the_right_place_suggested(self) -> None:
        answer = verify(QuoteRequest("the hot pizza", 1, 0, 3), PIZZA)
        assert answer == Rejected("absent", QuoteRequest(" the hot pizza", 0, 0, 3))
        assert verify(QuoteRequest("a dof and", 1, 0, 3), PIZZA) == Rejected(
            "near miss", QuoteRequest(" a dog and", 1, 0, 3)
        )

    @pytest.mark.parametrize("place", [(9, 0, 2), (0, -1, 2), (0, 3, 3), (0, 5, 99), (-1, 0, 2), (0, 4, 2)])
    def test_a_span_that_does_not_exist_is_absent(self, place: tuple[int, int, int]) -> None:
        assert isinstance(verify(QuoteRequest("zebra crossing", *place), PIZZA), Rejected)

    @pytest.mark.parametrize("text", ["", " ", "\n\t", "\u200b", "\ufeff\u00a0"])
    def test_the_empty_text_never_verifies(self, text: str) -> None:
        assert refused(text, PIZZA).status == "too short"
        assert isinstance(verify(QuoteRequest(text, 0, 7, 8), PIZZA), Rejected)

    def test_a_word_inside_a_token_does_not_match(self) -> None:
        for part in ("art", "star", "izza", "nd the", "hot pizz"):
            assert isinstance(verify(QuoteRequest(part), PIZZA), Rejected)

    def test_one_token_is_enough_only_where_the_feature_fires(self) -> None:
        assert verified("pizza", PIZZA).status == "exact"
        assert refused("dog", PIZZA).status == "too short"

    def test_a_span_may_take_in_the_white_space_that_fires(self) -> None:
        quote = verify(QuoteRequest("now\n", 0, 6, 8), PIZZA)
        assert isinstance(quote, Quote)
        assert any(quote.firing(PIZZA))

    def test_what_is_longer_than_a_quote_may_be_is_refused(self) -> None:
        evidence = evidence_of([f" w{number}" for number in range(LONGEST + 1)])
        whole = evidence.examples[0].context.text
        assert refused(whole, evidence).status == "too long"
        assert refused("x" * 1_000_000, evidence).status == "too long"
        assert verified(whole.rsplit(" ", 1)[0], evidence).status == "exact"

    def test_a_quote_that_overlaps_one_of_the_same_side_is_a_duplicate(self) -> None:
        first = verified("the hot pizza", PIZZA)
        assert verify(QuoteRequest("hot pizza"), PIZZA, [first]) == Rejected("duplicate")
        assert isinstance(verify(QuoteRequest("will starts"), PIZZA, [first]), Quote)


class TestCharacters:
    EMOJI = evidence_of([" love", "\udcf0\udc9f", "\udc8d", "\udc95 today", " caf", "e\u0301 x"])

    def test_a_character_split_over_tokens_is_quoted_whole(self) -> None:
        quote = verified("love\U0001f355 today", self.EMOJI)
        assert (quote.start, quote.stop) == (0, 4)
        assert isinstance(verify(QuoteRequest("love\ufffd", 0, 0, 2), self.EMOJI), Rejected)

    def test_a_request_by_place_is_widened_to_whole_characters(self) -> None:
        assert whole_characters(Place(0, 2, 3), self.EMOJI) == QuoteRequest("\U0001f355 today", 0, 1, 4)

    def test_composed_and_decomposed_letters_are_the_same(self) -> None:
        assert verified("caf\u00e9 x", self.EMOJI).status == "normalised"

    def test_signs_that_print_nothing_are_neither_missed_nor_needed(self) -> None:
        family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
        evidence = evidence_of([" my", f" {family}", " \u200f\u05e9\u05dc\u05d5\u05dd", " co\u00adop"])
        for text in (f"my {family}", f"my {family.replace(chr(0x200D), '')}", "\u05e9\u05dc\u05d5\u05dd coop"):
            assert isinstance(verified(text, evidence), Quote)

    def test_a_dash_is_a_dash_of_any_length_and_a_rule_is_not(self) -> None:
        evidence = evidence_of([" wait", " \u2014", " no"], [" x", "--", " y"], [" z", "-----", " w"])
        for text in ("wait - no", "wait -- no", "wait \u2013 no", "x\u2014 y", "x- y", "z----- w"):
            assert isinstance(verified(text, evidence), Quote)
        assert refused("z- w", evidence).status == "absent"

    def test_a_part_of_a_rule_is_quoted_by_its_place(self) -> None:
        evidence = evidence_of([" x", "--", "--", " y"])
        assert isinstance(verify(QuoteRequest(" x--", 0, 0, 2), evidence), Quote)
        assert isinstance(verify(QuoteRequest(" x----", 0, 0, 2), evidence), Rejected)

    def test_a_space_of_several_bytes_is_not_cut_either(self) -> None:
        evidence = evidence_of([" some", " five\udcc2", "\udca0km", " far"])
        assert refused("some five", evidence).suggestion is None
        assert isinstance(verify(QuoteRequest("some five\ufffd", 0, 0, 2), evidence), Rejected)
        assert verified("some five km", evidence).stop == 3
        assert refused("km far", evidence).status == "absent"

    def test_a_mark_is_never_quoted_without_its_letter(self) -> None:
        evidence = evidence_of([" x", "\u0301", " y z"], [" \u0926\u0941\u0928\u093f", "\u092f\u093e", " ok"])
        assert isinstance(verify(QuoteRequest("\u0301 y z", 0, 1, 3), evidence), Rejected)
        assert isinstance(verify(QuoteRequest("x\u0301 y z"), evidence), Quote)

    def test_bytes_that_are_no_character_are_quoted_as_they_are_shown(self) -> None:
        evidence = evidence_of([" odd", "\udcff", "\udcfe", " end"])
        assert verified(shown(evidence.examples[0].context.tokens), evidence).stop == 4

    def test_lone_surrogates_from_records_do_no_harm(self) -> None:
        evidence = evidence_of([" half", "\ud83d", " pair"])
        assert verified("half\ufffd pair", evidence).text(evidence) == " half\ufffd pair"


@pytest.mark.parametrize(
    "token", [" a", "a", "...", "-", "\u0301", "e\u0301\u0301", "\u1112\u1161", "\udcf0", " ", "("]
)
@pytest.mark.parametrize(
    "said", ["a", "a ... a", "a ... b", "...a" * 499, "... " * 500, "a ... a ... a ... a ... b", "a" * 2_000,
             "-" * 2_000, "e" + "\u0301" * 1_999, "(" * 2_000, "[...]" * 400, " " * 2_000 + "a", "\ud83d" * 2_000]
)  # fmt: skip
def test_texts_made_to_cost_much_are_answered(token: str, said: str) -> None:
    """One token again and again, where every part of a quote stands everywhere."""
    evidence = evidence_of(*[[token] * 255 for _ in range(4)])
    assert isinstance(verify(QuoteRequest(said), evidence), Rejected)


class TestSeal:
    def test_only_verify_makes_a_quote(self) -> None:
        with pytest.raises(TypeError, match="verify"):
            Quote(0, 0, 2, "exact")
        with pytest.raises(TypeError, match="verify"):
            Quote(0, 0, 2, "exact", object())
        quote = verified("the hot pizza", PIZZA)
        with pytest.raises(TypeError, match="verify"):
            dataclasses.replace(quote, stop=5)
        with pytest.raises(dataclasses.FrozenInstanceError):
            quote.stop = 5  # type: ignore[misc]

    def test_a_quote_can_be_copied(self) -> None:
        quote = verified("the hot pizza", PIZZA)
        assert copy.deepcopy(quote) == quote


class TestBudget:
    LONG = evidence_of(*[[f" w{row}x{n}" for n in range(60)] for row in range(10)], firing=frozenset({" w3x5"}))

    def test_small_evidence_has_no_limit(self) -> None:
        assert share_of_tokens(PIZZA, 3) is None

    def test_the_shares_of_all_sides_add_up_to_the_limit_at_most(self) -> None:
        assert share_of_tokens(self.LONG, 3) == 30
        assert share_of_tokens(self.LONG, 1) == 90

    def test_quotes_beyond_the_share_are_refused_and_one_that_fires_comes_first(self) -> None:
        spans = [(0, 0, 20), (1, 0, 20), (3, 0, 20)]
        requests = [whole_characters(Place(*span), self.LONG) for span in spans]
        statuses = [answer.status for answer in verify_all(requests, self.LONG, 30)]
        assert statuses == ["over budget", "over budget", "exact"]
        assert [answer.status for answer in verify_all(requests, self.LONG, 40)] == ["exact", "over budget", "exact"]


class TestIndex:
    def test_the_normalised_copy_goes_with_its_evidence(self) -> None:
        evidence = evidence_of([" a", " b"])
        verified("a b", evidence)
        key, gone = id(evidence), weakref.ref(evidence)
        assert key in quotes_module._MADE
        del evidence
        gc.collect()
        assert gone() is None
        assert key not in quotes_module._MADE


words = st.sampled_from([
    "the", " the", " art", "art", " start", "st", "\u201cHi", "...", "\u2026", " \u2014", "\n", " ", "", "\u00a0", " A",
    "e", "\u0301", " caf\u00e9", "\u1112", "\u1161", "\u11ab", "\u200b", "\udcf0\udc9f", "\udc8d", "\udc95", "\udcff",
    "\U0001f355", " the the", ". . .", "\ud83d",
])  # fmt: skip
texts = st.lists(words | st.text(max_size=3), min_size=1, max_size=12)
samples = st.lists(texts, min_size=1, max_size=3)


def of_sample(sample: list[list[str]]) -> Evidence:
    return evidence_of(*sample, firing=frozenset({" art", "\udc8d", "\n"}))


class TestLaws:
    @given(samples, st.data())
    @settings(deadline=None)
    def test_every_span_of_whole_characters_that_shows_something_verifies(
        self, sample: list[list[str]], data: st.DataObject
    ) -> None:
        evidence = of_sample(sample)
        row = data.draw(st.integers(0, len(sample) - 1))
        start = data.draw(st.integers(0, len(sample[row]) - 1))
        stop = data.draw(st.integers(start + 1, len(sample[row])))
        request = whole_characters(Place(row, start, stop), evidence)
        answer = verify(request, evidence)
        if isinstance(answer, Rejected):
            assert answer.status == "too short"
            assert not normalise(request.text) or request.stop - request.start < 2  # type: ignore[operator]
        else:
            assert (answer.example, answer.start, answer.stop) == (request.example, request.start, request.stop)
            assert answer.status == "exact"

    @given(samples, st.text(max_size=12) | st.lists(words, max_size=6).map("".join))
    @example([["st", "art"]], "start")
    @settings(deadline=None)
    def test_what_verifies_by_search_is_in_the_text(self, sample: list[list[str]], said: str) -> None:
        evidence = of_sample(sample)
        answer = verify(QuoteRequest(said), evidence)
        if isinstance(answer, Quote):
            assert 0 <= answer.start < answer.stop <= len(sample[answer.example])
            found, wanted = normalise("".join(answer.tokens(evidence))), normalise(said)
            assert found
            if answer.status == "elided":
                parts = [part for part in wanted.split("...") if part.strip(" .")]
                assert all(part.strip(" .") in found for part in parts)
            else:
                assert found == wanted
                assert answer.status == "normalised" or answer.text(evidence).strip() == said.strip()
        elif answer.suggestion is not None:
            assert isinstance(verify(answer.suggestion, evidence), Quote)

    @given(samples, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11), st.integers(1, 6)), max_size=6))
    @settings(deadline=None)
    def test_quotes_of_one_side_never_overlap_and_stay_within_its_share(
        self, sample: list[list[str]], spans: list[tuple[int, int, int]]
    ) -> None:
        evidence = of_sample(sample)
        fitting = [
            (row, at, at + size) for row, at, size in spans if row < len(sample) and at + size <= len(sample[row])
        ]
        requests = [whole_characters(Place(*span), evidence) for span in fitting]
        answers = verify_all(requests, evidence, 7)
        shown_tokens = [(a.example, at) for a in answers if isinstance(a, Quote) for at in range(a.start, a.stop)]
        assert len(set(shown_tokens)) == len(shown_tokens) <= 7

    @given(texts)
    @settings(deadline=None)
    def test_normalising_is_idempotent_and_blind_to_composition(self, tokens: list[str]) -> None:
        text = shown(tokens)
        once = normalise(text)
        assert normalise(once) == once
        assert normalise(unicodedata.normalize("NFD", text)) == once

    def test_a_forger_never_gets_a_quote_that_is_not_in_the_text(self) -> None:
        rng = random.Random(0)
        words = ("the", "old", "dog", "ran", "to", "the", "barn", "\u2014", "\u201cslept\u201d", "there")
        tokens = [f" {word}" for word in words]
        evidence = evidence_of(tokens, tokens[::-1])
        originals = [normalise(example.context.text) for example in evidence.examples]
        alphabet = "abcdehlnorstu -'\"\u2026\u200b.\u0301A"
        granted = 0
        for _ in range(3_000):
            row = rng.randrange(2)
            start = rng.randrange(len(tokens) - 1)
            text = list("".join(evidence.examples[row].context.tokens[start : start + rng.randint(1, 5)]))
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(text))
                match rng.randrange(3):
                    case 0:
                        text[at] = rng.choice(alphabet)
                    case 1:
                        text.insert(at, rng.choice(alphabet))
                    case _ if len(text) > 1:
                        del text[at]
            spans = (None, None, None) if rng.random() < 0.5 else (row, start, start + rng.randint(1, 5))
            answer = verify(QuoteRequest("".join(text), *spans), evidence)
            if isinstance(answer, Quote):
                granted += 1
                wanted = normalise("".join(text))
                assert answer.status == "elided" or f" {wanted} " in f" {originals[answer.example]} "
        assert 0 < granted < 1_500
