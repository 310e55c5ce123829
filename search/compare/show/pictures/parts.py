"""What became of each claim: luck, tuning and code of every strategy, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.finding import Estimate, Name, Scope
from search.compare.show.view import View
from search.page.canvas import DARK, GREY, Picture, draw

COLOURS = {"luck": GREY, "tuning": "#56B4E9", "code": "#E69F00", "unconfirmed": GREY}  # two of Okabe and Ito's
PARTS = {"luck": Name.LUCK, "tuning": Name.TUNING, "code": Name.CODE}
CAPTION = (
    "Luck is the part of a claim that fresh seeds took away. Tuning is what the winners' constants gain in the "
    "unchanged program, and code is the rest. Positive is better; thin lines are 95 % intervals."
)


def parts_picture(view: View) -> Picture | None:
    """None where nobody claims anything."""
    claims = {label: parts for label in view.strategies if (parts := parts_of(view, label))}
    if not claims:
        return None
    title = "What the claimed gains are made of (bits per byte)"
    cells = [(label, *one) for label, parts in claims.items() for one in parts.items()]
    alt = "; ".join(f"{view.name(label)}, {part}: {view.numbers.estimate(estimate)}" for label, part, estimate in cells)
    rows = len(cells) + len(claims) - 1  # with a gap between strategies

    def paint(figure: Figure) -> None:
        _draw(figure.subplots(), view, claims, rows)

    return draw("parts", 0.7 + 0.24 * rows, title, f"{title}. {alt}.", CAPTION, paint)


def parts_of(view: View, label: str) -> dict[str, Estimate]:
    """From top to bottom. The control's whole claim is luck; that of a strategy without a confirmation is unconfirmed."""
    claimed = _claimed(view, label)
    if claimed is None or claimed.by_definition:
        return {}
    if label not in view.rivals:
        return {"luck": claimed}
    found = {part: view.analysis.find(Scope.STRATEGY, name, label) for part, name in PARTS.items()}
    known = {part: one.estimate for part, one in found.items() if one is not None and one.estimate is not None}
    return known or {"unconfirmed": claimed}


def _claimed(view: View, label: str) -> Estimate | None:
    finding = view.analysis.find(Scope.STRATEGY, Name.CLAIMED, label)
    return None if finding is None else finding.estimate


def _draw(axes: Axes, view: View, claims: Mapping[str, Mapping[str, Estimate]], rows: int) -> None:
    labels: dict[int, str] = {}
    row = 0
    for label, parts in claims.items():
        _draw_claim(axes, view, label, row + (len(parts) - 1) / 2)
        for part, estimate in parts.items():
            labels[row] = part
            _draw_bar(axes, view, row, part, estimate)
            row += 1
        row += 1
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)


def _draw_claim(axes: Axes, view: View, label: str, middle: float) -> None:
    claimed = _claimed(view, label)
    assert claimed is not None
    who = view.name(label) + ("" if label in view.rivals else " (control)")
    words, place = f"{who}\nclaims {view.numbers.signed(claimed.value)}", ("axes fraction", "data")
    axes.annotate(words, (0, middle), (-60, 0), place, "offset points", ha="right", va="center")


def _draw_bar(axes: Axes, view: View, row: int, part: str, estimate: Estimate) -> None:
    axes.barh(row, estimate.value, height=0.8, color=COLOURS[part])
    if not estimate.by_definition and estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [row, row], color=DARK, linewidth=1.2, marker="|", markersize=6)
    value = "none changed" if estimate.by_definition else view.numbers.signed(estimate.value)
    axes.text(1.01, row, value, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
