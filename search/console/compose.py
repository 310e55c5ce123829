"""Hydra composes a command's configuration from its YAML and the command line, and the command's body is called with it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from search.config.files import unwritable
from search.config.keys import known_keys
from search.config.messages import UserError, failed
from search.config.overrides import prepared
from search.config.places import CONF, MLRUNS
from search.config.schema import Config, typed
from search.console import multirun
from search.console.command import Command
from search.console.explain import explain
from search.console.family import watch_parent
from search.console.side_by_side import in_worker
from search.study.identity import flat

T = TypeVar("T")

UNWRITABLE = (errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS)  # what hinders writing

MULTIRUN = {"-m", "--multirun"}
# A command that runs no study leaves no folder of Hydra's behind.
LEAVE_NOTHING = {
    "defaults": ["_self_", {"override hydra/job_logging": "none"}, {"override hydra/hydra_logging": "none"}],
    "hydra": {"output_subdir": None, "run": {"dir": "${root:}/mlruns"}},
}


def call(command: Command[T], arguments: Sequence[str]) -> int:
    """Returns the exit code. Raises UserError, and KeyboardInterrupt."""
    problems: list[UserError] = []
    started = os.getpid()

    def job(composed: DictConfig) -> None:
        if os.getpid() != started:  # a launcher's worker
            watch_parent(started if in_worker() else os.getppid())  # a job of a cluster has another parent
        try:
            config = typed(composed, command.schema)
            command.check(config)
            command.body(config)
            return
        except KeyboardInterrupt:
            if not in_worker():
                raise
            problem = UserError(command.stopped)  # the pool would kill the other workers
        except UserError as error:
            problem = error
        except OSError as error:
            problem = _of_the_system(error)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise problem
        problems.append(problem)  # kept from Hydra, which would add lines of its own

    sys.argv[1:] = _for_hydra(command, arguments)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands errors on instead of printing its own selection of them
    try:
        with multirun.side_by_side():
            hydra.main(version_base="1.3", config_path=_folder(command), config_name=command.name)(job)()
    except Exception as error:
        if multirun.report_failures():
            return 1
        if isinstance(error, HydraException | OmegaConfBaseException):
            raise UserError(explain(error, lambda: _keys(command, arguments), command.multirun)) from error
        if isinstance(refused := error.__cause__, subprocess.CalledProcessError):  # what a launcher calls, such as sbatch
            said = " ".join(str(refused.stderr).split())
            raise UserError(f"hydra/launcher: {said}.\nCorrect the settings hydra.launcher.*=") from error
        if isinstance(error, OSError):  # Hydra's own folder, before any study begins
            raise _of_the_system(error) from error
        raise
    return failed(problems[0]) if problems else 0


def _of_the_system(error: OSError) -> UserError:
    """What the system refused."""
    path = "" if error.filename is None else os.fsdecode(error.filename)
    if error.errno in UNWRITABLE and Path(path).is_relative_to(MLRUNS):
        return unwritable(path, error)
    what = f"{path}: {error.strerror}" if path else str(error.strerror or error)
    return UserError(f"{what}; fix that, and run the same command again")


def overrides() -> list[str]:
    """What the command line set, as Hydra takes it; in a multirun, for this study."""
    return list(HydraConfig.get().overrides.task)


def _for_hydra(command: Command[T], arguments: Sequence[str]) -> list[str]:
    if not command.multirun and MULTIRUN & set(arguments):
        raise UserError("-m: works for studies only (python -m search -m ...); run this command once for each")
    return prepared(arguments, command.schema, command.multirun)


def _keys(command: Command[T], arguments: Sequence[str]) -> list[str]:
    """Every key that this command line could set: those of the schema first, then those of the choices that it makes of
    each group."""
    known = list(known_keys(command.schema))
    if command.schema is not Config:
        return known
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    choices = [word.partition(",")[0] for word in arguments if word.partition("=")[0] in groups]
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            composed = hydra.compose(command.name, choices)
    except (HydraException, OmegaConfBaseException):
        return known  # a choice is wrong too, and is reported when the key is fixed
    return [*known, *(key for key in flat(OmegaConf.to_container(composed)) if key not in known)]


def _folder(command: Command[T]) -> str | None:
    """Where Hydra finds the command's YAML. Not in conf/ for a command without groups: there `task=cpu` would choose a file
    of that group, and not be a name."""
    if issubclass(command.schema, Config):
        return str(CONF)
    keys = OmegaConf.load(CONF / f"{command.name}.yaml")
    ConfigStore.instance().store(name=command.name, node=OmegaConf.merge(LEAVE_NOTHING, keys))
    return None
