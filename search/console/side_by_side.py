"""A multirun's studies side by side: one for each device, in processes of their own, on one terminal.

Each worker's output goes to a file of its study, and its lines are shown here behind the study's name. This process
handles Ctrl-C and passes it on: the first one lets the running trials finish, and no further study begins.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from search.config.messages import UserError
from search.console.interrupt import install, restore
from search.console.study_table import Row

OUTPUT, STOP, ENDED = "output.txt", "stop", "ended.jsonl"  # files: of one study, and two of the sweep
PARENT = "FAIRTRIAL_SWEEP"  # holds the number of the process that started the workers, and the sweep's folder
LOOK_SECONDS = 0.5
NAMED_BY_VALUE = ("strategy", "task", "sampler", "llm")  # keys whose values say what they are


def fair_order(overrides: Sequence[str]) -> list[str]:
    """The command line with the search seeds first: what comes first varies slowest, so that the strategies of one seed run
    one after the other, in the same hours."""
    return sorted(overrides, key=lambda override: not override.startswith("seed="))


def labels(studies: Sequence[Sequence[str]]) -> list[str]:
    """The studies' names among each other, from what was given for each: what is the same for all is left out."""
    shared = set(studies[0]).intersection(*studies[1:]) if len(studies) > 1 else set()
    return ["/".join(_short(override) for override in study if override not in shared) for study in studies]


def _short(override: str) -> str:
    key, _, value = override.lstrip("+~").partition("=")
    return value if key in NAMED_BY_VALUE else override


class SideBySide:
    """The parent's part, from the first worker to the last one's end."""

    def __init__(self, sweep: Path, labels: Sequence[str], say: Callable[[str], None]) -> None:
        """`labels`: of the studies, in the order in which they are started."""
        self.sweep, self.labels, self.say = sweep, labels, say
        self.stopped = False
        self._shown = [0] * len(labels)  # bytes of each study's output
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="shows the studies", daemon=True)
        self._before: dict[int, Any] = {}

    def begin(self) -> None:
        from search.console.pool import watch_workers  # takes a moment, and most commands need no pool

        os.environ[PARENT] = f"{os.getpid()}:{self.sweep}"
        watch_workers()
        self._before = install(self._heard)
        self._thread.start()

    def end(self) -> None:
        restore(self._before)
        os.environ.pop(PARENT, None)
        self._over.set()
        self._thread.join()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self.stopped:
            self.stopped = True
            self.say(
                "stopping after the running trials; press Ctrl-C again to stop now (they then run again when you resume)"
            )
        (self.sweep / STOP).touch()
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getpgid(child.pid) == child.pid:  # a worker: see begin_study
                    child.send_signal(number)

    def _follow(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._show()
        self._show()

    def _show(self) -> None:
        width = max(map(len, self.labels))
        for number, name in enumerate(self.labels):
            with contextlib.suppress(FileNotFoundError), (self.sweep / str(number) / OUTPUT).open("rb") as file:
                file.seek(self._shown[number])
                new = file.read()
                whole = new[: new.rfind(b"\n") + 1]
                self._shown[number] += len(whole)
                for line in whole.decode("utf-8", "replace").splitlines():
                    self.say(f"{name:{width}} | {line}")


def in_worker() -> bool:
    """Whether this process runs one study of several that are side by side."""
    parent, _, _ = os.environ.get(PARENT, "").partition(":")
    return parent != "" and parent != str(os.getpid())


def begin_study(folder: Path) -> None:
    """In a worker: from here on its output belongs to the study, and the parent handles Ctrl-C. Raises UserError if no
    more studies should begin."""
    _, _, sweep = os.environ[PARENT].partition(":")
    if (Path(sweep) / STOP).exists():
        raise UserError("not started, because the others were stopped")
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    file = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    sys.stdout.flush()
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def end_study(row: Row, places: Sequence[str]) -> None:
    """In a worker: leave for the parent what its table says of the study, and the lines that say where to look at it."""
    _, _, sweep = os.environ[PARENT].partition(":")
    with (Path(sweep) / ENDED).open("a") as file:
        file.write(json.dumps({"row": row, "places": list(places)}) + "\n")


def ended(sweep: Path) -> tuple[list[Row], list[str]]:
    """What the workers have left: the rows, and each line once."""
    path = sweep / ENDED
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line["row"] for line in lines], list(dict.fromkeys(place for line in lines for place in line["places"]))
