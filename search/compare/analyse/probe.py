"""What the machine's speed did to scores within blocks, by the probe of fixed work around each training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.compare.analyse.finding import ALPHA, Estimate
from search.compare.analyse.intervals import Variance, estimated, tested
from search.compare.read.tables import TrialRow

Floats = npt.NDArray[np.float64]

ONE_PERCENT = math.log(1.01)
ROUNDS = 50  # of taking out the means of blocks and arms in turn, which converges fast
LEFT = 6  # degrees of freedom below which nothing is adjusted


@dataclass(frozen=True)
class Effect:
    """`slope`: bits per byte that a run gains by a machine that is 1 % faster by the probe. `mean`: the logarithm of the
    probe that scores are adjusted to. `share`: of the variance within blocks that it explains. `runs`: it rests on."""

    slope: Estimate
    mean: float
    share: float
    runs: int

    def of(self, row: TrialRow) -> float:
        """By how much a run's score is worse (or better, below 0) because its machine was slower than on average."""
        speed = speed_of(row)
        return 0.0 if speed is None else (self.mean - speed) / ONE_PERCENT * self.slope.value


def speed_of(row: TrialRow) -> float | None:
    """Logarithm of the probe before a run; None where it was not measured. The one after it may have felt the run itself: a
    program that heats the machine up would be given credit for that."""
    return math.log(row.probe_before) if row.probe_before else None


def effect_of(rows: Sequence[TrialRow]) -> Effect | None:
    """Of the confirmation's runs that were probed, by least squares with an effect of each block and of each program. None
    where they are too few, or where it explains nothing: a slope that is not shown is not adjusted by.

    Programs' own tokens are no covariate, since a program's speed is its merit.
    """
    speeds = [speed_of(row) for row in rows]
    if not rows or any(speed is None for speed in speeds):
        return None
    blocks = [f"{row.search_seed}/{row.repeat}/{row.visit}" for row in rows]
    groups = [np.unique(names, return_inverse=True)[1] for names in (blocks, [str(row.arm) for row in rows])]
    speed = _within(np.array(speeds, dtype=float), groups)
    score = _within(np.array([row.confirmation_bpb for row in rows], dtype=float), groups)
    degrees = len(rows) - sum(int(group.max()) + 1 for group in groups)
    explaining = float(speed @ speed)
    if degrees < LEFT or explaining == 0:
        return None
    slope = float(speed @ score) / explaining
    left = float(((score - slope * speed) ** 2).sum())
    per_percent, variance = -slope * ONE_PERCENT, Variance(left / degrees / explaining * ONE_PERCENT**2, degrees)
    p, _ = tested(per_percent, variance)
    if p is None or p >= ALPHA:
        return None
    mean, share = float(np.mean(np.array(speeds))), 1 - left / float(score @ score)
    return Effect(estimated(per_percent, variance), mean, share, len(rows))


def _within(values: Floats, groups: Sequence[npt.NDArray[np.intp]]) -> Floats:
    """What is left of values when the means of their block and of their program are taken out. `groups`: of each value, its
    number."""
    for _ in range(ROUNDS):
        for group in groups:
            values = values - (np.bincount(group, values) / np.bincount(group))[group]
    return values
