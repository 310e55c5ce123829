"""What is left of a claimed gain, step by step: luck and overfitting taken away, tuning and code kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.finding import Estimate, Name, Scope
from search.compare.show.pictures.canvas import DARK, TAKEN, Picture, draw
from search.compare.show.view import View
from search.tracking.colours import Style

TUNING, CODE, CLAIMED = "#56B4E9", "#E69F00", "#DDDDDD"  # the first two of Okabe and Ito's
PARTS = (Name.CLAIMED, Name.LUCK, Name.OVERFITTING, Name.GAIN, Name.TUNING, Name.CODE)
CAPTION = (
    "From the claimed gain, luck and overfitting are taken away; what survived is what the winners gain on fresh seeds and "
    "unseen text, and is made of tuning and code. Means over the confirmed studies; black lines are 95 % intervals."
)


@dataclass(frozen=True)
class Step:
    """One bar, from `start` on, by `sign` times a part."""

    label: str
    start: float
    sign: int
    part: Estimate
    colour: str

    @property
    def end(self) -> float:
        return self.start + self.sign * self.part.value

    @property
    def interval(self) -> list[float] | None:
        """Of the bar's end; None where there is nothing to be unsure of, or too little to tell."""
        if self.part.by_definition or self.part.low is None or self.part.high is None:
            return None
        return [self.start + self.sign * self.part.low, self.start + self.sign * self.part.high]


def waterfall_picture(view: View, styles: Mapping[str, Style]) -> Picture | None:
    """One panel for each strategy that is confirmed; None where none is."""
    panels = [(label, steps) for label in view.rivals if (steps := steps_of(view, label, styles[label].colour))]
    if not panels:
        return None
    title = "Of a claimed gain, this survived: " + "; ".join(
        f"{view.name(label)} {view.numbers.signed(steps[3].part.value)} of {view.numbers.signed(steps[0].part.value)}"
        for label, steps in panels
    )
    alt = " ".join(f"{view.name(label)}: {_words(view, steps)}." for label, steps in panels)

    def paint(figure: Figure) -> None:
        for axes, (label, steps) in zip(figure.subplots(len(panels), sharex=True, squeeze=False).flat, panels, strict=True):
            _draw(axes, view, steps)
            axes.set_title(view.name(label))
        figure.supxlabel("gain over the stock (bits per byte, more is better)", fontsize=11)

    return draw("gains", 1.0 + 2.1 * len(panels), title, alt, CAPTION, paint)


def steps_of(view: View, label: str, colour: str) -> list[Step]:
    """The bars, from top to bottom; none where a part is unknown."""
    found = [view.analysis.find(Scope.STRATEGY, name, label) for name in PARTS]
    parts = [one.estimate for one in found if one is not None and one.estimate is not None]
    if len(parts) < len(PARTS):
        return []
    claimed, luck, overfitting, gain, tuning, code = parts
    return [
        Step("claimed", 0.0, 1, claimed, CLAIMED),
        Step("- luck", claimed.value, -1, luck, TAKEN),
        Step("- overfitting", claimed.value - luck.value, -1, overfitting, TAKEN),
        Step("= survived", 0.0, 1, gain, colour),
        Step("of it tuning", 0.0, 1, tuning, TUNING),
        Step("code", tuning.value, 1, code, CODE),
    ]


def _draw(axes: Axes, view: View, steps: Sequence[Step]) -> None:
    for row, step in enumerate(steps):
        axes.barh(row, step.end - step.start, left=step.start, height=0.66, color=step.colour)
        if step.interval is not None:
            axes.plot(step.interval, [row, row], color="black", linewidth=1.2, marker="|", markersize=7)
        axes.text(1.01, row, _value(view, step), transform=axes.get_yaxis_transform(), va="center", fontsize=9.5)
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks(range(len(steps)), [step.label for step in steps])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _words(view: View, steps: Sequence[Step]) -> str:
    return ", ".join(f"{step.label} {_value(view, step)}" for step in steps)


def _value(view: View, step: Step) -> str:
    return "none changed" if step.part.by_definition else view.numbers.signed(step.sign * step.part.value)
