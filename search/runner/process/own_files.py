"""What the harness answers itself, in place of the kernel, when a scoring process asks: files that it opens and hands over,
and figures of the machine that nothing can move."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import time
from collections.abc import Iterable
from pathlib import Path

THREAD_NAME = re.compile(r"/proc/(self|\d+)/task/\d+/comm")
FIGURES = "/proc/meminfo"


class OwnFiles:
    """`devices`: the files of a GPU, and folders of them."""

    def __init__(self, devices: Iterable[Path]) -> None:
        self._devices = {str(found) for path in devices for found in (path, *path.rglob("*"))}

    def opened(self, path: str, for_writing: bool) -> int | None:
        """An open file to hand over for that path, or None.

        CUDA's driver names its threads, and where it cannot it fails with "OS call failed"
        (https://github.com/nolabs-ai/nono/pull/673). But nothing in /proc may be written, so the name goes nowhere. The
        driver also opens its device files anew for each mapping of memory.
        """
        if path == FIGURES and not for_writing:
            return _holding(_meminfo())
        if for_writing and THREAD_NAME.fullmatch(path):
            return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # gone, or not for this user
            return os.open(path, os.O_RDWR | os.O_CLOEXEC) if path in self._devices else None
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
    """The reading end of a pipe: a file in memory could be written by whoever gets it."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading
