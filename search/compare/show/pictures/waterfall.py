"""What is left of a claimed gain, step by step: luck and the stock's shift taken away, tuning and code kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.results import Analysis, Estimate, StrategyResult, StudyResult
from search.compare.show.numbers import Numbers, plural
from search.compare.show.pictures.canvas import DARK, TAKEN, Picture, draw, pale
from search.tracking.colours import Style

TUNING, CODE = "#56B4E9", "#E69F00"  # of Okabe and Ito's
CAPTION = (
    "From the claimed gain, luck and the stock's shift are taken away; tuning and code are what is left, and add up to the "
    "gain that the winner shows on fresh seeds. Black lines are 95 % intervals. The last bar is the headline: the same "
    "training runs, scored on text that no study has seen."
)


@dataclass(frozen=True)
class Parts:
    """A claimed gain and what became of it. `claimed` has an interval only where it is a mean over studies."""

    claimed: Estimate
    luck: Estimate
    stock_shift: Estimate
    tuning: Estimate
    code: Estimate
    validation: Estimate
    unseen: Estimate


@dataclass(frozen=True)
class Step:
    """One bar, from `start` to `end`; `interval`: of its end."""

    label: str
    start: float
    end: float
    interval: tuple[float, float] | None
    text: str
    colour: str


def waterfall_pictures(analysis: Analysis, styles: Mapping[str, Style], controls: frozenset[str]) -> tuple[Picture, ...]:
    """A picture for each strategy but the control: the mean of its studies, and its confirmed winners one by one."""
    numbers = Numbers(analysis.noise)
    pictures: list[Picture] = []
    for strategy in analysis.strategies:
        if strategy.strategy in controls:
            continue
        style = styles[strategy.strategy]
        mine = sorted(
            (study for study in analysis.studies if study.strategy == strategy.strategy), key=lambda study: study.search_seed
        )
        winners = [(study, parts) for study in mine if (parts := parts_of_study(study)) is not None]
        mean = parts_of_strategy(strategy)
        if mean is not None and len(winners) > 1:
            pictures.append(_mean_picture(strategy, mean, style, numbers))
        if winners:
            pictures.append(_winners_picture(strategy.strategy, winners, style, numbers))
    return tuple(pictures)


def parts_of_strategy(result: StrategyResult) -> Parts | None:
    """None where no study has them."""
    found = (
        *(result.claimed, result.luck, result.stock_shift, result.tuning, result.code_and_interaction),
        *(result.gain_on_validation, result.gain),
    )
    known = [part for part in found if part is not None]
    return Parts(*known) if len(known) == len(found) else None


def parts_of_study(result: StudyResult) -> Parts | None:
    """None where the winner is unconfirmed."""
    confirmed = result.confirmed
    if confirmed is None or confirmed.decomposition is None:
        return None
    found = confirmed.decomposition
    return Parts(
        claimed=Estimate(found.claimed, None, None, None),
        luck=found.luck,
        stock_shift=found.stock_shift,
        tuning=found.tuning,
        code=found.code_and_interaction,
        validation=confirmed.gain_on_validation.estimate,
        unseen=confirmed.gain.estimate,
    )


def steps_of(parts: Parts, colour: str, numbers: Numbers) -> Iterator[Step]:
    """The bars, from top to bottom."""
    after_luck = parts.claimed.value - parts.luck.value
    after_shift = after_luck - parts.stock_shift.value
    tuned = parts.tuning.value
    yield _kept("claimed gain", 0.0, parts.claimed, pale(colour), numbers)
    yield _taken("luck", parts.claimed.value, parts.luck, numbers)
    yield _taken("stock's shift", after_luck, parts.stock_shift, numbers)
    yield _kept("tuning", 0.0, parts.tuning, TUNING, numbers)
    yield _kept("code and interaction", tuned, parts.code, CODE, numbers)
    # The parts add up: what is left after the shift is tuning and code.
    assert abs(after_shift - tuned - parts.code.value) < 1e-9
    yield _kept("= confirmed, validation", 0.0, parts.validation, colour, numbers)
    yield _kept("confirmed, unseen text", 0.0, parts.unseen, colour, numbers)


def _kept(label: str, start: float, part: Estimate, colour: str, numbers: Numbers) -> Step:
    text = "none changed" if part.by_definition else numbers.signed(part.value)
    return Step(label, start, start + part.value, _interval(start, part, 1), text, colour)


def _taken(label: str, start: float, part: Estimate, numbers: Numbers) -> Step:
    interval = _interval(start, part, -1)
    return Step(f"- {label}", start, start - part.value, interval, numbers.signed(-part.value), TAKEN)


def _interval(start: float, part: Estimate, sign: int) -> tuple[float, float] | None:
    """The interval of a bar's end; None where there is nothing to be unsure of, or too little to tell."""
    if part.by_definition or part.low is None or part.high is None:
        return None
    return start + sign * part.low, start + sign * part.high


