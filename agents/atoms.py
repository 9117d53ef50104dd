"""What clauses are made of: the literals that the evidence suggests, each as an array over its positions.

A **slot** asks which string stands at a place (this token, the word that ends here, the token before, ...) and takes a
list of strings for an answer, so the best list is found from counts alone. A **column** is any other construct, with
its truth at every position. Both know how to be written in the language, and what it costs to choose them: the bits of
picking one out of all that could have been picked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from agents.table import Table
from dsl.nodes import AnyToken, Clause, Expression, Modifier, RightAfter, Tokens, Words, fold, string
from dsl.words import word_view
from dsl.wordtable import word_spans

Condition = Expression | Modifier
Family = Literal["lexical", "context", "semantic"]
"""What a literal looks at: the string here, the text before, or what kind of word it is."""

Codes = Int[np.ndarray, " n"]
Wrap = Callable[[Expression], Condition]


@dataclass(frozen=True, eq=False)
class Slot:
    """Which of `values` stands at a place, at every position (-1: none of them); `price` is the bits of naming one."""

    values: tuple[str, ...]
    codes: Codes
    make: Callable[[tuple[str, ...]], Condition]
    price: float
    family: Family


@dataclass(frozen=True, eq=False)
class Column:
    """A construct and the bits of choosing it; those of one `series` differ in a string and join into one list."""

    condition: Condition
    price: float
    family: Family
    string: str = ""
    series: str = ""


@dataclass(frozen=True, eq=False)
class Cues:
    """What an additive model sees: a string's code at each place (-1: none), and a row of truths for each column."""

    codes: tuple[Int[np.ndarray, " n"], ...]
    sizes: tuple[int, ...]
    truth: Float32[np.ndarray, "columns n"]

    def of(self, chosen: Int[np.ndarray, " chosen"]) -> Cues:
        """The cues of some positions, in the order given."""
        return Cues(tuple(codes[chosen] for codes in self.codes), self.sizes, self.truth[:, chosen])


@dataclass(frozen=True, eq=False)
class Pool:
    """All literals of a search; `truth` has a row of zeros and ones for each column, exceptions name `tokens`.

    They also name values of `barring`: what stands where the feature might fire and does not, so that no slot has it.
    """

    slots: tuple[Slot, ...]
    columns: tuple[Column, ...]
    truth: Float32[np.ndarray, "columns n"]
    tokens: Slot
    cues: Cues
    barring: tuple[Slot, ...] = ()


@dataclass(frozen=True, eq=False)
class Lexis:
    """The words that end in the evidence, and which one ends at each position (-1: none; of several, the last)."""

    texts: tuple[str, ...]
    codes: Int[np.ndarray, "batch ctx"]

    @property
    def price(self) -> float:
        return float(np.log2(len(self.texts) + 1))


def read_words(table: Table) -> Lexis:
    """Find the words of the evidence where `the word` finds them."""
    batch, strings = table.batch, table.batch.vocabulary.strings
    texts = [
        "".join(strings[token] for token in row[:length])
        for row, length in zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True)
    ]
    texts += [strings[token] for token in np.unique(batch.ids[batch.mask]).tolist()]
    texts = [text if text.isascii() else string(text) for text in texts if text]  # bytes that join into characters
    found = {fold(text[start:stop].replace("\u2019", "'")): None for text in texts for start, stop in word_spans(text)}
    words = tuple(found)
    ends = word_view(batch).find(words)
    codes = np.full(batch.ids.size, -1, dtype=np.int64)
    codes[ends.positions] = ends.which
    return Lexis(words, codes.reshape(batch.ids.shape))


class TokenSlot(NamedTuple):
    """The token here as a slot, and the codes of its values over the whole batch."""

    slot: Slot
    codes: Int[np.ndarray, "batch ctx"]


