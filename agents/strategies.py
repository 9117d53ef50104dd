"""How searches differ: which constructs they reach for first, as what each family of literals costs them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agents.atoms import Family, Pool

STRATEGIES = ("context", "lexical", "semantic", "additive")
"""`context` looks at the text before, `lexical` at the string itself, `semantic` at kinds of words; `additive` turns a
sum of weak cues into a program, which ranks best where examples are few."""

_DEARER, _CHEAPER = 1.5, 0.5


@dataclass(frozen=True, slots=True)
class Leaning:
    """Factors on the price of each family of literals."""

    lexical: float = 1.0
    context: float = 1.0
    semantic: float = 1.0

    def of(self, family: Family) -> float:
        match family:
            case "lexical":
                return self.lexical
            case "context":
                return self.context
            case "semantic":
                return self.semantic


LEANINGS = {
    "context": Leaning(lexical=1.3),
    "lexical": Leaning(context=_DEARER),
    "semantic": Leaning(lexical=_DEARER, semantic=_CHEAPER),
    "additive": Leaning(),
}


def lean(pool: Pool, strategy: str) -> Pool:
    """The pool at a strategy's prices."""
    leaning = LEANINGS[strategy]
    slots = tuple(replace(slot, price=slot.price * leaning.of(slot.family)) for slot in pool.slots)
    columns = tuple(replace(column, price=column.price * leaning.of(column.family)) for column in pool.columns)
    return replace(pool, slots=slots, columns=columns)
