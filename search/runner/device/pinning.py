"""Keeps work on the cores that were leased for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Children inherit the cores that this thread may use: set before they start, so that none of theirs escapes. Nothing
    is set for no cores, or where the system cannot pin."""
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
