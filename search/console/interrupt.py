"""Handles what ends a command: Ctrl-C, SIGTERM and SIGHUP (a closed terminal). No finished trial is lost. In a study
the first Ctrl-C finishes the running trial, then stops. A second Ctrl-C, SIGTERM or SIGHUP stops it now, and it then
has SECONDS to put its record in order. In other commands each of them ends the command. SIGHUP stays ignored if it was
(nohup).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

SECONDS = 9.0  # from "stop now" to the end of the process, whatever a server does: Slurm kills after 30
AGAIN_SECONDS = 3.0  # after which an interrupt is raised again: in a weak reference's callback Python drops it
INTERRUPTED = 130  # the shell's own exit code after Ctrl-C

OVERDUE = f"stopped {SECONDS:g} seconds after the request; run the same command to publish what MLflow has not received"

Handler = Callable[[int, FrameType | None], None]


def leave(number: int, frame: FrameType | None) -> None:
    """The handler for when there is nothing to put in order: the process ends at once."""
    _exit("stopped")


def quiet_start() -> None:
    """Have Ctrl-C print no traceback while modules are imported. Call this before anything heavy is imported."""
    install(leave)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """While it is open, the first signal raises KeyboardInterrupt, so that files are cleaned up. The process ends at
    the second signal, or after SECONDS."""

    def first(number: int, frame: FrameType | None) -> None:
        install(leave)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        raise KeyboardInterrupt

    before, alarm = install(first), signal.signal(signal.SIGALRM, leave)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        restore(before)


class Interrupts:
    """While it is open, the first Ctrl-C only sets `requested`. Whatever stops a study now raises KeyboardInterrupt;
    SECONDS later the process is ended. After a call of `over` nothing is interrupted, but these seconds still count."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.requested = False
        self._over = False
        self._seconds = 0.0  # since the study was to stop now

    def __enter__(self) -> Interrupts:
        self._before, self._unraisable = install(self._heard), sys.unraisablehook
        sys.unraisablehook = _dropped
        self._alarm = signal.signal(signal.SIGALRM, self._passed)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._alarm)
        restore(self._before)
        sys.unraisablehook = self._unraisable

    def over(self) -> None:
        """The study has ended; what is left is to close its record."""
        self._over = True

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and not self.requested:
            self.requested = True
            self.say(
                "stopping after the running trials; press Ctrl-C again to stop now (they then run again when you resume)"
            )
            return
        self.requested = True
        if signal.getitimer(signal.ITIMER_REAL)[0]:  # it is being stopped
            return
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
        if not self._over:
            raise KeyboardInterrupt

    def _passed(self, number: int, frame: FrameType | None) -> None:
        self._seconds += AGAIN_SECONDS
        if self._seconds >= SECONDS:
            _exit(OVERDUE)
        if not self._over:
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


def _dropped(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt that Python drops is raised again, and not shown."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


def _exit(said: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{said}\n".encode())
    os._exit(INTERRUPTED)
