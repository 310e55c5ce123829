"""One color per strategy, in the report's pictures and in MLflow. Color-blind readers can tell them apart."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass

# Okabe and Ito, "Color Universal Design", 2008: a first color for each role, and more for others of the same role. Grey is
# not one of theirs: it is for what is not compared. Their yellow cannot be seen on white.
COLOURS = {
    "control": ("#999999",),
    "baseline": ("#0072B2", "#009E73", "#56B4E9", "#000000"),
    "agent": ("#D55E00", "#CC79A7", "#E69F00"),
}
NEUTRAL = "#D0D0D0"  # of what is not a strategy: confirmations and reports
DASHES = ("solid", "dashed", "dashdot", "dotted")  # of lines, by variant
LIGHTNESS = (1.0, 0.62, 1.45, 0.4)  # of variants, as a multiple of the strategy's own


@dataclass(frozen=True)
class Style:
    """How a strategy with its variant is drawn. `colour`: as #RRGGBB. `dash`: a line style of matplotlib's."""

    colour: str
    dash: str


def styles(strategies: Mapping[str, tuple[str, str]]) -> dict[str, Style]:
    """A style for each label. `strategies`: label (with the variant) -> name (without) and role. Strategies of one role get
    colors in alphabetical order, and repeat them when they run out; variants get shades and dashes."""
    found = {}
    for role, colours in COLOURS.items():
        names = sorted({name for name, its in strategies.values() if its == role})
        for at, name in enumerate(names):
            variants = sorted(label for label, its in strategies.items() if its == (name, role))
            for number, label in enumerate(variants):
                colour = shade(colours[at % len(colours)], LIGHTNESS[number % len(LIGHTNESS)])
                found[label] = Style(colour, DASHES[number % len(DASHES)])
    return found


def shade(colour: str, factor: float) -> str:
    """A color that is darker (a factor below 1) or lighter; never so light that it cannot be seen on white."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    changed = colorsys.hls_to_rgb(hue, min(0.72, max(0.15, lightness * factor)) if factor != 1 else lightness, saturation)
    return "#" + "".join(f"{round(part * 255):02X}" for part in changed)
