"""Processes that start each other end together: signals are passed on to a child, which does not outlive its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

from search.console.interrupt import INTERRUPTED, SECONDS, install, restore

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PARENT_SECONDS = 1.0  # between two looks at whether the parent lives
WATCH = "watches the parent"  # the thread's name


@contextlib.contextmanager
def passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """While it is open, signals that would end this process are passed on to the child."""
    before = install(lambda number, frame: child.send_signal(number))
    try:
        yield
    finally:
        restore(before)


def end_with_parent() -> Callable[[], None]:
    """What a child does as it starts (`preexec_fn`): it has the kernel send it SIGTERM when this process is gone. Only Linux
    can."""
    parent = os.getpid()

    def ask() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it was killed before it could be heard of
                os.kill(os.getpid(), signal.SIGTERM)

    return ask


def watch_parent(parent: int) -> None:
    """The same for a worker of a pool, which any of its parent's threads may have started: from a thread that looks.
    `parent`: the process that started this one. It may be gone before the first look."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS)  # a pool's worker goes on waiting for work
        os._exit(INTERRUPTED)

    if WATCH not in {thread.name for thread in threading.enumerate()}:  # a worker runs one study after the other
        threading.Thread(target=watch, name=WATCH, daemon=True).start()
