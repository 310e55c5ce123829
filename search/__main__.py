"""Run a study, or resume it:

python -m search strategy=seeds task=cpu
python -m search strategy=optuna task=cpu
python -m search -m strategy=seeds,optuna seed=0,1 task=cpu
"""

from __future__ import annotations

import sys

from search import cli
from search.config import Config


def main(config: Config) -> None:
    from search.build import run_study  # heavy imports come after `--help`

    run_study(config)


if __name__ == "__main__":
    sys.exit(cli.run(main, "stopped; the same command goes on from here"))
