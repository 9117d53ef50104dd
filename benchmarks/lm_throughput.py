"""Calls a second of a language model behind a server: many threads through one client, and one call at a time.

    python benchmarks/lm_throughput.py --model small --url http://127.0.0.1:8000/v1
    python benchmarks/lm_throughput.py --model M --url URL --features 50 --threads 16 --tokens 64

The requests have the shape of a debate's: for each feature a prompt of its examples that all its calls share (its
debaters', turn after turn, each going on from the last; then its judge's, in six orders of the same sides). Texts are
drawn at random from a seed, so that no two features share more than the opening. Both ways ask the same requests but
for a mark at the beginning of each conversation, without which the second would find its prefixes in the server's
cache. The prefix-cache hit rate is tokens found over tokens looked up, from the server's /metrics, where it has them.
A debater that waits for its own last turn is one call at a time; threads hold features, as workers do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agents.lm import Completion, Failure, Grammar, Labels, LanguageModel, Message, Reply, Request
from autointerp.lms.server import ServerLM
from autointerp.pool import available_cores

WORDS = ("the", "a", "dog", "ran", "old", "red", "house", "then", "pizza", "crust", "saw", "oven", "bread", "garden")
NOTE = Grammar('start: "THINK " NOTE\nNOTE: /[a-z ]{20,60}/')


@dataclass(frozen=True)
class Sizes:
    """What is asked of each feature, and how much there is to read and to write."""

    features: int
    debaters: int
    turns: int
    words: int
    tokens: int


@dataclass
class Spent:
    """What a number of replies came to."""

    calls: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, replies: Sequence[Reply]) -> None:
        self.calls += len(replies)
        for reply in replies:
            match reply:
                case Failure():
                    self.failures += 1
                case Completion(prompt_tokens=read, completion_tokens=written):
                    self.prompt_tokens += read
                    self.completion_tokens += written


def hold(lm: LanguageModel, feature: int, mark: str, sizes: Sizes) -> Spent:
    """The calls of one feature's debate: debaters side by side, each turn after turn, then all orders at once."""
    rng = random.Random(feature)
    examples = "\n".join(f"{number}. {' '.join(rng.choices(WORDS, k=sizes.words))}" for number in range(16))
    opening = (Message("system", f"Debate {mark}. You explain what a feature fires on."), Message("user", examples))
    spent = Spent()
    talks = [[*opening] for _ in range(sizes.debaters)]
    for turn in range(sizes.turns):
        requests = [
            Request(tuple(talk), NOTE, sizes.tokens, seed=feature, sample=100 * turn + seat)
            for seat, talk in enumerate(talks)
        ]
        replies = lm.complete(requests)
        spent.add(replies)
        for talk, reply in zip(talks, replies, strict=True):
            said = reply.text if isinstance(reply, Completion) else "THINK nothing"
            talk += [Message("assistant", said), Message("user", f"Noted. Turn {turn + 2}.")]
    sides = [" ".join(rng.choices(WORDS, k=sizes.words)) for _ in range(3)]
    votes = []
    for order in itertools.permutations(sides):
        shown = "\n".join(f"Explanation {label}: {side}" for label, side in zip("ABC", order, strict=True))
        view = (*opening[:1], Message("user", f"{examples}\n{shown}\nWhich is best?"))
        votes.append(Request(view, Labels(("A", "B", "C", "NONE")), 8, temperature=0.0))
    spent.add(lm.complete(votes))
    return spent


class OneAtATime:
    """The same client, asked one request after the other."""

    def __init__(self, lm: ServerLM) -> None:
        self._lm = lm
        self.name, self.revision, self.context_tokens = lm.name, lm.revision, lm.context_tokens

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self._lm.count_tokens(messages)

    def complete(self, requests: Sequence[Request]) -> list[Reply]:
        return [reply for request in requests for reply in self._lm.complete([request])]


def measured(
    url: str, model: str, sizes: Sizes, features: int, threads: int, mark: str, single: bool
) -> dict[str, object]:
    """One way of asking, over so many features, on a client of its own."""
    lm = ServerLM(model, url)
    asked: LanguageModel = OneAtATime(lm) if single else lm
    lm.complete([Request((Message("user", "Ready?"),), Labels(("yes", "no")), 4)])  # finds out about grammars
    looked, found = prefix_cache(url)
    before, start = lm.counts, time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda feature: hold(asked, feature, mark, sizes), range(features)))
    seconds = time.perf_counter() - start
    counts = lm.counts
    looked_after, found_after = prefix_cache(url)
    lm.close()
    calls = sum(part.calls for part in parts)
    looked_up = looked_after - looked
    return {
        "way": "one call at a time" if single else f"{threads} threads",
        "features": features,
        "calls": calls,
        "failures": sum(part.failures for part in parts),
        "retries": dict(counts.retries),
        "seconds": round(seconds, 1),
        "calls a second": round(calls / seconds, 2),
        "prompt tokens a second": round(sum(part.prompt_tokens for part in parts) / seconds),
        "completion tokens a second": round(sum(part.completion_tokens for part in parts) / seconds, 1),
        "mean prompt tokens": round(sum(part.prompt_tokens for part in parts) / calls),
        "mean in flight": round((counts.busy - before.busy) / seconds, 2),
        "most in flight": counts.most_in_flight,
        "limit at the end": counts.limit,
        "prefix-cache hit rate": round((found_after - found) / looked_up, 3) if looked_up else None,
    }


def prefix_cache(url: str) -> tuple[float, float]:
    """Tokens looked up in vLLM's prefix cache so far, and tokens found; nought where the server does not say."""
    try:
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/metrics", timeout=10) as reply:
            text = reply.read().decode()
    except (urllib.error.URLError, TimeoutError):
        return 0.0, 0.0
    return _metric(text, "queries"), _metric(text, "hits")


def _metric(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^vllm:prefix_cache_{name}_total\S* (\S+)$", text, re.MULTILINE))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--single-features", type=int, default=5, help="for one call at a time, which takes longer")
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--debaters", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--words", type=int, default=40, help="of each of the 16 examples")
    parser.add_argument("--tokens", type=int, default=80, help="of each turn, at most")
    chosen = parser.parse_args()
    sizes = Sizes(chosen.features, chosen.debaters, chosen.turns, chosen.words, chosen.tokens)
    machine = {"processor": platform.processor() or platform.machine(), "cores": available_cores()}
    print(json.dumps({"machine": machine, "load": os.getloadavg()[0], "sizes": sizes.__dict__, "seeds": "0.."}))
    run = f"{time.time_ns()}"  # prefixes of an earlier run are in the server's cache too
    ways = [
        measured(chosen.url, chosen.model, sizes, chosen.single_features, 1, f"{run} one", True),
        measured(chosen.url, chosen.model, sizes, chosen.features, chosen.threads, f"{run} many", False),
    ]
    for way in ways:
        print(json.dumps(way))
    single, many = (float(str(way["calls a second"])) for way in ways)
    print(json.dumps({"ratio to one call at a time": round(many / single, 2)}))


if __name__ == "__main__":
    main()
