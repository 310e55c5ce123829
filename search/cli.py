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

from search import exits, multirun
from search.config import Config
from search.errors import UserError
from search.explain import explain
from search.files import unwritable
from search.paths import CONF, OUTPUT
from search.validate import load


def run(body: Callable[[Config], None], stopped: str) -> int:
    """Compose the configuration from the command line, check it, and call `body` (in a multirun once per study). Returns the
    exit code. `stopped`: what to say after Ctrl-C."""
    failed: list[UserError] = []

    def job(composed: DictConfig) -> None:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            body(load(composed))
            return
        try:
            body(load(composed))
        except UserError as error:  # kept from Hydra, which would add lines of its own
            failed.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing its own selection of them
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()
        if failed:
            raise failed[0]
    except KeyboardInterrupt:
        return exits.interrupted(stopped)
    except Exception as error:
        if multirun.report_failures():
            return 1
        if isinstance(error, UserError | HydraException | OmegaConfBaseException):
            return exits.failed(explain(error))
        if isinstance(error, OSError):  # Hydra's own folder, before any study begins
            return exits.failed(str(unwritable(error.filename or OUTPUT, error)))
        raise
    return 0
