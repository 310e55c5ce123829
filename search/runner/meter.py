"""Measures what a program spends on what no budget counts."""

from __future__ import annotations

import time

from search.runner.device.leases import Device
from search.runner.process.candidate_process import CandidateProcess


class Meter:
    """Seconds of a process and its children so far: of processor time on a CPU, so a busy machine does not matter, and
    of wall clock elsewhere."""

    def __init__(self, process: CandidateProcess, device: Device) -> None:
        self._process, self._device = process, device

    def read(self) -> float:
        if self._device.kind == "cpu":
            return self._process.cpu_seconds()
        return time.monotonic() - self._process.spawned
