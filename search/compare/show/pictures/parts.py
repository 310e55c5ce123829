"""What became of each claim: luck, tuning and code of every strategy, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Bar:
    """One part of a strategy's claim. `claimed`: the whole, as a signed number."""

    strategy: str
    claimed: str
    part: str
    estimate: Estimate


def parts_picture(view: View) -> Picture | None:
    """None where nobody claims anything."""
    bars = [bar for label in view.strategies for bar in bars_of(view, label)]
    if not bars:
        return None
    title = "What the claimed gains are made of (bits per byte)"
    alt = "; ".join(f"{view.name(bar.strategy)}, {bar.part}: {view.numbers.estimate(bar.estimate)}" for bar in bars)

    def paint(figure: Figure) -> None:
        _draw(figure.subplots(), view, bars)

    return draw("parts", 0.7 + 0.24 * len(_places(bars)), title, f"{title}. {alt}.", CAPTION, paint)


def bars_of(view: View, label: str) -> list[Bar]:
    """From top to bottom. The control's whole claim is luck; that of a strategy without a confirmation is unconfirmed."""
    claimed = view.analysis.find(Scope.STRATEGY, Name.CLAIMED, label)
    if claimed is None or claimed.estimate is None or claimed.estimate.by_definition:
        return []
    found = {part: view.analysis.find(Scope.STRATEGY, name, label) for part, name in PARTS.items()}
    known = {part: one.estimate for part, one in found.items() if one is not None and one.estimate is not None}
    if label not in view.rivals:
        known = {"luck": claimed.estimate}
    whole = view.numbers.signed(claimed.estimate.value)
    return [Bar(label, whole, part, estimate) for part, estimate in (known or {"unconfirmed": claimed.estimate}).items()]


def _places(bars: Sequence[Bar]) -> list[Bar | None]:
    """With a gap between strategies."""
    found: list[Bar | None] = []
    for before, bar in zip([None, *bars], bars, strict=False):
        found += [None, bar] if before is not None and before.strategy != bar.strategy else [bar]
    return found


def _draw(axes: Axes, view: View, bars: Sequence[Bar]) -> None:
    places = _places(bars)
    labels: dict[float, str] = {}
    groups: Mapping[str, list[int]] = {bar.strategy: [] for bar in bars}
    for row, bar in enumerate(places):
        if bar is None:
            continue
        groups[bar.strategy].append(row)
        estimate, labels[row] = bar.estimate, bar.part
        axes.barh(row, estimate.value, height=0.8, color=COLOURS[bar.part])
        if not estimate.by_definition and estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [row, row], color=DARK, linewidth=1.2, marker="|", markersize=6)
        value = "none changed" if estimate.by_definition else view.numbers.signed(estimate.value)
        axes.text(1.01, row, value, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks(list(labels), list(labels.values()))
    for bar in {bar.strategy: bar for bar in bars}.values():
        who = view.name(bar.strategy) + ("" if bar.strategy in view.rivals else " (control)")
        middle = sum(groups[bar.strategy]) / len(groups[bar.strategy])
        words, place = f"{who}\nclaims {bar.claimed}", ("axes fraction", "data")
        axes.annotate(words, (0, middle), (-60, 0), place, "offset points", ha="right", va="center")
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
