"""Progress of preparing a text: a line from time to time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

Say = Callable[[str], None]  # shows one line; may be called from any thread
REPORT_SECONDS = 10.0


class Seldom:
    """Passes on a line of progress every REPORT_SECONDS at most. `lasted`: seconds since it was made."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._began = self._spoke = time.monotonic()

    def __call__(self, line: str) -> None:
        if time.monotonic() - self._spoke >= REPORT_SECONDS:
            self._spoke = time.monotonic()
            self._say(line)

    @property
    def lasted(self) -> float:
        return max(time.monotonic() - self._began, 1e-3)


@contextmanager
def exclusively(path: Path, say: Say) -> Iterator[None]:
    """Hold a lock file, and say so where another process holds it first. The kernel takes it back from a killed process.

    Raises OSError if the file cannot be made.
    """
    lock = FileLock(path)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        say(f"waiting for another process that prepares the same text ({path})")
        held = lock.acquire()
    with held:
        yield
