"""Draws the log as a curve: every score, the best kept so far, and what luck alone would draw from the same start."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.page.canvas import DARK, FLOOR, GREY, Picture, draw, legend_below
from search.page.numbers import plural
from search.page.text import short
from search.review.analysis import Review
from search.review.keeps import Verdict
from search.review.read.log import Log

KEPT = "#0072B2"
ROOM = 0.25  # of the curve's height, above and below


def curve(log: Log, reviewed: Review) -> Picture:
    """Draws scores as printed, against the number of the trial."""
    metric, better = short(log.metric), "lower" if log.lower else "higher"
    title = f"Best kept {metric} so far, and what luck alone reaches"
    ends = f"it begins at {reviewed.start:g} and ends at {reviewed.best:g}"
    outside = sum(not low <= score <= high for low, high in [_limits(log, reviewed)] for score in _scores(log))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _luck(axes, log, reviewed)
        _dots(axes, log)
        _best(axes, log, reviewed)
        axes.set(xlabel="trial", ylabel=f"{metric} ({better} is better)", ylim=_limits(log, reviewed))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, axes)

    caption = (
        "In 95 % of logs, the best of as many draws of the unchanged program is in the gray band. " if reviewed.luck else ""
    )
    caption += "A ring marks a keep that is beyond luck, by itself or together with others. " if reviewed.beyond else ""
    are = "is" if outside == 1 else "are"
    caption += f"{plural(outside, 'score')} {are} outside the picture." if outside else "All scores are shown."
    return draw("night", 4.6, title, f"{title}; {ends}.", caption, paint)


def _scores(log: Log) -> list[float]:
    return [trial.score for trial in log.scored if trial.score is not None]


def _limits(log: Log, reviewed: Review) -> tuple[float, float]:
    """Returns limits with room for the curve and the band. Scores of much worse programs lie outside."""
    ends = [reviewed.start, reviewed.best]
    if reviewed.luck is not None:
        ends.append(reviewed.start - reviewed.luck.high[-1] * (1 if log.lower else -1))
    low, high = min(ends), max(ends)
    room = ROOM * (high - low) or abs(high) * ROOM or 1.0
    return low - room, high + room


def _luck(axes: Axes, log: Log, reviewed: Review) -> None:
    """Draws the band from the start on, with one draw for each further score."""
    if reviewed.luck is None:
        return
    sign = 1 if log.lower else -1
    start = next(trial for trial in log.trials if trial.kept)
    others = [trial.number for trial in log.scored if trial is not start]
    drawn = [sum(number <= at for number in others) for at in range(1, len(log.trials) + 1)]
    luck = reviewed.luck
    low, median, high = (reviewed.start - sign * np.array(claims)[drawn] for claims in (luck.high, luck.median, luck.low))
    places = range(1, len(log.trials) + 1)
    axes.fill_between(places, low, high, **FLOOR, label="luck alone: 95 % of logs")
    axes.plot(places, median, color=DARK, linewidth=1, linestyle="dotted", label="luck alone: median")


def _dots(axes: Axes, log: Log) -> None:
    others = [trial for trial in log.scored if not trial.kept]
    axes.scatter(
        [one.number for one in others],
        np.array([one.score for one in others], dtype=float),
        s=9,
        color=GREY,
        label="not kept",
    )


def _best(axes: Axes, log: Log, reviewed: Review) -> None:
    keeps = reviewed.keeps
    best = np.minimum.accumulate([keep.score if log.lower else -keep.score for keep in keeps]) * (1 if log.lower else -1)
    axes.step(
        [*(keep.number for keep in keeps), len(log.trials)],
        [*best, best[-1]],
        where="post",
        color=KEPT,
        lw=2,
        label="best kept",
    )
    axes.scatter([keep.number for keep in keeps], [keep.score for keep in keeps], s=16, color=KEPT)
    beyond = [keep for keep in keeps if keep.verdict in (Verdict.BEYOND, Verdict.TOGETHER)]
    axes.scatter([keep.number for keep in beyond], [keep.score for keep in beyond], s=70, facecolors="none", edgecolors=DARK)
