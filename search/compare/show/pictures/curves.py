"""Best score so far, against what it cost: every study thin, the median of a strategy thick, and what luck alone reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.compare.analyse.results import Analysis, MedianCurve, NullBand, StudyCurve
from search.compare.show.numbers import Numbers, plural
from search.compare.show.pictures.canvas import DARK, LIGHT, Picture, draw, legend_below
from search.tracking.colours import Style

HEIGHT = 5.2
EDGE = "#AAAAAA"  # of the hatched part
INSET = (1.1, 0.0, 0.2, 1.0)  # beside the curves, where it hides none: left, bottom, width, height as parts of the axes


@dataclass(frozen=True)
class Axis:
    """What a picture's horizontal axis counts."""

    key: str
    label: str
    words: str


AXES = (
    Axis("trials", "trials", "trials"),
    Axis("hours", "training time (hours)", "training hours"),
    Axis("usd", "price of the LLM (US dollars)", "dollars"),
)


def curve_pictures(analysis: Analysis, styles: Mapping[str, Style], controls: frozenset[str]) -> tuple[Picture, ...]:
    """One for each axis that is known of some study. `controls`: labels of strategies that are the control."""
    pictures = []
    for axis in AXES:
        curves = [curve for curve in analysis.curves if _known(curve, axis)]
        if curves:
            pictures.append(_picture(analysis, axis, curves, styles, controls))
    return tuple(pictures)


def _known(curve: StudyCurve, axis: Axis) -> bool:
    """Whether there is something to draw: a score, and for dollars a price above zero."""
    scored = any(best is not None for best in curve.best)
    return scored and (axis.key != "usd" or (curve.usd is not None and curve.usd[-1] > 0))


def _picture(
    analysis: Analysis, axis: Axis, curves: Sequence[StudyCurve], styles: Mapping[str, Style], controls: frozenset[str]
) -> Picture:
    numbers = Numbers(analysis.noise)
    medians = [median for median in analysis.medians if median.axis == axis.key and median.x]
    ends = ", ".join(f"{median.strategy} {numbers.plain(median.best[-1])}" for median in medians)
    band = analysis.noise.null_band
    places = None if band is None else _places(band, axis, analysis.curves, controls)
    longest = max(len(curve.trial) for curve in curves)
    title = f"Best score so far against {axis.words} (unconfirmed)" + (f"; medians end at {ends}" if ends else "")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        inset = axes.inset_axes(INSET)
        for one in (axes, inset):
            if band is not None and places is not None:
                _draw_band(one, band, places, longest)
            _draw_curves(one, axis, curves, medians, styles)
        axes.set(xlabel=axis.label, ylabel="val_bpb (bits per byte, lower is better)", xlim=(0, None))
        if axis.key == "trials":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        inset.set(xlim=axes.get_xlim(), xticks=[], title="from zero")
        inset.set_ylim(bottom=0)
        legend_below(figure, axes)

    return draw(
        f"curves_{axis.key}", HEIGHT, title, _alt(axis, curves, numbers), _caption(band, places, axis, longest), paint
    )


def _places(band: NullBand, axis: Axis, curves: Sequence[StudyCurve], controls: frozenset[str]) -> list[float] | None:
    """Where on the axis the control's n-th draw is; None in dollars, of which it costs none."""
    if axis.key == "trials":
        return [float(n) for n in band.n]
    spent = [(curve.hours[-1], len(curve.trial)) for curve in curves if curve.strategy in controls and curve.trial]
    if axis.key == "usd" or not spent:
        return None
    hours_per_trial = sum(hours for hours, _ in spent) / sum(trials for _, trials in spent)
    return [n * hours_per_trial for n in band.n]


def _draw_band(axes: Axes, band: NullBand, places: Sequence[float], longest: int) -> None:
    """As far as the longest study. The extrapolated part begins where the measured one ends, so that there is no gap."""
    measured = slice(0, min(band.measured_to, longest))
    beyond = slice(max(0, band.measured_to - 1), longest)
    axes.fill_between(
        places[measured], band.low[measured], band.high[measured], color=LIGHT, linewidth=0, label="luck alone: 5 to 95 %"
    )
    if band.measured_to < longest:
        axes.fill_between(
            places[beyond],
            band.low[beyond],
            band.high[beyond],
            facecolor="#F4F4F4",
            edgecolor=EDGE,
            hatch="///",
            linewidth=0,
            label="luck alone, extrapolated",
        )
    axes.plot(
        places[:longest],
        band.expected[:longest],
        color=DARK,
        linewidth=1,
        linestyle="dotted",
        label="luck alone: expected best",
    )


def _draw_curves(
    axes: Axes, axis: Axis, curves: Sequence[StudyCurve], medians: Sequence[MedianCurve], styles: Mapping[str, Style]
) -> None:
    for curve in curves:
        style = styles[curve.strategy]
        best = [np.nan if score is None else score for score in curve.best]
        axes.step(_x(curve, axis), best, where="post", color=style.colour, linewidth=0.7, alpha=0.45, linestyle=style.dash)
    for median in medians:
        style = styles[median.strategy]
        words = "its one study" if median.studies == 1 else f"median of {median.studies} studies"
        axes.step(
            median.x,
            median.best,
            where="post",
            color=style.colour,
            linewidth=2.4,
            linestyle=style.dash,
            label=f"{median.strategy}: {words}",
        )


def _x(curve: StudyCurve, axis: Axis) -> Sequence[float]:
    if axis.key == "trials":
        return range(1, len(curve.trial) + 1)
    if axis.key == "hours":
        return curve.hours
    assert curve.usd is not None
    return curve.usd


def _alt(axis: Axis, curves: Sequence[StudyCurve], numbers: Numbers) -> str:
    ends = [curve.best[-1] for curve in curves if curve.best[-1] is not None]
    return (
        f"Step curves of the best val_bpb so far against {axis.words} for {plural(len(curves), 'study', 'studies')}; they "
        f"end between {numbers.plain(min(ends))} and {numbers.plain(max(ends))}."
    )


def _caption(band: NullBand | None, places: Sequence[float] | None, axis: Axis, longest: int) -> str:
    lines = "Thin lines are single studies, thick lines the median of a strategy's studies."
    inset = "The narrow panel shows the same curves on an axis that starts at zero."
    unconfirmed = "These are scores that the studies chose by: unconfirmed, and flattered by luck."
    if band is None:
        return f"{lines} {inset} Without a control there is no band of luck. {unconfirmed}"
    if places is None:
        return f"{lines} {inset} The control asks no LLM, so that there is no band of luck in dollars. {unconfirmed}"
    shaded = "Shaded is where the best of as many training runs of the unchanged program lies in 9 of 10 cases"
    hatched = ""
    if band.measured_to < longest:
        hatched = (
            f"; beyond {band.measured_to} draws (half of the control's {band.control_trials} trials) it is hatched, for "
            "there it is extrapolated, as if scores were normally distributed"
        )
    hours = " One draw takes as long as a trial of the control did on average." if axis.key == "hours" else ""
    return f"{lines} {shaded}{hatched}.{hours} {inset} {unconfirmed}"
