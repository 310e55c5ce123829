"""Keeps work on the cores that were leased for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Pin this thread to the cores. Children inherit that, so it is set before they start. Does nothing without cores,
    or if the system cannot pin."""
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
