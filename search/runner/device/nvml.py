"""What an NVIDIA GPU reports about itself through NVML. Its errors end no trial: what it does not report is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

MB = 2**20
# nvml.h: software power cap, hardware slowdown, software and hardware thermal slowdown, power brake. Idle, an application's
# own clock setting, and synchronized boards do not count as throttling.
SLOWING = 0x4 | 0x8 | 0x20 | 0x40 | 0x80

T = TypeVar("T")


class Sensor(Protocol):
    """The readings of one GPU. Each may raise NVMLError."""

    def used_bytes(self) -> int: ...
    def sm_clock_mhz(self) -> int: ...
    def power_mw(self) -> int: ...
    def temperature_c(self) -> int: ...
    def throttle_reasons(self) -> int: ...


class NvmlSensor:
    """The GPU with that UUID, asked through nvidia-ml-py."""

    def __init__(self, uuid: str) -> None:
        """Raises NVMLError where there is no driver, or no such GPU."""
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)

    def used_bytes(self) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used)

    def sm_clock_mhz(self) -> int:
        return int(self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))

    def power_mw(self) -> int:
        return int(self._nvml.nvmlDeviceGetPowerUsage(self._handle))

    def temperature_c(self) -> int:
        return int(self._nvml.nvmlDeviceGetTemperature(self._handle, self._nvml.NVML_TEMPERATURE_GPU))

    def throttle_reasons(self) -> int:
        # The older of two names for one thing: drivers before 535 know no other, and later ones know both.
        return int(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle))

    def close(self) -> None:
        self._nvml.nvmlShutdown()


@dataclass(frozen=True)
class Reading:
    """A GPU at one moment; None for what it did not report. `memory_mb`: in use on it, without what others use."""

    memory_mb: float | None
    sm_clock_mhz: float | None
    power_w: float | None
    temperature_c: float | None
    throttled: bool | None


class Card:
    """A leased GPU, read from when its lease began."""

    def __init__(self, gpu: Sensor) -> None:
        self._gpu = gpu
        self._others = answer(gpu.used_bytes)  # bytes

    @property
    def tells_memory(self) -> bool:
        return self._others is not None

    def read(self) -> Reading:
        power, reasons = answer(self._gpu.power_mw), answer(self._gpu.throttle_reasons)
        return Reading(
            memory_mb=self._memory_mb(),
            sm_clock_mhz=answer(self._gpu.sm_clock_mhz),
            power_w=None if power is None else power / 1000,
            temperature_c=answer(self._gpu.temperature_c),
            throttled=None if reasons is None else bool(reasons & SLOWING),
        )

    def _memory_mb(self) -> float | None:
        used = answer(self._gpu.used_bytes)
        if used is None or self._others is None:
            return None
        self._others = min(self._others, used)  # the trial before may have been on its way out when this lease began
        return (used - self._others) / MB


@contextmanager
def card(uuid: str) -> Iterator[Card | None]:
    """The GPU with that UUID; None if NVML does not know it, or is not there."""
    gpu = answer(lambda: NvmlSensor(uuid))
    try:
        yield None if gpu is None else Card(gpu)
    finally:
        if gpu is not None:
            answer(gpu.close)


def answer(question: Callable[[], T]) -> T | None:
    """What NVML answers, or None if it has an error instead: the one place that knows its errors."""
    from pynvml import NVMLError

    try:
        return question()
    except NVMLError:
        return None
