"""What a slower minute costs: the stock's score against the number of tokens that a training saw.

The stock's runs are one program, so that under a budget of seconds their tokens differ by the machine's speed alone. The
confirmation's runs of the stock are left out: what the slope says of the stock's shift would else be fitted to that shift.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from search.compare.analyse.intervals import estimate, pooled_spread
from search.compare.analyse.noise import FEWEST_CONTROL, control_runs, stock_runs
from search.compare.analyse.results import FRESH_SEEDS, SAME_SEED, Estimate, SpeedEffect, TokensSeen
from search.compare.read.tables import Experiment, TrialRow

ONE_PERCENT_FEWER = math.log(0.99)
LEFT_TO_EXPLAIN = FEWEST_CONTROL - 2  # degrees of freedom, which as many runs of one group leave
LEAST_SPREAD = 1.0  # standard deviation in optimizer steps, below which it is rounding that differs, and not speed


def slopes(experiment: Experiment) -> tuple[TokensSeen, ...]:
    """From the control, and from the stock with its anchors, as far as they can be told; the control's first."""
    by_seed: dict[int, list[TrialRow]] = defaultdict(list)
    for study in experiment.studies:
        for row in stock_runs(study):
            by_seed[row.training_seed].append(row)
    found = (
        tokens_seen(FRESH_SEEDS, [control_runs(experiment)]),
        tokens_seen(SAME_SEED, by_seed.values()),
    )
    return tuple(seen for seen in found if seen is not None)


def tokens_seen(repeats: str, runs: Iterable[Sequence[TrialRow]]) -> TokensSeen | None:
    """Least squares of scores on the logarithm of tokens, both as deviations from their group's mean. None where runs are
    too few, or where they all saw practically equally many tokens."""
    known = [[row for row in group if row.tokens > 0] for group in runs]
    groups = [group for group in known if len(group) > 1]
    trials = sum(len(group) for group in groups)
    degrees = trials - len(groups) - 1
    spread = pooled_spread([[row.steps for row in group] for group in groups])
    if degrees < LEFT_TO_EXPLAIN or spread is None or spread.sd < LEAST_SPREAD:
        return None
    logs = _deviations([[math.log(row.tokens) for row in group] for group in groups])
    fewer = logs / ONE_PERCENT_FEWER
    worse = _deviations([[row.val_bpb for row in group if row.val_bpb is not None] for group in groups])
    explaining, total = float(fewer @ fewer), float(worse @ worse)
    if total == 0:
        return None
    slope = float(fewer @ worse) / explaining
    variance_left = float(np.sum((worse - slope * fewer) ** 2)) / degrees
    return TokensSeen(
        repeats=repeats,
        groups=len(groups),
        trials=trials,
        slope=estimate(slope, variance_left / explaining, degrees),
        r_squared=1 - variance_left / (total / (degrees + 1)),
        sd_left=math.sqrt(variance_left),
        least=math.exp(logs.min()),
        most=math.exp(logs.max()),
    )


def effect(log_ratio: float, tokens: Sequence[TokensSeen]) -> SpeedEffect | None:
    """By how much a score gets worse where the logarithm of speed changes by `log_ratio`. None where no slope is known."""
    if not tokens:
        return None
    if log_ratio == 0:  # the control against itself
        return SpeedEffect(Estimate(0.0, 0.0, 0.0, 0.0, by_definition=True), extrapolated=False)
    seen, fewer = tokens[0], log_ratio / ONE_PERCENT_FEWER
    outside = not math.log(seen.least) <= log_ratio <= math.log(seen.most)
    return SpeedEffect(_times(seen.slope, fewer), extrapolated=outside)


def _deviations(groups: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    return np.concatenate([np.array(group) - np.mean(group) for group in groups])


def _times(slope: Estimate, factor: float) -> Estimate:
    assert slope.standard_error is not None and slope.low is not None and slope.high is not None  # a regression's
    low, high = sorted((factor * slope.low, factor * slope.high))
    return Estimate(factor * slope.value, abs(factor) * slope.standard_error, low, high)
