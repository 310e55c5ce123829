"""Runs a command: its help, its version, its errors in a line or two, its exit code. Nothing heavy is imported before help
is given."""

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
    """Raises UserError where this is a copy of the code alone, such as `pip install` without `-e` makes, or where the
    caller stands in another copy: an installed one goes first where PYTHONSAFEPATH is set."""
    if not (CONF / "config.yaml").is_file():
        raise UserError(f"{CONF}: is not there, since only the code was installed; {INSTALL}")
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the folder that this command is called in is gone; change to another one (cd)") from error
    copy = (here / "search" / "__main__.py").is_file() and (here / CONF.name / "config.yaml").is_file()
    if copy and not here.samefile(ROOT):
        raise UserError(
            f"{here}: is another copy of this program, and Python runs the one in {ROOT}.\n"
            "Go there, or have this one run: unset PYTHONSAFEPATH, or install it with `pip install -e .`"
        )


def _require_home() -> None:
    """Raises UserError where none is known: of the libraries, too, some cannot be without."""
    try:
        Path.home()
    except RuntimeError as error:
        raise UserError(
            "no home folder is known here: HOME is not set, and the system does not know this user.\n"
            "Set HOME to a folder that may be written, as in HOME=/tmp"
        ) from error


def _require_output() -> None:
    """Raises UserError where mlruns/ is a link to another disk, say, that is not there now."""
    if MLRUNS.is_symlink() and not MLRUNS.exists():
        raise UserError(f"{MLRUNS}: leads to {MLRUNS.readlink()}, which is not there; make that folder, or mount its disk")


def _spell_out() -> None:
    """What the screen's encoding lacks, as ASCII has no umlaut, is shown as its number and is no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def version() -> str:
    """Raises UserError where the program is not installed."""
    try:
        return f"fairtrial {importlib.metadata.version('fairtrial')}"
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"the version is not known, since nothing was installed; {INSTALL}") from error
