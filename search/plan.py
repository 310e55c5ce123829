"""Plan how to spend hours, or what it costs to show a difference: `python -m search.plan hours=72`. Its keys are in
conf/plan.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys
from typing import TYPE_CHECKING

from search.config.commands import PlanConfig, check_plan
from search.console.command import Command
from search.console.command_line import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from search.compare.analyse.design import Design

HOURS = (20.0, 40.0, 80.0, 160.0)  # where neither hours nor a difference are asked for


def main(config: PlanConfig) -> None:
    from rich.console import Console

    from search.compare.analyse.analysis import analyse
    from search.compare.analyse.assumed import assumptions, grounds
    from search.compare.analyse.design import best_within, cheapest, designs_of
    from search.compare.read.reader import read_experiment

    measured = None
    if config.experiment is not None:
        measured = analyse(read_experiment(config.tracking.uri, config.experiment, config.task))
    plan = assumptions(config, measured)
    console = Console(highlight=False)
    for sentence in grounds(plan, config, measured):
        console.print(sentence)
    designs = designs_of(plan)
    asked: list[tuple[str, list[Design]]] = []
    if config.difference is not None:
        asked = [(f"To show a difference of {config.difference:g}", cheapest(config.difference, designs))]
    for hours in HOURS if config.hours is None and config.difference is None else [config.hours]:
        if hours is not None:
            asked.append((f"In {hours:g} hours", best_within(hours, designs, plan)))
    for title, designs in asked:
        console.print(_table(title, designs))
    console.print(
        f"Each difference is shown with a power of {plan.power:.0%}: so many of a hundred such experiments show it. Hours "
        f"hold control, studies, and confirmation, on {plan.devices} device{'s' if plan.devices > 1 else ''}."
    )


def _table(title: str, designs: Sequence[Design]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("question", "studies", "trials", "repeats", "difference", "hours"):
        table.add_column(column, justify="left" if column == "question" else "right")
    for design in designs:
        studies = " + ".join(str(count) for count in design.studies if count)
        numbers = (str(design.trials), str(design.repeats), f"{design.difference:.2g}", f"{design.hours:.0f}")
        table.add_row(design.question, studies, *numbers)
    if not designs:
        table.add_row("nothing can be shown this way", *[""] * 5)
    return table


COMMAND = Command("plan", PlanConfig, check_plan, main, "stopped")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
