"""Where trials run: what a file in `conf/executor` names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from search.config.schema import Config, TaskConfig
from search.data.tokens import Prepared
from search.executor.drive import Executor
from search.study.request import Progress

Observe = Callable[[int, Progress], None]  # is told about running trials, by number; may be called from any thread
Say = Callable[[str], None]


@dataclass(frozen=True)
class Opened:
    """A place where trials of one study can run now. `sandbox`: the name of the one they run in. `remark`: what its user
    should know, or nothing. `start`: makes the executor."""

    sandbox: str
    remark: str
    start: Callable[[Observe, Say], Executor]


class Place(Protocol):
    """Built with the settings of its YAML file."""

    def check(self, task: TaskConfig) -> None:
        """Raise UserError if trials of the task cannot run there, as far as that is known before one does."""
        ...

    def devices(self, task: TaskConfig) -> int | None:
        """How many trials of the task can run there at once; None if that is not known. Raises UserError."""
        ...

    def open(self, config: Config, prepared: Prepared, folder: Path) -> AbstractContextManager[Opened]:
        """Get ready for the study of `folder`. Raises UserError."""
        ...
