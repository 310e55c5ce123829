"""Brings all that candidates can read into memory before each of their processes.

A file that was read before is read faster, so one process could signal to the next by what it reads. If everything is
already in memory, and was read several times, reading leaves no trace.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CACHESTAT = 451  # the same number on every machine; since Linux 6.5
WHOLE = bytes(16)  # struct cachestat_range: from 0 to the end
PAGE = os.sysconf("SC_PAGE_SIZE")
# The kernel notes of each page in memory whether it was read again since. Whoever maps the page can see that (`active` in
# /proc/self/numa_maps): one bit per page. After three readings it has noted all that it ever does.
READINGS = 3
READ_BYTES = 2**30
VMSTAT = Path("/proc/vmstat")
DEMOTED = ("pgrefill", "pgdeactivate")  # counters of /proc/vmstat: of pages for which it may have taken that back
TAKEN = "pgsteal_"  # how names of counters begin: of pages that it has put out of memory, by why it did
# Linux keeps the time of the last reading where the one it knows is older than a day, or than the last change (relatime).
RECENT_SECONDS = 20 * 3600.0


def bring_into_memory(paths: Iterable[Path]) -> int:
    """Read whatever is not in memory of these files, and of those below these folders. Returns the bytes that still are
    not, because the machine has too little memory; 0 before Linux 6.5, which does not tell. Does nothing except on Linux."""
    if sys.platform != "linux":
        return 0
    places, before = tuple(paths), _reclaim()
    again = places not in _reclaim_then or _reclaim_then[places].demoted != before.demoted
    missing = sum(_bring(path, again) for path in _files(places))
    _reclaim_then[places] = before
    return missing


def bring_back(paths: Iterable[Path]) -> int:
    """The same, at once where the kernel has taken nothing out of memory since. A process can make it do so, by taking much
    memory itself, and choose what stays by using that."""
    if sys.platform != "linux" or _reclaim_then.get(tuple(paths)) == _reclaim():
        return 0
    return bring_into_memory(paths)


class Reclaim(NamedTuple):
    """Pages for which the kernel may have taken back that they were read again, and pages that it has put out of memory;
    since the machine started."""

    demoted: int
    taken: int


# Before all of that was last read, by this process.
_reclaim_then: dict[tuple[Path, ...], Reclaim] = {}


def _reclaim() -> Reclaim:
    counters = dict(line.split() for line in VMSTAT.read_text().splitlines())
    taken = sum(int(value) for name, value in counters.items() if name.startswith(TAKEN))
    return Reclaim(sum(int(counters.get(name, 0)) for name in DEMOTED), taken)


@functools.cache
def _files(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Looked up once: nothing is installed while studies run. Each thing that is a link to elsewhere is left out."""
    return tuple(found for path in paths if not path.is_symlink() for found in _below(str(path)))


def _below(path: str) -> Iterator[str]:
    yield path
    if not Path(path).is_dir():
        return
    with contextlib.suppress(OSError), os.scandir(path) as entries:  # unreadable for us, or no longer there
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path


def _bring(path: str, again: bool) -> int:
    """Bytes of the file that are not in memory afterwards; 0 of a folder, whose names need not be. `again`: read it even if
    it is in memory."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # unreadable for us, and so for candidates; or no longer there
        return 0
    try:
        facts = os.fstat(file)
        changed = max(facts.st_mtime, facts.st_ctime)
        stale = facts.st_atime <= changed or time.time() - facts.st_atime > RECENT_SECONDS
        if stat.S_ISDIR(facts.st_mode):  # only the time of its reading tells something
            if stale:
                with os.scandir(file) as entries:
                    list(entries)
            return 0
        missing = _missing(file, facts.st_size, untold=facts.st_size)
        if missing or stale or again:
            _read(file)
            missing = _missing(file, facts.st_size, untold=0) if missing else 0
        return missing
    finally:
        os.close(file)


def _read(file: int) -> None:
    """Read all of an open file, READINGS times, without copying it anywhere."""
    for _ in range(READINGS):
        at = 0
        while read := os.sendfile(_nowhere(), file, at, READ_BYTES):
            at += read


@functools.cache
def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _missing(file: int, size: int, untold: int) -> int:
    """Bytes of an open file that are not in memory. `untold`: what to say where the kernel does not tell."""
    counts = ctypes.create_string_buffer(40)  # struct cachestat: five counts of pages, the first of those in memory
    if _system_call()(CACHESTAT, file, WHOLE, counts, 0) != 0:
        return untold
    (there,) = struct.unpack_from("Q", counts)
    return max(0, -(-size // PAGE) - there) * PAGE


@functools.cache
def _system_call() -> Callable[..., int]:
    return ctypes.CDLL(None).syscall
