"""The noise floor: every trial of the control, and the stock again in the middle of studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.noise import stock_runs
from search.compare.analyse.results import Analysis, ControlNoise
from search.compare.read.tables import Experiment, StudyTable
from search.compare.show.numbers import Numbers, plural
from search.compare.show.pictures.canvas import DARK, LIGHT, Picture, draw, legend_below
from search.study.trial import Status
from search.tracking.colours import Style

MOST_NAMES = 16  # that fit under the axis
SPREAD = 0.6  # how far dots of one search seed are drawn apart, in search seeds


def noise_pictures(experiment: Experiment, analysis: Analysis, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """The control's trials, and the drift of the machine, as far as there are any."""
    pictures = []
    if analysis.noise.control is not None:
        pictures.append(_control_picture(experiment, analysis.noise.control, styles, Numbers(analysis.noise)))
    repeated = [study for study in experiment.studies if len(stock_runs(study)) > 1]
    if repeated:
        pictures.append(_drift_picture(repeated, analysis, styles))
    return tuple(pictures)


def _control_picture(
    experiment: Experiment, control: ControlNoise, styles: Mapping[str, Style], numbers: Numbers
) -> Picture:
    mean, sd = control.mean, control.sd
    spread = "; too few to tell their spread" if sd is None else f", standard deviation {numbers.plain(sd.sd)}"
    trained = plural(control.trials, "training")
    title = f"Noise floor: {trained} of the unchanged program, mean {numbers.plain(mean.value)}{spread}"
    caption = (
        "Each dot is one training of the stock under another training seed; nothing else differs. The line is their mean, "
        "the dark band its 95 % interval, the light band one standard deviation to both sides."
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        if sd is not None:
            low, high = mean.value - sd.sd, mean.value + sd.sd
            axes.axhspan(low, high, color=LIGHT, linewidth=0, label="mean ± standard deviation")
        if mean.low is not None and mean.high is not None:
            axes.axhspan(mean.low, mean.high, color="#AAAAAA", linewidth=0, label="95 % interval of the mean")
        axes.axhline(mean.value, color=DARK, linewidth=1, label="mean")
        studies = sorted(experiment.control, key=lambda study: study.search_seed)
        for place, study in enumerate(studies):
            scores = _scores(study)
            apart = np.linspace(-SPREAD / 2, SPREAD / 2, len(scores)) if len(scores) > 1 else np.zeros(len(scores))
            axes.scatter(place + apart, scores, s=22, color=styles[study.strategy].colour, edgecolor=DARK, linewidth=0.5)
        named = range(0, len(studies), -(-len(studies) // MOST_NAMES))
        axes.set_xticks(named, [str(studies[place].search_seed) for place in named])
        axes.set(xlabel="search seed of the control", ylabel="val_bpb (bits per byte)", xlim=(-0.6, len(studies) - 0.4))
        legend_below(figure, axes, columns=3)

    alt = f"Dots of {trained} of the stock, by search seed, with their mean {numbers.plain(mean.value)}."
    return draw("noise_floor", 4.2, title, alt, caption, paint)


def _scores(study: StudyTable) -> list[float]:
    return [row.val_bpb for row in study.trials if row.status == Status.COMPLETED and row.val_bpb is not None]


def _drift_picture(studies: Sequence[StudyTable], analysis: Analysis, styles: Mapping[str, Style]) -> Picture:
    runs = sum(len(stock_runs(study)) for study in studies)
    count = plural(len(studies), "study", "studies")
    title = f"Drift: the stock, trained {runs} times in the course of {count}, always with that study's first seed"
    caption = (
        "Each line is one study: its stock, and the anchors that ran the stock again later. A line that rises says that "
        "the machine became slower, or that something else got worse; the band is the noise floor (mean ± standard "
        "deviation)."
    )
    control = analysis.noise.control

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        if control is not None and control.sd is not None:
            low, high = control.mean.value - control.sd.sd, control.mean.value + control.sd.sd
            axes.axhspan(low, high, color=LIGHT, linewidth=0, label="noise floor")
        _draw_runs(axes, studies, styles)
        axes.set(xlabel="hours since the study began", ylabel="val_bpb of the stock (bits per byte)")
        legend_below(figure, axes, columns=3)

    alt = f"Scores of the stock against time in {count}, {runs} training runs in all."
    return draw("drift", 4.2, title, alt, caption, paint)


def _draw_runs(axes: Axes, studies: Sequence[StudyTable], styles: Mapping[str, Style]) -> None:
    named: set[str] = set()
    for study in studies:
        style, rows = styles[study.strategy], stock_runs(study)
        axes.plot(
            [(row.started - study.rows[0].started) / 3600 for row in rows],
            [np.nan if row.val_bpb is None else row.val_bpb for row in rows],
            color=style.colour,
            linestyle=style.dash,
            marker="o",
            markersize=4,
            linewidth=0.9,
            alpha=0.8,
            label=None if study.strategy in named else study.strategy,
        )
        named.add(study.strategy)
