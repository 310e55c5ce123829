"""Checks a draft of train.py: builds its model and takes a step on synthetic tokens, in the sandbox of a trial, on the CPU.

A check reads no text and costs no budget, so it finds crashes, and cannot train. What runs in it is `search.task.check`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.config.places import ROOT, usable_cores
from search.config.schema import TaskConfig
from search.config.scratch import scratch
from search.runner.device.leases import Device, Revoked, lease
from search.runner.process.candidate_process import CandidateProcess, Ended
from search.runner.process.sandbox import Sandbox, choose
from search.runner.process.watchdog import LimitExceeded, Limits
from search.study.trial import Status
from search.task.protocol import SOURCE, ProtocolError

CHECK, SETTINGS, FINE = "check.py", "task.json", "fine:"
# Of processor time (the stock of `task=gpu` takes 46 s: 2 cores, PyTorch 2.13) and of wall clock, for what waits.
CPU_SECONDS, SECONDS = 240.0, 300.0
LOOK_SECONDS = 1.0  # between two looks at what it has used
MEMORY_GB, DISK_GB = 8.0, 1.0  # or the task's, where that is less
CORES = 4  # of a CPU, for tasks of other devices
LONGEST = 8_000  # characters of what the program printed
ENDED = "the check was ended by its limit before it was done, which says nothing about training on the task's own device"


@dataclass(frozen=True)
class Drafts:
    """`sandbox`: the setting of that name. `folder`: for the files of a check, which are removed with it. `say`: shows the
    user a line. `stop`: whether a stop was requested."""

    task: TaskConfig
    sandbox: str
    folder: Path
    say: Callable[[str], None]
    stop: Callable[[], bool]

    def check(self, program: str) -> str:
        """Why a program does not build and take a step, with the end of what it printed; empty if it does. Raises
        KeyboardInterrupt where a stop is requested, UserError where no sandbox works, OSError where the disk fails."""
        if len(program.encode()) > self.task.source_kb * 1024:
            return f"the program is longer than {self.task.source_kb:g} kB"
        box = choose(self.sandbox, "cpu")
        try:
            with lease("cpu", self._threads(), self._waits, Stop(self.stop)) as cores, scratch(self.folder) as folder:
                self._write(folder, program)
                return self._run(folder, cores, box)
        except Revoked:
            raise KeyboardInterrupt from None

    def _run(self, folder: Path, cores: Device, box: Sandbox) -> str:
        limits = Limits(self._memory_gb(), min(DISK_GB, self.task.disk_gb), self.task.most_processes)
        with CandidateProcess("search.task.draft", folder, cores, box, limits) as process:
            why = self._watch(process)
        printed = process.log().replace(f"{folder}/", "").replace(f"{ROOT}/", "").strip()
        if why or not printed.rpartition("\n")[2].startswith(FINE):
            return f"{why or 'it ended before it had handed in a model'}\n{printed[-LONGEST:]}".strip()
        return ""

    def _watch(self, process: CandidateProcess) -> str:
        """Wait for its end. Returns why that was not a good one."""
        deadline = process.spawned + SECONDS
        try:
            while (now := time.monotonic()) < deadline and process.cpu_seconds() < CPU_SECONDS:
                while process.next_event(min(deadline, now + LOOK_SECONDS)) is not None:
                    pass  # what it says is not listened to
        except Ended as end:
            return "" if end.returncode == 0 else f"the program {end}"
        except LimitExceeded as excess:
            if excess.status is Status.OUT_OF_MEMORY:
                return f"it used more than {self._memory_gb():g} GB of memory"
            return "it used more processes, threads or files than a program may"
        except (ProtocolError, ConnectionError) as error:
            return f"it broke the protocol: {error}"
        return ENDED

    def _write(self, folder: Path, program: str) -> None:
        facts = {name: getattr(self.task, name) for name in ("sequence_length", "vocab_size")}
        check = (ROOT / "search" / "task" / CHECK).read_text(encoding="utf-8")
        settings = json.dumps({**facts, "threads": self._threads()})
        for name, text in ((SOURCE, program), (CHECK, check), (SETTINGS, settings)):
            (folder / name).write_text(text, encoding="utf-8")

    def _threads(self) -> int:
        return min(self.task.threads if self.task.device == "cpu" else CORES, len(usable_cores()))

    def _memory_gb(self) -> float:
        return min(MEMORY_GB, self.task.memory_gb)

    def _waits(self, holders: str) -> None:
        self.say(f"the check of a draft waits for CPU cores: {holders}")


class Stop(threading.Event):
    """An event that is set where a function says so, for what waits for events."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        super().__init__()
        self._stop = stop

    def is_set(self) -> bool:
        return self._stop()

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout) or self.is_set()
