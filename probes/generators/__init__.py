"""One file per way of writing texts on which an explanation may be wrong."""

from probes.generators.masked_edits import MaskedEdits
from probes.generators.mutants import Mutants
from probes.generators.neighbours import NeighbourWindows, Windows
from probes.generators.synonyms import Synonyms

__all__ = ["MaskedEdits", "Mutants", "NeighbourWindows", "Synonyms", "Windows"]
