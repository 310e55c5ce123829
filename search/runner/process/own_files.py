"""What the harness answers itself, in place of the kernel, when a scoring process asks: files that it opens and hands over,
and figures of the machine that nothing can move."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import time
from collections.abc import Iterable
from pathlib import Path

THREAD_NAME = re.compile(r"/proc/(self|\d+)/task/\d+/comm")
FIGURES = "/proc/meminfo"
# Their drivers take no call from another process than the one that opened them (amdkfd/kfd_chardev.c, hv/dxgkrnl/ioctl.c).
PERSONAL = ("kfd", "dxg")
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class OwnFiles:
    """`devices`: the files of a GPU, and folders of them. Use as a context manager."""

    def __init__(self, devices: Iterable[Path]) -> None:
        found = {below for path in devices for below in (path, *path.rglob("*"))}
        self._devices = {str(path) for path in found if path.name not in PERSONAL}

    def __enter__(self) -> OwnFiles:
        self._figures = _holding(_meminfo())
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._figures)

    def opened(self, path: str, for_writing: bool, ended: bool) -> int | None:
        """An open file to hand over for that path, or None. `ended`: whether the process can open nothing itself.

        CUDA's driver names its threads, and where it cannot it fails with "OS call failed"
        (https://github.com/nolabs-ai/nono/pull/673). But nothing in /proc may be written, so the name goes nowhere. The
        driver also opens its device files anew for each mapping of memory.
        """
        with contextlib.suppress(OSError):  # gone, not for this user, or no room for one more
            if path == FIGURES and not for_writing:
                return os.open(f"/proc/self/fd/{self._figures}", os.O_RDONLY | os.O_CLOEXEC)
            if for_writing and THREAD_NAME.fullmatch(path):
                return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            if ended and path in self._devices:
                return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        return None


def sysinfo() -> bytes:
    """`struct sysinfo` of a machine that does nothing. Loads and free memory tell what an earlier process did."""
    total = _total_memory()
    uptime = int(time.clock_gettime(time.CLOCK_BOOTTIME))
    return struct.pack("q3Q6QHHxxxx2QIxxxx", uptime, 0, 0, 0, total, total, 0, 0, 0, 0, 1, 0, 0, 0, 1)


def _meminfo() -> bytes:
    total = _total_memory() // 1024
    figures = {"MemTotal": total, "MemFree": total, "MemAvailable": total, "Buffers": 0, "Cached": 0, "SwapTotal": 0}
    return "".join(f"{name + ':':15} {value:8} kB\n" for name, value in {**figures, "SwapFree": 0}.items()).encode()


def _total_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _holding(data: bytes) -> int:
    """A file in memory that nobody can change. One for all that a process opens: what is made anew each time gets the next
    number of an inode, from a core on which they are not moved on (`search.runner.process.scatter`)."""
    file = os.memfd_create("figures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(file, data)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
    return file
