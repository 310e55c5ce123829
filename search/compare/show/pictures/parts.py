"""Draws what became of each claim: the parts that add up to it, strategy by strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.finding import Estimate, Name, Scope
from search.compare.show.numbers import UNCHANGED
from search.compare.show.view import View
from search.page.canvas import DARK, GREY, Picture, draw

GONE = ("luck", "other text", "overfitting", "unconfirmed")
COLOURS = {**dict.fromkeys(GONE, GREY), "tuning": "#56B4E9", "code": "#E69F00"}  # two of Okabe and Ito's
GAP = 0.5  # rows between strategies
ROW, LEFT = 0.19, 68  # height of a row in inches; room for the names of parts in points
PARTS = {
    "luck": Name.LUCK,
    "other text": Name.OTHER_TEXT,
    "overfitting": Name.OVERFITTING,
    "tuning": Name.TUNING,
    "code": Name.CODE,
}
CAPTION = (
    "A strategy's bars add up to its claim. Gray parts did not survive. Luck is what fresh seeds took away or added. Other "
    "text: unseen text is easier or harder than the text of the study, and the same program's gain is smaller or larger "
    "there. Overfitting is what was lost beyond that. Tuning is what the winners' constants gain in the unchanged program. "
    "Code is the rest."
)
FAILED = " The bars do not add up exactly if a winner failed."


def parts_picture(view: View) -> Picture | None:
    """Returns None if nobody claims anything."""
    claims = {label: parts for label in view.strategies if (parts := parts_of(view, label))}
    if not claims:
        return None
    title = "What the claimed gains are made of"
    cells = [(label, *one) for label, parts in claims.items() for one in parts.items()]
    alt = "; ".join(f"{view.name(label)}, {part}: {view.numbers.estimate(estimate)}" for label, part, estimate in cells)
    rows = len(cells) + len(claims) + GAP * (len(claims) - 1)

    caption = CAPTION if all(_adds_up(view, label, parts) for label, parts in claims.items()) else CAPTION + FAILED

    def paint(figure: Figure) -> None:
        _draw(figure.subplots(), view, claims, rows)

    return draw("parts", 0.8 + ROW * rows, title, f"{title}. {alt}.", caption, paint)


def parts_of(view: View, label: str) -> dict[str, Estimate]:
    """Returns the parts from top to bottom. The control's whole claim is luck. Without a confirmation a claim is
    unconfirmed."""
    claimed = _claimed(view, label)
    if claimed is None or claimed.by_definition:
        return {}
    if label not in view.rivals:
        return {"luck": claimed}
    found = {part: view.analysis.find(Scope.STRATEGY, name, label) for part, name in PARTS.items()}
    known = {part: one.estimate for part, one in found.items() if one is not None and one.estimate is not None}
    return known or {"unconfirmed": claimed}


def _adds_up(view: View, label: str, parts: Mapping[str, Estimate]) -> bool:
    claimed = _claimed(view, label)
    return claimed is not None and math.isclose(sum(part.value for part in parts.values()), claimed.value, abs_tol=1e-9)


def _claimed(view: View, label: str) -> Estimate | None:
    finding = view.analysis.find(Scope.STRATEGY, Name.CLAIMED, label)
    return None if finding is None else finding.estimate


def _draw(axes: Axes, view: View, claims: Mapping[str, Mapping[str, Estimate]], rows: float) -> None:
    labels: dict[float, str] = {}
    row = 0.0
    for label, parts in claims.items():
        _draw_claim(axes, view, label, row)
        row += 1
        for part, estimate in parts.items():
            labels[row] = part
            _draw_bar(axes, view, row, part, estimate)
            row += 1
        axes.plot([0, 0], [row - len(parts) - 0.5, row - 0.5], color=DARK, linewidth=0.8)
        row += GAP
    axes.set_yticks(list(labels), list(labels.values()))
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("bits per byte")
    axes.locator_params(axis="x", nbins=4)


def _draw_claim(axes: Axes, view: View, label: str, row: float) -> None:
    """Writes the claim in a row of its own, since names may be long."""
    claimed = _claimed(view, label)
    assert claimed is not None
    who = view.name(label) + ("" if label in view.rivals else " (control)")
    words, place = f"{who} claims {view.numbers.signed(claimed.value)}", ("axes fraction", "data")
    axes.annotate(words, (0, row), (-LEFT, 0), place, "offset points", va="center", fontstyle="italic")


def _draw_bar(axes: Axes, view: View, row: float, part: str, estimate: Estimate) -> None:
    axes.barh(row, estimate.value, height=0.8, color=COLOURS[part])
    if not estimate.by_definition and estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [row, row], color=DARK, linewidth=1.2, marker="|", markersize=6)
    value = UNCHANGED if estimate.by_definition else view.numbers.signed(estimate.value)
    axes.text(1.01, row, value, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
