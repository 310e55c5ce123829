"""What luck alone does in a log: noisy draws of one unchanged program, of which the best is kept.

Scores are costs here: lower is better. All of this is about programs that are no better than the one they are compared with.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

LEVEL = 0.05  # share of the logs without any improvement in which one may be claimed
RANGE = (0.025, 0.975)
QUANTILES = (RANGE[0], 0.5, RANGE[1])
NODES = 2_000  # of the integral over what the standard deviation may be
DRAWS = 4_000  # simulated logs behind the band: its ends are then known to about 0.05 standard deviations
BLOCK = 500  # of them at a time in memory


@dataclass(frozen=True)
class Noise:
    """How much training runs of one program differ. `sd`: in the metric's unit; `degrees`: of freedom of its estimate, None
    if it is taken as known; `source`: where it comes from, in words."""

    sd: float
    degrees: int | None
    source: str


@dataclass(frozen=True)
class Band:
    """The claim (start minus best so far) of an unchanged program after each of n further draws: its median, and the range
    that contains it in 95 % of logs. Index 0: after no draw."""

    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Records:
    """How many of a log's scores beat all before them. `expected`, `low`, `high`: of as many draws of an unchanged program,
    on average and in 95 % of logs, for any noise. `chance`: that such draws set as many records as the log, or more."""

    found: int
    expected: float
    low: int
    high: int
    chance: float


@functools.cache
def margin(comparisons: int, degrees: int | None = None) -> float:
    """Returns by how many standard deviations a score must beat the one it is compared with to be beyond luck.

    The difference of two training runs of equally good programs has a standard deviation of sqrt(2). In a log each later
    score is compared once with the score that then stands, and is independent of it; the one that stands was chosen for
    being low, which makes it harder to beat. So the chance that all stay within the margin is at least that of as many
    independent comparisons, Phi(margin / sqrt(2)) ** comparisons (Sidak's bound), which is set to 95 %. If the standard
    deviation is an estimate, this is averaged over its possible true values. `comparisons`: scores after the first.
    """
    if comparisons < 1:
        return 0.0
    if degrees is None:
        return float(np.sqrt(2) * stats.norm.ppf((1 - LEVEL) ** (1 / comparisons)))
    shares = (np.arange(NODES) + 0.5) / NODES
    estimates = np.sqrt(stats.chi2.ppf(shares, degrees) / degrees)  # of a true standard deviation of 1

    def exceeded(factor: float) -> float:
        kept = stats.norm.logcdf(factor * estimates / np.sqrt(2)) * comparisons
        return float(1 - np.exp(kept).mean()) - LEVEL

    return float(optimize.brentq(exceeded, 0.0, 1e6))


def band(draws: int, noise: Noise) -> Band:
    """Returns the band for 0, 1, ..., `draws` further draws. It includes the uncertainty of the standard deviation.
    Seeded."""
    low, median, high = (tuple(float(noise.sd * claim) for claim in claims) for claims in _claims(draws, noise.degrees))
    return Band(low, median, high)


@functools.cache
def _claims(draws: int, degrees: int | None) -> np.ndarray:
    """Returns quantiles of simulated claims in standard deviations, of shape [3, draws + 1]."""
    random = np.random.default_rng(0)
    claims = np.empty((DRAWS, draws + 1), dtype=np.float32)
    for at in range(0, DRAWS, BLOCK):
        scores = random.standard_normal((BLOCK, draws + 1))
        claims[at : at + BLOCK] = scores[:, :1] - np.minimum.accumulate(scores, axis=1)
    if degrees is not None:
        claims *= np.sqrt(degrees / random.chisquare(degrees, (DRAWS, 1))).astype(np.float32)
    return np.quantile(claims, QUANTILES, axis=0)


def records(scores: Sequence[float]) -> Records:
    """Counts the scores that beat all before them; the first does not count."""
    best = np.minimum.accumulate(np.asarray(scores, dtype=float))
    found = int((best[1:] < best[:-1]).sum())
    expected, summed = _record_chances(len(scores))
    low, high = (int(np.searchsorted(summed, share)) for share in RANGE)
    return Records(found, expected, low, high, float(1 - summed[found - 1]) if found else 1.0)


@functools.cache
def _record_chances(draws: int) -> tuple[float, np.ndarray]:
    """Returns the mean number of records, and the chances of at most 0, 1, ... records. The i-th of exchangeable draws is a
    record with chance 1/i, independently of the others and for any noise (Renyi 1962)."""
    chances = 1 / np.arange(2, draws + 1)
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, (1 - chance, chance))
    return float(chances.sum()), np.cumsum(counts)


def steps(kept: Sequence[float], margin: float) -> tuple[int, ...]:
    """Returns the indexes of the kept scores that are beyond luck; the first is the start. Each beats the one that stands by
    more than the margin, in the metric's unit, and stands from then on."""
    found, stands = [], kept[0]
    for index, score in enumerate(kept[1:], 1):
        if stands - score > margin:
            found.append(index)
            stands = score
    return tuple(found)


def spread(groups: Sequence[Sequence[float]]) -> tuple[float, int] | None:
    """Returns the pooled standard deviation within groups of repeats, and its degrees of freedom; None without any."""
    degrees = sum(len(group) - 1 for group in groups)
    if degrees < 1:
        return None
    squares = sum(float(((np.asarray(group) - np.mean(group)) ** 2).sum()) for group in groups)
    return float(np.sqrt(squares / degrees)), degrees


def repeats_for(gain: float, sd: float, power: float = 0.8, tests: int = 1) -> int:
    """Returns how many training runs of each of two programs show a true gain with that power, one-sided at 5 % shared among
    so many tests. Uses the normal approximation, and five at least, as everywhere in fairtrial."""
    z = stats.norm.ppf(1 - LEVEL / tests) + stats.norm.ppf(power)
    return max(5, int(np.ceil(2 * (sd * z / gain) ** 2)))
