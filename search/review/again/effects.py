"""Computes what each keep gains over the start and over the keep before it, run beside it, and whether that holds."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from search.review.again.plan import WARM_UP, Arm, Plan
from search.review.again.record import Line

CONFIDENCE = 0.95  # that all intervals of a column contain their true values at once
FEWEST_BLOCKS = 5  # as everywhere in this program
SAME = 1e-12  # share of the scores' size: smaller differences come from rounding

Block = Mapping[int, Line]  # a run for each trial


class Held(StrEnum):
    HOLDS = "holds"
    LOSS = "a loss here"
    OPEN = "no gain shown"
    FAILS = "fails here"
    FEW = "too few blocks"
    NO_NOISE = "the same in every block"
    UNFINISHED = "not finished"


@dataclass(frozen=True)
class Contrast:
    """A keep compared with another program. `gain`: mean over the `blocks` in which both have a metric; positive is better.
    `low`, `high`: its interval, None for fewer than two such blocks or if nothing varies. `failed`: blocks in which the keep
    has no metric and the other has one."""

    blocks: int
    failed: int
    gain: float | None
    low: float | None
    high: float | None
    held: Held


@dataclass(frozen=True)
class Effect:
    """One keep. `logged`: its gain over the start in the log. `step`: compared with the best keep before it, if that is run
    too. `why`: how its runs without a metric ended."""

    trial: int
    commit: str
    logged: float
    gain: Contrast
    step: Contrast | None
    why: tuple[str, ...]


@dataclass(frozen=True)
class Again:
    """What running again has shown so far. `missing`: keeps that could not be run, with the reason. `left`: runs that are
    planned and not done. `looks`: how often a result was stated, this time included. `start_failed`: how runs of the start
    without a metric ended. `way`: how programs were run. `scores`: what kind of number every metric is."""

    effects: tuple[Effect, ...]
    missing: tuple[tuple[int, str], ...]
    runs: tuple[Line, ...]
    left: int
    looks: int
    start_failed: tuple[str, ...]
    way: Line
    scores: str


def effects_of(plan: Plan, runs: Sequence[Line], lower: bool, looks: int, finished: bool) -> tuple[Effect, ...]:
    """Returns the effect of every keep of the plan. `runs`: from the record. `looks`: how often results like these were
    stated, this time included. `finished`: nothing is stated before all is run, or chance could choose when to stop."""
    blocks: dict[int, dict[int, Line]] = defaultdict(dict)
    for run in runs:
        if run["block"] != WARM_UP:
            blocks[run["block"]][run["trial"]] = run
    arms = {arm.trial for arm in (plan.start, *plan.keeps)}
    steps = sum(arm.before in arms for arm in plan.keeps)

    def against(arm: Arm, other: int, tests: int) -> Contrast:
        found = contrast(list(blocks.values()), arm.trial, other, 1 if lower else -1, tests * looks)
        return found if finished else replace(found, held=Held.UNFINISHED)

    return tuple(
        Effect(
            trial=arm.trial,
            commit=arm.commit,
            logged=arm.logged,
            gain=against(arm, plan.start.trial, len(plan.keeps)),
            step=against(arm, arm.before, steps) if arm.before in arms else None,
            why=failures(run for run in runs if run["trial"] == arm.trial),
        )
        for arm in plan.keeps
    )


def failures(runs: Iterable[Line]) -> tuple[str, ...]:
    """Returns how runs without a metric ended, each way once."""
    return tuple(dict.fromkeys(f"{run['end']}: {run['reason']}" for run in runs if run["value"] is None))


def contrast(blocks: Sequence[Block], trial: int, other: int, sign: int, tests: int) -> Contrast:
    """Compares two trials block by block. `sign`: 1 if lower is better, else -1. `tests`: how many contrasts are read
    together."""
    both = [(block[other]["value"], block[trial]["value"]) for block in blocks if trial in block and other in block]
    mine = [(first, second) for first, second in both if first is not None]
    pairs = [(first, second) for first, second in mine if second is not None]
    gains = np.array([sign * (first - second) for first, second in pairs], dtype=float)
    noisy = len(gains) > 1 and float(np.ptp(gains)) > SAME * float(np.abs(pairs).max())
    low, high = interval(gains, tests) if noisy else (None, None)
    return Contrast(
        blocks=len(pairs),
        failed=len(mine) - len(pairs),
        gain=float(gains.mean()) if len(gains) else None,
        low=low,
        high=high,
        held=_held(len(pairs), len(mine) - len(pairs), low, high),
    )


def interval(gains: np.ndarray, tests: int) -> tuple[float, float]:
    """Returns Student's interval of the mean of paired differences. It is so wide that the intervals of as many `tests` all
    contain the true means in 95 % of cases (Bonferroni), whatever the programs of a block share."""
    reach = _quantile(tests, len(gains) - 1) * float(gains.std(ddof=1)) / math.sqrt(len(gains))
    return float(gains.mean()) - reach, float(gains.mean()) + reach


@functools.cache
def _quantile(tests: int, degrees: int) -> float:
    return float(stats.t.isf((1 - CONFIDENCE) / (2 * tests), degrees))


def _held(blocks: int, failed: int, low: float | None, high: float | None) -> Held:
    """Applies one rule: the interval of at least five blocks is above 0, and the keep ran wherever the other did."""
    if failed:
        return Held.FAILS
    if blocks < FEWEST_BLOCKS:
        return Held.FEW
    if low is None or high is None:
        return Held.NO_NOISE
    return Held.HOLDS if low > 0 else Held.LOSS if high < 0 else Held.OPEN
