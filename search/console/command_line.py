"""From Hydra's command line to an exit code: what a user got wrong is told in a line or two, without a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from search.config import messages
from search.config.files import unwritable
from search.config.messages import UserError
from search.config.places import CONF, MLRUNS
from search.config.schema import Config
from search.config.validate import load
from search.console import multirun
from search.console.explain import explain


def run(body: Callable[[Config, list[str]], None], stopped: str) -> int:
    """Compose the configuration from the command line, check it, and call `body` (in a multirun once per study). Returns the
    exit code. `body` gets the command line's overrides, too. `stopped`: what to say after Ctrl-C."""
    failed: list[UserError] = []

    def job(composed: DictConfig) -> None:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            body(load(composed), overrides())
            return
        try:
            body(load(composed), overrides())
        except UserError as error:  # kept from Hydra, which would add lines of its own
            failed.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing its own selection of them
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
        if failed:
            raise failed[0]
    except KeyboardInterrupt:
        return messages.interrupted(stopped)
    except Exception as error:
        if multirun.report_failures():
            return 1
        if isinstance(error, UserError | HydraException | OmegaConfBaseException):
            return messages.failed(explain(error))
        if isinstance(error, OSError):  # Hydra's own folder, before any study begins
            return messages.failed(str(unwritable(error.filename or MLRUNS, error)))
        raise
    return 0


def overrides() -> list[str]:
    """What the command line set, as Hydra takes it; in a multirun, for this study."""
    return list(HydraConfig.get().overrides.task)
