"""A shipped writer that writes what it was given: for tests, and for texts that a person wrote by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScriptedWriter:
    """Implements `probes.subject.Writer`; `asked` keeps every meaning that it was asked to write of.

    >>> ScriptedWriter(["a bank"], ["a band"]).write("fires on bank", 5, fires=False)
    ['a band']
    """

    fires: Sequence[str]
    only_looks: Sequence[str]
    asked: list[str] = field(default_factory=list)

    def write(self, meaning: str, count: int, *, fires: bool) -> Sequence[str]:
        self.asked.append(meaning)
        return list((self.fires if fires else self.only_looks)[:count])
