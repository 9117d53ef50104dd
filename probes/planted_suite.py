"""Programs to plant: explanations whose truth is known, drawn from a corpus's own statistics.

The size of a program is its number of **clauses**: atoms, and modifiers without an anchor of their own (`in text
about`, `inside`); `any token` counts nothing. So `the word "x"` and `any token right after "x"` are of one clause,
`P right after Q`, `P or Q` and `P; weakly Q` of two. Each size is drawn evenly over its constructs.

A program is rejected where it fires in too few contexts, at more than a fifth of the positions, where its lower levels
swamp what fires, or where something shorter says the same or nearly: a part of it, a list of it less one string, a
single token, word, class or boundary, or a program drawn before. Of those that stand one with a **decoy** is preferred:
a string near most of the firing positions, though not all, that the program does not name.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Int

from dsl.batch import Batch
from dsl.evaluate import Evaluator
from dsl.lexicon import Lexicon
from dsl.nodes import (
    PREDICTED,
    About,
    And,
    AnyToken,
    Boundary,
    BoundaryName,
    Class,
    ClassName,
    Clause,
    Except,
    Explanation,
    Expression,
    Inside,
    Modifier,
    Not,
    Or,
    RepeatedToken,
    RightAfter,
    Tokens,
    Within,
    Words,
    children,
    conjunction,
    union,
)
from probes.planted_decoys import Decoy, Decoys
from probes.planted_terms import LONGEST_LIST, Place, Terms, words_of

Reason = Literal["empty", "constant", "dense", "swamped", "equivalent"]
Maker = Callable[[Terms, Place], Expression | Explanation | None]

DENSEST = 0.2
ALWAYS = 0.99
SAME = 0.95
"""Token F1 with a program from which something shorter says nearly the same: 40 contexts hold two witnesses or so."""

SWAMPED = 5
"""Positions of lower levels for each that fires: past it, quantiles of activations say nothing of what fires."""

FEWEST = (40, 10, 10)
"""Contexts of evidence, dev and held-out in which a program fires at least."""

TRIES, CHOICES = 60, 2
"""Draws for one program of a stratum before the stratum is taken to have no more; programs to choose one from."""


@dataclass(frozen=True, slots=True)
class Program:
    """A truth to plant, the construct that it was drawn for, its size in clauses, and its decoy if it has one."""

    explanation: Explanation
    construct: str
    clauses: int
    decoy: Decoy | None = None


class Screen:
    """Says why a program is no good, on texts of evidence, dev and held-out."""

    def __init__(self, batches: Sequence[Batch], fewest: Sequence[int] = FEWEST) -> None:
        self.batches, self.fewest = batches, fewest
        self._evaluators = [Evaluator(batch) for batch in batches]
        self._tokens = int(batches[0].lengths.sum())
        self._strings = [Strings(batches[0].ids), Strings(words_of(batches[0])[1])]
        self._extents: dict[bytes, Explanation] = {}

    def reason(self, explanation: Explanation) -> Reason | None:
        """Why the program is rejected, or None."""
        values = self._evaluators[0].evaluate(explanation)
        held = values >= PREDICTED
        firing = int(held.sum())
        if firing > DENSEST * self._tokens:
            return "constant" if firing >= ALWAYS * self._tokens else "dense"
        for evaluator, fewest in zip(self._evaluators, self.fewest, strict=True):
            fires = evaluator.evaluate(explanation) >= PREDICTED
            if fires.any(axis=1).sum() < max(1, fewest):
                return "empty"
        if int((values > 0).sum()) - firing > SWAMPED * firing:
            return "swamped"
        return "equivalent" if self._is_said_shorter(explanation, held) else None

    def remember(self, explanation: Explanation) -> None:
        """From now on nothing else may hold at the same places."""
        self._extents.setdefault(_extent(self.held(explanation)), explanation)

    def held(self, explanation: Explanation) -> Bool[np.ndarray, "batch ctx"]:
        """Where it fires in the evidence."""
        held: Bool[np.ndarray, "batch ctx"] = self._evaluators[0].evaluate(explanation) >= PREDICTED
        return held

    def _is_said_shorter(self, explanation: Explanation, held: Bool[np.ndarray, "batch ctx"]) -> bool:
        if _extent(held) in self._extents:
            return True
        if any(_f1(self.held(part), held) >= SAME for part in shorter(explanation)):
            return True
        if isinstance(explanation.strong, Tokens | Words | Class | Boundary):
            return False
        if any(strings.best_f1(held) >= SAME for strings in self._strings):
            return True
        return any(_f1(self._evaluators[0].matches(atom), held) >= SAME for atom in _ATOMS)


class Strings:
    """Which string stands at each position (negative: none), and how often each does."""

    def __init__(self, codes: Int[np.ndarray, "batch ctx"]) -> None:
        self._codes = codes.reshape(-1)
        self._counts = np.bincount(self._codes[self._codes >= 0])

    def best_f1(self, held: Bool[np.ndarray, "batch ctx"]) -> float:
        """The highest token F1 that a single string reaches."""
        here = self._codes[held.reshape(-1)]
        hits = np.bincount(here[here >= 0], minlength=len(self._counts))
        return float((2 * hits / (int(held.sum()) + self._counts).clip(1)).max(initial=0.0))


def draw_programs(
    batches: Sequence[Batch],
    lexicon: Lexicon | None,
    *,
    count: int,
    rng: random.Random,
    sizes: Sequence[int] = (1, 2, 3),
    fewest: Sequence[int] = FEWEST,
) -> tuple[Program, ...]:
    """So many programs, the sizes alike and within a size the constructs alike, as far as the corpus has them.

    `batches` are samples of evidence, dev and held-out; the same arguments give the same programs. Fewer come back only
    where every stratum is exhausted.
    """
    terms, screen = Terms(batches[0], lexicon, rng), Screen(batches, fewest)
    programs: list[Program] = []
    for number, size in enumerate(sizes):
        wanted = count * (number + 1) // len(sizes) - count * number // len(sizes)
        programs += _of_size(size, wanted, terms, screen)
    return tuple(programs)


def clauses(explanation: Explanation | Expression) -> int:
    """The size of a program: its atoms and anchorless modifiers."""
    if isinstance(explanation, Explanation):
        return sum(clauses(expression) for _, _, expression in explanation.levels)
    own = 0
    if isinstance(explanation, Clause):
        own = sum(isinstance(modifier, About | Inside) for modifier in explanation.modifiers)
    parts = children(explanation)
    return own + sum(map(clauses, parts)) if parts else int(not isinstance(explanation, AnyToken))


def shorter(explanation: Explanation) -> Iterator[Explanation]:
    """What is left of a program when a level, an operand, a modifier or a string of a list is taken away."""
    for name, _, expression in explanation.levels:
        others = {other: kept for other, _, kept in explanation.levels if other != name}
        if others and name != "strong":
            continue  # a weak level never changes what is predicted
        yield from (Explanation.of({**others, name: part}) for part in _parts(expression))


def _parts(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Clause(phrase, modifiers):
            if phrase != AnyToken():
                yield Clause(AnyToken(), modifiers)
            for place, modifier in enumerate(modifiers):
                rest = modifiers[:place] + modifiers[place + 1 :]
                if rest or phrase != AnyToken():
                    yield Clause(phrase, rest) if rest else phrase
                if isinstance(modifier, RightAfter | Within):
                    yield from (
                        Clause(phrase, (*rest, replace(modifier, anchor=part))) for part in _parts(modifier.anchor)
                    )
            yield from (Clause(part, modifiers) for part in _parts(phrase))
        case Or(operands) | And(operands):
            join = union if isinstance(expression, Or) else conjunction
            for place, operand in enumerate(operands):
                rest_of = operands[:place] + operands[place + 1 :]
                yield join(*rest_of)
                yield from (join(*rest_of, part) for part in _parts(operand))
        case Except(kept, removed):
            yield kept
            yield from (Except(part, removed) for part in _parts(kept))
            yield from (Except(kept, part) for part in _parts(removed))
        case Not(operand):
            yield from (Not(part) for part in _parts(operand))
        case Tokens(strings) if len(strings) > 1:
            yield from (Tokens(strings[:place] + strings[place + 1 :]) for place in range(len(strings)))
        case Words(words) if len(words) > 1:
            yield from (Words(words[:place] + words[place + 1 :]) for place in range(len(words)))
        case _:
            pass


def _of_size(size: int, wanted: int, terms: Terms, screen: Screen) -> list[Program]:
    """Programs of a size, dealt to its strata in turn; a stratum that has no more leaves its turn to the others."""
    names = list(STRATA[size])
    terms.rng.shuffle(names)  # so that a small suite is no choice of the first strata
    strata, decoys_of = {name: STRATA[size][name] for name in names}, Decoys(screen.batches[0])
    found: list[Program] = []
    while strata and len(found) < wanted:
        for name in list(strata):
            if len(found) == wanted:
                break
            drawn = list(islice(_draw(strata[name], size, terms, screen), CHOICES if size > 1 else 1))
            if not drawn:
                del strata[name]
                continue
            decoys = [decoys_of.find(each, screen.held(each)) for each in drawn]
            explanation, decoy = max(
                zip(drawn, decoys, strict=True), key=lambda pair: pair[1].share if pair[1] else 0.0
            )
            screen.remember(explanation)
            found.append(Program(explanation, name, size, decoy))
    return found


def _draw(make: Maker, size: int, terms: Terms, screen: Screen) -> Iterator[Explanation]:
    """Programs that stand, out of a fixed number of tries."""
    for _ in range(TRIES):
        made = make(terms, terms.place())
        if made is None:
            continue
        explanation = made if isinstance(made, Explanation) else Explanation(made)
        if clauses(explanation) == size and screen.reason(explanation) is None:
            yield explanation


def _clause(phrase: Expression | None, *modifiers: Modifier | None) -> Expression | None:
    kept = [modifier for modifier in modifiers if modifier is not None]
    return Clause(phrase, tuple(kept)) if phrase and len(kept) == len(modifiers) else None


def _any(modifier: Modifier | None) -> Expression | None:
    return _clause(AnyToken(), modifier)


def _and(*operands: Expression | None) -> Expression | None:
    kept = [operand for operand in operands if operand is not None]
    return conjunction(*kept) if len(kept) == len(operands) else None


def _or(*operands: Expression | None) -> Expression | None:
    kept = [operand for operand in operands if operand is not None]
    return union(*kept) if len(kept) == len(operands) else None


def _except(kept: Expression | None, removed: Expression | None) -> Expression | None:
    return Except(kept, removed) if kept and removed else None


def _weakly(strong: Expression | None, weak: Expression | None) -> Explanation | None:
    return Explanation(strong, weak) if strong and weak else None


def _negation(operand: Expression | None) -> Expression | None:
    return Not(operand) if operand else None


def _after_either(terms: Terms, place: Place) -> Expression | None:
    """`P right after (Q or R)`."""
    one, other = terms.right_after(place), terms.right_after(terms.near(place))
    if not isinstance(one, RightAfter) or not isinstance(other, RightAfter):
        return None
    return _clause(terms.atom(place), RightAfter(union(one.anchor, other.anchor)))


def _after_clause(terms: Terms, place: Place) -> Expression | None:
    """`P right after (Q right after R)`."""
    if place.column < 2:
        return None
    anchor = _clause(terms.atom(before := Place(place.row, place.column - 1)), terms.right_after(before))
    return _clause(terms.atom(place), RightAfter(anchor)) if anchor else None


def _class_of(name: ClassName) -> Maker:
    return lambda terms, place: terms.word_class(place, name)


_ATOMS: list[Expression] = [*map(Class, get_args(ClassName)), *map(Boundary, get_args(BoundaryName))]

STRATA: dict[int, dict[str, Maker]] = {
    1: {
        "the token": lambda t, p: t.tokens(p),
        "the tokens": lambda t, p: t.tokens(p, t.rng.randint(2, LONGEST_LIST)),
        "the word": lambda t, p: t.words_at(p),
        "the words": lambda t, p: t.words_at(p, t.rng.randint(2, LONGEST_LIST)),
        "the phrase": lambda t, p: t.phrase(p),
        "any form of": lambda t, p: t.forms(p),
        "words like": lambda t, p: t.like(p),
        "tokens starting with": lambda t, p: t.starting(p),
        "tokens ending with": lambda t, p: t.ending(p),
        "tokens containing": lambda t, p: t.containing(p),
        "tokens matching": lambda t, p: t.matching(p),
        "positions": lambda t, p: t.positions(Place(p.row, t.rng.randrange(16))),
        "sentence boundary": lambda t, p: t.boundary(p),
        "followed before": lambda t, p: t.followed(p),
        "right after": lambda t, p: _any(t.right_after(p)),
        "within": lambda t, p: _any(t.within(p)),
        "in the context of": lambda t, p: _any(t.context(p)),
        "in text about": lambda t, p: _any(t.about(p)),
        "inside": lambda t, p: _any(t.inside(p)),
        **{str(name): _class_of(name) for name in get_args(ClassName)},
    },
    2: {
        "right after": lambda t, p: _clause(t.atom(p), t.right_after(p)),
        "within": lambda t, p: _clause(t.atom(p), t.within(p)),
        "in the context of": lambda t, p: _clause(t.atom(p), t.context(p)),
        "in text about": lambda t, p: _clause(t.atom(p), t.about(p)),
        "inside": lambda t, p: _clause(t.atom(p), t.inside(p)),
        "and": lambda t, p: _and(t.broad(p), t.broad(p)),
        "not": lambda t, p: _and(t.broad(p), _negation(t.narrow(p))),
        "or": lambda t, p: _or(t.atom(p), t.atom(t.near(p))),
        "except": lambda t, p: _except(t.broad(p), t.narrow(p)),
        "except right after": lambda t, p: _except(t.atom(p), _any(t.right_after(p))),
        "repeated": lambda t, p: _and(t.atom(p), RepeatedToken()),
        "followed before": lambda t, p: _and(t.atom(p), t.followed(p)),
        "positions": lambda t, p: _and(t.atom(p), t.positions(p)),
        "sentence boundary": lambda t, p: _and(t.broad(p), t.boundary(p)),
        "strongly, weakly": lambda t, p: _weakly(t.atom(p), t.atom(t.near(p))),
    },
    3: {
        "right after + context": lambda t, p: _clause(t.atom(p), t.right_after(p), t.context(p)),
        "within + context": lambda t, p: _clause(t.atom(p), t.within(p), t.context(p)),
        "right after + inside": lambda t, p: _clause(t.atom(p), t.right_after(p), t.inside(p)),
        "right after + about": lambda t, p: _clause(t.atom(p), t.right_after(p), t.about(p)),
        "right after either": _after_either,
        "right after a clause": _after_clause,
        "either, right after": lambda t, p: _clause(_or(t.atom(p), t.atom(t.near(p))), t.right_after(p)),
        "either, in the context of": lambda t, p: _clause(_or(t.atom(p), t.atom(t.near(p))), t.context(p)),
        "or of three": lambda t, p: _or(t.atom(p), t.atom(t.near(p)), t.atom(t.near(p))),
        "or with a clause": lambda t, p: _or(_clause(t.atom(p), t.right_after(p)), t.atom(t.near(p))),
        "and + context": lambda t, p: _clause(_and(t.broad(p), t.broad(p)), t.context(p)),
        "right after + except": lambda t, p: _except(_clause(t.broad(p), t.right_after(p)), t.narrow(p)),
        "or + except": lambda t, p: _except(_or(t.broad(p), t.broad(t.near(p))), t.narrow(p)),
        "not + right after": lambda t, p: _clause(_and(t.broad(p), _negation(t.narrow(p))), t.right_after(p)),
        "strongly right after, weakly": lambda t, p: _weakly(_clause(t.atom(p), t.right_after(p)), t.atom(t.near(p))),
    },
}
"""How a program of each construct is made at a place, by size."""


def _extent(held: Bool[np.ndarray, "batch ctx"]) -> bytes:
    return np.packbits(held).tobytes()


def _f1(one: Bool[np.ndarray, "batch ctx"], other: Bool[np.ndarray, "batch ctx"]) -> float:
    return 2 * float((one & other).sum()) / max(1.0, float(one.sum() + other.sum()))
