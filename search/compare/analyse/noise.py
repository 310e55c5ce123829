"""How much two training runs of the same program differ: the noise floor, and what luck alone reaches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from search.compare.analyse.finding import Estimate, Spread
from search.compare.analyse.intervals import estimated, pooled_spread, variance_of
from search.compare.read.tables import Experiment, StudyTable, TrialRow
from search.study.trial import Origin, Status

QUANTILES = (0.05, 0.5, 0.95)
POSTERIOR = 4_000  # draws of the mean and standard deviation behind the band: its quantiles are then known to 0.02 sd


@dataclass(frozen=True)
class LuckBand:
    """The best of n new draws of the unchanged stock, for n = 1, 2, ...: quantiles at 5, 50 and 95 %.

    A prediction: the uncertainty of the control's own mean and standard deviation is in it. It ends where it would be
    extrapolation: at as many draws as the control has.
    """

    low: tuple[float, ...]
    median: tuple[float, ...]
    high: tuple[float, ...]

    def at(self, draws: int) -> tuple[float, float] | None:
        """Its ends (5 and 95 %) for so many draws; None beyond the band."""
        return (self.low[draws - 1], self.high[draws - 1]) if 0 < draws <= len(self.low) else None


@dataclass(frozen=True)
class Noise:
    """`trials`, `mean`, `sd`: of the control, the stock under fresh training seeds; `failures`: its trials without a score.
    `within`, `across`: standard deviation of the stock when it is trained again with the same training seed, within a study
    and between studies, which run at other times or on other machines. `hours`: variance by which scores of the studies' own
    stock differ from the control's beyond its noise: the machine of other hours."""

    trials: int
    failures: int
    mean: Estimate | None
    sd: Spread | None
    within: Spread | None
    across: Spread | None
    hours: float
    band: LuckBand | None


def noise_of(experiment: Experiment) -> Noise:
    scores = control_scores(experiment)
    return Noise(
        trials=len(scores),
        failures=sum(len(study.trials) for study in experiment.control) - len(scores),
        mean=mean_of(scores),
        sd=pooled_spread([scores]),
        within=pooled_spread([[score_of(row) for row in stock_runs(study)] for study in experiment.studies]),
        across=pooled_spread([[score_of(row) for row in rows] for rows in same_seed(experiment.studies).values()]),
        hours=_hours(experiment, scores),
        band=luck_band(scores),
    )


def _hours(experiment: Experiment, control: Sequence[float]) -> float:
    own = [stock_runs(study) for study in experiment.studies if not study.is_control]
    means = [np.mean([score_of(row) for row in rows]) for rows in own if rows]
    noise = variance_of(control)
    if noise is None or not means:
        return 0.0
    apart = float(np.mean((np.array(means) - np.mean(control)) ** 2))
    return max(0.0, apart - noise.value * (1 + 1 / len(control)))


def control_runs(experiment: Experiment) -> list[TrialRow]:
    """The stock under fresh training seeds, all search seeds of the control together, as far as it has a score."""
    return [row for study in experiment.control for row in study.trials if row.status == Status.COMPLETED]


def control_scores(experiment: Experiment) -> list[float]:
    return [score_of(row) for row in control_runs(experiment)]


def stock_runs(study: StudyTable) -> list[TrialRow]:
    """The stock that began a study and its anchors, as far as they have a score: one program, one training seed."""
    rows = [row for row in study.rows if row.origin in (Origin.STOCK, Origin.ANCHOR)]
    return [row for row in rows if row.status == Status.COMPLETED]


def same_seed(studies: Sequence[StudyTable]) -> dict[int, list[TrialRow]]:
    """The stock's runs by training seed, which studies of one search seed share."""
    found: dict[int, list[TrialRow]] = defaultdict(list)
    for study in studies:
        for row in stock_runs(study):
            found[row.training_seed].append(row)
    return found


def score_of(row: TrialRow) -> float:
    assert row.val_bpb is not None  # completed
    return row.val_bpb


def mean_of(values: Sequence[float]) -> Estimate | None:
    """With its t interval, which two values or more have; None without a value."""
    if not values:
        return None
    variance = variance_of(values)
    return estimated(float(np.mean(values)), None if variance is None else variance.over(len(values)))


def luck_band(scores: Sequence[float]) -> LuckBand | None:
    """From the control's scores, taken as normal draws, with Jeffreys' prior of their mean and standard deviation. None for
    fewer than two."""
    if len(scores) < 2:
        return None
    band = np.mean(scores) + np.std(scores, ddof=1) * _standard_band(len(scores))
    return LuckBand(*(tuple(map(float, quantile)) for quantile in band))


@lru_cache
def _standard_band(count: int) -> np.ndarray:
    """Of so many scores with a mean of 0 and a standard deviation of 1 [quantiles, draws]."""
    random = np.random.default_rng(0)
    sd = np.sqrt((count - 1) / random.chisquare(count - 1, POSTERIOR))
    mean = sd / np.sqrt(count) * random.standard_normal(POSTERIOR)
    share = random.random(POSTERIOR)
    draws = np.arange(1, count + 1)[:, np.newaxis]
    best = mean + sd * special.ndtri(1 - (1 - share) ** (1 / draws))
    return np.asarray(np.quantile(best, QUANTILES, axis=1))
