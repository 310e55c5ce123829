"""Run a study, or resume it: `python -m search strategy=seeds task=cpu`. Its keys are in conf/config.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.schema import Config
from search.config.validate import check_values
from search.console.command import Command
from search.console.command_line import run


def main(config: Config) -> None:
    from search.console.compose import overrides
    from search.console.run_study import run_study

    run_study(config, overrides())


COMMAND = Command("config", Config, check_values, main, "stopped; run the same command to resume", multirun=True)

if __name__ == "__main__":
    sys.exit(run(COMMAND))
