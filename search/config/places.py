"""Where things are, and which cores this process may use.

Relative paths in the configuration mean the repository's root, wherever the command is called.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from search.config.messages import UserError

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
MLRUNS = ROOT / "mlruns"
STUDIES = MLRUNS / "studies"


def resolve(path: str) -> Path:
    """A path from the configuration, with `~` expanded and the root put before a relative one. Raises UserError if
    the user of a `~user` is not known."""
    try:
        return ROOT / Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: {path.partition('/')[0]} is not a home folder here; give the path without it") from error


def usable_cores() -> set[int]:
    """The numbers of the cores that this process may use: on a shared machine a job is often given some of them."""
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
