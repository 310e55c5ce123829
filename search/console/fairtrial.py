"""The console script `fairtrial`: the same commands under one name, as in `fairtrial compare experiment=NAME`."""

from __future__ import annotations

import difflib
import os
import runpy
import sys

from search.config import messages
from search.config.messages import UserError
from search.console.command_line import require_conf
from search.console.help import commands
from search.console.interrupt import quiet_start


def main() -> int:
    """Run the command that the first word names, or else a study; returns the exit code."""
    quiet_start()
    try:
        require_conf()
        module = _module()
    except UserError as error:
        return messages.failed(error)
    runpy.run_module(module, run_name="__main__")
    return 0


def _module() -> str:
    """The module to run; its name is taken from the command line. Raises UserError."""
    names, first = commands(), sys.argv[1] if len(sys.argv) > 1 else ""
    if first == "-sc":
        return _completed(names)
    if first in names:
        del sys.argv[1]
        return f"search.{first}"
    if not first or first.startswith(("-", "+", "~")) or "=" in first:
        return "search"
    near = difflib.get_close_matches(first, names, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}; a study takes key=value"
    raise UserError(f"{first}: no such command; {meant}")


def _completed(names: list[str]) -> str:
    """The module whose keys complete the line that the shell asks about. Hydra sees that line without the command's name."""
    program, _, rest = os.environ.get("COMP_LINE", "").partition(" ")
    first, space, after = rest.lstrip().partition(" ")
    if space and first in names:
        os.environ["COMP_LINE"] = f"{program} {after}"
        return f"search.{first}"
    if not space and sys.argv[2:] and sys.argv[2].startswith("query="):
        print(" ".join(names))  # the shell takes all words that are printed
    return "search"
