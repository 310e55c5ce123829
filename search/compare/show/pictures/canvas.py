"""What all pictures share: their size, their letters, and how they become bytes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # inches; a phone shows that at half the size, and must still be readable
TITLE_WIDTH = 68  # letters of a line
LIGHT, DARK, TAKEN = "#DDDDDD", "#222222", "#BBBBBB"

STYLE: Any = {
    "svg.hashsalt": "fairtrial",  # ids in the SVG would be random otherwise
    "svg.fonttype": "path",  # looks the same where the font is missing
    "text.parse_math": False,  # names may hold a dollar sign
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "savefig.facecolor": "white",
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
        svg = _bytes(figure, format="svg", metadata={"Date": None, "Creator": None})
        return Picture(name, alt, caption, svg, _bytes(figure, format="png", dpi=150, metadata={"Software": None}))


def legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)


def _bytes(figure: Figure, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, **how)
    return buffer.getvalue()
