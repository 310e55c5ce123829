"""Draws all trials with their scores, the best so far of each strategy, and what luck alone reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.compare.analyse.curves import StudyCurve
from search.compare.read.tables import Experiment, StudyTable
from search.compare.show.view import View
from search.page.canvas import DARK, FLOOR, Picture, draw, legend_below
from search.page.numbers import plural
from search.tracking.colours import Style

AXES = {"trials": "trials", "hours": "training time (hours)", "usd": "price of the LLM (US dollars)"}
UNLIKE = 1.25  # ratio of two studies' hours per trial above which a picture against hours says more than one against trials
TOP = 0.95  # share of the scores that are in the picture: the worst ones would flatten all others
CAPTION = (
    "Each dot is a trial, and filled dots were kept. A line is the best score so far: the median over a strategy's "
    "studies. These scores are unconfirmed, and luck makes the best of them look better than they are. "
)
NO_LUCK = "There is no band of luck, because no control was run."


def trial_pictures(experiment: Experiment, view: View, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """Returns the picture against trials, and those against hours or dollars if they say more."""
    studies = [(study, curve) for study, curve in zip(experiment.studies, view.analysis.curves, strict=True) if curve.trial]
    curves = [curve for _, curve in studies]
    paid = [(study, curve) for study, curve in studies if curve.usd is not None and curve.usd[-1] > 0]
    found = {"trials": studies, "hours": studies if _unlike(curves) else [], "usd": paid}
    return tuple(_picture(view, axis, its, styles) for axis, its in found.items() if any(_scores(one) for one, _ in its))


def _unlike(curves: Sequence[StudyCurve]) -> bool:
    hours = [curve.hours[-1] / len(curve.trial) for curve in curves]
    return bool(hours) and max(hours) > UNLIKE * min(hours)


def _scores(study: StudyTable) -> list[float]:
    return [row.val_bpb for row in study.trials if row.val_bpb is not None]


def _picture(
    view: View, axis: str, studies: Sequence[tuple[StudyTable, StudyCurve]], styles: Mapping[str, Style]
) -> Picture:
    scores = [score for study, _ in studies for score in _scores(study)]
    top = float(np.quantile(scores, TOP))
    above = sum(score > top for score in scores)
    title = f"All trials and the best score so far, against {AXES[axis]}"

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _draw_luck(axes, view, _places(view, axis)[: max(len(curve.trial) for _, curve in studies)])
        for study, curve in studies:
            _draw_trials(axes, study, _x(curve, axis), styles[study.strategy].colour)
        _draw_medians(axes, view, axis, styles)
        margin = 0.05 * (top - min(scores))
        label = "number of the trial (0 is the stock)" if axis == "trials" else AXES[axis]
        axes.set(xlabel=label, ylabel="val_bpb (lower is better)", ylim=(min(scores) - margin, top + margin))
        if axis == "trials":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, axes)

    clipped = f"{plural(above, 'worse trial')} {'lies' if above == 1 else 'lie'} above the picture. " if above else ""
    alt = f"{title}: {plural(len(scores), 'score')} from {view.score(min(scores))} to {view.score(max(scores))}."
    return draw(f"trials_{axis}", 4.2, title, alt, f"{CAPTION}{clipped}{_about_luck(view)}", paint)


def _x(curve: StudyCurve, axis: str) -> Sequence[float]:
    return {"hours": curve.hours, "usd": curve.usd}.get(axis) or curve.trial


def _places(view: View, axis: str) -> list[float]:
    """Places on the axis of the control's draws: the n-th draw is at the n-th trial of the longest study. There are none in
    dollars, since the control costs none."""
    band = view.analysis.noise.band
    draws = range(1, 1 + (0 if band is None else len(band.median)))
    control = [curve for curve in view.analysis.curves if curve.strategy not in view.rivals and curve.trial]
    if axis == "usd" or not control:
        return []
    if axis == "trials":
        return [float(number) for number in max((curve.trial for curve in view.analysis.curves), key=len)][: len(draws)]
    hours = sum(curve.hours[-1] for curve in control) / sum(len(curve.trial) for curve in control)
    return [draw * hours for draw in draws]


def _draw_luck(axes: Axes, view: View, places: Sequence[float]) -> None:
    """Draws the band as far as the longest study goes, or as far as it is known."""
    band, known = view.analysis.noise.band, slice(0, len(places))
    if band is not None and places:
        axes.fill_between(places, band.low[known], band.high[known], **FLOOR, label="luck alone: 5 to 95 %")
        axes.plot(places, band.median[known], color=DARK, linewidth=1, linestyle="dotted", label="luck alone: median")


def _draw_trials(axes: Axes, study: StudyTable, places: Sequence[float], colour: str) -> None:
    for kept, face, alpha in ((False, "none", 0.8), (True, colour, 0.9)):
        points = [(x, row.val_bpb) for x, row in zip(places, study.trials, strict=True) if bool(row.kept) is kept]
        scores = [np.nan if score is None else score for _, score in points]
        axes.scatter([x for x, _ in points], scores, s=14, facecolor=face, edgecolor=colour, alpha=alpha)


def _draw_medians(axes: Axes, view: View, axis: str, styles: Mapping[str, Style]) -> None:
    for median in view.analysis.medians:
        if median.axis != axis or not median.x:
            continue
        style, words = styles[median.strategy], plural(median.studies, "study", "studies")
        label = f"{view.name(median.strategy)}: {words}"
        axes.step(median.x, median.best, where="post", color=style.colour, lw=2.4, ls=style.dash, label=label)


def _about_luck(view: View) -> str:
    band = view.analysis.noise.band
    if band is None:
        return NO_LUCK
    return (
        "In 9 of 10 cases, the best of as many training runs of the unchanged program lies in the gray band. It ends at "
        f"{plural(len(band.median), 'run')}: the control has no more."
    )
