"""Devices and their leases: one trial at a time on each, across all studies of the machine."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from search.config.messages import UserError
from search.config.places import usable_cores
from search.runner.device.gpus import KFD_NODES, VARIABLES, listed
from search.runner.device.holders import holders
from search.runner.device.locks import lock
from search.runner.device.nvml import Card

POLL_SECONDS = 0.5
WAITING_SECONDS = 30.0  # between two words about who holds the devices
KINDS = ("cpu", "cuda", "rocm", "mps")
KFD = Path("/dev/kfd")  # what every program that computes on AMD's GPUs opens


@dataclass(frozen=True)
class Device:
    """What a trial may use. `kind` is one of KINDS; `name`: its model and, after the last space, its own id. `cores`
    are pinned, where the system can. `card`: what can be read of a GPU while it is leased. `revoked`: set when whoever
    leased it must release it at once."""

    kind: str
    name: str
    cores: frozenset[int] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    card: Card | None = None
    revoked: threading.Event = field(default_factory=threading.Event, compare=False)

    def check(self) -> None:
        """Raises Revoked."""
        if self.revoked.is_set():
            raise Revoked


class Revoked(Exception):
    """The trial was stopped from outside. It has no outcome."""


def available(kind: str, threads: int) -> dict[str, str]:
    """This machine's units of that kind and their model: GPUs by their own id, CPU cores by number.

    Raises UserError if there are too few.
    """
    if kind not in KINDS:
        raise UserError(f"task.device={kind}: choose {', '.join(KINDS)}")
    if kind in VARIABLES:
        return _gpus(kind)
    if kind == "mps":
        if not _is_apple():
            raise UserError(f"task.device=mps: this is not a Mac with Apple silicon; {_instead(kind)}")
        return {"mps": platform.machine()}
    cores = [str(core) for core in sorted(usable_cores())]
    if len(cores) < threads:
        raise UserError(
            f"task.threads={threads}: this process may use {len(cores)} CPU cores; set task.threads={len(cores)}"
        )
    return dict.fromkeys(cores, _cpu_model())


@contextmanager
def lease(
    kind: str, threads: int, waiting: Callable[[str], None], revoked: threading.Event | None = None
) -> Iterator[Device]:
    """Hold a free device (for `cpu`: that many cores) until the block ends; the kernel frees it if this process dies.

    Waits while others hold all of them, and regularly calls `waiting` with who they are, in words. Waiting trials are
    served in order: a study that has finished with a device does not take it again at once. Raises UserError as
    `available` does, and where no lock can be taken; Revoked where that is set while it waits.
    """
    revoked = revoked or threading.Event()
    units = available(kind, threads)
    needed = threads if kind == "cpu" else 1
    names = {unit: f"{kind}-{unit}".replace("/", "-") for unit in units}
    began = spoke = time.monotonic()
    with ExitStack() as turn, ExitStack() as held:
        first = False
        while True:
            first = first or lock(turn, f"{kind}-next")
            taken = _take(held, names, needed) if first else []
            if taken:
                break
            if revoked.wait(POLL_SECONDS):
                raise Revoked
            if spoke == began or time.monotonic() - spoke >= WAITING_SECONDS:
                spoke = time.monotonic()
                waiting(holders(names.values()))
        turn.close()
        yield replace(device_of_units(kind, units[taken[0]], taken), revoked=revoked)


def _take(held: ExitStack, names: Mapping[str, str], needed: int) -> list[str]:
    """That many free units, locked until `held` closes; none if fewer are free. `names`: of their locks."""
    with ExitStack() as locks:
        taken: list[str] = []
        for unit, name in names.items():
            if len(taken) < needed and lock(locks, name):
                taken.append(unit)
        if len(taken) < needed:
            return []
        held.push(locks.pop_all())
        return taken


def _gpus(kind: str) -> dict[str, str]:
    """Raises UserError if there is none, or none that can be used."""
    gpus = {gpu.id: gpu.model for gpu in listed(kind)}
    if not gpus:
        maker, where = {"cuda": ("NVIDIA", "nvidia-smi -L"), "rocm": ("AMD", str(KFD_NODES))}[kind]
        mask = os.environ.get(VARIABLES[kind])
        seen = where if mask is None else f"{where}, and {VARIABLES[kind]}={mask}"
        raise UserError(f"task.device={kind}: this machine shows no {maker} GPU ({seen}); {_instead(kind)}")
    if kind == "cuda" and Path("/dev/nvidiactl").exists() and not Path("/dev/nvidia-uvm").exists():
        # Candidates cannot have it made.
        raise UserError("task.device=cuda: there is no /dev/nvidia-uvm; create it with nvidia-modprobe -u -c=0")
    if kind == "rocm" and not os.access(KFD, os.R_OK | os.W_OK):
        raise UserError(f"task.device=rocm: {KFD} cannot be opened; join the group that owns it (usually render)")
    return gpus


def missing_compiler() -> str | None:
    """What is missing for Triton, which compiles kernels for GPUs and, for that, a small C module (its runtime/build.py)."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "a C compiler (gcc or clang)"
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return None if header.is_file() else f"Python's headers ({header})"


def _instead(kind: str) -> str:
    """What to use if there is no device of that kind."""
    here = {
        "task.device=cuda": bool(listed("cuda")),
        "task.device=rocm": bool(listed("rocm")),
        "task.device=mps sandbox=none": _is_apple(),
    }
    return f"without one use {' or '.join([setting for setting, is_here in here.items() if is_here] + ['task=cpu'])}"


def _is_apple() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def device_of_units(kind: str, model: str, taken: Sequence[str]) -> Device:
    """The device made of one GPU, or of as many cores as `taken` names."""
    if kind in VARIABLES:
        return Device(kind, f"{model} {taken[0]}", environment={VARIABLES[kind]: taken[0]})
    if kind == "mps":
        return Device(kind, f"{model} mps")
    cores, hidden = frozenset(int(core) for core in taken), {"CUDA_VISIBLE_DEVICES": ""}
    return Device(kind, f"{model} cpu-{','.join(taken)}", cores=cores, environment=hidden)


@functools.cache
def _cpu_model() -> str:
    """As the kernel names it; on ARM, where it names none, and elsewhere the architecture."""
    if platform.system() == "Linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
