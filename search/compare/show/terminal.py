"""The comparison in a few lines, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.compare.analyse.finding import Name, Verdict
from search.compare.show.numbers import plural, studies
from search.compare.show.text import plain
from search.compare.show.view import UNCONFIRMED, View

CAUTIONS, COMMANDS = 3, 4  # that are printed; the report has all
PARTS = (Name.CLAIMED, Name.GAIN, Name.TUNING, Name.CODE)


def summarise(view: View, verdict: Sequence[str], cautions: Sequence[str], console: Console) -> None:
    """Print a table of the strategies, the verdict, cautions, and the commands that add what is missing."""
    analysis = view.analysis
    trials = sum(study.trials for study in analysis.studies)
    _say(
        console,
        f"{analysis.experiment}, task {analysis.task}: {studies(len(analysis.studies))}, {plural(trials, 'trial')}",
    )
    console.print(_table(view))
    for sentence in verdict:
        _say(console, sentence)
    for caution in cautions[:CAUTIONS]:
        _say(console, f"Caution: {caution}")
    _more(console, len(cautions) - CAUTIONS, "cautions")
    commands = tuple(dict.fromkeys(missing.command for missing in analysis.missing if missing.command is not None))
    if commands:
        _say(console, "To add what is missing:")
    for command in commands[:COMMANDS]:
        console.print(Text(f"  {plain(command)}"), soft_wrap=True)  # to be copied in one piece
    _more(console, len(commands) - COMMANDS, "commands")


def _say(console: Console, text: str) -> None:
    console.print(Text(plain(text)))


def _more(console: Console, count: int, what: str) -> None:
    if count > 0:
        _say(console, f"({count} more {what} in the report)")


def _table(view: View) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for column in ("strategy", "claimed", "survived (95 %)", "tuning", "code", "shown"):
        table.add_column(column, overflow="fold")
    for label in view.strategies:
        claimed, survived, tuning, code = (view.of_strategy(label, part) for part in PARTS)
        row = [view.name(label), _value(claimed), survived, _value(tuning), _value(code), _value(view.shown_in(label))]
        if label not in view.rivals:
            row[2:] = ["it is luck", *[""] * 3]
        table.add_row(*map(Text, row))
    return table


def _value(cell: str) -> str:
    """Without the interval."""
    return "-" if cell in (UNCONFIRMED, Verdict.NOT_STATED) else cell.partition(" (")[0].removesuffix(" by definition")
