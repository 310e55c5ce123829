"""What a candidate's processes keep: files below a folder, and memory and files that no folder shows."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 20_000  # counting more would take too long
DEEPEST = 200  # folders inside one another; a path cannot say many more
# What lies unread in a pipe or a socket is in no process's memory. Linux's defaults: 16 pages, net.core.wmem_default.
PIPE_BYTES, SOCKET_BYTES = 65_536, 212_992
IN_MEMORY = 0  # major number of file systems without a disk


@dataclass(frozen=True)
class Held:
    """Bytes that no folder and no process's memory shows."""

    memory: int
    disk: int


def usage(folder: Path) -> tuple[int, int]:
    """Files below a folder, and the bytes that they take. Counts no further than MOST_FILES; folders that are nested
    too deep, or locked, are as many. Folders are opened by their descriptors and no link is followed, so exchanging one
    for the other in the meantime has no effect: whatever is gone or changed is skipped."""
    files = size = 0
    for found in _below(folder, None, 0):
        if found is None:
            return MOST_FILES + 1, size
        files += 1
        size += found
        if files > MOST_FILES:
            break
    return files, size


def _below(folder: Path | str, parent: int | None, depth: int) -> Iterator[int | None]:
    """The size of each thing below a folder; None if it goes too deep, or cannot be looked into."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except PermissionError:  # its maker has locked it, and may go on writing there
        yield None
        return
    except OSError:  # gone, or no folder any more
        return
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False).st_blocks * 512
                    if not entry.is_dir(follow_symlinks=False):
                        continue
                    if depth == DEEPEST:
                        yield None
                    yield from _below(entry.name, descriptor, depth + 1)
    finally:
        os.close(descriptor)


def held(processes: Iterable[int]) -> Held:
    """What these processes hold open or mapped without a name: removed files, files in memory, full pipes and sockets, and
    the tables of their pages. Only Linux tells."""
    sizes: dict[tuple[int, int], int] = {}
    buffers: set[tuple[int, int, int]] = set()
    tables = 0
    for process in processes:
        for device, inode, size in _mapped(process):
            sizes[device, inode] = max(size, sizes.get((device, inode), 0))
        tables += _tables(process)
        for facts in _open(process):
            if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                key = facts.st_dev, facts.st_ino
                sizes[key] = max(facts.st_blocks * 512, sizes.get(key, 0))
            elif stat.S_ISFIFO(facts.st_mode) or stat.S_ISSOCK(facts.st_mode):
                buffers.add((facts.st_dev, facts.st_ino, PIPE_BYTES if stat.S_ISFIFO(facts.st_mode) else SOCKET_BYTES))
    memory = sum(size for (device, _), size in sizes.items() if os.major(device) == IN_MEMORY)
    return Held(memory + tables + sum(size for *_, size in buffers), sum(sizes.values()) - memory)


def _tables(process: int) -> int:
    """Bytes of the tables that say where a process's pages lie: one of 4 kB for each page that is read 2 MB apart."""
    with contextlib.suppress(OSError), Path(f"/proc/{process}/status").open(errors="replace") as lines:
        for line in lines:
            if line.startswith("VmPTE:"):
                return int(line.split()[1]) * 1024
    return 0


def _open(process: int) -> Iterator[os.stat_result]:
    with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/fd") as entries:  # it may have ended
        for entry in entries:
            with contextlib.suppress(OSError):  # closed meanwhile
                yield entry.stat()


def _mapped(process: int) -> Iterator[tuple[int, int, int]]:
    """Device, inode and mapped bytes of removed files: they may be closed, and are held all the same."""
    totals: dict[tuple[int, int], int] = {}
    with contextlib.suppress(OSError), Path(f"/proc/{process}/maps").open(errors="replace") as lines:
        for line in lines:
            if line.endswith(" (deleted)\n"):
                addresses, _, _, device, inode, *_ = line.split()
                first, last = (int(address, 16) for address in addresses.split("-"))
                major, minor = (int(part, 16) for part in device.split(":"))
                key = os.makedev(major, minor), int(inode)
                totals[key] = totals.get(key, 0) + last - first
    yield from ((device, inode, size) for (device, inode), size in totals.items())
