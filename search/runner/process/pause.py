"""Pauses a candidate's processes outside of system calls (Linux). A call that was allowed may not have read its path
yet: a waiting thread could read it after rows have been shown. A stopped process has ended its calls, and the harness
is asked again about those that it resumes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from search.runner.process import watchdog

STANDING = "TtZX"  # states of a thread in /proc: stopped, or ended
POLL_SECONDS = 0.002


@contextlib.contextmanager
def paused(keeper: int, deadline: float) -> Iterator[bool]:
    """Stop all descendants of the process `keeper`, and continue them afterwards. Yields whether all were stopped by
    the deadline (a `time.monotonic()` value)."""
    try:
        yield _stop(keeper, deadline)
    finally:
        _send(_candidates(keeper), signal.SIGCONT)


def _stop(keeper: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        processes = _candidates(keeper)
        _send(processes, signal.SIGSTOP)
        # What was started meanwhile shows in a second look: from what stands still nothing comes.
        if all(_stands(process) for process in processes) and _candidates(keeper) == processes:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _candidates(keeper: int) -> set[int]:
    """The keeper runs nothing of a candidate's, and has to notice the harness's end."""
    return {process.pid for process in watchdog.family(keeper)} - {keeper} or {keeper}


def _send(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.kill(process, number)


def _stands(process: int) -> bool:
    for thread in Path(f"/proc/{process}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            if thread.read_text(errors="replace").rpartition(")")[2].split()[0] not in STANDING:
                return False
    return True
