"""Limits how far the host may run ahead of the device: far enough to keep it busy, but not so far that the clock is
wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import torch


class Event(Protocol):
    """A mark in a device's queue of work, as torch.cuda.Event is."""

    def record(self) -> None: ...
    def synchronize(self) -> None: ...


class Pace:
    """Steps that are queued and not yet known to be done: at most one, so the next is ready when the device is free.
    The first step is waited for: until the duration of a step is known, none may begin that could pass the deadline.

    `done`: steps that have ended. `loss`: of the last of them, where it was given. `waiting`: steps queued beyond these.
    """

    def __init__(self, make_event: Callable[[], Event] | None) -> None:
        """`make_event`: None for a device that has no queue."""
        self.done = 0
        self.loss: torch.Tensor | None = None
        self._make_event = make_event
        self._queued: deque[tuple[Event, torch.Tensor | None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._queued)

    def queued(self, loss: torch.Tensor | None) -> None:
        """A step has been queued, and its loss is on its way to the host. Waits until at most one is unfinished."""
        if self._make_event is None:
            self.done, self.loss = self.done + 1, loss
            return
        event = self._make_event()
        event.record()
        self._queued.append((event, loss))
        self._wait(0 if self.done == 0 else 1)

    def finish(self) -> None:
        """Wait for every step."""
        self._wait(0)

    def _wait(self, left: int) -> None:
        while len(self._queued) > left:
            event, self.loss = self._queued.popleft()
            event.synchronize()
            self.done += 1


def pace_for(device: torch.device) -> Pace:
    if device.type == "cuda":
        return Pace(lambda: torch.cuda.Event(blocking=True))  # blocking: the host sleeps instead of spinning
    if device.type == "mps":
        return Pace(torch.mps.event.Event)
    return Pace(None)
