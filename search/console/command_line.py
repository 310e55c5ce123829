"""Runs a command: its help, its version, its errors in a line or two, its exit code. Nothing heavy is imported before help
is given."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import TypeVar

from search.config import messages
from search.config.messages import UserError
from search.config.places import CONF
from search.console.command import Command
from search.console.help import help_text
from search.console.interrupt import ending
from search.console.screen import lossy_output

T = TypeVar("T")

HELP = {"-h", "--help"}
VERSION = "--version"
INSTALL = "clone the repository and install from it with `pip install -e .`"


def run(command: Command[T], given: Sequence[str] | None = None) -> int:
    """Compose the configuration from the command line, check it, and call the command's body (in a multirun once per study).
    `given`: the arguments, by default this process's. Returns the exit code."""
    with lossy_output(), ending():
        return _run(command, sys.argv[1:] if given is None else list(given))


def _run(command: Command[T], arguments: list[str]) -> int:
    try:
        require_conf()
        if HELP & set(arguments):
            print(help_text(command.name))
            return 0
        if VERSION in arguments:
            print(version())
            return 0
        from search.console.compose import call

        return call(command, arguments)
    except KeyboardInterrupt:
        return messages.interrupted(command.stopped)
    except UserError as error:
        return messages.failed(error)


def require_conf() -> None:
    """Raises UserError where this is a copy of the code alone, such as `pip install` without `-e` makes."""
    if not (CONF / "config.yaml").is_file():
        raise UserError(f"{CONF}: is not there, since only the code was installed; {INSTALL}")


def version() -> str:
    """Raises UserError where the program is not installed."""
    try:
        return f"fairtrial {importlib.metadata.version('fairtrial')}"
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the version is not known, since nothing was installed; {INSTALL}") from error
