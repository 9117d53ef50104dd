"""One file per way of writing texts on which an explanation may be wrong."""

from probes.generators.ablations import Ablations
from probes.generators.cases import cases
from probes.generators.lexical import antonyms, cohyponyms, inflections, synonyms
from probes.generators.masked_edits import MaskedEdits
from probes.generators.misspellings import misspellings
from probes.generators.mutants import Mutants
from probes.generators.neighbours import NeighbourWindows, Windows
from probes.generators.swaps import WordSwaps
from probes.generators.tokenisations import Tokenisations

__all__ = [
    "Ablations",
    "MaskedEdits",
    "Mutants",
    "NeighbourWindows",
    "Tokenisations",
    "Windows",
    "WordSwaps",
    "antonyms",
    "cases",
    "cohyponyms",
    "inflections",
    "misspellings",
    "synonyms",
]
