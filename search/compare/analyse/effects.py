"""Two strategies by what their studies' winners gain in blocks: the difference, its interval, and its test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from search.compare.analyse.blocks import Floats
from search.compare.analyse.finding import Estimate
from search.compare.analyse.intervals import t_interval, variance_of

UNLIKE = 1.5  # times as many studies
TINY = 1e-24  # bits per byte squared
EXACT = 20_000  # ways to part studies up to which all are counted; beyond, so many are drawn


def permutation(first: Sequence[float], second: Sequence[float]) -> float:
    """One-sided p of the hypothesis that studies of both strategies are alike: the share of ways to part them in which the
    first are ahead by as much as they are, in standard errors (Welch's). Without these, strategies of unlike numbers and
    spreads would be told apart too often: 4 studies against 12, three times as spread, in 15 % where 5 % are allowed. Where
    one strategy has more than half as many studies again, Welch's t test must agree, for even so it would be 9 %."""
    found = stats.permutation_test(
        (np.asarray(first), np.asarray(second)),
        standard_errors_ahead,
        permutation_type="independent",
        alternative="greater",
        vectorized=True,
        n_resamples=EXACT,
        rng=0,
    )
    counts = sorted((len(first), len(second)))
    if counts[1] <= UNLIKE * counts[0]:
        return float(found.pvalue)
    return max(float(found.pvalue), float(stats.ttest_ind(first, second, equal_var=False, alternative="greater").pvalue))


def standard_errors_ahead(first: Floats, second: Floats, axis: int = -1) -> Floats:
    """Welch's statistic along an axis. Where nothing varies at all, a difference is as far ahead as can be."""
    ahead = np.mean(first, axis=axis) - np.mean(second, axis=axis)
    variances = [np.var(values, axis=axis, ddof=1) / values.shape[axis] for values in (first, second)]
    return np.asarray(ahead / np.sqrt(variances[0] + variances[1] + TINY))


def advantage(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The difference of mean gains with Welch's interval. What gains of one search seed share (the stock, the seed) makes it
    wider than it need be where studies hardly differ otherwise."""
    value = float(np.mean(first) - np.mean(second))
    variances = variance_of(first), variance_of(second)
    if variances[0] is None or variances[1] is None:
        return Estimate(value)
    total = variances[0].over(len(first)) + variances[1].over(len(second))
    return t_interval(value, total.value, total.degrees)
