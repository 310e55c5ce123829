"""Estimates with their intervals, from repeats of programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from search.compare.analyse.results import CONFIDENCE, Estimate, Spread

Samples = Mapping[str, Sequence[float]]  # scores by program


def mean_estimate(values: Sequence[float]) -> Estimate:
    """The mean with its t interval, which two values or more have. Raises ValueError without a value."""
    if not values:
        raise ValueError("a mean needs a value")
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None, None)
    error = float(stats.sem(values))
    return estimate(mean, error**2, len(values) - 1)


def estimate(value: float, variance: float, degrees: float) -> Estimate:
    """A value with its t interval. `variance`: of the value itself, known to so many degrees of freedom."""
    error = math.sqrt(variance)
    reach = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees)) if error > 0 else 0.0
    return Estimate(float(value), error, float(value - reach), float(value + reach))


def p_above_zero(value: float, variance: float, degrees: float) -> float | None:
    """One-sided p of the hypothesis that what `value` estimates is at most 0; None where there is no variance."""
    return float(stats.t.sf(value / math.sqrt(variance), degrees)) if variance > 0 else None


def pooled_spread(groups: Iterable[Sequence[float]]) -> Spread | None:
    """The standard deviation within groups, with its chi-square interval; None where no group has two values."""
    arrays = [np.asarray(group, dtype=float) for group in groups if len(group) > 1]
    degrees = sum(len(array) - 1 for array in arrays)
    if degrees == 0:
        return None
    squares = sum(float(np.sum((array - array.mean()) ** 2)) for array in arrays)
    low, high = stats.chi2.ppf([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], degrees)
    return Spread(math.sqrt(squares / degrees), math.sqrt(squares / low), math.sqrt(squares / high), degrees)


@dataclass(frozen=True)
class Combination:
    """A constant plus weighted means of programs' scores: stock minus winner is {"stock": 1, "winner": -1}."""

    weights: Mapping[str, float] = field(default_factory=dict)
    constant: float = 0.0

    def __add__(self, other: Combination) -> Combination:
        names = {*self.weights, *other.weights}
        weights = {name: self.weights.get(name, 0) + other.weights.get(name, 0) for name in names}
        return Combination({name: weight for name, weight in weights.items() if weight}, self.constant + other.constant)

    def __sub__(self, other: Combination) -> Combination:
        negative = Combination({name: -weight for name, weight in other.weights.items()}, -other.constant)
        return self + negative

    def value(self, samples: Samples) -> float:
        """Raises KeyError where a program has no score."""
        return self.constant + sum(weight * float(np.mean(samples[name])) for name, weight in self.weights.items())

    def estimate(self, samples: Samples) -> Estimate:
        """With the interval of Welch and Satterthwaite: of two programs, it is Welch's. A combination without programs is
        so by definition. Raises KeyError where a program has no score."""
        value = self.value(samples)
        if not self.weights:
            return Estimate(value, 0.0, value, value, by_definition=True)
        if any(len(samples[name]) < 2 for name in self.weights):
            return Estimate(value, None, None, None)
        return estimate(value, *_sum_of(self._parts(samples)))

    def p_not_above_zero(self, samples: Samples) -> float | None:
        """One-sided p of the hypothesis that it is at most 0. None where it has no spread to be held against."""
        if not self.weights or any(len(samples[name]) < 2 for name in self.weights):
            return None
        return p_above_zero(self.value(samples), *_sum_of(self._parts(samples)))

    def _parts(self, samples: Samples) -> list[_Part]:
        return [_Part(w**2 * _variance_of_mean(samples[name]), len(samples[name]) - 1) for name, w in self.weights.items()]


@dataclass(frozen=True)
class Mean:
    """A mean over studies. `shared`: whether different studies used the same program's scores. `by_definition`: whether no
    program's score is in it, and all studies have the same value."""

    value: float
    variance: float | None
    degrees: float | None
    shared: bool
    by_definition: bool = False

    @property
    def estimate(self) -> Estimate:
        if self.by_definition:
            return Estimate(self.value, 0.0, self.value, self.value, by_definition=True)
        if self.variance is None or self.degrees is None:
            return Estimate(self.value, None, None, None)
        return estimate(self.value, self.variance, self.degrees)


def mean_over_studies(studies: Sequence[Combination], samples: Samples) -> Mean:
    """The mean of one number per study, with what studies share counted once.

    Studies that ended with the same program (often the stock itself) have the same scores, and so the same error, which
    the spread between them cannot show. For each such program the mean covariance between two studies, w_i w_j s^2 / K
    averaged over all pairs, is added to the usual s^2 / n; degrees of freedom after Satterthwaite. Without shared programs
    this is the paired t interval; where all studies of one side share one program it is Welch's, of studies against the
    repeats of that program.
    """
    values = [study.value(samples) for study in studies]
    count = len(values)
    mean = float(np.mean(values))
    pairs = count * (count - 1)
    if len(set(values)) == 1 and not any(study.weights for study in studies):
        return Mean(mean, 0.0, None, shared=False, by_definition=True)
    names = sorted({name for study in studies for name in study.weights})
    shared = [name for name in names if sum(name in study.weights for study in studies) > 1]
    if count < 2 or any(len(samples[name]) < 2 for name in shared):
        return Mean(mean, None, None, bool(shared))
    parts = [_Part(float(np.var(values, ddof=1)) / count, count - 1)]
    for name in shared:
        weights = np.array([study.weights.get(name, 0.0) for study in studies])
        both = float(weights.sum() ** 2 - (weights**2).sum()) / pairs
        parts.append(_Part(both * _variance_of_mean(samples[name]), len(samples[name]) - 1))
    if sum(part.variance for part in parts) <= parts[0].variance:  # shared errors that cancel are not taken credit for
        parts = parts[:1]
    return Mean(mean, *_sum_of(parts), bool(shared))


@dataclass(frozen=True)
class _Part:
    variance: float
    degrees: int


def _variance_of_mean(values: Sequence[float]) -> float:
    return float(np.var(values, ddof=1)) / len(values)


def _sum_of(parts: Sequence[_Part]) -> tuple[float, float]:
    """Variance of a sum of independent parts, and its degrees of freedom after Satterthwaite."""
    variance = sum(part.variance for part in parts)
    below = sum(part.variance**2 / part.degrees for part in parts)
    return variance, variance**2 / below if below > 0 else float(sum(part.degrees for part in parts))