def token_slot(table: Table) -> TokenSlot:
    """The token here, of all tokens."""
    batch = table.batch
    present, codes = np.unique(batch.vocabulary.same[batch.ids.reshape(-1)], return_inverse=True)
    strings = [batch.vocabulary.strings[number] for number in present.tolist()]
    named = np.flatnonzero([bool(text) for text in strings])  # no list can hold the token without text
    numbers = np.full(len(strings), -1, dtype=np.int64)
    numbers[named] = np.arange(len(named))
    values = tuple(strings[number] for number in named.tolist())
    grid = np.where(batch.mask, numbers[codes].reshape(batch.ids.shape), -1)
    return TokenSlot(Slot(values, table.take(grid), Tokens, float(np.log2(len(values) + 1)), "lexical"), grid)


def make_slots(table: Table, tokens: TokenSlot, words: Lexis) -> list[Slot]:
    """Tokens and words here, one before and two before; only strings that stand there at a firing position."""
    places: tuple[Place, ...] = ((0, "lexical", _itself), (1, "context", RightAfter), (2, "context", _two_before))
    return _slots(table, tokens, words, places, table.fires | table.must)


def make_barring(table: Table, tokens: TokenSlot, words: Lexis) -> list[Slot]:
    """Words here, and tokens and words one before, that stand at silent positions of tokens that fire elsewhere."""
    here = tokens.slot.codes
    alike = np.isin(here, np.unique(here[table.fires])) & ~table.fires
    past = _slots(table, tokens, words, ((1, "context", RightAfter),), alike)
    return [*_slots(table, tokens, words, ((0, "lexical", _itself),), ~table.fires)[1:], *past]


Place = tuple[int, Family, Wrap]


def _slots(
    table: Table, tokens: TokenSlot, words: Lexis, places: Sequence[Place], among: Bool[np.ndarray, " n"]
) -> list[Slot]:
    """Tokens and words at places, those that stand there at some of the positions."""
    kinds: list[tuple[type[Tokens] | type[Words], Sequence[str], Int[np.ndarray, "batch ctx"]]] = [
        (Tokens, tokens.slot.values, tokens.codes),
        (Words, words.texts, words.codes),
    ]
    slots = []
    for back, family, wrap in places:
        for node, values, codes in kinds:
            shifted = table.take(before(codes, back))
            useful = np.unique(shifted[among & (shifted >= 0)])
            if len(useful):
                numbers = np.full(len(values) + 1, -1, dtype=np.int64)
                numbers[useful] = np.arange(len(useful))
                kept = tuple(values[value] for value in useful.tolist())
                price = float(np.log2(len(values) + 1))
                slots.append(Slot(kept, numbers[shifted], _maker(node, wrap), price, family))
    return slots


def _itself(phrase: Expression) -> Condition:
    return phrase


def _two_before(phrase: Expression) -> Condition:
    return RightAfter(Clause(AnyToken(), (RightAfter(phrase),)))


def _maker(node: type[Tokens] | type[Words], wrap: Wrap) -> Callable[[tuple[str, ...]], Condition]:
    return lambda values: wrap(node(values))


def before(codes: Int[np.ndarray, "batch ctx"], back: int) -> Int[np.ndarray, "batch ctx"]:
    """What stood a number of tokens before each position; -1 before the beginning."""
    if not back:
        return codes
    shifted = np.full_like(codes, -1)
    shifted[:, back:] = codes[:, :-back]
    return shifted


def stack(truths: Sequence[Bool[np.ndarray, " n"]], size: int) -> Float32[np.ndarray, "columns n"]:
    """Truths as the rows of one matrix."""
    return np.array(truths, dtype=np.float32).reshape(len(truths), size)


def information(
    right: Float[np.ndarray, " n"], total: Float[np.ndarray, " n"], share: float
) -> Float[np.ndarray, " n"]:
    """How much literals tell, by the weight of what they hold at (Quinlan 1990); -1 where nothing of it is right."""
    rate = (right + 0.5 * share) / (total + 0.5)
    told: Float[np.ndarray, " n"] = np.where(right > 0, right * np.log(np.maximum(rate / share, 1e-9)), -1.0)
    return told
