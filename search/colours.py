"""One colour per strategy, everywhere: in the report's pictures and in MLflow. Told apart by the colour-blind too."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Okabe and Ito, "Color Universal Design", 2008. Grey is not one of theirs: it is for what is no rival.
COLOURS = {"seeds": "#999999", "optuna": "#0072B2", "agent": "#D55E00"}
FREE = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")  # their yellow cannot be seen on white
DASHES = ("solid", "dashed", "dashdot", "dotted")  # of lines, by variant
LIGHTNESS = (1.0, 0.62, 1.45, 0.4)  # of variants, as a multiple of the strategy's own


@dataclass(frozen=True)
class Look:
    """How a strategy with its variant is drawn. `colour`: as #RRGGBB. `dash`: a line style of matplotlib's."""

    colour: str
    dash: str


def looks(strategies: Mapping[str, str]) -> dict[str, Look]:
    """A look for each label. `strategies`: label (with the variant) -> name (without). Names that are not known get the next
    free colours in the order of the alphabet, and variants shades and dashes."""
    own = colours_of_names(strategies.values())
    found = {}
    for name, colour in own.items():
        variants = sorted(label for label, its in strategies.items() if its == name)
        for at, label in enumerate(variants):
            found[label] = Look(shade(colour, LIGHTNESS[at % len(LIGHTNESS)]), DASHES[at % len(DASHES)])
    return found


def colours_of_names(names: Iterable[str]) -> dict[str, str]:
    """A colour for each strategy; beyond five strategies that are not known, colours repeat."""
    strangers = sorted(set(names) - COLOURS.keys())
    return {**COLOURS, **{name: FREE[at % len(FREE)] for at, name in enumerate(strangers)}}


def shade(colour: str, factor: float) -> str:
    """A colour that is darker (a factor below 1) or lighter; never so light that it cannot be seen on white."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    changed = colorsys.hls_to_rgb(hue, min(0.72, max(0.15, lightness * factor)) if factor != 1 else lightness, saturation)
    return "#" + "".join(f"{round(part * 255):02X}" for part in changed)