def draw_steps(axes: Axes, steps: Sequence[Step], *, labels: bool) -> None:
    """Horizontal bars, the first on top."""
    for row, step in enumerate(steps):
        axes.barh(row, step.end - step.start, left=step.start, height=0.66, color=step.colour)
        if step.interval is not None:
            axes.plot(step.interval, [row, row], color="black", linewidth=1.2, marker="|", markersize=7)
        axes.text(1.01, row, step.text, transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=9.5)
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks(range(len(steps)), [step.label for step in steps] if labels else [])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _mean_picture(strategy: StrategyResult, parts: Parts, style: Style, numbers: Numbers) -> Picture:
    steps = list(steps_of(parts, style.colour, numbers))
    confirmed = plural(strategy.confirmed, "study", "studies")
    title = (
        f"{strategy.strategy}: of a claimed gain of {numbers.signed(parts.claimed.value)}, "
        f"{numbers.signed(parts.unseen.value)} is confirmed (means over {confirmed})"
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        draw_steps(axes, steps, labels=True)
        axes.set_xlabel("gain over the stock (bits per byte, more is better)")

    return draw(f"waterfall_{strategy.strategy}", 3.9, title, _alt(strategy.strategy, steps), CAPTION, paint)


def _winners_picture(strategy: str, winners: Sequence[tuple[StudyResult, Parts]], style: Style, numbers: Numbers) -> Picture:
    drawn = [(study, list(steps_of(parts, style.colour, numbers))) for study, parts in winners]
    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    ends = [end for _, steps in drawn for step in steps for end in (step.end, *(step.interval or ()))]
    room = 0.04 * (max(0.0, *ends) - min(0.0, *ends))
    limits = (min(0.0, min(ends) - room), max(0.0, max(ends) + room))

    def paint(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (study, steps) in zip(grid.flat, drawn, strict=False):
            draw_steps(axes, steps, labels=axes in grid[:, 0])
            axes.set_title(f"search seed {study.search_seed}")
            axes.set_xlim(*limits)
        for axes in list(grid.flat)[len(drawn) :]:
            axes.set_axis_off()
        figure.supxlabel("gain over the stock (bits per byte, more is better)", fontsize=11)

    gains = [parts.unseen.value for _, parts in winners]
    span = f"from {numbers.signed(min(gains))} to {numbers.signed(max(gains))}" if len(gains) > 1 else numbers.signed(*gains)
    title = f"{strategy}: each winner, taken apart; confirmed gain {span}"
    alt = " ".join(_alt(f"Search seed {study.search_seed}", steps) for study, steps in drawn)
    return draw(f"winners_{strategy}", 1.0 + 2.3 * rows, title, alt, CAPTION, paint)


def _alt(whose: str, steps: Sequence[Step]) -> str:
    return f"{whose}: " + ", ".join(f"{step.label} {step.text}" for step in steps) + "."
