"""The training process: runs the candidate's `train.py`, in its own folder, as a program of its own.

    python -m search.task.launch        (started by the harness, with a channel)

Compared with a plain start, it only tells the harness when the process began and how to classify a failure.
"""

from __future__ import annotations

import ctypes
import runpy
import signal
import sys

from search.task import memory, seccomp
from search.task.confine import confine
from search.task.protocol import Channel
from search.task.system_calls import Policy

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the harness is killed, even with -9. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def failure_kind(error: BaseException) -> str:
    """`out_of_memory` or `crashed`, for the event that tells the harness."""
    # torch raises a class of its own where its allocator fails on CUDA and ROCm, and plain RuntimeErrors elsewhere: on the
    # CPU, on Apple's GPUs, and where CUDA, cuBLAS, cuDNN or Triton find no room beside what torch holds.
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    said = any(
        words in str(error) for words in ("can't allocate memory", "out of memory", "OutOfMemoryError", "ALLOC_FAILED")
    )
    return "out_of_memory" if out_of_memory or said else "crashed"


def run_candidate(channel: Channel, run_name: str) -> dict[str, object]:
    """Run `train.py` of this folder under that module name; tell the harness before an error goes on to the log."""
    try:
        return runpy.run_path("train.py", run_name=run_name)
    except Exception as error:
        channel.send({"event": "failed", "kind": failure_kind(error), "peak_memory_mb": memory.peak_mb()})
        raise


if __name__ == "__main__":
    die_with_parent()
    inherited = Channel.inherited()
    if inherited is None:
        sys.exit("search.task.launch is started by the harness; to run a train.py by hand: python train.py")
    confine()
    seccomp.apply([Policy.SENDING])
    inherited.send({"event": "launched"})
    run_candidate(inherited, "__main__")
