"""Lets a scoring process follow paths until it gets the rows, and never again. Lookups of one process leave traces in
the kernel's memory that another can find by timing: missing names are remembered, and pages that were read are kept. A
process that cannot look up anything leaves no traces. So the kernel asks the harness about each call that follows a
path (seccomp's user notification, Linux 5.7), and the harness lets it go on. Once the harness has closed its end such
calls fail, whatever the process does.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import select
import struct
import subprocess
import sys
import threading

from search.config.messages import UserError
from search.config.places import ROOT

RECEIVE, SEND = 0xC0502100, 0xC0182101  # ioctls of linux/seccomp.h
NOTICE_BYTES = 80  # struct seccomp_notif; its first 8 bytes are the call's id
GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE


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

    Use as a context manager: leaving it ends all following of paths, too.
    """

    def __init__(self, listener: int) -> None:
        self._listener = listener
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._answer, name="lookups", daemon=True)
        self._open = True

    def __enter__(self) -> Lookups:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """From here on the process follows no path."""
        if not self._open:
            return
        self._open = False
        os.close(self._woken)
        self._thread.join()
        os.close(self._listener)
        os.close(self._wake)

    def _answer(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._listener, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                return
            if ready[self._listener] & select.POLLIN:
                self._let_go_on()
            else:  # nobody is left who could ask
                poll.unregister(self._listener)

    def _let_go_on(self) -> None:
        notice = bytearray(NOTICE_BYTES)
        with contextlib.suppress(FileNotFoundError):  # who asked has been killed
            fcntl.ioctl(self._listener, RECEIVE, notice)
            (call,) = struct.unpack_from("Q", notice)
            fcntl.ioctl(self._listener, SEND, struct.pack("QqiI", call, 0, 0, GO_ON))
