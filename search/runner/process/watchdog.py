"""Watches what a candidate's processes use together, and reports when it is too much. A limit on address space could do
this for memory, but CUDA reserves far more addresses than it uses, and fails.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from search.config.schema import GB
from search.runner.process.storage import DEEPEST, MOST_FILES, held, usage
from search.study.trial import Status

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
    """A candidate used more than it may. `status`: how its trial ends. `peak_mb`: the memory it used, if that was the
    reason."""

    def __init__(self, status: Status, reason: str, peak_mb: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.peak_mb = status, peak_mb


@dataclass(frozen=True)
class Use:
    """What a process and its children use at one moment. `processes`: 0 if they are gone. `memory_mb`: what they share
    counts once for each. `cpu_seconds`: so far, with what their children used that have ended."""

    processes: int
    memory_mb: float
    cpu_seconds: float


class Watchdog:
    """Looks at one process, at all that descends from it or is in its group, and at its folder."""

    def __init__(self, pid: int, folder: Path, limits: Limits) -> None:
        self._pid, self._folder, self.limits = pid, folder, limits
        self._cpu: dict[int, float] = {}  # seconds of each process that was ever seen, by its number

    def check(self) -> Use:
        """What they use. Raises LimitExceeded where that is over the limits."""
        limits, processes = self.limits, family(self._pid)
        if len(processes) > limits.most_processes or _threads(processes) > limits.most_processes:
            most = f"task.most_processes={limits.most_processes:g}"
            raise LimitExceeded(Status.DISQUALIFIED, f"it started more processes and threads than {most}")
        hidden = held([process.pid for process in processes])
        # The plain figure counts what processes share once for each of them; the fair one takes longer to read.
        memory = _memory(processes, fair=False) + hidden.memory
        if memory > limits.memory_gb * GB:
            fair = _memory(processes, fair=True) + hidden.memory
            if fair > limits.memory_gb * GB:
                reason = f"it used more than task.memory_gb={limits.memory_gb:g}"
                raise LimitExceeded(Status.OUT_OF_MEMORY, reason, fair / MB)
        files, size = usage(self._folder)
        if size + hidden.disk > limits.disk_bytes or files > MOST_FILES:
            raise LimitExceeded(
                Status.DISQUALIFIED,
                f"it wrote more than task.disk_gb={limits.disk_gb:g} or {MOST_FILES:,} files, "
                f"nested folders more than {DEEPEST} deep, or made one unreadable",
            )
        return Use(len(processes), memory / MB, self.cpu_seconds(processes))

    def cpu_seconds(self, processes: list[psutil.Process]) -> float:
        """So far. What has ended is known to the process that waited for it, or else from the last look at it."""
        with_children = 0.0
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                times = process.cpu_times()
                self._cpu[process.pid] = times.user + times.system
                with_children += sum(times[:4])  # user and system, its own and of children that have ended
        return max(with_children, sum(self._cpu.values()))


def check_card(memory_mb: float, limits: Limits) -> None:
    """Raise LimitExceeded where that much memory of the GPU is over the limit. `memory_mb`: since the lease began."""
    if limits.vram_gb is not None and memory_mb / 1024 > limits.vram_gb + CONTEXT_GB:
        reason = f"it used more than task.vram_gb={limits.vram_gb:g} of the GPU's memory"
        raise LimitExceeded(Status.OUT_OF_MEMORY, reason, memory_mb)


def family(pid: int) -> list[psutil.Process]:
    """The process, its descendants, and what is in its group: a process whose parent has ended descends from nobody here."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        found = {process.pid: process for process in (first, *first.children(recursive=True))}
    return [*found.values(), *(process for process in group(pid) if process.pid not in found)]


def group(pid: int) -> list[psutil.Process]:
    """What is in the process group of that number."""
    members = []
    for number in psutil.pids():
        with contextlib.suppress(OSError, psutil.NoSuchProcess):  # it has just ended
            if os.getpgid(number) == pid:
                members.append(psutil.Process(number))
    return members


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


def _fair_share(process: psutil.Process) -> int:
    """Bytes of memory, with what it shares divided by the number of its users; undivided where the system does not say."""
    try:
        memory = process.memory_full_info()
    except psutil.AccessDenied:  # a process can refuse to be looked at, and macOS does it for all
        return int(process.memory_info().rss)
    return int(getattr(memory, "pss", memory.uss))
