"""The comparison in a few lines, for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from search.compare.analyse.results import Analysis, Estimate, StrategyResult, WinnersSpeed
from search.compare.show.numbers import Numbers, plural, times
from search.compare.show.report.blocks import plain
from search.compare.show.report.cells import UNCONFIRMED, UNKNOWN, Cells
from search.compare.show.verdict import contrast_in_words, noise_by_speed, noise_floor

MOST = 4  # contrasts and commands that are shown; the report has all


def summarise(analysis: Analysis, controls: frozenset[str], console: Console) -> None:
    """Print a table of the strategies, the verdict, and the commands that add what is missing."""
    studies, trials = len(analysis.studies), sum(study.trials for study in analysis.studies)
    _say(
        console,
        f"{analysis.experiment}, task {analysis.task}: {plural(studies, 'study', 'studies')}, {plural(trials, 'trial')}",
    )
    console.print(_table(analysis))
    numbers = Numbers(analysis.noise)
    for sentence in (noise_floor(analysis.noise, numbers), *noise_by_speed(analysis.speed, numbers)):
        _say(console, sentence)
    for contrast in analysis.headline[:MOST]:
        _say(console, contrast_in_words(contrast, numbers, contrast.second in controls))
    _more(console, len(analysis.headline), "contrasts")
    if analysis.missing:
        _say(console, "To add what is missing:")
        for command in tuple(dict.fromkeys(missing.command for missing in analysis.missing))[:MOST]:
            console.print(Text(f"  {plain(command)}"), soft_wrap=True)  # to be copied in one piece
        _more(console, len(analysis.missing), "commands")


def _say(console: Console, text: str) -> None:
    console.print(Text(plain(text)))


def _more(console: Console, count: int, what: str) -> None:
    if count > MOST:
        _say(console, f"({count - MOST} more {what} in the report)")


def _table(analysis: Analysis) -> RenderableType:
    cells = Cells(analysis)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("strategy", "claimed", "luck", "confirmed gain (95 %)", *_with_speed(analysis, "speed"), "shown"):
        table.add_column(column, overflow="fold")
    for result in analysis.strategies:
        table.add_row(*(Text(plain(cell)) for cell in _row(result, analysis, cells)))
    return table


def _row(result: StrategyResult, analysis: Analysis, cells: Cells) -> tuple[str, ...]:
    speed = "" if analysis.speed is None else _speed(analysis.speed.winners.get(result.strategy), result)
    return (
        result.strategy,
        "no score" if result.claimed is None else cells.gain(result.claimed.value),
        _value(result.luck, cells),
        cells.part(result.gain),
        *_with_speed(analysis, speed),
        f"{result.shown} of {result.confirmed}" if result.confirmed else UNCONFIRMED,
    )


def _with_speed(analysis: Analysis, cell: str) -> tuple[str, ...]:
    """A cell, or its column, that is there only where speed is part of a score and winners may have been measured."""
    return () if analysis.speed is None or analysis.confirmation is None else (cell,)


def _speed(winners: WinnersSpeed | None, result: StrategyResult) -> str:
    """The speed of the confirmed winners, against the stock; in brackets how many they are, where a study has none such."""
    if winners is None:
        return UNKNOWN if result.confirmed else UNCONFIRMED
    mean = "1" if winners.source == "definition" else times(winners.value)
    return mean if winners.studies == result.studies else f"{mean} ({winners.studies} of {result.studies})"


def _value(part: Estimate | None, cells: Cells) -> str:
    return UNCONFIRMED if part is None else cells.gain(part.value)
