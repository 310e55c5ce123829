"""One trial as a job of a cluster: what runs on the node, and what it leaves in the study's folder."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from search.config.files import failed_file
from search.config.messages import UserError
from search.config.schema import restored
from search.data.tokens import Prepared
from search.executor.local import make_runner
from search.runner.trial_runner import check_task
from search.study.request import Progress, TrialRequest
from search.study.trial import Outcome

TELL_SECONDS = 2.0  # between two words about one phase of the trial


@dataclass(frozen=True)
class Work:
    """Plain values, for another machine. `config`: of the study, as its journal records it. `sandbox`: the name of the one
    to be used. `prepared`: the text's folder. `folder`: the study's. `progress`: a file for what the trial is doing."""

    config: dict[str, Any]
    sandbox: str
    prepared: str
    folder: str
    progress: str
    request: TrialRequest


@dataclass(frozen=True)
class Report:
    """How a job ended. `wrong`: what kept the trial from being run, for the user; there is no outcome then. `seconds`: that
    the job took."""

    outcome: Outcome | None
    seconds: float
    wrong: str = ""


def run_trial(work: Work) -> Report:
    """The same trial as on the machine of the study, on a device that Slurm gave to this job: the runner leases among the
    cores and GPUs that it may use, so that jobs do not share one where Slurm pins none."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _end)  # submitit has it ignored; Slurm kills half a minute later
    folder, node = Path(work.folder), platform.node()
    try:
        outcome = _run(work, folder)
    except UserError as error:
        return Report(None, time.monotonic() - began, f"{node}: {error}")
    except OSError as error:
        return Report(None, time.monotonic() - began, f"{node}: {failed_file(error, folder)}")
    model, _, unit = outcome.device.rpartition(" ")
    if unit:
        outcome = replace(outcome, device=f"{model} {node}:{unit}")
    return Report(outcome, time.monotonic() - began)


def _run(work: Work, folder: Path) -> Outcome:
    config = replace(restored(work.config), sandbox=work.sandbox)
    check_task(config.task)
    with closing(make_runner(config, Prepared(Path(work.prepared)), folder)) as runner:
        return runner.run(work.request, ProgressFile(Path(work.progress)).write)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # on the way the trial's files are removed


class ProgressFile:
    """Tells another machine what a trial is doing, through a file; not of every step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._phase, self._told = "", 0.0

    def write(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase == self._phase and now - self._told < TELL_SECONDS:
            return
        self._phase, self._told = progress.phase, now
        unfinished = self._path.with_name(f"{self._path.name}.{platform.node()}-{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        unfinished.replace(self._path)

    def read(self) -> Progress | None:
        """None if nothing was told yet, or the storage has an error: nothing depends on it."""
        with suppress(OSError, ValueError):
            return Progress(**json.loads(self._path.read_text(encoding="utf-8")))
        return None
