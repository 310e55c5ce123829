"""Stays as the parent of a candidate's processes: what they have forked ends with the harness, even if that is killed.

    python -m search.runner.process.keeper HARNESS command argument...      (HARNESS: the number of its process)

Linux only. Orphans among them become this process's children (it is their "subreaper"), and so it finds all of them, in
whatever session they are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
PASSED_ON_SIGNAL = 128  # a process that a signal has killed is told as 128 + its number


def stay_as_parent(harness: int) -> None:
    """Fork, and return in the child only. The parent ends with it, as it ended, or with the process `harness`; not before
    all others are gone that come from it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        # Where memory runs out, the kernel is to end this process, and neither the harness nor its keeper.
        with contextlib.suppress(OSError):  # some containers have no such file
            Path("/proc/self/oom_score_adj").write_text("1000")
        return
    signal.signal(signal.SIGTERM, lambda number, frame: _end(PASSED_ON_SIGNAL + number))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != harness:  # it was killed before it could be heard of
        _end(PASSED_ON_SIGNAL + signal.SIGTERM)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # or the candidate's channel would stay open when it hangs up
    while (ended := os.wait())[0] != child:
        pass
    code = os.waitstatus_to_exitcode(ended[1])
    _end(code if code >= 0 else PASSED_ON_SIGNAL - code)


def _end(code: int) -> None:
    """Kill every child, and what becomes one as its parent is gone, until there are none."""
    while True:
        for child in _children():
            os.kill(child, signal.SIGKILL)  # it is there, dead or alive, until it is waited for
        try:
            os.wait()
        except ChildProcessError:
            os._exit(code)


def _children() -> Iterator[int]:
    me = str(os.getpid())
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = path.read_text(errors="replace").rpartition(")")[2].split()  # after the name: state, parent, ...
        except (FileNotFoundError, ProcessLookupError):
            continue
        if facts[1] == me:
            yield int(path.parent.name)


if __name__ == "__main__":
    stay_as_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
