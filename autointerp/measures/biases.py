"""What sways the judge that should not: the place where a side stands, the letter that it has there, its length.

Each is a share of votes beside what it would be if only the sides mattered, with a bootstrap interval over features;
it is flagged where the interval of the difference excludes zero. The intervals of places (and those of letters) hold
together at 95%, each on its own at more (Bonferroni), so that a judge without a bias is flagged in at most about one
run in twenty by its places, and as often by letters and by length.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from autointerp.measures.lines import FeatureLine, VoteLine
from autointerp.scoring import Score, features_interval
from autointerp.scoring.bootstrap import feature_statistic_interval

FEWEST = 6
"""Features below which an interval says nothing and nothing is flagged: of five that a coin decides, all fall on one
side once in sixteen times."""


@dataclass(frozen=True, slots=True)
class Share:
    """The votes that went to one place (from "1") or letter; `difference` is to the expected share, with interval."""

    name: str
    share: float
    expected: float
    difference: Score
    flagged: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """Every place, or every letter, over `features`; the features left out had fewer than two votes for a side."""

    shares: tuple[Share, ...]
    features: int
    left_out: int

    @property
    def flagged(self) -> bool:
        return any(share.flagged for share in self.shares)


@dataclass(frozen=True, slots=True)
class LengthBias:
    """Whether the longer of two explanations is preferred beyond its merit, over pairs of sides that differ in both.

    `chosen` is the share of a pair's votes that the longer one got, `better` how often it scores higher on held-out
    documents, `excess` their paired difference. A judge that guesses chooses the longer one half of the time, however
    often that is the better one, so `excess` alone would blame it: `bias` weighs the pairs in which the longer one is
    better and those in which it is worse alike. It is the share of votes for the longer side where that is worse, less
    the share of votes for the shorter side where that is worse: 0 for a judge that errs both ways alike, 1 for one that
    always takes the longer, -1 for one that always takes the shorter. None where too few features have a pair of each
    kind. Length is in characters of the canonical text, which is what a judge reads.
    """

    chosen: float
    better: float
    excess: Score
    bias: Score | None
    flagged: bool
    features: int
    pairs: int


def slot_shares(lines: Sequence[FeatureLine], seed: int) -> Shares:
    """Votes by the place in which the chosen side stood, 1 the first that the judge read."""
    return _shares(lines, seed, lambda vote: tuple(str(place) for place in range(1, len(vote.order) + 1)))


def letter_shares(lines: Sequence[FeatureLine], seed: int) -> Shares:
    """Votes by the letter under which the judge saw the chosen side."""
    return _shares(lines, seed, lambda vote: vote.letters)


def length_bias(lines: Sequence[FeatureLine], seed: int) -> LengthBias | None:
    """Votes by length against merit; None where no two sides of a feature differ in length, score and votes."""
    per_feature = [pairs for line in lines if (pairs := _pairs(line))]
    if not per_feature:
        return None
    chosen = [_mean([share for share, _ in pairs]) for pairs in per_feature]
    better = [_mean([float(is_better) for _, is_better in pairs]) for pairs in per_feature]
    rng = np.random.default_rng(seed)
    excess = features_interval([ours - due for ours, due in zip(chosen, better, strict=True)], rng)
    bias = None
    if all(
        sum(any(better is kind for _, better in pairs) for pairs in per_feature) >= FEWEST for kind in (True, False)
    ):
        bias = feature_statistic_interval(_balanced(per_feature), len(per_feature), np.random.default_rng(seed))
    return LengthBias(
        chosen=_mean(chosen),
        better=_mean(better),
        excess=excess,
        bias=bias,
        flagged=bias is not None and _excludes_zero(bias),
        features=len(per_feature),
        pairs=sum(map(len, per_feature)),
    )


def _shares(lines: Sequence[FeatureLine], seed: int, names_of: Callable[[VoteLine], tuple[str, ...]]) -> Shares:
    rows = [_observed_and_expected(line, names_of) for line in lines]
    found = [row for row in rows if row is not None]
    names = sorted({name for observed, _ in found for name in observed}, key=lambda name: (len(name), name))
    level = 1 - 0.05 / max(1, len(names))
    shares = list[Share]()
    for name in names:
        ours = [(observed[name], expected[name]) for observed, expected in found if name in observed]
        rng = np.random.default_rng(seed)
        differences = [round(got - due, 12) for got, due in ours]  # thirds do not add up to the last bit
        difference = features_interval(differences, rng, level=level)
        share, expected = (_mean(column) for column in zip(*ours, strict=True))
        shares.append(Share(name, share, expected, difference, _excludes_zero(difference)))
    return Shares(tuple(shares), len(found), len(lines) - len(found))


def _observed_and_expected(
    line: FeatureLine, names_of: Callable[[VoteLine], tuple[str, ...]]
) -> tuple[dict[str, float], dict[str, float]] | None:
    """The share of one feature's votes by name, and what it would be if only the sides mattered.

    A side then gets its votes in each place (under each letter) as often as it stands there among the answered views:
    1 / n where every view was answered, for the views are balanced.
    """
    answers = line.debate.compared
    votes = [vote for vote in answers if vote.label in vote.order]
    if len(votes) < 2:
        return None
    for_side = Counter(vote.label for vote in votes)
    observed = dict.fromkeys(sorted({name for vote in answers for name in names_of(vote)}), 0.0)
    expected = dict(observed)
    for vote in votes:
        observed[dict(zip(vote.order, names_of(vote), strict=True))[str(vote.label)]] += 1 / len(votes)
    for vote in answers:
        for side, name in zip(vote.order, names_of(vote), strict=True):
            expected[name] += for_side[side] / len(answers) / len(votes)
    return observed, expected


def _pairs(line: FeatureLine) -> list[tuple[float, bool]]:
    """For each pair of sides that differ in length, score and got votes: the longer one's share, and its merit."""
    votes, f1 = Counter(vote.label for vote in line.debate.answered), line.held_out
    pairs = list[tuple[float, bool]]()
    for one, other in itertools.combinations(line.debate.sides, 2):
        shorter, longer = sorted((one, other), key=lambda side: len(side.explanation))
        cast = votes[longer.label] + votes[shorter.label]
        if not cast or not f1 or len(shorter.explanation) == len(longer.explanation):
            continue
        if f1[longer.label] != f1[shorter.label]:
            pairs.append((votes[longer.label] / cast, f1[longer.label] > f1[shorter.label]))
    return pairs


def _balanced(
    per_feature: Sequence[Sequence[tuple[float, bool]]],
) -> Callable[[Float[np.ndarray, "resamples features"]], Float[np.ndarray, " resamples"]]:
    """Votes for the longer side where it is worse, less votes for the shorter where that is worse."""
    sums = np.array(
        [
            [sum(share for share, better in pairs if not better), sum(not better for _, better in pairs),
             sum(1 - share for share, better in pairs if better), sum(better for _, better in pairs)]
            for pairs in per_feature
        ],
        dtype=np.float64,
    )  # fmt: skip

    def statistic(weights: Float[np.ndarray, "resamples features"]) -> Float[np.ndarray, " resamples"]:
        to_longer, longer_worse, to_shorter, shorter_worse = (weights @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            difference: Float[np.ndarray, " resamples"] = to_longer / longer_worse - to_shorter / shorter_worse
        return difference

    return statistic


def _excludes_zero(difference: Score) -> bool:
    return difference.n >= FEWEST and not difference.low <= 0 <= difference.high


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
