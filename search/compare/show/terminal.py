"""Prints the comparison on the terminal, in a few lines of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from search.compare.analyse.finding import Name, Scope
from search.compare.show.setting import setting_of
from search.compare.show.verdict import verdict_of, warnings_of
from search.compare.show.view import UNCONFIRMED, View, before
from search.config.messages import pasted_here
from search.page.numbers import plural, studies
from search.page.text import plain

CAUTIONS, COMMANDS = 3, 6  # that are printed; the report has all
COLUMNS = {"claimed": Name.CLAIMED, "survived (95 %)": Name.GAIN, "tuning": Name.TUNING, "code": Name.CODE}
LONGEST_NAME = 18  # letters of a name that stands beside its numbers; a longer one has a line of its own


def summarise(view: View, cautions: Sequence[str], console: Console) -> None:
    """Prints cautions, a table of the strategies, the verdict, and the commands that add what is missing."""
    analysis = view.analysis
    trials = plural(sum(study.trials for study in analysis.studies), "trial")
    _say(console, f"{analysis.experiment}, task {analysis.task}: {studies(len(analysis.studies))}, {trials}")
    warnings, setting = warnings_of(view), " ".join(setting_of(view))
    for sentence in (*warnings, *filter(None, [setting])):
        _say(console, sentence)
    for caution in cautions[:CAUTIONS]:
        _say(console, f"Caution: {caution}")
    _more(console, len(cautions) - CAUTIONS, "cautions")
    for line in _table(view) if len(view.strategies) > 1 else ():
        console.print(Text(line), soft_wrap=True)
    for sentence in verdict_of(view)[len(warnings) :]:
        _say(console, sentence)
    commands = analysis.commands
    if commands:
        _say(console, f"Something is missing. {before(commands)}")
    for command in commands[:COMMANDS]:
        console.print(Text(f"  {plain(pasted_here(command))}"), soft_wrap=True)  # to be copied in one piece
    _more(console, len(commands) - COMMANDS, "commands")


def _say(console: Console, text: str) -> None:
    console.print(Text(plain(text)))


def _more(console: Console, count: int, what: str) -> None:
    if count > 0:
        _say(console, f"({count} more {what} in the report)")


def _table(view: View) -> Iterator[str]:
    """A cell is never broken."""
    rows = [["strategy", *COLUMNS], *([view.name(label), *_cells(view, label)] for label in view.strategies)]
    widths = [max(len(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    first = max(len(row[0]) for row in rows if len(row[0]) <= LONGEST_NAME)
    yield ""
    for name, *cells in rows:
        if len(name) > first:
            yield name
            name = ""
        yield "  ".join(
            [name.ljust(first), *(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))]
        ).rstrip()
    yield ""


def _cells(view: View, label: str) -> list[str]:
    claimed, survived, tuning, code = (view.of(Scope.STRATEGY, name, label) for name in COLUMNS.values())
    if label not in view.rivals:
        return [_value(claimed), "(the control: all luck)", "", ""]
    return [_value(claimed), survived, _value(tuning), _value(code)]


def _value(cell: str) -> str:
    """Without the interval."""
    return "-" if cell == UNCONFIRMED else cell.partition(" (")[0]
