"""What the machine did during a training run: was the device as fast as usual, and did only this run use it?

The watchdog's looks at the process are its samples, twice a second at most.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import psutil

from search.runner.device.nvml import Reading
from search.runner.process.watchdog import Use


@dataclass(frozen=True)
class Moment:
    """Seconds: of the clock, of CPU time that the training run has used, and of the cores' time that other machines
    took."""

    clock: float
    cpu: float
    stolen: float | None


class Telemetry:
    """What the machine does during one training run. `cores`: those it is pinned to, none where it trains on a GPU."""

    def __init__(self, cores: frozenset[int]) -> None:
        self._cores = cores
        self._moments: list[Moment] = []
        self._readings: list[Reading] = []

    def mark(self, use: Use) -> None:
        """Mark where training begins or ends: before and after that, a GPU is not a sample of its work."""
        if self._cores and use.processes:  # what has ended says nothing of what it used
            self._moments.append(Moment(time.monotonic(), use.cpu_seconds, stolen_seconds(self._cores)))

    def take(self, use: Use, reading: Reading | None) -> None:
        """Take a sample. `reading`: of the GPU, if it can be read."""
        self.mark(use)
        if reading is not None:
            self._readings.append(reading)

    def summary(self) -> dict[str, float]:
        """By name, with its unit; what could not be known is not in it. Of a GPU `sm_clock_mhz`, `sm_clock_min_mhz`,
        `power_w`, `temperature_c` (highest), `throttled_share` of the samples and `device_memory_peak_mb`; of cores
        `cpu_share` (CPU seconds per second and core) and `stolen_share` (of their time, by the machine's other guests)."""
        values = {**_of_cores(self._moments, len(self._cores)), **_of_gpu(self._readings)}
        return {name: round(value, 4) for name, value in values.items()}


def stolen_seconds(cores: Iterable[int]) -> float | None:
    """What the hypervisor has taken from these cores since they started, together; None if that is not known."""
    if sys.platform != "linux":
        return None
    times = psutil.cpu_times(percpu=True)  # of the cores that are on, without their numbers
    if len(times) != os.sysconf("SC_NPROCESSORS_CONF"):
        return None
    return sum(times[core].steal for core in cores)


def _of_cores(moments: list[Moment], cores: int) -> dict[str, float]:
    if len(moments) < 2 or moments[-1].clock <= moments[0].clock:
        return {}
    first, last = moments[0], moments[-1]
    available = (last.clock - first.clock) * cores
    shares = {"cpu_share": (max(moment.cpu for moment in moments) - first.cpu) / available}
    if first.stolen is not None and last.stolen is not None:
        shares["stolen_share"] = (last.stolen - first.stolen) / available
    return shares


def _of_gpu(readings: list[Reading]) -> dict[str, float]:
    clocks = [reading.sm_clock_mhz for reading in readings if reading.sm_clock_mhz is not None]
    power = [reading.power_w for reading in readings if reading.power_w is not None]
    heat = [reading.temperature_c for reading in readings if reading.temperature_c is not None]
    throttled = [reading.throttled for reading in readings if reading.throttled is not None]
    memory = [reading.memory_mb for reading in readings if reading.memory_mb is not None]
    known = {
        "sm_clock_mhz": fmean(clocks) if clocks else None,
        "sm_clock_min_mhz": min(clocks, default=None),
        "power_w": fmean(power) if power else None,
        "temperature_c": max(heat, default=None),
        "throttled_share": fmean(throttled) if throttled else None,
        "device_memory_peak_mb": max(memory, default=None),
    }
    return {name: value for name, value in known.items() if value is not None}
