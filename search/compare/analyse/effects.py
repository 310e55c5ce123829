"""Two strategies by what their studies' winners gain in blocks: the difference, its test, and the interval of that test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import optimize

from search.compare.analyse.blocks import Floats
from search.compare.analyse.finding import CONFIDENCE, Estimate
from search.compare.analyse.intervals import Variance, tested, variance_of

UNLIKE = 1.5  # times as many studies
TINY = 1e-24  # bits per byte squared
EXACT = 20_000  # ways to part studies up to which all are counted; beyond, so many are drawn
FAR = 1_000  # standard errors below a difference, where every test shows that it is larger


def permutation(first: Sequence[float], second: Sequence[float]) -> float:
    """One-sided p of the hypothesis that studies of both strategies are alike: the share of ways to part them in which the
    first are ahead by as much as they are, in standard errors (Welch's). Without these, strategies of unlike numbers and
    spreads would be told apart too often: 4 studies against 12, three times as spread, in 15 % where 5 % are allowed. Where
    one strategy has more than half as many studies again, Welch's t test must agree, for even so it would be 9 %."""
    share = float(share_ahead(np.asarray(first, dtype=float), np.asarray(second, dtype=float)))
    counts = sorted((len(first), len(second)))
    if counts[1] <= UNLIKE * counts[0]:
        return share
    return max(share, tested(*_ahead(first, second))[0] or 0.0)


def share_ahead(first: Floats, second: Floats) -> Floats:
    """The share of ways to part studies in which the first [..., studies] would be ahead by as much as they are."""
    values = np.concatenate([first, second], axis=-1)[..., _ways(first.shape[-1], second.shape[-1])]
    means, variances = [], []
    for group in (values[..., : first.shape[-1]], values[..., first.shape[-1] :]):
        means.append(np.mean(group, axis=-1))
        variances.append(np.var(group, axis=-1, ddof=1) / group.shape[-1])
    # Where nothing varies at all, a difference is as far ahead as can be.
    ahead = (means[0] - means[1]) / np.sqrt(variances[0] + variances[1] + TINY)
    return np.asarray(np.mean(ahead >= ahead[..., :1] - 1e-9, axis=-1))


def advantage(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The difference of mean gains. Its interval has every difference that the permutation test does not refute at 2.5 %,
    either way; where studies are too few to refute any, it has none. What gains of one search seed share (the stock, the
    seed) makes it wider than it need be where studies hardly differ otherwise."""
    value, variance = _ahead(first, second)
    if variance is None:
        return Estimate(value)
    error = math.sqrt(variance.value)
    least, most = _at_least(first, second, error), _at_least(second, first, error)
    if least is None or most is None:
        return Estimate(value, error)
    return Estimate(value, error, least, -most)


def _ahead(first: Sequence[float], second: Sequence[float]) -> tuple[float, Variance | None]:
    """The difference of means, and its variance; None for a single study."""
    mine, others = variance_of(first), variance_of(second)
    known = None if mine is None or others is None else mine.over(len(first)) + others.over(len(second))
    return float(np.mean(first) - np.mean(second)), known


def _at_least(first: Sequence[float], second: Sequence[float], error: float) -> float | None:
    """The difference at which the test stops to show that the first are better by more; None where it never shows it."""
    value = float(np.mean(first) - np.mean(second))
    if error == 0:
        return value

    def excess(difference: float) -> float:
        return permutation([gain - difference for gain in first], second) - (1 - CONFIDENCE) / 2

    low, high = (0.0, value) if excess(0.0) < 0 else (value - FAR * error, 0.0)  # on one side of zero, as the test is
    if excess(low) >= 0:
        return None
    return float(optimize.bisect(excess, low, high, xtol=error / FAR)) if excess(high) > 0 else high


@cache
def _ways(first: int, second: int) -> npt.NDArray[np.intp]:
    """Studies' places, parted in all ways [ways, first + second]: the first strategy's, then the others. They begin as they
    are."""
    places = range(first + second)
    if math.comb(first + second, first) > EXACT:
        drawn = np.random.default_rng(0).permuted(np.tile(places, (EXACT, 1)), axis=1)
        return np.vstack([places, drawn])
    chosen = itertools.combinations(places, first)
    return np.array([[*mine, *(place for place in places if place not in mine)] for mine in chosen])
