"""What luck alone reaches: the best of n draws of the unchanged stock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import integrate, stats

from search.compare.analyse.results import NullBand

QUANTILES = (0.05, 0.5, 0.95)
GRID = np.linspace(-12, 12, 4801)  # standard deviations; the trapezoid's error is below 1e-9

Floats = npt.NDArray[np.float64]


def null_band(scores: Sequence[float], longest: int) -> NullBand:
    """The best of n = 1 .. `longest` draws, from the control's `scores`.

    Up to half of the control: the distribution of the best of n scores drawn from it without replacement, whose mean is the
    unbiased estimator of Tang et al. 2020 (beyond that, it rests on a handful of scores). Further: order statistics of a
    normal distribution with the control's mean and standard deviation, whose own uncertainty is not in the band. Raises
    ValueError for fewer than two scores.
    """
    if len(scores) < 2:
        raise ValueError("a null band needs two scores")
    measured_to = min(len(scores) // 2, longest)
    mean, sd = float(np.mean(scores)), float(np.std(scores, ddof=1))
    measured = [_measured(scores, n) for n in range(1, measured_to + 1)]
    beyond = [_normal(mean, sd, n) for n in range(measured_to + 1, longest + 1)]
    expected, low, median, high = zip(*measured, *beyond, strict=True)
    return NullBand(len(scores), measured_to, tuple(range(1, longest + 1)), expected, low, median, high)


def best_of_subsets(size: int, n: int) -> Floats:
    """Probability that the i-th smallest of `size` scores is the smallest of n drawn without replacement: [size].

    C(size - i, n - 1) / C(size, n), from one i to the next, since the binomials themselves overflow for large controls.
    """
    left = np.arange(size - 1, 0, -1)  # scores above the i-th, for all but the last
    steps = np.maximum(0, left - n + 1) / left
    return np.asarray(n / size * np.cumprod(np.concatenate([[1.0], steps])))


def expected_normal_minimum(n: int) -> float:
    """The expected minimum of n standard normal draws, by the trapezoid rule: -1.5388 for 10."""
    density = n * stats.norm.pdf(GRID) * stats.norm.sf(GRID) ** (n - 1)
    return float(integrate.trapezoid(GRID * density, GRID))


def _measured(scores: Sequence[float], n: int) -> tuple[float, ...]:
    """Expected best of n, and its quantiles."""
    values, shares = np.sort(scores), best_of_subsets(len(scores), n)
    places = np.searchsorted(np.cumsum(shares), np.array(QUANTILES) - 1e-12)
    return float(values @ shares), *(float(values[place]) for place in places)


def _normal(mean: float, sd: float, n: int) -> tuple[float, ...]:
    quantiles = stats.norm.ppf(1 - (1 - np.array(QUANTILES)) ** (1 / n))
    return mean + sd * expected_normal_minimum(n), *(float(mean + sd * quantile) for quantile in quantiles)
