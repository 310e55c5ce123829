"""Draws the noise floor and the machine: every training run of the unchanged program, against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.finding import Name, Scope
from search.compare.analyse.machine import CONFIRMATION, confirmed_stock, in_tokens
from search.compare.analyse.noise import control_runs, stock_runs
from search.compare.read.tables import Experiment, TrialRow
from search.compare.show.view import View
from search.page.canvas import DARK, FLOOR, GREY, Picture, draw, legend_below
from search.page.numbers import plural
from search.tracking.colours import Style

CAPTION = (
    "Each dot is one training run of the unchanged program. A line joins those of one study, which have the same seed. The "
    "band is the noise floor: one standard deviation on both sides of the control's mean. "
)
MOVED = "If the dots rise with time, the machine got slower. The dashed line is the drift of the confirmation."
STEADY = "The budget is in tokens, so a slower machine changes no score: dots differ by their seeds."


def machine_picture(experiment: Experiment, view: View, styles: Mapping[str, Style]) -> Picture | None:
    """Returns None if no training run of the stock has a score."""
    control, confirmed = control_runs(experiment), confirmed_stock(experiment)
    studies = [(study.strategy, stock_runs(study)) for study in experiment.studies if not study.is_control]
    runs = [*control, *confirmed, *(row for _, rows in studies for row in rows)]
    if not runs:
        return None
    sd, began = view.analysis.noise.sd, min(row.started for row in runs)
    floor = "" if sd is None else f"; noise floor {view.score(sd.sd)}"
    title = f"The unchanged program, trained {plural(len(runs), 'time')}{floor}"

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _draw_floor(axes, view)
        labels: set[str] = set()
        for strategy, rows in studies:
            label = None if strategy in labels else f"stock and anchors of {view.name(strategy)}"
            labels.add(strategy)
            axes.plot(*_points(rows, began), color=styles[strategy].colour, marker="o", ms=4, lw=0.9, alpha=0.8, label=label)
        axes.scatter(*_points(control, began), s=22, color=GREY, edgecolor=DARK, linewidth=0.5, label="control", zorder=2)
        if confirmed:
            axes.scatter(*_points(confirmed, began), s=16, marker="x", color=DARK, label="confirmation", zorder=2)
            _draw_drift(axes, view, *_points(confirmed, began))
        axes.set(xlabel="hours since the first of them", ylabel="val_bpb (bits per byte)")
        legend_below(figure, axes)

    own = sum(len(rows) for _, rows in studies)
    counts = f"{len(control)} of the control, {own} of the other studies, {len(confirmed)} of the confirmation"
    caption = f"{CAPTION}{STEADY if in_tokens(view.analysis.task_facts) else MOVED}"
    return draw("machine", 4.6, title, f"{title}, against time: {counts}.", caption, paint)


def _points(rows: Sequence[TrialRow], began: float) -> tuple[list[float], list[float]]:
    scored = sorted((row.started, row.val_bpb) for row in rows if row.val_bpb is not None)
    return [(time - began) / 3600 for time, _ in scored], [score for _, score in scored]


def _draw_floor(axes: Axes, view: View) -> None:
    mean, sd = view.analysis.noise.mean, view.analysis.noise.sd
    if mean is not None and sd is not None:
        axes.axhspan(mean.value - sd.sd, mean.value + sd.sd, **FLOOR, label="noise floor")


def _draw_drift(axes: Axes, view: View, hours: Sequence[float], scores: Sequence[float]) -> None:
    """Draws the slope of the finding through the mean."""
    drift = view.analysis.find(Scope.MACHINE, Name.DRIFT, CONFIRMATION)
    if drift is not None and drift.estimate is not None:
        ends = np.array([min(hours), max(hours)])
        line = np.mean(scores) + drift.estimate.value * (ends - np.mean(hours))
        axes.plot(ends, line, color=DARK, linestyle="dashed", linewidth=1, label=f"drift: {drift.verdict}")
