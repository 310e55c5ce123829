"""The control's scores against the tokens that each training saw: how much of the noise floor is the machine's speed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from search.compare.analyse.noise import control_runs
from search.compare.analyse.results import FRESH_SEEDS, Analysis, TokensSeen
from search.compare.analyse.tokens import ONE_PERCENT_FEWER
from search.compare.read.tables import Experiment
from search.compare.show.numbers import Numbers, plural
from search.compare.show.pictures.canvas import DARK, Picture, draw, legend_below
from search.tracking.colours import Style


def speed_pictures(experiment: Experiment, analysis: Analysis, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """One, where the control tells a slope."""
    tokens = () if analysis.speed is None else analysis.speed.tokens
    return tuple(_picture(experiment, seen, analysis, styles) for seen in tokens if seen.repeats == FRESH_SEEDS)


def _picture(experiment: Experiment, seen: TokensSeen, analysis: Analysis, styles: Mapping[str, Style]) -> Picture:
    runs = [row for row in control_runs(experiment) if row.tokens > 0]
    logs = np.log([row.tokens for row in runs])
    scores = [row.val_bpb for row in runs if row.val_bpb is not None]
    along = np.linspace(math.log(seen.least), math.log(seen.most))
    slope = Numbers(analysis.noise).signed(seen.slope.value)
    trained = plural(len(runs), "training")
    found = f"1 % fewer tokens go with a score that is {slope} worse" if seen.shown else "no effect of tokens seen is shown"
    title = f"Speed: {trained} of the unchanged program; {found}"
    caption = (
        "Each dot is one training of the control. Left of 1, the machine was slower than on average, and the training saw "
        "fewer tokens. Where the dots follow the line, the noise floor is the machine's speed rather than the seeds'."
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        colour = styles[experiment.control[0].strategy].colour
        axes.scatter(np.exp(logs - logs.mean()), scores, s=22, color=colour, edgecolor=DARK, linewidth=0.5, label="training")
        line = np.mean(scores) + seen.slope.value * along / ONE_PERCENT_FEWER
        axes.plot(np.exp(along), line, color=DARK, linewidth=1, label="least squares")
        axes.set(xlabel="tokens seen, in multiples of the control's mean", ylabel="val_bpb (bits per byte)")
        legend_below(figure, axes)

    alt = f"Scores of {trained} of the stock against the tokens they saw, with a line of {slope} for 1 % fewer tokens."
    return draw("speed", 4.2, title, alt, caption, paint)
