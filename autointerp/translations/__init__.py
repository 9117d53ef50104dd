"""Other notations into the language: semantic regexes exactly, free-text labels as candidates."""

from autointerp.translations.labels import from_label
from autointerp.translations.result import Candidate, Translation, TranslationError
from autointerp.translations.semantic_regex import from_semantic_regex

__all__ = ["Candidate", "Translation", "TranslationError", "from_label", "from_semantic_regex"]
