"""Lets a scoring process follow paths until it gets the rows, and never again. Lookups of one process leave traces in
the kernel's memory that another can find by timing: missing names are remembered, and pages that were read are kept. A
process that cannot look up anything leaves no traces. So the kernel asks the harness about each call that follows a
path (seccomp's user notification, Linux 5.7), and the harness lets it go on. Once the process is to have the rows such
calls fail, whatever it does.

A few files the harness opens itself and hands over, and a few figures it gives itself (`search.runner.process.own_files`).
It looks up names of its own then, so the process looks up nothing.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from search.config.messages import UserError
from search.config.places import ROOT
from search.runner.process.notices import Notice
from search.runner.process.own_files import OwnFiles, sysinfo

SUPERVISED = "import os; from search.task import seccomp; seccomp.supervise(); os._exit(0)"


@functools.cache
def check_works() -> None:
    """Raise UserError if this machine's kernel cannot do this."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if subprocess.run([sys.executable, "-c", SUPERVISED], env=environment, capture_output=True, check=False).returncode != 0:
        raise UserError(
            "scoring needs a kernel that lets the harness answer system calls (seccomp's user notification), and this one "
            "does not.\nUse Linux 5.7 or later, outside of containers that answer them already"
        )


class Lookups:
    """Answers for the file descriptor that `search.task.seccomp.supervise` returned, on a thread of its own.

    Use as a context manager. `devices`: the files of a GPU, which are handed over once it can open nothing itself.
    """

    def __init__(self, listener: int, devices: Iterable[Path] = ()) -> None:
        self._listener = listener
        self._own = OwnFiles(devices)
        self._ended = False

    def __enter__(self) -> Lookups:
        self._own.__enter__()
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._own.__exit__()
        os.close(self._listener)

    def end(self) -> None:
        """From here on the process follows no path: it gets what the harness hands over, and nothing else."""
        self._stop()
        self._ended = True
        self._start()

    def _start(self) -> None:
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._follow, name="lookups", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        """Once this returns, no call is on its way that was let go."""
        os.close(self._woken)
        self._thread.join()
        os.close(self._wake)

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                return
            if ready[self._listener] & select.POLLIN:
                with contextlib.suppress(FileNotFoundError, InterruptedError):
                    self._answer(Notice(self._listener))
            else:  # nobody is left who could ask
                poll.unregister(self._listener)

    def _answer(self, notice: Notice) -> None:
        if notice.name == "sysinfo":
            notice.write(sysinfo())
            return
        opened = notice.opened()
        own = None if opened is None else self._own.opened(*opened, self._ended)
        if own is not None:
            try:
                notice.hand_over(own)
            finally:
                os.close(own)
        elif self._ended:
            notice.refuse()
        else:
            notice.go_on()
