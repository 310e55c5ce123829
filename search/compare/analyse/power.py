"""How many trials, repeats and studies tell a difference from noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from search.compare.analyse.intervals import estimate
from search.compare.analyse.results import ALPHA

POWER = 0.8
MOST = 10_000  # studies or repeats; more is told as "not settled that way"
EXACT = 10  # studies up to which a sign-flip test's power is simulated: few p-values cost it up to 0.05 of a t test's power
DRAWS = 2_000  # a power is known to about 0.01

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variances:
    """Standard deviations that a contrast between two strategies has. `between`: of the difference of two studies' true
    scores. `own`: of one repeat, of both winners of a pair together, where no other study uses them. `shared`: of one
    repeat of programs that all studies share, as the stock is in a contrast with the control."""

    between: float
    own: float
    shared: float = 0.0

    def of_mean(self, studies: int, repeats: int) -> tuple[float, float]:
        """Variance of the mean difference, and its degrees of freedom after Satterthwaite."""
        spread, common = (self.between + self.own / repeats) / studies, self.shared / repeats
        below = spread**2 / (studies - 1) + (common**2 / (repeats - 1) if common else 0.0)
        return spread + common, (spread + common) ** 2 / below

    def power(self, difference: float, studies: int, repeats: int, alpha: float) -> float:
        """Chance that a one-sided t test at `alpha` shows a true difference (0 or more)."""
        variance, degrees = self.of_mean(studies, repeats)
        return t_power(difference / math.sqrt(variance), degrees, alpha)


def t_power(errors: float, degrees: float, alpha: float) -> float:
    """Chance that a one-sided t test at `alpha` shows what is so many standard errors away. From scipy's noncentral t, since
    statsmodels' power classes, which agree, are NaN for some large differences."""
    return float(stats.nct.sf(stats.t.isf(alpha, degrees), degrees, errors))


def fewest_studies(contrasts: int, alpha: float = ALPHA) -> int:
    """Below that, no sign-flip test can be significant after Holm's correction: its smallest p is 1 / 2^n."""
    return math.ceil(math.log2(contrasts / alpha))


def studies_needed(
    variances: Variances, difference: float, repeats: int, contrasts: int = 1, power: float = POWER
) -> int | None:
    """Studies per strategy that show a true difference with that power in a family of so many contrasts (as the strictest
    of them); None beyond MOST."""
    alpha = ALPHA / contrasts
    if variances.shared:
        return _smallest(2, lambda n: variances.power(difference, n, repeats, alpha) >= power)
    sd = math.sqrt(variances.between + variances.own / repeats)
    return _smallest(fewest_studies(contrasts), lambda n: sign_flip_power(difference / sd, n, alpha) >= power)


def repeats_needed(
    variances: Variances, difference: float, studies: int, contrasts: int = 1, power: float = POWER
) -> int | None:
    """Confirmation repeats that show it with the studies there are; None where no number of repeats can."""
    alpha = ALPHA / contrasts
    if not variances.shared and studies < fewest_studies(contrasts):
        return None
    if not variances.between and not variances.own and not variances.shared:
        return None
    return _smallest(2, lambda repeats: _with_repeats(variances, difference, studies, repeats, alpha) >= power)


def detectable(variances: Variances, studies: int, repeats: int, contrasts: int = 1, power: float = POWER) -> float | None:
    """The smallest true difference that is shown with that power; None where none can be."""
    alpha = ALPHA / contrasts
    error = math.sqrt(variances.of_mean(studies, repeats)[0])
    if error == 0 or (not variances.shared and studies < fewest_studies(contrasts)):
        return None

    def lacking(sizes: float) -> float:
        return _with_repeats(variances, sizes * error, studies, repeats, alpha) - power

    if lacking(100.0) < 0:
        return None
    return float(optimize.brentq(lacking, 0.0, 100.0, xtol=0.01)) * error


def repeats_against_stock(difference: float, sd: float, power: float = POWER) -> int | None:
    """Repeats of stock and winner each that show a gain with that power, one-sided, at 5 %; None beyond MOST."""
    return _smallest(2, lambda n: t_power(difference / sd * math.sqrt(n / 2), 2 * n - 2, ALPHA) >= power)


def control_trials(reach: float, sd: float) -> int | None:
    """Trials of the control that give the interval of its mean that reach (half its width); None beyond MOST."""
    return _smallest(2, lambda n: _reach(sd, n) <= reach)


def sign_flip_power(effect: float, studies: int, alpha: float) -> float:
    """Chance that a one-sided sign-flip test shows a mean difference of so many standard deviations. Simulated (normal
    differences, fixed seed) for few studies; for many it is the t test's."""
    if studies > EXACT:
        return t_power(effect * math.sqrt(studies), studies - 1, alpha)
    signs, sums = _flipped_sums(studies)
    sums = sums + effect * signs.sum(axis=1)
    p = np.count_nonzero(sums >= sums[:, :1] - 1e-9, axis=1) / len(signs)
    return float(np.mean(p <= alpha))


def _with_repeats(variances: Variances, difference: float, studies: int, repeats: int, alpha: float) -> float:
    if variances.shared:
        return variances.power(difference, studies, repeats, alpha)
    sd = math.sqrt(variances.between + variances.own / repeats)
    return sign_flip_power(difference / sd, studies, alpha)


def _reach(sd: float, trials: int) -> float:
    found = estimate(0.0, sd**2 / trials, trials - 1)
    assert found.high is not None
    return found.high


def _smallest(least: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest count from `least` to MOST that is enough, where more of it is never less."""
    high = least
    while not enough(high):
        if high == MOST:
            return None
        high = min(2 * high, MOST)
    low = least
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


@cache
def _flipped_sums(studies: int) -> tuple[Floats, Floats]:
    """All patterns of signs [2^studies, studies], none flipped first; and the sums of DRAWS samples of standard normal
    differences under each of them [DRAWS, 2^studies]."""
    bits = (np.arange(2**studies)[:, None] >> np.arange(studies)) & 1
    signs = 1.0 - 2.0 * bits
    draws: Floats = np.random.default_rng(0).standard_normal((DRAWS, studies))
    return np.asarray(signs, dtype=np.float64), draws @ signs.T
