"""Properties of all pictures: their size, their fonts, and how they become bytes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 4.3  # inches; a phone of 390 pixels shows that at nine tenths of the size, with letters of 12 pixels and more
TITLE_WIDTH = 42  # letters of a line
LETTERS_OF_A_COLUMN = 20  # of a legend's two
DARK, GREY = "#222222", "#999999"  # of letters and lines; of what is not compared
FLOOR: Any = {"color": GREY, "alpha": 0.3, "linewidth": 0}  # of areas behind the data, on white and on black
# A page that is dark shows the picture's dark strokes in a light color: the browser asks the picture itself.
INK = b"svg{color:#222222}@media (prefers-color-scheme:dark){svg{color:#e6edf3}}"

STYLE: Any = {
    "svg.hashsalt": "fairtrial",  # ids in the SVG would be random otherwise
    "svg.fonttype": "path",  # looks the same where the font is missing
    "text.parse_math": False,  # names may hold a dollar sign
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), DARK),
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


@dataclass(frozen=True)
class Picture:
    """`name`: of its files, without suffix. `alt`: says in words what it shows. `caption`: how to read it."""

    name: str
    alt: str
    caption: str
    svg: bytes
    png: bytes


def draw(name: str, height: float, title: str, alt: str, caption: str, paint: Callable[[Figure], None]) -> Picture:
    """A picture that `paint` fills. `height`: in inches."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        figure.suptitle("\n".join(textwrap.wrap(title, TITLE_WIDTH)), x=0.01, ha="left", fontsize=12, fontweight="bold")
        paint(figure)
        svg = _bytes(figure, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        png = _bytes(figure, format="png", facecolor="white", dpi=150, metadata={"Software": None})
        return Picture(name, alt, caption, _in_ink(svg), png)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Puts the legend below the axes, in two columns if its words are short enough."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels), default=0) <= LETTERS_OF_A_COLUMN else 1
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, columnspacing=1, handlelength=1.5)


def _in_ink(svg: bytes) -> bytes:
    """With strokes and letters that are dark, or black, in the page's own color."""
    for dark in (DARK, "#000000"):
        svg = svg.replace(dark.lower().encode(), b"currentColor")
    return svg.replace(b'<style type="text/css">', b'<style type="text/css">' + INK, 1)


def _bytes(figure: Figure, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    return buffer.getvalue()
