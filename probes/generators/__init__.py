"""One file per way of writing texts on which an explanation may be wrong; `suite` makes all of them."""

from probes.generators.ablations import Ablations
from probes.generators.cases import cases
from probes.generators.composed import Then
from probes.generators.examples import Examples
from probes.generators.gradient_swaps import GradientSwaps
from probes.generators.injections import Injections, UnrelatedTexts
from probes.generators.lexical import antonyms, cohyponyms, inflections, synonyms
from probes.generators.lookalikes import Lookalikes, QuietWindows
from probes.generators.masked_edits import MaskedEdits
from probes.generators.misspellings import misspellings
from probes.generators.mutants import Mutants
from probes.generators.neighbours import CoFiring, NeighbourWindows, Together, Windows
from probes.generators.paraphrases import Paraphrases
from probes.generators.random_contexts import RandomContexts
from probes.generators.rivals import Rivals
from probes.generators.suite import AtHand, suite
from probes.generators.swaps import Others, WordSwaps
from probes.generators.tokenisations import Tokenisations
from probes.generators.written import WrittenTexts

__all__ = [
    "Ablations",
    "AtHand",
    "CoFiring",
    "Examples",
    "GradientSwaps",
    "Injections",
    "Lookalikes",
    "MaskedEdits",
    "Mutants",
    "NeighbourWindows",
    "Others",
    "Paraphrases",
    "QuietWindows",
    "RandomContexts",
    "Rivals",
    "Then",
    "Together",
    "Tokenisations",
    "UnrelatedTexts",
    "Windows",
    "WordSwaps",
    "WrittenTexts",
    "antonyms",
    "cases",
    "cohyponyms",
    "inflections",
    "misspellings",
    "suite",
    "synonyms",
]
