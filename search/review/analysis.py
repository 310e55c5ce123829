"""Judges what a log shows, and what luck alone could show as well. Pure: the same log and noise give the same review."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from search.review.keeps import Keep, Verdict, keeps_of, score_of
from search.review.luck import Band, Noise, Records, band, margin, records, steps
from search.review.read.log import Log
from search.review.read.words import Became
from search.review.settle import Test, tests_of

SCHEMA = "fairtrial.review/1"


@dataclass(frozen=True)
class Review:
    """The result of a review. `comparisons`: scores after the first. `claimed`: start minus best kept, positive is better.
    `margin_sds`: by how many standard deviations of the noise a score must beat the one that stands; `margin`: the same in
    the metric's unit. `at_least`: how much of the claim is a true gain, at 95 % confidence. `carried`: sum of the steps, as
    logged, of the keeps that are beyond luck by themselves. `beyond_below`: the noise below which the claim is beyond luck.
    Fields that need the noise are None without it."""

    schema: str
    log: str
    metric: str
    unit: str
    lower_is_better: bool
    trials: int
    counts: dict[str, int]
    comparisons: int
    start: float
    best: float
    claimed: float
    records: Records
    noise: Noise | None
    margin_sds: float
    margin: float | None
    at_least: float | None
    carried: float | None
    beyond_below: float | None
    luck: Band | None
    keeps: tuple[Keep, ...]
    tests: tuple[Test, ...]
    said: tuple[str, ...]
    other_noise: tuple[str, ...]

    @property
    def beyond(self) -> bool | None:
        """Whether any gain is beyond luck; None if the noise is not known."""
        return None if self.at_least is None else self.at_least > 0


def review(log: Log, noise: Noise | None, other_noise: tuple[str, ...], minutes: float) -> Review:
    """Judges a log that has a kept trial and at least two scores. `minutes`: of one training run, to estimate hours."""
    kept = [trial for trial in log.trials if trial.kept]
    costs = [log.cost(trial) for trial in kept]
    comparisons = len(log.scored) - 1
    width = margin(comparisons, None if noise is None else noise.degrees)
    apart = None if noise is None else width * noise.sd
    claimed = costs[0] - min(costs)
    found = steps(costs, apart) if apart is not None else ()
    keeps = keeps_of(kept, costs, found, noise, width)
    alone = sum(keep.step for keep in keeps if keep.verdict is Verdict.BEYOND)
    return Review(
        schema=SCHEMA,
        log=log.name,
        metric=log.metric,
        unit=log.unit,
        lower_is_better=log.lower,
        trials=len(log.trials),
        counts={str(became): sum(trial.became is became for trial in log.trials) for became in Became},
        comparisons=comparisons,
        start=score_of(kept[0]),
        best=score_of(kept[int(np.argmin(costs))]),
        claimed=claimed,
        records=records([log.cost(trial) for trial in log.scored]),
        noise=noise,
        margin_sds=width,
        margin=apart,
        at_least=None if apart is None else max(0.0, claimed - apart),
        carried=None if noise is None else alone,
        beyond_below=claimed / width if claimed > 0 else None,
        luck=None if noise is None else band(comparisons, noise),
        keeps=keeps,
        tests=tests_of(keeps, claimed, noise, minutes),
        said=log.said,
        other_noise=other_noise,
    )


def to_json(reviewed: Review) -> dict[str, Any]:
    """Returns what report.json holds. Tuples become lists when it is written."""
    return {**asdict(reviewed), "beyond_luck": reviewed.beyond}
