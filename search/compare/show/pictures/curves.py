"""Best score so far, against what it cost: every study thin, the median of a strategy thick, and what luck alone reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from search.compare.analyse.curves import StudyCurve
from search.compare.show.numbers import studies
from search.compare.show.pictures.canvas import DARK, LIGHT, Picture, draw, legend_below
from search.compare.show.view import View
from search.tracking.colours import Style

AXES = {"trials": "trials", "hours": "training time (hours)", "usd": "price of the LLM (US dollars)"}
INSET = (1.1, 0.0, 0.2, 1.0)  # beside the curves, where it hides none: left, bottom, width, height as parts of the axes
CAPTION = (
    "Thin lines are single studies, thick lines the median of a strategy's studies; the axis of the narrow panel starts at "
    "zero. These are scores that the studies chose by: unconfirmed, and flattered by luck. "
)
NO_LUCK = "Without a control there is no band of luck."


def curve_pictures(view: View, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """One for each axis that is known of some study."""
    found = {axis: [curve for curve in view.analysis.curves if _known(curve, axis)] for axis in AXES}
    return tuple(_picture(view, axis, curves, styles) for axis, curves in found.items() if curves)


def _known(curve: StudyCurve, axis: str) -> bool:
    """Whether there is something to draw: a score, and for dollars a price above zero."""
    scored = any(best is not None for best in curve.best)
    return scored and (axis != "usd" or (curve.usd is not None and curve.usd[-1] > 0))


def _picture(view: View, axis: str, curves: Sequence[StudyCurve], styles: Mapping[str, Style]) -> Picture:
    longest = max(len(curve.trial) for curve in curves)
    ends = [curve.best[-1] for curve in curves if curve.best[-1] is not None]
    span = f"they end between {view.score(min(ends))} and {view.score(max(ends))}"
    title = f"Best score so far against {AXES[axis]} (unconfirmed)"

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        inset = axes.inset_axes(INSET)
        for one in (axes, inset):
            _draw_luck(one, view, _places(view, axis)[:longest])
            _draw_studies(one, axis, curves, styles)
            _draw_medians(one, view, axis, styles)
        axes.set(xlabel=AXES[axis], ylabel="val_bpb (bits per byte, lower is better)", xlim=(0, None))
        if axis == "trials":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        inset.set(xlim=axes.get_xlim(), xticks=[], title="from zero")
        inset.set_ylim(bottom=0)
        legend_below(figure, axes)

    caption = CAPTION + _about_luck(view) if axis == "trials" else f"The same, against {AXES[axis]}."
    return draw(f"curves_{axis}", 5.2, title, f"{title}, of {studies(len(curves))}; {span}.", caption, paint)


def _places(view: View, axis: str) -> list[float]:
    """Where on the axis the control's n-th draw is; nowhere in dollars, of which it costs none."""
    band = view.analysis.noise.band
    draws = range(1, 1 + (0 if band is None else len(band.median)))
    control = [curve for curve in view.analysis.curves if curve.strategy not in view.rivals and curve.trial]
    if axis == "usd" or not control:
        return []
    hours = sum(curve.hours[-1] for curve in control) / sum(len(curve.trial) for curve in control)
    return [draw * (1.0 if axis == "trials" else hours) for draw in draws]


def _draw_luck(axes: Axes, view: View, places: Sequence[float]) -> None:
    """As far as the longest study, or as far as it is known."""
    band, known = view.analysis.noise.band, slice(0, len(places))
    if band is not None and places:
        axes.fill_between(places, band.low[known], band.high[known], color=LIGHT, lw=0, label="luck alone: 5 to 95 %")
        axes.plot(places, band.median[known], color=DARK, linewidth=1, linestyle="dotted", label="luck alone: median")


def _draw_studies(axes: Axes, axis: str, curves: Sequence[StudyCurve], styles: Mapping[str, Style]) -> None:
    for curve in curves:
        style, x = styles[curve.strategy], {"hours": curve.hours, "usd": curve.usd}.get(axis)
        best = [np.nan if score is None else score for score in curve.best]
        x = x or tuple(range(1, len(best) + 1))
        axes.step(x, best, where="post", color=style.colour, linewidth=0.7, alpha=0.45, linestyle=style.dash)


def _draw_medians(axes: Axes, view: View, axis: str, styles: Mapping[str, Style]) -> None:
    for median in view.analysis.medians:
        if median.axis != axis or not median.x:
            continue
        words = "its one study" if median.studies == 1 else f"median of {median.studies} studies"
        label, style = f"{view.name(median.strategy)}: {words}", styles[median.strategy]
        axes.step(median.x, median.best, where="post", color=style.colour, lw=2.4, ls=style.dash, label=label)


def _about_luck(view: View) -> str:
    band = view.analysis.noise.band
    if band is None:
        return NO_LUCK
    return (
        "Shaded is where the best of as many training runs of the unchanged program lies in 9 of 10 cases; it ends at the "
        f"{len(band.median)} that the control has, beyond which it would be a guess."
    )
