"""Lists the GPUs that this process may use: NVIDIA's from nvidia-smi, AMD's from the kernel's files. Written from
documentation, and not yet tried with a real card. For AMD: the kernel's kfd_topology.c (its folder of nodes), and
rocm.docs.amd.com, "GPU isolation techniques" (what ROCR_VISIBLE_DEVICES takes).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search.config.schema import GB

VARIABLES = {"cuda": "CUDA_VISIBLE_DEVICES", "rocm": "ROCR_VISIBLE_DEVICES"}  # which limit a process to some GPUs
KFD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")
LOCAL_HEAPS = ("1", "2")  # types of memory bank that are the GPU's own: all of it, or all but a window, hidden from the CPU


@dataclass(frozen=True)
class Gpu:
    """`id`: as the variable of its kind takes it. `memory_gb`: of 2**30 bytes; None if that is not known, as for a slice
    of a GPU (MIG), or one that shares the machine's memory."""

    id: str
    model: str
    memory_gb: float | None


def listed(kind: str) -> list[Gpu]:
    """The GPUs of a kind of device; none where it has no list of its own (mps, cpu)."""
    if kind == "cuda":
        return nvidia_gpus()
    return amd_gpus() if kind == "rocm" else []


def nvidia_gpus() -> list[Gpu]:
    """In nvidia-smi's order, which is the one that numbers in CUDA_VISIBLE_DEVICES are taken to mean here."""
    if shutil.which("nvidia-smi") is None:
        return []
    asked = ["nvidia-smi", "--query-gpu=uuid,memory.total,name", "--format=csv,noheader,nounits"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return []
    return visible(parse_nvidia(answer.stdout), os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_nvidia(table: str) -> list[Gpu]:
    """From lines of `uuid, MiB, name`; MiB is `[N/A]` where the memory is the machine's."""
    gpus = []
    for line in table.splitlines():
        fields = line.split(", ", 2)
        if len(fields) == 3:  # else it is a remark of nvidia-smi's
            uuid, memory, model = fields
            gpus.append(Gpu(uuid, model, int(memory) / 1024 if memory.isdigit() else None))
    return gpus


def amd_gpus() -> list[Gpu]:
    """What ROCm would count: HIP's variable numbers those that ROCR's leaves."""
    left = visible(read_kfd(KFD_NODES), os.environ.get("ROCR_VISIBLE_DEVICES"))
    return visible(left, os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES")))


def read_kfd(nodes: Path) -> list[Gpu]:
    """From the kernel's folder of compute nodes, in ROCm's order. A GPU without an id of its own, or one that is split into
    nodes of one id, goes by its number."""
    found: list[tuple[dict[str, str], float]] = []
    for node in sorted(nodes.glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if (node / "gpu_id").read_text().strip() == "0":  # a CPU
                continue
            found.append((_properties(node), _own_memory_gb(node)))
        except PermissionError:  # another container's: ROCm does not count it either
            continue
    ids = [int(properties.get("unique_id", "0")) for properties, _ in found]
    gpus = []
    for number, ((properties, memory), own) in enumerate(zip(found, ids, strict=True)):
        known = own != 0 and ids.count(own) == 1
        model = f"AMD {architecture(int(properties.get('gfx_target_version', '0')))}"
        gpus.append(Gpu(f"GPU-{own:016x}" if known else str(number), model, memory or None))
    return gpus


def architecture(version: int) -> str:
    """AMD's name for the kernel's number: 90010 is gfx90a."""
    return f"gfx{version // 10_000}{version // 100 % 100:x}{version % 100:x}"


def visible(gpus: Sequence[Gpu], mask: str | None) -> list[Gpu]:
    """Those that a variable such as CUDA_VISIBLE_DEVICES leaves: by number, or by how their id begins. As the drivers do, it
    ends at the first that is not there. Slices (MIG) have ids that no list shows; they are taken as named."""
    if mask is None:
        return list(gpus)
    left: list[Gpu] = []
    for word in (part.strip() for part in mask.split(",")):
        if word.isdigit():
            found = list(gpus[int(word) : int(word) + 1])
        elif word.startswith("MIG-"):
            found = [Gpu(word, "slice of an NVIDIA GPU", None)]
        else:
            found = [gpu for gpu in gpus if word and gpu.id.lower().startswith(word.lower())]
        if len(found) != 1:
            break
        left += found
    return left


def _own_memory_gb(node: Path) -> float:
    banks = [_properties(bank) for bank in (node / "mem_banks").glob("*")]
    return sum(int(bank["size_in_bytes"]) for bank in banks if bank["heap_type"] in LOCAL_HEAPS) / GB


def _properties(folder: Path) -> dict[str, str]:
    """A kernel's file of lines `name value`."""
    pairs = (line.split(maxsplit=1) for line in (folder / "properties").read_text().splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
