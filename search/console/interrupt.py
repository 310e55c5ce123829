"""What ends a command: Ctrl-C, SIGTERM and SIGHUP (a terminal that goes away). Nothing finished is lost.

In a study Ctrl-C once finishes the running trial, then stops. Ctrl-C twice, SIGTERM or SIGHUP stop it now, and then it has
SECONDS to put its record in order. Elsewhere each of them ends the command. SIGHUP stays ignored where it was (nohup).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

SECONDS = 8  # from "stop now" to the end of the process, whatever a server does: Slurm kills after 30
INTERRUPTED = 130  # the shell's own exit code after Ctrl-C

OVERDUE = f"stopped, {SECONDS} seconds after it was asked for; the same command publishes what MLflow has not taken"

Handler = Callable[[int, FrameType | None], None]


def leave(number: int, frame: FrameType | None) -> None:
    """The handler for when there is nothing to put in order: the process ends at once."""
    _exit("stopped")


def quiet_start() -> None:
    """While modules are imported, the end is no traceback. To be called before anything heavy is imported."""
    install(leave)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """While it is open, the first signal raises KeyboardInterrupt, so that files are cleared up; the second ends it all."""

    def first(number: int, frame: FrameType | None) -> None:
        install(leave)
        raise KeyboardInterrupt

    before = install(first)
    try:
        yield
    finally:
        restore(before)


class Interrupts:
    """While it is open, the first Ctrl-C only sets `requested`. Whatever stops a study now raises KeyboardInterrupt, once;
    SECONDS later the process is ended. After `over` was called nothing is interrupted, but these seconds are counted."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.requested = False
        self._over = False

    def __enter__(self) -> Interrupts:
        self._before = install(self._heard)
        self._alarm = signal.signal(signal.SIGALRM, lambda number, frame: _exit(OVERDUE))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self._alarm)
        restore(self._before)

    def over(self) -> None:
        """The study has ended; what is left is to close its record."""
        self._over = True

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and not self.requested:
            self.requested = True
            self.say("stopping after the running trial; Ctrl-C again to stop now (the trial then runs again on resuming)")
            return
        self.requested = True
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.alarm(SECONDS)
        if not self._over:
            self._over = True
            raise KeyboardInterrupt


def install(handler: Handler) -> dict[int, Any]:
    """Have it called for every signal that ends a command. Returns what was there."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return {number: signal.signal(number, handler) for number in numbers}


def restore(before: dict[int, Any]) -> None:
    """Undo `install`."""
    for number, handler in before.items():
        signal.signal(number, handler)


def _exit(said: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{said}\n".encode())
    os._exit(INTERRUPTED)
