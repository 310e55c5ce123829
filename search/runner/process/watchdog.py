"""Watches what a candidate's processes use together, and says when it is too much.

A limit on address space would do for memory what this does, but CUDA reserves far more addresses than it uses, and dies of
it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from search.config.schema import GB
from search.study.trial import Status

MOST_FILES = 20_000  # counting more would take too long
MB = 2**20
# What a CUDA process takes of a GPU beside what PyTorch allocates in it: its context, kernels, workspaces of libraries.
# Assumed, not measured: about half of it is the context alone.
CONTEXT_GB = 1.0


@dataclass(frozen=True)
class Limits:
    """What one process and its children may use together, in GB of 2**30 bytes."""

    memory_gb: float
    disk_gb: float
    most_processes: float  # and threads
    vram_gb: float | None = None  # of the GPU's memory; None for all of it

    @property
    def disk_bytes(self) -> int:
        return int(self.disk_gb * GB)


class LimitExceeded(Exception):
    """A candidate used more than it may. `status`: how its trial ends. `peak_mb`: the memory it had, where that was it."""

    def __init__(self, status: Status, reason: str, peak_mb: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.peak_mb = status, peak_mb


@dataclass(frozen=True)
class Use:
    """What a process and its children use at one moment. `processes`: 0 where they are gone. `memory_mb`: what they share
    counts once for each. `cpu_seconds`: so far, with what their children used that have ended."""

    processes: int
    memory_mb: float
    cpu_seconds: float


def check(pid: int, folder: Path, limits: Limits) -> Use:
    """What the process `pid` and its children use. Raises LimitExceeded where they, or the files in `folder`, are over the
    limits."""
    processes = _family(pid)
    if len(processes) > limits.most_processes or _threads(processes) > limits.most_processes:
        most = f"task.most_processes={limits.most_processes:g}"
        raise LimitExceeded(Status.DISQUALIFIED, f"it started more processes and threads than {most}")
    # The plain figure counts what processes share once for each of them; the fair one takes longer to read.
    memory = _memory(processes, fair=False)
    if memory > limits.memory_gb * GB and (fair := _memory(processes, fair=True)) > limits.memory_gb * GB:
        reason = f"it used more than task.memory_gb={limits.memory_gb:g}"
        raise LimitExceeded(Status.OUT_OF_MEMORY, reason, fair / MB)
    files, size = _usage(folder)
    if size > limits.disk_bytes or files > MOST_FILES:
        raise LimitExceeded(
            Status.DISQUALIFIED, f"it wrote more than task.disk_gb={limits.disk_gb:g} or {MOST_FILES:,} files"
        )
    return Use(len(processes), memory / MB, _cpu_seconds(processes))


def check_card(memory_mb: float, limits: Limits) -> None:
    """Raise LimitExceeded where that much memory of the GPU is over the limit. `memory_mb`: since the lease began."""
    if limits.vram_gb is not None and memory_mb / 1024 > limits.vram_gb + CONTEXT_GB:
        reason = f"it used more than task.vram_gb={limits.vram_gb:g} of the GPU's memory"
        raise LimitExceeded(Status.OUT_OF_MEMORY, reason, memory_mb)


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _threads(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            total += process.num_threads()
    return total


def _memory(processes: list[psutil.Process], fair: bool) -> int:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            total += _fair_share(process) if fair else process.memory_info().rss
    return total


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            total += sum(process.cpu_times()[:4])  # user and system, its own and of children that have ended
    return total


def _fair_share(process: psutil.Process) -> int:
    """Bytes of memory, with what it shares divided by the number of its users; undivided where the system does not say."""
    try:
        memory = process.memory_full_info()
    except psutil.AccessDenied:  # a process can refuse to be looked at, and macOS does it for all
        return int(process.memory_info().rss)
    return int(getattr(memory, "pss", memory.uss))


def _usage(folder: Path) -> tuple[int, int]:
    """Files below a folder, and the bytes that they take; links are not followed. Stops counting after MOST_FILES, and
    where folders are nested deeper than a path can say: that is no less too much."""
    files = size = 0
    waiting = [str(folder)]
    while waiting and files <= MOST_FILES:
        try:
            entries = list(os.scandir(waiting.pop()))
        except (FileNotFoundError, PermissionError):
            continue
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return MOST_FILES + 1, size
        for entry in entries:
            files += 1
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
    return files, size
