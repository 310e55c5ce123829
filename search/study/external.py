"""An external program that a strategy has run: the request and its result.

Strategies start no processes themselves. They get an object that does (`TaskFacts.programs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

BUBBLEWRAP, UNPROTECTED = "bubblewrap", "none"


def nothing_heard(line: str) -> str:
    """For `Program.heed`: nothing that a program prints ends it."""
    return ""


@dataclass(frozen=True)
class Program:
    """A command, and what it may use.

    `words`: the command. `folder`: where it runs, the only place that it may write to. `said`: its standard input.
    `seconds`: of wall clock, after which it is ended. `hosts`: what it may reach, as `name` (port 443) or `name:port`.
    `environment`: variables that it is given. `keys`: names of variables that are handed on from the caller's
    environment. `shown`: files and folders that it may read besides the system and the interpreter. `sandbox`:
    bubblewrap or none. `heed`: hears each line that it prints; what it returns, unless empty, is why the program is
    ended. `home`: what HOME says, a folder that is empty but for what is shown of it; None for a folder of its own.
    """

    words: tuple[str, ...]
    folder: Path
    said: str
    seconds: float
    hosts: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    shown: Sequence[Path] = ()
    sandbox: str = BUBBLEWRAP
    heed: Callable[[str], str] = nothing_heard
    home: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How a program ended. `code`: its exit code, 128 or more for a signal. `why`: the reason for which it was ended;
    empty where it ended by itself. `output`, `errors`: what it printed, cut in the middle where that is long.
    `seconds`: that it took."""

    code: int
    why: str
    output: str
    errors: str
    seconds: float


class Programs(Protocol):
    """Runs programs of others."""

    def check(self, program: Program) -> None:
        """Raises UserError if the program cannot be run here as requested."""
        ...

    def run(self, program: Program) -> Ended:
        """Run it to its end. No process that it has started is left when this returns. Raises UserError as `check`."""
        ...
