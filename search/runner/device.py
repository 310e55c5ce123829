"""Devices and their leases: one trial at a time on each, across all studies of the machine."""

from __future__ import annotations

import fcntl
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

LEASES_VARIABLE = "FAIRTRIAL_LEASES"  # another folder for the locks, for tests and for machines with an odd /tmp
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Device:
    """What a trial may use. `kind` is torch's word for it; `cores` are pinned, where the system can."""

    kind: str
    name: str
    cores: frozenset[int] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)


def available(kind: str, threads: int) -> list[str]:
    """The ids of this machine's units of that kind: GPUs by their own id, CPU cores by number.

    Raises UserError where there are too few.
    """
    if kind == "cuda":
        ids = _nvidia_gpus()
        if not ids:
            raise UserError("task.device=cuda: this machine shows no NVIDIA GPU (nvidia-smi -L); without one use task=cpu")
        if Path("/dev/nvidiactl").exists() and not Path("/dev/nvidia-uvm").exists():  # candidates cannot have it made
            raise UserError("task.device=cuda: there is no /dev/nvidia-uvm; have it made: nvidia-modprobe -u -c=0")
        return ids
    if kind == "mps":
        if platform.system() != "Darwin" or platform.machine() != "arm64":
            raise UserError("task.device=mps: this is no Mac with Apple silicon; without one use task=cpu")
        return ["mps"]
    cores = [str(core) for core in sorted(_cores())]
    if len(cores) < threads:
        raise UserError(
            f"task.threads={threads}: this process may use {len(cores)} CPU cores; set task.threads={len(cores)}"
        )
    return cores


@contextmanager
def lease(kind: str, threads: int, waiting: Callable[[], None]) -> Iterator[Device]:
    """Hold a free device (for `cpu`: that many cores) until the block ends; the kernel frees it if this process dies.

    Waits for as long as others hold all of them, and calls `waiting` once if so. Raises UserError as `available` does.
    """
    ids = available(kind, threads)
    needed = threads if kind == "cpu" else 1
    told = False
    while True:
        with ExitStack() as held:
            taken: list[str] = []
            for unit in ids:
                if len(taken) < needed and _lock(held, f"{kind}-{unit}"):
                    taken.append(unit)
            if len(taken) == needed:
                yield _device(kind, taken)
                return
        if not told:
            waiting()
            told = True
        time.sleep(POLL_SECONDS)


def _device(kind: str, taken: Sequence[str]) -> Device:
    if kind == "cuda":
        return Device(kind, f"cuda {taken[0]}", environment={"CUDA_VISIBLE_DEVICES": taken[0]})
    if kind == "mps":
        return Device(kind, "mps")
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    return Device(kind, f"cpu {','.join(taken)}", cores=frozenset(int(core) for core in taken), environment=hidden)


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


def _nvidia_gpus() -> list[str]:
    """The UUIDs of the GPUs that this process may use."""
    if shutil.which("nvidia-smi") is None:
        return []
    asked = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return []
    gpus = dict(line.split(", ", 1) for line in answer.stdout.splitlines() if ", " in line)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(gpus.values())
    chosen = [unit.strip() for unit in visible.split(",") if unit.strip()]
    return [gpus.get(unit, unit) for unit in chosen]
