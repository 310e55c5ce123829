"""The headline: confirmed scores of two strategies, paired by search seed, and the difference with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.compare.analyse.results import Analysis, Contrast
from search.compare.show.numbers import Numbers
from search.compare.show.pictures.canvas import DARK, Picture, draw, legend_below
from search.tracking.colours import Style

PAIRED = (
    "Each line is one search seed: the confirmed score of both winners, the mean over their training runs on fresh seeds, "
    "on text that no study has seen. Below: the differences of these pairs, and their mean with its 95 % interval. What is "
    "shown is decided by the test, corrected for the number of contrasts, and not by that interval."
)
ALL = (
    "The mean difference of confirmed scores with its 95 % interval, for each pair of strategies; to the right of zero the "
    "first is better. The intervals are for one contrast at a time; the verdicts are corrected for their number."
)


def contrast_pictures(analysis: Analysis, styles: Mapping[str, Style]) -> tuple[Picture, ...]:
    """Pairs of the first contrast that is stated, and all that are stated together where there are several."""
    numbers = Numbers(analysis.noise)
    known = [contrast for contrast in analysis.headline if contrast.verdict != "not stated" and contrast.pairs]
    pictures = [_pairs_picture(contrast, styles, numbers) for contrast in known[:1]]
    if len(known) > 1:
        pictures.append(_all_picture(known, styles, numbers))
    return tuple(pictures)


def in_words(contrast: Contrast) -> str:
    if contrast.verdict == "reverse shown":
        return f"{contrast.second} better than {contrast.first}: shown"
    return f"{contrast.first} better than {contrast.second}: {contrast.verdict}"


def _pairs_picture(contrast: Contrast, styles: Mapping[str, Style], numbers: Numbers) -> Picture:
    assert contrast.advantage is not None
    title = f"{in_words(contrast)}; mean advantage {numbers.interval(contrast.advantage)}"
    count = len(contrast.pairs)
    alt = f"{contrast.first} against {contrast.second}, by search seed: " + "; ".join(
        f"{pair.search_seed}: {numbers.plain(pair.first)} against {numbers.plain(pair.second)}" for pair in contrast.pairs
    )

    def paint(figure: Figure) -> None:
        scores, differences = figure.subplots(2, 1, height_ratios=[count + 1, 3])
        _draw_pairs(scores, contrast, styles)
        _draw_difference(differences, contrast, styles)
        legend_below(figure, scores)

    return draw("headline", 3.2 + 0.3 * count, title, f"{alt}.", PAIRED, paint)


def _draw_pairs(axes: Axes, contrast: Contrast, styles: Mapping[str, Style]) -> None:
    rows = range(len(contrast.pairs))
    for row, pair in zip(rows, contrast.pairs, strict=True):
        axes.plot([pair.first, pair.second], [row, row], color="#AAAAAA", linewidth=1.5, zorder=1)
    for label, values, marker in (
        (contrast.first, [pair.first for pair in contrast.pairs], "o"),
        (contrast.second, [pair.second for pair in contrast.pairs], "s"),
    ):
        axes.scatter(values, rows, color=styles[label].colour, marker=marker, s=42, label=label, zorder=2)
    axes.set_yticks(rows, [str(pair.search_seed) for pair in contrast.pairs])
    axes.set(ylabel="search seed", xlabel="confirmed score on unseen text (bits per byte, lower is better)")
    axes.set_ylim(len(contrast.pairs) - 0.5, -0.5)
    axes.margins(x=0.08)


def _draw_difference(axes: Axes, contrast: Contrast, styles: Mapping[str, Style]) -> None:
    assert contrast.advantage is not None
    differences = [pair.second - pair.first for pair in contrast.pairs]
    axes.scatter(differences, [0] * len(differences), color="#777777", s=28, alpha=0.7)
    _draw_interval(axes, contrast, 1, styles[contrast.first].colour)
    axes.axvline(0, color=DARK, linewidth=0.8)
    axes.set_yticks([0, 1], ["pairs", "mean"])
    axes.set_ylim(1.5, -0.5)
    axes.set_xlabel(f"advantage of {contrast.first} (bits per byte)")
    axes.margins(x=0.08)


def _draw_interval(axes: Axes, contrast: Contrast, row: float, colour: str) -> None:
    advantage = contrast.advantage
    assert advantage is not None
    axes.scatter([advantage.value], [row], color=colour, s=48, zorder=3)
    if advantage.low is not None and advantage.high is not None:
        axes.plot([advantage.low, advantage.high], [row, row], color=colour, linewidth=2.4)


def _all_picture(contrasts: Sequence[Contrast], styles: Mapping[str, Style], numbers: Numbers) -> Picture:
    shown = sum(contrast.verdict in ("shown", "reverse shown") for contrast in contrasts)
    title = f"All contrasts: {shown} of {len(contrasts)} shown"
    alt = "; ".join(
        f"{in_words(contrast)}, {numbers.interval(contrast.advantage)}"
        for contrast in contrasts
        if contrast.advantage is not None
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for row, contrast in enumerate(contrasts):
            _draw_interval(axes, contrast, row, styles[contrast.first].colour)
            axes.text(1.02, row, contrast.verdict, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
        axes.axvline(0, color=DARK, linewidth=0.8)
        axes.set_yticks(range(len(contrasts)), [f"{one.first}\nagainst {one.second}" for one in contrasts])
        axes.set_ylim(len(contrasts) - 0.5, -0.5)
        axes.set_xlabel("advantage of the first (bits per byte)")

    return draw("contrasts", 1.5 + 0.6 * len(contrasts), title, f"{alt}.", ALL, paint)
