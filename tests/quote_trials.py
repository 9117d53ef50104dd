"""Near-quotes and true quotes put to the quote tool, each beside what the slow reference says of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from agents.quotes import LONGEST, Quote, QuoteRequest, Rejected, verify
from dsl.records import Evidence
from tests.forging import KINDS, Forger
from tests.slow_quotes import Reference, Span, plain
from tests.typography import MANGLED

DRAWS = 200
"""Of true quotes, to find one that a typography changes."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A request of some kind, what it was answered, and where its text stands."""

    kind: str
    request: QuoteRequest
    answer: Quote | Rejected
    standing: Sequence[Span]

    @property
    def is_forged(self) -> bool:
        return not self.standing

    @property
    def is_verified(self) -> bool:
        return isinstance(self.answer, Quote)

    @property
    def is_wrong(self) -> bool:
        """Verified, and not where the text stands."""
        place = (self.answer.example, self.answer.start, self.answer.stop) if isinstance(self.answer, Quote) else None
        return place is not None and place not in self.standing


def try_forgeries(evidence: Evidence, count: int, rng: random.Random) -> list[Tried]:
    """Near-quotes until so many are forged, the kinds in turn; those that turn out to be true come too."""
    reference, forger = Reference(evidence), Forger(evidence, rng)
    tried, forged = list[Tried](), 0
    while forged < count:
        for kind in KINDS:
            request = forger.draw(kind)
            tried.append(Tried(kind, request, verify(request, evidence), reference.standing(request)))
            forged += tried[-1].is_forged
            if forged == count:
                break
    return tried


def try_mangled(evidence: Evidence, count: int, rng: random.Random) -> list[Tried]:
    """So many true quotes in other typography; where a text stands more than once its place is said, as it must be.

    Each is one that the typography changes: where many draws bring none (a text without dashes), the kind is passed
    over. What is blank, or is one token alone, is no quote.
    """
    reference = Reference(evidence, 2 * LONGEST)  # a text may stand again where it has more tokens
    true = [
        (text, span)
        for text, spans in reference.spans.items()
        for span in spans
        if text and 2 <= span[2] - span[1] <= LONGEST and is_tight(evidence, span)
    ]
    tried = list[Tried]()
    for kind in itertools.cycle(MANGLED):
        if len(tried) == count:
            return tried
        for _ in range(DRAWS):
            text, span = rng.choice(true)
            source = "".join(evidence.examples[span[0]].context.tokens[span[1] : span[2]])
            shown = source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            said = MANGLED[kind](shown, rng)
            if said != shown or kind == "as it stands":
                standing = reference.spans[text]
                once = sum(is_tight(evidence, one) for one in standing) == 1
                request = QuoteRequest(said) if once else QuoteRequest(said, *span)
                again = reference.standing(QuoteRequest(said))  # what was typed may itself stand somewhere
                tried.append(Tried(kind, request, verify(request, evidence), [*standing, *again]))
                break
    raise AssertionError("unreachable: some kind changes any text")


def is_tight(evidence: Evidence, span: Span) -> bool:
    """Whether it says more than any part of it that leaves out what is first or last: a search finds no others."""
    tokens = evidence.examples[span[0]].context.tokens[span[1] : span[2]]
    whole = plain("".join(tokens))
    shorter = range(1, len(tokens))
    return bool(whole) and all(plain("".join(part)) != whole for at in shorter for part in (tokens[at:], tokens[:-at]))
