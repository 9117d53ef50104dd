"""The quote tool: what a debater says it saw is looked up in the evidence, and only what is there counts."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from functools import partial
from typing import Literal

from agents.normal_form import normalise, shown
from agents.passages import Passages, Place, distance, edits_allowed, open_ended
from dsl.records import Evidence

LONGEST, SHORTEST = 24, 2
"""Tokens in a quote. One token alone will do where the feature fires on it."""

SHOWN_SHARE, FREE_TOKENS = 0.15, 500
"""All quotes of a debate together show at most this share of the evidence, where it has more tokens than that."""

Accepted = Literal["exact", "normalised", "elided"]
Refused = Literal["ambiguous", "near miss", "absent", "too short", "too long", "duplicate", "over budget"]

_LONGEST_TEXT = 2_000  # characters: 24 tokens never need more, and a search for a novel costs time
_SEAL = object()


@dataclass(frozen=True, slots=True)
class Quote:
    """A verified token span: tokens `start` to `stop - 1` of `evidence.examples[example]`; only `verify` makes one.

    An elided quote covers what was left out, too: a quote always shows its source as it stands.
    """

    example: int
    start: int
    stop: int
    status: Accepted
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Quote counts because it was verified: make one with agents.quotes.verify")

    def __len__(self) -> int:
        return self.stop - self.start

    def tokens(self, evidence: Evidence) -> tuple[str, ...]:
        """The tokens that it shows, from the evidence that it was verified against."""
        return evidence.examples[self.example].context.tokens[self.start : self.stop]

    def text(self, evidence: Evidence) -> str:
        """Its text, bytes that make no character shown as U+FFFD."""
        return shown(self.tokens(evidence))

    def firing(self, evidence: Evidence) -> tuple[bool, ...]:
        """For each of its tokens, whether the feature fires there."""
        activations = evidence.examples[self.example].activations[self.start : self.stop]
        return tuple(value >= evidence.thresholds.high for value in activations)


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What a debater wants to quote: a text, and where it stands, as far as the debater says."""

    text: str
    example: int | None = None
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A quote that does not count, and why.

    `suggestion` would verify where this did not, if the debater asks for it; it is never put in its place. `places`
    counts where an ambiguous text stands.
    """

    status: Refused
    suggestion: QuoteRequest | None = None
    places: int = 0

    def __str__(self) -> str:
        said = f"{self.status}: it stands in {self.places} places, say which" if self.places else str(self.status)
        if self.suggestion is None:
            return said
        where = f"example {self.suggestion.example}, tokens {self.suggestion.start} to {self.suggestion.stop}"
        return f'{said}; did you mean "{self.suggestion.text}" ({where})?'


def verify(request: QuoteRequest, evidence: Evidence, taken: Sequence[Quote] = ()) -> Quote | Rejected:
    """Look a quote up in the evidence; `taken` are the quotes that the same side has already.

    With a whole span (example, start, stop) the span's text must be the text asked for; otherwise the text is searched
    for on token boundaries, in every example or where the request says, and must stand in one place only.

    >>> verify(QuoteRequest("hot pizza"), evidence)  # doctest: +SKIP
    Quote(example=3, start=7, stop=9, status='exact')
    """
    wanted = normalise(request.text) if len(request.text) <= _LONGEST_TEXT else None
    if wanted is None:
        return Rejected("too long")
    if not wanted:
        return Rejected("too short")
    passages = _passages(evidence)
    places, elided = _candidates(request, wanted, passages), False
    if not places:
        asked_for = partial(_asked_for, request=request)
        places, elided = _open_ended(request, wanted, passages), True
        places = places or passages.elided_places(wanted, LONGEST, asked_for)
        if not places and passages.stands_elided(wanted, asked_for):
            return Rejected("too long")
    match places:
        case []:
            return _missing(request, wanted, evidence, passages)
        case [place]:
            return _accepted(place, request, evidence, taken, elided)
        case _:
            return Rejected("ambiguous", places=len(places))


def verify_all(requests: Sequence[QuoteRequest], evidence: Evidence, share: int | None) -> tuple[Quote | Rejected, ...]:
    """Verify one side's quotes, in order, and keep them within its share of the tokens that may be shown.

    A quote with a firing token has first call on the share: every side needs one.
    """
    taken: list[Quote] = []
    answers: list[Quote | Rejected] = []
    for request in requests:
        answer = verify(request, evidence, taken)
        answers.append(answer)
        if isinstance(answer, Quote):
            taken.append(answer)
    left = share
    if left is not None:
        for quote in sorted(taken, key=lambda quote: not any(quote.firing(evidence))):
            if len(quote) > left:
                answers[answers.index(quote)] = Rejected("over budget")
            else:
                left -= len(quote)
    return tuple(answers)


def share_of_tokens(evidence: Evidence, sides: int) -> int | None:
    """How many tokens each of so many sides may show; None where the evidence is small and there is no limit.

    The shares are equal and add up to the limit, so no side's quotes depend on who was served before it.
    """
    tokens = sum(len(example.context.tokens) for example in evidence.examples)
    return int(tokens * SHOWN_SHARE) // sides if tokens > FREE_TOKENS else None


def whole_characters(place: Place, evidence: Evidence) -> QuoteRequest:
    """A request for this span by place, widened where it would cut a character in two."""
    snapped = _passages(evidence).snapped(place)
    return QuoteRequest(_text(snapped, evidence), *snapped)


def _candidates(request: QuoteRequest, wanted: str, passages: Passages) -> list[Place]:
    """Where the text stands. A whole span may have white space at its ends that a search would leave out."""
    if (span := _span(request)) is not None:
        return [span] if passages.text(span) == wanted else []
    return [place for place in passages.places(wanted) if _asked_for(place, request)]


def _open_ended(request: QuoteRequest, wanted: str, passages: Passages) -> list[Place]:
    """A whole span, where its text is the one asked for but for the ellipses at the ends of that."""
    span = _span(request)
    return [] if span is None or passages.text(span) not in open_ended(wanted) else [span]


def _span(request: QuoteRequest) -> Place | None:
    """The span asked for, where the request names all of it."""
    if request.example is None or request.start is None or request.stop is None:
        return None
    return Place(request.example, request.start, request.stop)


def _asked_for(place: Place, request: QuoteRequest) -> bool:
    asked = (request.example, request.start, request.stop)
    return all(wish is None or wish == value for wish, value in zip(asked, place, strict=True))


def _accepted(
    place: Place, request: QuoteRequest, evidence: Evidence, taken: Sequence[Quote], elided: bool
) -> Quote | Rejected:
    text = _text(place, evidence)
    same = request.text.strip() == text.strip()
    quote = Quote(*place, "elided" if elided else "exact" if same else "normalised", _SEAL)
    if len(quote) > LONGEST:
        return Rejected("too long")
    if len(quote) < SHORTEST and not any(quote.firing(evidence)):
        return Rejected("too short")
    if any(quote.example == other.example and quote.start < other.stop and other.start < quote.stop for other in taken):
        return Rejected("duplicate")
    return quote


def _missing(request: QuoteRequest, wanted: str, evidence: Evidence, passages: Passages) -> Rejected:
    """Nothing there: perhaps the span asked for nearly is it, or the text stands elsewhere, or something like it."""
    span = _span(request)
    found = None if span is None else passages.text(span)
    if span is not None and found and distance(wanted, found) <= edits_allowed(wanted):
        return Rejected("near miss", _suggest(span, evidence))
    elsewhere = passages.places(wanted)
    if len(elsewhere) == 1:
        return Rejected("absent", _suggest(elsewhere[0], evidence))
    near = None if elsewhere else passages.nearest(wanted)
    return Rejected("absent") if near is None else Rejected("near miss", _suggest(near, evidence))


def _suggest(place: Place, evidence: Evidence) -> QuoteRequest | None:
    """A request for the place, if it would be granted."""
    request = QuoteRequest(_text(place, evidence), *place)
    return request if isinstance(_accepted(place, request, evidence, (), False), Quote) else None


def _text(place: Place, evidence: Evidence) -> str:
    return shown(evidence.examples[place.example].context.tokens[place.start : place.stop])


_MADE: dict[int, Passages] = {}  # by id: hashing an Evidence by value would cost as much as making its passages


def _passages(evidence: Evidence) -> Passages:
    """The evidence's normalised copy, made once and dropped together with it."""
    key = id(evidence)
    if key not in _MADE:
        _MADE[key] = Passages([example.context for example in evidence.examples])
        weakref.finalize(evidence, _MADE.pop, key, None).atexit = False
    return _MADE[key]
