"""All generators there are, made from what is at hand; those that lack something say so when they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from probes.generators.ablations import Ablations
from probes.generators.cases import cases
from probes.generators.examples import Examples
from probes.generators.gradient_swaps import GradientSwaps
from probes.generators.injections import Injections, UnrelatedTexts
from probes.generators.lexical import antonyms, cohyponyms, inflections, synonyms
from probes.generators.lookalikes import Lookalikes, QuietWindows
from probes.generators.masked_edits import MaskedEdits
from probes.generators.misspellings import misspellings
from probes.generators.mutants import Mutants
from probes.generators.neighbours import CoFiring, NeighbourWindows, Windows
from probes.generators.paraphrases import Paraphrases
from probes.generators.random_contexts import RandomContexts
from probes.generators.rivals import Rivals
from probes.generators.tokenisations import Tokenisations
from probes.generators.written import WrittenTexts
from probes.question import Generator
from probes.subject import Embedder, Infiller, Writer


@dataclass(frozen=True, slots=True)
class AtHand:
    """What generators draw on besides the subject and the texts they edit; anything may be missing."""

    lexicon: Lexicon | None = None
    infiller: Infiller | None = None
    windows: Windows | None = None
    cofiring: CoFiring | None = None
    quiet_windows: QuietWindows | None = None
    unrelated: UnrelatedTexts | None = None
    embedder: Embedder | None = None
    writer: Writer | None = None
    rivals: Sequence[Explanation] = ()


def suite(at_hand: AtHand) -> tuple[Generator, ...]:
    """Every generator once, in the order of their turns.

    >>> [one.name for one in suite(AtHand())][:3]
    ['examples', 'mutants', 'masked_edits']
    """
    return (
        Examples(),
        Mutants(at_hand.lexicon),
        MaskedEdits(at_hand.infiller),
        NeighbourWindows(at_hand.windows, at_hand.cofiring),
        Rivals(at_hand.rivals),
        Ablations(),
        synonyms(at_hand.lexicon),
        cohyponyms(at_hand.lexicon),
        antonyms(at_hand.lexicon),
        inflections(at_hand.lexicon),
        Paraphrases(at_hand.lexicon),
        cases(),
        misspellings(),
        Tokenisations(),
        RandomContexts(),
        Injections(at_hand.unrelated),
        Lookalikes(at_hand.quiet_windows, at_hand.embedder),
        GradientSwaps(),
        WrittenTexts(at_hand.writer),
    )
