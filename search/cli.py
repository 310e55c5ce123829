"""From Hydra's command line to an exit code: what a user got wrong is told in a line or two, without a traceback."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from search import multirun
from search.config import Config, describe
from search.errors import UserError
from search.files import unwritable
from search.paths import CONF, OUTPUT
from search.validate import load

INTERRUPTED = 130  # the shell's own exit code after Ctrl-C


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
        print(stopped, file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if multirun.report_failures():
            return 1
        if isinstance(error, UserError | HydraException | OmegaConfBaseException):
            print(f"error: {explain(error)}", file=sys.stderr)
            return 1
        if isinstance(error, OSError):  # Hydra's own folder, before any study begins
            print(f"error: {unwritable(error.filename or OUTPUT, error)}", file=sys.stderr)
            return 1
        raise
    return 0


def explain(error: Exception) -> str:
    """An error in a line or two: what is wrong, and what to do."""
    if isinstance(error, OmegaConfBaseException):
        return describe(error)
    text = str(error)
    if isinstance(error, UserError):
        return text
    key = re.search(r"Could not override '([^']*)'", text)
    if key:
        return unknown_key(key.group(1))
    if "--multirun" in text:
        return f"{text.splitlines()[0].rstrip('.')}: for one study each, add -m"
    lines = [line.strip() for line in text.split("Config search path")[0].splitlines() if line.strip()]
    if len(lines) > 1 and "Available options" in lines[1]:
        return f"{lines[0]}; choose one of {', '.join(lines[2:])}"
    if error.__cause__ is not None and not lines:
        return str(error.__cause__).splitlines()[0]
    return " ".join(lines[:2])


def unknown_key(key: str) -> str:
    """For a key that the configuration lacks, with the nearest one that it has."""
    near = difflib.get_close_matches(key, known_keys(Config), n=1, cutoff=0.8)
    meant = f"did you mean {near[0]}?" if near else "python -m search --cfg job shows all keys"
    return f"{key}: no such key; {meant}"


def known_keys(schema: type, prefix: str = "") -> list[str]:
    """Every key of the schema, as it is written on the command line."""
    keys = []
    for field in fields(schema):
        name = f"{prefix}{field.name}"
        keys.append(name)
        nested = field.default_factory
        if isinstance(nested, type) and is_dataclass(nested):
            keys += known_keys(nested, f"{name}.")
    return keys
