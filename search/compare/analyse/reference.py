"""What a claim is measured against: the stock, at the hour of the winner.

A study's own stock and anchors were trained near the winner in time, but all with one training seed. The control has many
seeds, but was trained at another time, when the machine may have been faster. Both are weighted by how well they are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from search.compare.analyse.intervals import Variance
from search.compare.analyse.noise import Noise, score_of, stock_runs
from search.compare.read.tables import StudyTable, TrialRow


@dataclass(frozen=True)
class Reference:
    """`variance`: of the value, where it is known; `shared`: the part of it that all studies of the experiment share."""

    value: float
    variance: Variance | None
    shared: float


def reference_of(study: StudyTable, winner: TrialRow, noise: Noise) -> Reference | None:
    """None where neither the study's stock nor the control has a score."""
    control = _of_control(noise)
    own = None if study.is_control else _of_study(study, winner, noise)
    if own is None or control is None:
        return own or control
    if own.variance is None or control.variance is None:
        return own
    both = own.variance.value + control.variance.value
    weight = control.variance.value / both if own.variance.value else 1.0  # of the study's own, by precision
    value = weight * own.value + (1 - weight) * control.value
    parts = [own.variance.over(1 / weight**2) if weight else None]
    parts.append(control.variance.over(1 / (1 - weight) ** 2) if weight < 1 else None)
    known = [part for part in parts if part is not None]
    return Reference(value, reduce(Variance.__add__, known), (1 - weight) ** 2 * control.shared)


def _of_study(study: StudyTable, winner: TrialRow, noise: Noise) -> Reference | None:
    """The stock's score as the two runs of it that are next to the winner in time have it, in proportion."""
    runs = sorted(stock_runs(study), key=lambda row: row.started)
    if not runs:
        return None
    times, at = [row.started for row in runs], winner.started
    weights = np.array([np.interp(at, times, np.eye(len(runs))[index]) for index in range(len(runs))])
    value = float(weights @ [score_of(row) for row in runs])
    if noise.sd is None:
        return Reference(value, None, 0.0)
    # Runs of one study are near in time; what they differ by less than runs of two studies do is the machine of the hour.
    spread = noise.across or noise.within
    again = 0.0 if spread is None else spread.sd**2
    of_seed = max(0.0, noise.sd.sd**2 - again)
    return Reference(value, Variance(of_seed + again * float(weights @ weights), noise.sd.degrees), 0.0)


def _of_control(noise: Noise) -> Reference | None:
    """The control's mean. Its variance has what the machine of other hours does."""
    if noise.mean is None:
        return None
    if noise.sd is None:
        return Reference(noise.mean.value, None, 0.0)
    variance = Variance(noise.sd.sd**2 / noise.trials + noise.hours, noise.sd.degrees)
    return Reference(noise.mean.value, variance, variance.value)
