"""Dictionaries: one loader a format, all giving `Dictionary`."""

from autointerp.dictionaries.protocol import Dictionary
from autointerp.dictionaries.saelens import load

__all__ = ["Dictionary", "load"]
