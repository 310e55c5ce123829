"""Drives the scoring processes: A claims the nats of every token, B answers a challenge. Each is fresh."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.config.schema import TaskConfig
from search.runner.device.leases import Device
from search.runner.process.candidate_process import CandidateProcess, Ended
from search.runner.process.sandbox import Sandbox
from search.runner.process.watchdog import LimitExceeded, Limits
from search.runner.training import device_of
from search.study.trial import Status
from search.task.protocol import ANSWER, SOURCE, WEIGHTS, ProtocolError


class ScoringFailed(Exception):
    """No numbers. The reason is for the record; the log may hold scored text and stays with the harness."""

    def __init__(self, status: Status, reason: str, log: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.log = status, reason, log


@dataclass(frozen=True)
class Submission:
    """A trained candidate: its program and its weights, in a place that no candidate's process can reach."""

    source: str
    weights: Path


def ask_scorer(
    task: TaskConfig,
    submission: Submission,
    mode: str,
    inputs: Sequence[Path],
    shape: tuple[int, int],
    folder: Path,
    device: Device,
    sandbox: Sandbox,
) -> npt.NDArray[np.float32]:
    """Let a fresh process score. `mode`: claim or challenge. `inputs`: the files it may read. `shape`: of its answer.

    Raises ScoringFailed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / SOURCE).write_text(submission.source, encoding="utf-8")
    shutil.copyfile(submission.weights, folder / WEIGHTS)
    deadline = time.monotonic() + task.scoring_seconds
    limits = Limits(task.memory_gb, task.disk_gb, task.most_processes, task.vram_gb)
    with CandidateProcess("search.task.scorer", folder, device, sandbox, limits) as process:
        try:
            _request(process, _settings(task, mode), inputs, deadline)
            status, reason = _await_end(process, deadline, task)
        except Ended as end:
            status, reason = Status.CRASHED, f"scoring {end}"
        except LimitExceeded as excess:
            status, reason = excess.status, f"scoring: {excess}"
        except (ProtocolError, OSError) as error:
            status, reason = Status.DISQUALIFIED, f"scoring broke the protocol: {error}"
    if status is not None:
        raise ScoringFailed(status, reason, process.log())
    output = folder / ANSWER
    expected = shape[0] * shape[1] * np.dtype(np.float32).itemsize
    if output.is_symlink() or not output.is_file() or output.stat().st_size != expected:
        raise ScoringFailed(Status.DISQUALIFIED, "scoring left no answer of the right size", process.log())
    return np.fromfile(output, np.float32).reshape(shape)


def _settings(task: TaskConfig, mode: str) -> dict[str, Any]:
    return {
        "event": "request",
        "mode": mode,
        "device": device_of(task),
        "threads": task.threads,
        "vocab_size": task.vocab_size,
        "sequence_length": task.sequence_length,
        "batch_rows": task.scoring_batch,
        "vram_gb": task.vram_gb,
    }


def _request(process: CandidateProcess, settings: dict[str, Any], inputs: Sequence[Path], deadline: float) -> None:
    if process.wait_for("joined", deadline) is None:
        return
    with ExitStack() as files:
        opened = [files.enter_context(path.open("rb")) for path in inputs]
        process.channel.send(settings, [file.fileno() for file in opened])


def _await_end(process: CandidateProcess, deadline: float, task: TaskConfig) -> tuple[Status | None, str]:
    """None where the process says it is done; else how it failed."""
    while (message := process.next_event(deadline)) is not None:
        if message["event"] == "done":
            return None, ""
        if message["event"] == "failed":
            process.linger()
            out_of_memory = message.get("kind") == Status.OUT_OF_MEMORY
            return (Status.OUT_OF_MEMORY if out_of_memory else Status.CRASHED), "the trained model could not be scored"
    return Status.DISQUALIFIED, f"scoring took more than task.scoring_seconds={task.scoring_seconds:g}"
