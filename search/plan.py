"""How many trials, repeats and studies do I need? `python -m search.plan experiment=NAME`; its keys: conf/plan.yaml."""

from __future__ import annotations

import sys

from search.config.commands import PlanConfig, check_plan
from search.console.command import Command
from search.console.command_line import run


def main(config: PlanConfig) -> None:
    from rich.console import Console
    from rich.table import Table

    from search.compare.analyse import planning
    from search.compare.analyse.analysis import analyse
    from search.compare.read.reader import read_experiment

    analysis = None
    if config.experiment is not None and (config.sd is None or config.between is None):
        analysis = analyse(read_experiment(config.tracking.uri, config.experiment, config.task))
    plan = planning.plan_for(config, analysis)
    console = Console(highlight=False)
    for sentence in planning.grounds(config, analysis):
        console.print(sentence)
    found = Table()
    for title in ("difference", "control trials", "confirmation repeats", "studies per strategy"):
        found.add_column(title, justify="right")
    for cells in planning.table_rows(planning.table(plan)):
        found.add_row(*cells)
    console.print(found)
    console.print(planning.promise(plan))


COMMAND = Command("plan", PlanConfig, check_plan, main, "stopped")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
