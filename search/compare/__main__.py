"""Compare the studies of an experiment: `python -m search.compare experiment=NAME`. Its keys are in conf/compare.yaml."""

from __future__ import annotations

import search.console.start  # noqa: F401

# isort: split
import sys

from search.config.commands import CompareConfig, check_compare
from search.console.command import Command
from search.console.command_line import run


def main(config: CompareConfig) -> None:
    from search.compare.comparison import compare

    compare(config)


COMMAND = Command("compare", CompareConfig, check_compare, main, "stopped; run the same command to start again")

if __name__ == "__main__":
    sys.exit(run(COMMAND))
