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
from search.compare.analyse.finding import REVERSED, Estimate
from search.compare.analyse.intervals import Variance, tested, variance_of

Gains = Sequence[float] | Floats

UNLIKE = 1.5  # times as many studies
TINY = 1e-24  # bits per byte squared
EXACT = 20_000  # ways to part studies up to which all are counted; beyond, so many are drawn
FAR = 1_000  # standard errors below a difference, where every test shows that it is larger


def permutation(first: Sequence[float], second: Sequence[float]) -> float:
    """One-sided p of the hypothesis that studies of both strategies are alike: the share of ways to part them in which the
    first are ahead by as much as they are, in standard errors (Welch's). Without these, strategies of unlike numbers and
    spreads would be told apart too often: 4 studies against 12, three times as spread, in 15 % where 5 % are allowed. Where
    one strategy has more than half as many studies again, Welch's t test must agree, for even so it would be 9 %."""
    return Parted(first, second).p()


class Parted:
    """Gains [..., studies] of two strategies' studies, parted in all ways."""

    def __init__(self, first: Gains, second: Gains) -> None:
        self.first, self.second = first, second = np.array(first, dtype=float), np.array(second, dtype=float)
        count, ways = first.shape[-1], _ways(first.shape[-1], second.shape[-1])
        values, mine = np.concatenate([first, second], axis=-1)[..., ways], np.where(ways < count, 1.0, 0.0)
        one, other = (_moments(values[..., group, :], mine[group]) for group in (slice(count), slice(count, None)))
        self._ahead, self._share = (a - b for a, b in zip(one[:2], other[:2], strict=True))
        self._variances = [a + b for a, b in zip(one[2:], other[2:], strict=True)]

    def p(self, less: float = 0.0) -> float:
        """As `permutation` has it, if each of the first [studies] gained so much less."""
        share, counts = float(self.share_ahead(less)), sorted((len(self.first), len(self.second)))
        if counts[1] <= UNLIKE * counts[0]:
            return share
        return max(share, tested(*_ahead(self.first - less, self.second))[0] or 0.0)

    def share_ahead(self, less: float = 0.0) -> Floats:
        """The share of ways in which the first would be ahead by as much as they are, if each gained so much less."""
        gains, both, own = self._variances
        # Where nothing varies at all, a difference is as far ahead as can be.
        errors = np.sqrt(np.maximum(gains - 2 * less * both + less**2 * own, TINY))
        ahead = (self._ahead - less * self._share) / errors
        return np.asarray(np.mean(ahead >= ahead[..., :1] - 1e-9, axis=-1))


def _moments(gains: Floats, mine: Floats) -> tuple[Floats, ...]:
    """Of a group in each way [..., studies, ways], where `mine` is 1 for the first strategy's studies, else 0: both means;
    variances and covariance of these means, of gains, of both, and of `mine`."""
    means, pairs = (gains.mean(axis=-2), mine.mean(axis=-2)), len(mine) * (len(mine) - 1)
    gains, mine = gains - means[0][..., np.newaxis, :], mine - means[1]
    return *means, *((a * b).sum(axis=-2) / pairs for a, b in ((gains, gains), (gains, mine), (mine, mine)))


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


def _ahead(first: Gains, second: Gains) -> tuple[float, Variance | None]:
    """The difference of means, and its variance; None for a single study."""
    mine, others = variance_of(first), variance_of(second)
    known = None if mine is None or others is None else mine.over(len(first)) + others.over(len(second))
    return float(np.mean(first) - np.mean(second)), known


def _at_least(first: Sequence[float], second: Sequence[float], error: float) -> float | None:
    """The difference at which the test stops to show that the first are better by more; None where it never shows it."""
    value = float(np.mean(first) - np.mean(second))
    if error == 0:
        return value
    parted = Parted(first, second)

    def excess(difference: float) -> float:
        return parted.p(difference) - REVERSED

    low, high = (0.0, value) if excess(0.0) < 0 else (value - FAR * error, 0.0)  # on one side of zero, as the test is
    if excess(low) >= 0:
        return None
    return float(optimize.bisect(excess, low, high, xtol=error / FAR)) if excess(high) > 0 else high


@cache
def _ways(first: int, second: int) -> npt.NDArray[np.intp]:
    """Studies' places, parted in all ways [first + second, ways]: the first strategy's, then the others. They begin as they
    are."""
    places = range(first + second)
    if math.comb(first + second, first) > EXACT:
        drawn = np.random.default_rng(0).permuted(np.tile(places, (EXACT, 1)), axis=1)
        return np.vstack([places, drawn]).T
    chosen = itertools.combinations(places, first)
    return np.array([[*mine, *(place for place in places if place not in mine)] for mine in chosen]).T
