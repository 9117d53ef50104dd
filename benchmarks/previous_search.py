"""Serves the search of an earlier commit to `benchmarks/search.py`: a process whose first path is that checkout.

Requests and answers are pickled dictionaries of plain data, one after another, on standard input and output: what is
imported here is the checkout's own. Evidence comes in the request, or is drawn here from a store as it was drawn then.
"""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class PreviousSearch:
    """A running server, which ends with the process that started it."""

    def __init__(self, checkout: Path, vocabulary: tuple[str, ...] | None, store: Path | None) -> None:
        environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(checkout)}
        command = [sys.executable, __file__, str(checkout)]
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send({"vocabulary": vocabulary, "store": store})

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What each default debater of the time explains, and when it drew the evidence which is best.

        `found` holds (strategy, text, milliseconds) of each; `best` is the place of the one with the highest score on
        the dev sample drawn beside it, and means nothing where evidence was given.
        """
        self._send(request)
        assert self._process.stdout is not None
        answer: dict[str, Any] = pickle.load(self._process.stdout)
        return answer

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(value, self._process.stdin)
        self._process.stdin.flush()


def serve(checkout: Path, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until there are no more requests."""
    import agents
    from agents.search import search
    from autointerp.lexicons import DefaultLexicon
    from autointerp.sampling import sample
    from autointerp.scoring import dev_score
    from autointerp.specs import DEFAULT_DEBATERS, SEARCH_BUDGET
    from autointerp.store import Store
    from dsl.batch import Vocabulary
    from dsl.complexity import bits
    from dsl.records import Context, Evidence, Example, Feature, Thresholds
    from dsl.render import render

    assert agents.__file__ is not None
    if not Path(agents.__file__).is_relative_to(checkout):
        raise SystemExit(f"{agents.__file__} is not of {checkout}")
    opening = pickle.load(requests)
    vocabulary = Vocabulary(opening["vocabulary"]) if opening["vocabulary"] is not None else None
    store = Store.open(opening["store"], verify=False) if opening["store"] is not None else None
    lexicon = DefaultLexicon()
    lexicon.prepare()
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        dev = None
        if "index" in request:
            assert store is not None
            assert vocabulary is not None
            feature = Feature("subject", "hookpoint", "dictionary", request["index"])
            samples = sample(store, vocabulary, feature, seed=request["seed"])
            evidence, dev = samples.evidence, samples.dev
        else:
            examples = tuple(
                Example(Context(tokens, ids, start, document), activations)
                for tokens, ids, start, document, activations in request["examples"]
            )
            evidence = Evidence(
                request["feature"], examples, Thresholds(*request["thresholds"]), request["density"], vocabulary
            )
        found = []
        for spec in DEFAULT_DEBATERS:
            strategy = spec.partition(":")[2]
            rng = random.Random(request["seed"])
            began = time.perf_counter()
            one = search(evidence, strategy=strategy, lexicon=lexicon, budget=SEARCH_BUDGET, rng=rng).explanation
            taken = 1000 * (time.perf_counter() - began)
            score = dev_score(one, dev) if dev is not None else 0.0
            found.append((-score, bits(one), render(one), strategy, taken))
        answer = {
            "found": [(strategy, text, taken) for _, _, text, strategy, taken in found],
            "best": found.index(min(found)),
        }
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # what a library prints is no answer
        serve(Path(sys.argv[1]).resolve(), sys.stdin.buffer, out)
