"""A system call that the kernel asks about (seccomp's user notification), and what can be answered."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import platform
import struct
from collections.abc import Iterator

from search.task.system_calls import CALLS

# ioctls of linux/seccomp.h
RECEIVE, SEND, STILL_VALID, ADD_FILE = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
NOTICE_BYTES = 80  # struct seccomp_notif
GO_ON = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
PATH_ARGUMENT = {"open": 0, "openat": 1}  # flags follow it
LONGEST_PATH = 256  # of those that are told


class Notice:
    """The next call that waits at `listener`. All methods raise FileNotFoundError if it waits no longer: who asked has been
    killed, or is paused and will ask again. So does the constructor, and InterruptedError after a signal."""

    def __init__(self, listener: int) -> None:
        self._listener = listener
        notice = bytearray(NOTICE_BYTES)
        fcntl.ioctl(listener, RECEIVE, notice)
        self._call, self._thread, _, self._number, _, _, *self._arguments = struct.unpack("QIIiIQ6Q", notice)

    @property
    def name(self) -> str | None:
        return _names().get(self._number)

    def opened(self) -> tuple[str, bool] | None:
        """The path that is to be opened, and whether for writing; None for other calls."""
        at = PATH_ARGUMENT.get(self.name or "")
        if at is None or self._arguments[at] >> 63:
            return None
        try:
            memory = os.open(f"/proc/{self._thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # it has ended
            return None
        try:
            text, end, _ = os.pread(memory, LONGEST_PATH, self._arguments[at]).partition(b"\0")
        except OSError:  # that is no address
            return None
        finally:
            os.close(memory)
        return (os.fsdecode(text), self._arguments[at + 1] & os.O_ACCMODE != os.O_RDONLY) if end else None

    def go_on(self) -> None:
        """The kernel is to do as it was told."""
        self._reply(flags=GO_ON)

    def refuse(self) -> None:
        """As if nobody listened, or as if that were not permitted. NVIDIA's libraries fail where they may not ask for a
        server (https://github.com/NVIDIA/OpenShell/pull/710)."""
        self._reply(error=-(errno.ECONNREFUSED if self.name == "connect" else errno.EACCES))

    def hand_over(self, file: int) -> None:
        """Answer with a copy of an open file. Needs Linux 5.9; refuses where that, or room for one more file, is missing."""
        added = bytearray(struct.pack("QIIII", self._call, 0, file, 0, os.O_CLOEXEC))
        with self._or_refused():
            self._reply(value=self._tell(ADD_FILE, added))

    def write(self, data: bytes) -> None:
        """Answer by writing to where the first argument points, which is the caller's own memory. Refuses where that is no
        address, or where nobody may write into another process (`kernel.yama.ptrace_scope` of 2 or more)."""
        with self._or_refused():
            memory = os.open(f"/proc/{self._thread}/mem", os.O_WRONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(self._listener, STILL_VALID, struct.pack("Q", self._call))  # or it could be another's by now
                os.pwrite(memory, data, self._arguments[0] & ~(1 << 63))
            finally:
                os.close(memory)
            self._reply()

    @contextlib.contextmanager
    def _or_refused(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError:
            self.refuse()

    def _reply(self, value: int = 0, error: int = 0, flags: int = 0) -> None:
        self._tell(SEND, bytearray(struct.pack("QqiI", self._call, value, error, flags)))

    def _tell(self, request: int, data: bytearray) -> int:
        """Again after a signal to the harness, such as Ctrl-C: Python does not repeat this call by itself."""
        while True:
            with contextlib.suppress(InterruptedError):
                return fcntl.ioctl(self._listener, request, data)


@functools.cache
def _names() -> dict[int | None, str]:
    return {call.number(platform.machine()): call.name for call in CALLS if call.looks_up}
