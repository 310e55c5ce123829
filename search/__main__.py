"""Run a study, or resume it:

python -m search strategy=seeds task=cpu
python -m search strategy=optuna task=cpu
python -m search -m strategy=seeds,optuna seed=0,1 task=cpu
"""

from __future__ import annotations

import sys

from search.config.schema import Config
from search.console import command_line


def main(config: Config, overrides: list[str]) -> None:
    from search.console.run_study import run_study

    run_study(config, overrides)


if __name__ == "__main__":
    sys.exit(command_line.run(main, "stopped; the same command goes on from here"))
