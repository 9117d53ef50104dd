"""A language model that writes texts from an explanation, for the probes' generator of written texts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.lm import Completion, Free, LanguageModel, Message, Request
from prompts import load, one_line

TOKENS_A_TEXT = 60

_NUMBERED = re.compile(r"^\s*(?:\d+[.):]|[-*])\s+")


@dataclass(frozen=True, slots=True)
class LMWriter:
    """Implements `probes.subject.Writer`; a model that fails, or numbers nothing, writes nothing."""

    lm: LanguageModel

    def write(self, meaning: str, count: int, *, fires: bool) -> Sequence[str]:
        """At most `count` texts, one of each line that the model numbered."""
        wanted = load("writer_fires" if fires else "writer_looks").fill(meaning=one_line(meaning), count=str(count))
        seed = int.from_bytes(hashlib.sha256(f"{meaning} {fires}".encode("utf-8", "surrogatepass")).digest()[:4], "big")
        request = Request((Message("user", wanted),), Free(), max_tokens=TOKENS_A_TEXT * count, seed=seed)
        [reply] = self.lm.complete([request])
        if not isinstance(reply, Completion):
            return []
        lines = reply.text.splitlines()
        if reply.cut and lines:
            lines.pop()  # its end is not the model's
        texts = (_NUMBERED.sub("", line).strip().strip('"') for line in lines if _NUMBERED.match(line))
        return [text for text in dict.fromkeys(texts) if text][:count]
