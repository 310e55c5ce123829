"""Runs a program of another harness as it is, and takes the metric that it prints: a claim, and no score of this harness."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search.config.messages import UserError, printable
from search.config.places import usable_cores
from search.runner.device.gpus import listed
from search.runner.device.leases import Device, lease
from search.runner.external.programs import ExternalPrograms
from search.runner.external.walls import SEARCHED
from search.runner.printed import End, Metric, judged
from search.runner.process import sandbox
from search.runner.process.candidate_process import INHERITED
from search.runner.process.watchdog import Limits
from search.study.external import BUBBLEWRAP, Program

PRINTED = "metric printed by the program"
KINDS = ("cuda", "rocm", "cpu")  # of devices, the first that is there
MOST_PROCESSES = 2048  # and threads, as conf/task/gpu.yaml has it
PYTHONS = ("python", "python3")
CACHES = {"TORCHINDUCTOR_CACHE_DIR": ".cache/inductor", "TRITON_CACHE_DIR": ".cache/triton"}  # in the run's own folder
ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
OFTEN_SHARED = (Path("/"), Path("/usr"), Path("/usr/local"))  # prefixes where more lies than an interpreter


@dataclass(frozen=True)
class Way:
    """How programs are run. `command`: in the program's folder; `python` and `python3` in it are the interpreter `python`.
    `shown`: files and folders that it may read. `threads`: cores of a CPU, None for all. `memory_gb`, `disk_gb`: that a
    run may use."""

    command: str
    python: str | None
    shown: tuple[Path, ...]
    environment: Mapping[str, str]
    device: str | None
    threads: int | None
    memory_gb: float
    disk_gb: float
    sandbox: str

    @property
    def words(self) -> tuple[str, ...]:
        """Raises UserError."""
        try:
            first, *more = shlex.split(self.command)
        except ValueError as error:
            raise UserError(
                f"plain.command={self.command}: is no command ({error}); quote it as a shell asks for"
            ) from error
        return (self.interpreter if first in PYTHONS else first, *more)

    @property
    def first(self) -> str:
        """The file of the command's program. Raises UserError."""
        found = shutil.which(self.words[0])
        if found is None:
            key = "plain.python" if self.words[0] == self.interpreter else "plain.command"
            raise UserError(f"{key}: no program {self.words[0]} is found; give its path")
        return found

    @property
    def interpreter(self) -> str:
        return self.python or sys.executable

    @property
    def kind(self) -> str:
        return self.device or next(kind for kind in KINDS if kind == "cpu" or listed(kind))


@dataclass(frozen=True)
class PlainRun:
    """One run. `value`: what was printed, None unless scored. `seconds`: that it took, after it had waited for a device."""

    end: End
    value: float | None
    reason: str
    seconds: float
    device: str
    output: str = field(repr=False)


def check(way: Way) -> None:
    """Raises UserError where no program could be run like this here."""
    if way.sandbox == BUBBLEWRAP and not sandbox.bubblewrap_works():
        raise UserError(
            "sandbox=bubblewrap: does not work here (it needs the program bwrap and user namespaces).\n"
            "Install bubblewrap; or use sandbox=none: the programs then read and reach whatever you can"
        )
    _ = way.first
    for path in way.shown:
        if not path.exists():
            raise UserError(f"plain.shown: {path} does not exist; name files and folders that the programs need")
    if way.kind != "cpu" and not listed(way.kind):
        raise UserError(f"plain.device={way.kind}: this machine shows no such GPU; use plain.device=cpu")
    there = len(usable_cores())
    if way.threads is not None and way.threads > there:
        raise UserError(f"plain.threads={way.threads}: this process may use {there} CPU cores; give {there} or fewer")


def run(folder: Path, way: Way, metric: Metric, seconds: float, waiting: Callable[[str], None]) -> PlainRun:
    """Run the program of a folder on a device that is leased for it, and end it with all that it has started. `seconds`: of
    wall clock, after which it is ended. `waiting`: hears who holds the devices. Raises UserError as `check`."""
    with lease(way.kind, way.threads or len(usable_cores()), waiting) as device:
        limits = Limits(way.memory_gb, way.disk_gb, MOST_PROCESSES)
        ended = ExternalPrograms(device, limits).run(_program(folder, way, device, seconds))
    end, value, reason = judged(ended, metric, seconds)
    output = printable(ended.output + ended.errors)
    return PlainRun(end, value, reason, ended.seconds, device.name, output)


def _program(folder: Path, way: Way, device: Device, seconds: float) -> Program:
    cores = {"OMP_NUM_THREADS": str(len(device.cores)), "MKL_NUM_THREADS": str(len(device.cores))} if device.cores else {}
    return Program(
        words=(way.first, *way.words[1:]),
        folder=folder,
        said="",
        seconds=seconds,
        environment={
            **{name: os.environ[name] for name in INHERITED if name in os.environ and name != "PATH"},
            **device.environment,
            **cores,
            **{name: str(folder / place) for name, place in CACHES.items()},
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": "",
            "PATH": ":".join(dict.fromkeys([str(Path(way.interpreter).parent), str(Path(way.first).parent), *SEARCHED])),
            "HF_HUB_OFFLINE": "1",  # there is no network; its cache is used at once, and not after long retries
            **way.environment,
        },
        shown=[*_python(way.interpreter), *(found for path in way.shown for found in (path, path.resolve()))],
        sandbox=way.sandbox,
        home=_home(),
    )


def _home() -> Path | None:
    """The caller's, which is empty inside but for what is shown: programs look for their data below it."""
    home = Path.home()
    return None if home == Path("/") else home


def _python(interpreter: str) -> Sequence[Path]:
    """What an interpreter is made of: its own folders and all its packages. Of this harness's, too: no text that they hold
    is scored here."""
    done = subprocess.run([interpreter, "-I", "-c", ASK], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"plain.python={interpreter}: is no Python that can be run; give the file of one")
    prefix, base, *searched = map(Path, json.loads(done.stdout))
    packages = [path for path in searched if path.name in sandbox.HIDDEN_NAMES]
    return [path for path in dict.fromkeys([base, prefix, *packages]) if path.exists() and path not in OFTEN_SHARED]
