"""Ctrl-C once: finish the running trial, then stop. Ctrl-C twice, or SIGTERM: stop now. Nothing finished is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """While it is open, the first Ctrl-C only sets `requested`; the second raises KeyboardInterrupt, and so does SIGTERM."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.requested = False

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._now)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self.say("stopping after the running trial; Ctrl-C again to stop now (the trial then runs again on resuming)")

    def _now(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        raise KeyboardInterrupt
