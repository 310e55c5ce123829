"""Drives the scoring processes: A claims the nats of every token, B answers a challenge. Each is fresh."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from search.config.files import remove_tree
from search.config.schema import TaskConfig
from search.runner.device.leases import Device
from search.runner.meter import Meter
from search.runner.process.candidate_process import CandidateProcess, Ended
from search.runner.process.lookups import Lookups
from search.runner.process.sandbox import Sandbox, gpu_devices
from search.runner.process.watchdog import LimitExceeded, Limits
from search.runner.training import device_of
from search.study.trial import Status
from search.task.protocol import ANSWER, LATE_MODULES, SOURCE, WEIGHTS, Message, ProtocolError

# A model that learns from what it has in its weights has to do so before its first answer, or its answers would not agree
# with one another. So no batch may take much longer than the median one, and nor may the warm-up.
WARM_UPS = 3  # batches of random tokens, at most
BATCH_FACTOR, BATCH_SECONDS = 3.0, 0.5
LATE_SECONDS = 6.0  # for what PyTorch imports late; 1.2 to 2.5 s of processor time
FLOAT_BYTES = np.dtype(np.float32).itemsize


class ScoringFailed(Exception):
    """There are no numbers. The reason is for the record; the log may hold scored text and stays with the harness."""

    def __init__(self, status: Status, reason: str, log: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.log = status, reason, log


@dataclass(frozen=True)
class Submission:
    """A trained candidate: its program and its weights, in a place that no candidate's process can reach. `late`: those of
    LATE_MODULES that its model is known to need."""

    source: str
    weights: Path
    late: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """What a scoring process answered, and what it spent: seconds until it was ready and seconds of the answers (see
    `search.runner.meter.Meter`). `late`: of LATE_MODULES, what it needed."""

    values: npt.NDArray[np.float32]
    ready: float
    answers: float
    late: tuple[str, ...]


def ask_scorer(
    task: TaskConfig,
    submission: Submission,
    mode: str,
    inputs: Sequence[Path],
    shape: tuple[int, int],
    folder: Path,
    device: Device,
    sandbox: Sandbox,
    stock: Mapping[str, float] | None,
) -> Answers:
    """Score in a fresh process. `mode`: claim or challenge. `inputs`: the files it may read. `shape`: of its answer.
    `stock`: see TrialRequest.

    A process that turns out to need one of LATE_MODULES is ended before it gets a row, and another one imports that before
    its time counts. (Every training process has them, since optimizers need them; few models do.) Raises ScoringFailed.
    """
    while True:
        session = _run_scorer(task, submission, mode, inputs, shape, folder, device, sandbox, stock)
        if set(session.late) <= set(submission.late):
            values = np.frombuffer(session.values, np.float32).reshape(shape)
            return Answers(values, session.ready, sum(session.batches), submission.late)
        submission = replace(submission, late=tuple({*submission.late, *session.late}))


def _run_scorer(
    task: TaskConfig,
    submission: Submission,
    mode: str,
    inputs: Sequence[Path],
    shape: tuple[int, int],
    folder: Path,
    device: Device,
    sandbox: Sandbox,
    stock: Mapping[str, float] | None,
) -> _Session:
    """One process from its start to its end. Raises ScoringFailed."""
    remove_tree(folder)  # of a process that was ended: it may have locked what it left
    folder.mkdir(parents=True)
    (folder / SOURCE).write_text(submission.source, encoding="utf-8")
    shutil.copyfile(submission.weights, folder / WEIGHTS)
    limits = Limits(task.memory_gb, task.disk_gb, task.most_processes, task.vram_gb)
    with CandidateProcess("search.task.scorer", folder, device, sandbox, limits, supervised=True) as process:
        try:
            session = _Session(process, device, task, stock)
            session.run(_settings(task, mode, shape[0], submission.late), inputs, folder / ANSWER, shape)
            status, reason = session.failure or (None, "")
        except Ended as end:
            status, reason = Status.CRASHED, f"scoring {end}"
        except LimitExceeded as excess:
            status, reason = excess.status, f"scoring: {excess}"
        except (ProtocolError, OSError) as error:
            status, reason = Status.DISQUALIFIED, f"scoring broke the protocol: {error}"
    if status is not None:
        raise ScoringFailed(status, reason, process.log())
    return session


def _settings(task: TaskConfig, mode: str, rows: int, late: Sequence[str]) -> dict[str, Any]:
    return {
        "event": "request",
        "mode": mode,
        "rows": rows,
        "device": device_of(task),
        "threads": task.threads,
        "vocab_size": task.vocab_size,
        "sequence_length": task.sequence_length,
        "batch_rows": task.scoring_batch,
        "vram_gb": task.vram_gb,
        "late": late,
    }


def _names(message: Message) -> tuple[str, ...]:
    """Raises ProtocolError."""
    said = message.get("late")
    if not isinstance(said, list):
        raise ProtocolError("ready.late is not a list of names")
    return tuple(name for name in LATE_MODULES if name in said)


class _Session:
    """One scoring process: the messages it gets, its answers, and the time it spends. `failure`: how it failed, or
    None. `late`: of LATE_MODULES, what it says it has imported."""

    def __init__(
        self, process: CandidateProcess, device: Device, task: TaskConfig, stock: Mapping[str, float] | None
    ) -> None:
        self._process, self._device, self._task, self._stock = process, device, task, stock
        self._meter = Meter(process, device)
        self._deadline = time.monotonic() + task.scoring_seconds
        self._has_rows = False
        self.failure: tuple[Status, str] | None = None
        self.ready = 0.0
        self.late: tuple[str, ...] = ()
        self.batches: list[float] = []
        self.values = bytearray()

    def run(self, settings: dict[str, Any], inputs: Sequence[Path], output: Path, shape: tuple[int, int]) -> None:
        """`output`: the file of its answers. Raises Ended, LimitExceeded, ProtocolError, OSError."""
        if self._next("joined") is None:
            return
        listener = self._process.channel.take_file()
        with ExitStack() as held:
            lookups = None if listener is None else held.enter_context(Lookups(listener, gpu_devices(self._device)))
            self._process.channel.send(settings)
            if self._next("prepared") is None:
                return
            began = self._meter.read()  # until here it has run none of the candidate's code
            said = self._next("ready")
            if said is None:
                return
            self.ready = self._meter.read() - began
            self.late = _names(said)
            if not set(self.late) <= set(settings["late"]):
                self._hold_preparation_against_the_stock()
                return
            # It has run the candidate's code: what lies there need not be a file.
            answers = os.open(output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            held.callback(os.close, answers)
            if lookups is not None:
                lookups.end()
            if self._show([held.enter_context(path.open("rb")) for path in inputs], lookups is not None):
                self._follow(answers, shape)

    def _show(self, inputs: Sequence[BinaryIO], pausing: bool) -> bool:
        """Let it have the rows, while nothing of it runs if it is `pausing`; False if it cannot be paused."""
        with self._process.paused(self._deadline) if pausing else nullcontext(True) as stands:
            if not stands:
                self._fail(Status.TIMED_OUT, "the scoring process could not be paused before it got the rows")
                return False
            self._process.channel.send({"event": "rows"}, [file.fileno() for file in inputs])
            self._has_rows = True
        return True

    def _follow(self, answers: int, shape: tuple[int, int]) -> None:
        """Take each batch's answers and its time. Answers must exist when they are announced, or a model could announce
        them and go on learning."""
        rows, width = shape
        last = self._meter.read()
        for at in range(0, rows, self._task.scoring_batch):
            if self._next("answered") is None:
                return
            now = self._meter.read()
            self.batches.append(now - last)
            last = now
            size = min(self._task.scoring_batch, rows - at) * width * FLOAT_BYTES
            values = os.pread(answers, size, len(self.values))
            if len(values) != size:
                self._fail(Status.DISQUALIFIED, "the scoring process left no answer of the right size")
                return
            self.values += values
        self._hold_against_itself(max(self.batches), median(self.batches))

    def _hold_against_itself(self, longest: float, usual: float) -> None:
        """And against the stock."""
        allowances, stock, all_batches = self._task.allowances, self._stock or {}, sum(self.batches)
        ready, answers = allowances.ready.most(stock.get("ready")), allowances.answers.most(stock.get("answers"))
        if longest > BATCH_FACTOR * usual + BATCH_SECONDS:
            self._fail(Status.TIMED_OUT, f"one batch took {longest:.1f} s to score, but the usual one {usual:.2f} s")
        elif ready is not None and self.ready > ready + WARM_UPS * BATCH_FACTOR * usual:
            reason = f"loading and warming up took {self.ready:.1f} s, but {ready:.1f} s were allowed besides the warm-up"
            self._fail(Status.TIMED_OUT, f"{reason} (task.allowances.ready)")
        elif answers is not None and all_batches > answers:
            self._fail(Status.TIMED_OUT, f"scoring took {all_batches:.1f} s (task.allowances.answers)")

    def _hold_preparation_against_the_stock(self) -> None:
        """Of a process that is ended before it gets a row. Its successor could find out by timing what it has looked up, so
        there must be little that it could tell."""
        ready = self._task.allowances.ready.most((self._stock or {}).get("ready"))
        if ready is not None and self.ready > ready + LATE_SECONDS:
            reason = f"{self.ready:.1f} s, but {ready + LATE_SECONDS:.1f} s were allowed with what PyTorch imports late"
            self._fail(Status.TIMED_OUT, f"loading and warming up took {reason} (task.allowances.ready)")

    def _what_failed(self) -> str:
        if self._has_rows:
            return "the trained model failed on the rows that are scored, where it can open no file and import nothing more"
        return "the trained model could not be scored"

    def _fail(self, status: Status, reason: str) -> None:
        self.failure = status, reason

    def _next(self, *events: str) -> Message | None:
        """The next message that is one of these; None if it failed, or took too long."""
        while (message := self._process.next_event(self._deadline)) is not None:
            if message["event"] in events:
                return message
            if message["event"] == "failed":
                self._process.linger()
                out_of_memory = message.get("kind") == Status.OUT_OF_MEMORY
                self._fail(Status.OUT_OF_MEMORY if out_of_memory else Status.CRASHED, self._what_failed())
                return None
        self._fail(Status.TIMED_OUT, f"scoring took more than task.scoring_seconds={self._task.scoring_seconds:g}")
        return None
