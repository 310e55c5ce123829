"""Devices and their leases: one trial at a time on each, across all studies of the machine."""

from __future__ import annotations

import fcntl
import functools
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from search.errors import UserError
from search.runner.nvml import Card

LEASES_VARIABLE = "FAIRTRIAL_LEASES"  # another folder for the locks, for tests and for machines with an odd /tmp
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Device:
    """What a trial may use. `kind` is torch's word for it; `name`: its model and, after the last space, its own id. `cores`
    are pinned, where the system can. `card`: what can be read of a GPU while it is leased."""

    kind: str
    name: str
    cores: frozenset[int] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    card: Card | None = None


def available(kind: str, threads: int) -> dict[str, str]:
    """This machine's units of that kind and their model: GPUs by their own id, CPU cores by number.

    Raises UserError where there are too few.
    """
    if kind == "cuda":
        gpus = _nvidia_gpus()
        if not gpus:
            raise UserError("task.device=cuda: this machine shows no NVIDIA GPU (nvidia-smi -L); without one use task=cpu")
        if Path("/dev/nvidiactl").exists() and not Path("/dev/nvidia-uvm").exists():  # candidates cannot have it made
            raise UserError("task.device=cuda: there is no /dev/nvidia-uvm; have it made: nvidia-modprobe -u -c=0")
        return gpus
    if kind == "mps":
        if platform.system() != "Darwin" or platform.machine() != "arm64":
            raise UserError("task.device=mps: this is no Mac with Apple silicon; without one use task=cpu")
        return {"mps": platform.machine()}
    cores = [str(core) for core in sorted(_cores())]
    if len(cores) < threads:
        raise UserError(
            f"task.threads={threads}: this process may use {len(cores)} CPU cores; set task.threads={len(cores)}"
        )
    return dict.fromkeys(cores, _cpu_model())


@contextmanager
def lease(kind: str, threads: int, waiting: Callable[[], None]) -> Iterator[Device]:
    """Hold a free device (for `cpu`: that many cores) until the block ends; the kernel frees it if this process dies.

    Waits for as long as others hold all of them, and calls `waiting` once if so. Raises UserError as `available` does.
    """
    units = available(kind, threads)
    needed = threads if kind == "cpu" else 1
    told = False
    while True:
        with ExitStack() as held:
            taken: list[str] = []
            for unit in units:
                if len(taken) < needed and _lock(held, f"{kind}-{unit}"):
                    taken.append(unit)
            if len(taken) == needed:
                yield _device(kind, units[taken[0]], taken)
                return
        if not told:
            waiting()
            told = True
        time.sleep(POLL_SECONDS)


def _device(kind: str, model: str, taken: Sequence[str]) -> Device:
    if kind == "cuda":
        return Device(kind, f"{model} {taken[0]}", environment={"CUDA_VISIBLE_DEVICES": taken[0]})
    if kind == "mps":
        return Device(kind, f"{model} mps")
    cores, hidden = frozenset(int(core) for core in taken), {"CUDA_VISIBLE_DEVICES": ""}
    return Device(kind, f"{model} cpu-{','.join(taken)}", cores=cores, environment=hidden)


def _lock(held: ExitStack, name: str) -> bool:
    folder = Path(os.environ.get(LEASES_VARIABLE, "/tmp/fairtrial-leases"))
    _make_for_all(folder)
    file = os.fdopen(_open_for_all(folder / name.replace("/", "-")), "ab")
    held.enter_context(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_for_all(folder: Path) -> None:
    """A folder in which every user of the machine can make locks: the usual umask would keep the others out."""
    mask = os.umask(0)
    try:
        folder.mkdir(mode=0o777, parents=True, exist_ok=True)
    finally:
        os.umask(mask)


def _open_for_all(path: Path) -> int:
    mask = os.umask(0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    finally:
        os.umask(mask)


def _cores() -> set[int]:
    if platform.system() == "Linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@functools.cache
def _cpu_model() -> str:
    """As the kernel names it; on ARM, where it names none, and elsewhere the architecture."""
    if platform.system() == "Linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _nvidia_gpus() -> dict[str, str]:
    """The GPUs that this process may use, by UUID, with their model."""
    if shutil.which("nvidia-smi") is None:
        return {}
    asked = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return gpus_of(answer.stdout, os.environ.get("CUDA_VISIBLE_DEVICES")) if answer.returncode == 0 else {}


def gpus_of(table: str, visible: str | None) -> dict[str, str]:
    """GPUs by UUID with their model, from nvidia-smi's lines of index, UUID and name. `visible`: which of them, by index or
    UUID, as CUDA_VISIBLE_DEVICES says it; None for all. What it names beyond the table, such as a part of a GPU, counts as
    one of unknown model."""
    lines = [line.split(", ", 2) for line in table.splitlines() if line.count(", ") >= 2]
    models = {uuid: model for _, uuid, model in lines}
    if visible is None:
        return models
    by_index = {index: uuid for index, uuid, _ in lines}
    chosen = [by_index.get(unit.strip(), unit.strip()) for unit in visible.split(",") if unit.strip()]
    return {uuid: models.get(uuid, "NVIDIA GPU") for uuid in chosen}
