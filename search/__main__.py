"""Run a study, or resume it:

    python -m search strategy=seeds task=cpu
    python -m search strategy=optuna task=cpu
    python -m search -m strategy=seeds,optuna seed=0,1 task=cpu
"""

from __future__ import annotations

import sys

import hydra
from omegaconf import DictConfig

from search import cli
from search.paths import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def main(composed: DictConfig) -> None:
    from search.build import run_study
    from search.config import load

    run_study(load(composed))


if __name__ == "__main__":
    sys.exit(cli.run(main))
