"""Who is better than whom: each stated advantage with its interval, and dots of pairs of studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.finding import Finding, Name, Scope, Verdict
from search.compare.show.pictures.canvas import DARK, Picture, draw
from search.compare.show.view import View
from search.tracking.colours import Style

CAPTION = (
    "Thick lines: the advantage of the first over the second on fresh seeds and unseen text, with its 95 % interval. Dots: "
    "pairs of studies of one search seed. The verdict is the test's and not the interval's. Programs are two winners, and "
    "say nothing of their strategies."
)
MOST = 12  # lines of a picture


def contrasts_picture(view: View, styles: Mapping[str, Style]) -> Picture | None:
    """Contrasts of strategies that are stated, or else those of programs; None where nothing is."""
    rows = (_stated(view.everywhere(Scope.STRATEGIES)) or _stated(view.programs()))[:MOST]
    if not rows:
        return None
    shown = sum(row.verdict in (Verdict.SHOWN, Verdict.REVERSE) for row in rows)
    title = f"Advantages of one of the {rows[0].scope} over another: {shown} of {len(rows)} shown"
    alt = "; ".join(f"{_pair(view, row, ' against ')}: {view.cell(row)}, {row.verdict}" for row in rows)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            label = row.subject if row.scope is Scope.STRATEGIES else view.pair(row)[0]
            _draw(axes, place, row, _dots(view, row), styles[label].colour)
        axes.axvline(0, color=DARK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [_pair(view, row, "\nagainst ") for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("advantage of the first (bits per byte)")

    return draw("contrasts", 1.5 + 0.6 * len(rows), title, f"{alt}.", CAPTION, paint)


def _stated(findings: Sequence[Finding]) -> list[Finding]:
    found = [one for one in findings if one.name is Name.ADVANTAGE and one.estimate is not None]
    return [one for one in found if one.verdict is not Verdict.NOT_STATED]


def _pair(view: View, row: Finding, between: str) -> str:
    after = "" if row.at is None else f" ({row.at} trials)"
    return f"{view.name(row.subject)}{between}{view.name(str(row.against))}{after}"


def _dots(view: View, row: Finding) -> list[float]:
    """Advantages of the studies of two strategies that share a search seed."""
    pairs = view.analysis.of(Scope.PROGRAMS, Name.ADVANTAGE, at=row.at)
    mine = [one.estimate for one in pairs if view.pair(one) == (row.subject, row.against)]
    return [estimate.value for estimate in mine if estimate is not None]


def _draw(axes: Axes, place: int, row: Finding, dots: Sequence[float], colour: str) -> None:
    assert row.estimate is not None
    axes.scatter(dots, [place] * len(dots), color="#777777", s=24, alpha=0.7, zorder=2)
    if row.estimate.low is not None and row.estimate.high is not None:
        axes.plot([row.estimate.low, row.estimate.high], [place, place], color=colour, linewidth=2.4)
    axes.scatter([row.estimate.value], [place], color=colour, s=48, zorder=3)
    axes.text(1.02, place, row.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
