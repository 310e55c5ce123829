"""Best-so-far of each study, and its median over the studies of a strategy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.compare.analyse.studies import dollars
from search.compare.read.tables import StudyTable

POINTS = 200  # of a median's grid over hours or dollars


@dataclass(frozen=True)
class StudyCurve:
    """Parallel tuples over the trials that count against the budget. `hours`, `usd`: used when the trial had ended (anchors
    cost hours too; `usd` is None where it is unknown). `score`: None where a trial has none that may win. `best`: so far."""

    study: str
    strategy: str
    search_seed: int
    trial: tuple[int, ...]
    hours: tuple[float, ...]
    usd: tuple[float, ...] | None
    score: tuple[float | None, ...]
    best: tuple[float | None, ...]


@dataclass(frozen=True)
class MedianCurve:
    """Median of best-so-far over the studies of one strategy, as far as all of them reach. `axis`: trials (their
    numbers), hours or usd."""

    strategy: str
    axis: str
    studies: int
    x: tuple[float, ...]
    best: tuple[float, ...]


def study_curve(study: StudyTable) -> StudyCurve:
    rows, known = study.rows, dollars(study.rows) is not None
    hours = itertools.accumulate(row.train_seconds / 3600 for row in rows)
    usd = itertools.accumulate(row.usd or 0.0 for row in rows)  # shown only where all of them are known
    spent = [point for row, *point in zip(rows, hours, usd, strict=True) if not row.is_anchor]
    scores = tuple(row.score for row in study.trials)
    best = np.minimum.accumulate([math.inf if score is None else score for score in scores]) if scores else ()
    return StudyCurve(
        study=study.identity,
        strategy=study.strategy,
        search_seed=study.search_seed,
        trial=tuple(row.number for row in study.trials),
        hours=tuple(used for used, _ in spent),
        usd=tuple(paid for _, paid in spent) if known else None,
        score=scores,
        best=tuple(float(score) if math.isfinite(score) else None for score in best),
    )


def medians(curves: Sequence[StudyCurve]) -> tuple[MedianCurve, ...]:
    """The median curve of each strategy on each axis. Dollars only where every study of it has spent some."""
    found = []
    for strategy in sorted({curve.strategy for curve in curves}):
        mine = [curve for curve in curves if curve.strategy == strategy and any(best is not None for best in curve.best)]
        if not mine:
            continue
        found.append(_median(strategy, "trials", [(curve.trial, curve.best) for curve in mine]))
        found.append(_median(strategy, "hours", [(curve.hours, curve.best) for curve in mine]))
        paid = [(curve.usd, curve.best) for curve in mine if curve.usd is not None and curve.usd[-1] > 0]
        if len(paid) == len(mine):
            found.append(_median(strategy, "usd", paid))
    return tuple(found)


def _median(strategy: str, axis: str, curves: Sequence[tuple[Sequence[float], Sequence[float | None]]]) -> MedianCurve:
    """From where each curve has a score to where the shortest ends."""
    known = [[(x, best) for x, best in zip(*curve, strict=True) if best is not None] for curve in curves]
    start, end = max(curve[0][0] for curve in known), min(curve[-1][0] for curve in known)
    if axis == "trials":
        grid = np.arange(start, end + 1)
    else:
        grid = np.linspace(start, end, POINTS) if end > start else np.array([])
    steps = [best[np.searchsorted(x, grid, side="right") - 1] for x, best in (np.transpose(curve) for curve in known)]
    middle = np.median(steps, axis=0) if len(grid) else grid
    return MedianCurve(strategy, axis, len(curves), tuple(map(float, grid)), tuple(map(float, middle)))
