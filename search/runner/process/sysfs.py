"""What of /sys a candidate may see: an allow-list. Its counters concern the whole machine, such as those of memory, of
processors' idle states and of control groups: one process can move them, and a later one read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SYS = Path("/sys")
# Which processors there are: what counts them looks here first.
PROCESSORS = tuple(f"devices/system/cpu/{name}" for name in ("possible", "present", "online", "kernel_max"))
# What else the drivers of GPUs and their libraries ask for. CUDA starts without any of it
# (https://github.com/nolabs-ai/nono/issues/658).
TOPOLOGY = (
    *("devices/system/cpu/cpu[0-9]*/topology", "devices/system/cpu/cpu[0-9]*/cache"),
    *(f"devices/system/node/{name}" for name in ("possible", "online", "has_cpu", "has_memory", "has_normal_memory")),
    *(f"devices/system/node/node[0-9]*/{name}" for name in ("cpumap", "cpulist", "distance")),
    *("bus/pci/devices", "class/drm", "class/kfd", "dev/char", "module/nvidia*", "module/amdgpu", "devices/virtual/kfd"),
)
MAKERS = ("0x10de", "0x1002")  # NVIDIA, AMD: /sys/bus/pci/devices/*/vendor


def shown(with_gpu: bool) -> Iterator[Path]:
    """The allow-list, as far as it is there."""
    for pattern in (*PROCESSORS, *(TOPOLOGY if with_gpu else ())):
        yield from sorted(SYS.glob(pattern))
    if with_gpu:
        vendors = sorted(SYS.glob("bus/pci/devices/*/vendor"))
        yield from (vendor.parent.resolve() for vendor in vendors if vendor.read_text().strip() in MAKERS)
