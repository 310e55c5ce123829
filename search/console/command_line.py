"""Runs a command: its help, its version, its errors in a line or two, its exit code. Nothing heavy is imported before
help is printed."""

from __future__ import annotations

import importlib.metadata
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from search.config import messages
from search.config.messages import UserError
from search.config.places import CONF, MLRUNS, ROOT
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
    _spell_out()
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
        _require_home()
        _require_output()
        from search.console.compose import call

        return call(command, arguments)
    except KeyboardInterrupt:
        return messages.interrupted(command.stopped)
    except UserError as error:
        return messages.failed(error)


def require_conf() -> None:
    """Raises UserError if this is a copy of the code alone, as made by `pip install` without `-e`, or if the current
    folder is another copy: an installed one takes precedence if PYTHONSAFEPATH is set."""
    if not (CONF / "config.yaml").is_file():
        raise UserError(f"{CONF}: is missing, since only the code was installed; {INSTALL}")
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the current folder no longer exists; change to another one (cd)") from error
    copy = (here / "search" / "__main__.py").is_file() and (here / CONF.name / "config.yaml").is_file()
    if copy and not here.samefile(ROOT):
        raise UserError(
            f"{here}: is another copy of this program, but Python runs the one in {ROOT}.\n"
            "Change to that folder; or, to run this copy, unset PYTHONSAFEPATH or install it with `pip install -e .`"
        )


def _require_home() -> None:
    """Raises UserError if no home folder is known: some libraries need one too."""
    try:
        Path.home()
    except RuntimeError as error:
        raise UserError(
            "the home folder is not known: HOME is not set, and the system does not know this user.\n"
            "Set HOME to a writable folder, as in HOME=/tmp"
        ) from error


def _require_output() -> None:
    """Raises UserError if mlruns/ is a link to a place that is missing, such as another disk."""
    if MLRUNS.is_symlink() and not MLRUNS.exists():
        raise UserError(
            f"{MLRUNS}: is a link to {MLRUNS.readlink()}, which does not exist; make that folder, or mount its disk"
        )


def _spell_out() -> None:
    """Characters that the screen's encoding lacks, such as an umlaut in ASCII, are shown as numbers and cause no
    error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def version() -> str:
    """Raises UserError if the program is not installed."""
    try:
        return f"fairtrial {importlib.metadata.version('fairtrial')}"
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the version is not known, since fairtrial is not installed; {INSTALL}") from error
