"""Drives one training process: start-up under a cap, tokens handed over as the clock starts, the end at the deadline."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from search.config import TaskConfig
from search.runner.device import Device
from search.runner.handover import Handover
from search.runner.process import CandidateProcess, Ended
from search.runner.sandbox import Sandbox
from search.runner.watchdog import LimitExceeded, Limits
from search.task.protocol import Message, ProtocolError
from search.trial import LossPoint, Status
from search.untrusted import one_line

OVERRUN_SHARE = 0.02  # a training that is not handed in by then, or
OVERRUN_SECONDS = 1.0  # by then, whichever is later, is timed out
MOST_LOSSES = 200  # points of the loss curve that are kept
LARGEST_NUMBER = 1e18  # that a process may report of itself


@dataclass(frozen=True)
class Progress:
    """What the training is doing: `share` of the budget spent; the rest as the process reports it."""

    phase: str
    share: float = 0.0
    loss: float | None = None
    tokens: int = 0
    train_seconds: float = 0.0


Observer = Callable[[Progress], None]


@dataclass
class Training:
    """What is known of one training. `failure` is None where weights were handed in, in time."""

    failure: Status | None = None
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    train_seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    peak_memory_mb: float = 0.0
    dropped_share: float = 0.0
    losses: list[LossPoint] = field(default_factory=list)
    log: str = ""
    raised: bool = False  # whether it ended with an error that its log shows

    def fail(self, status: Status, reason: str) -> None:
        self.failure, self.reason = status, one_line(reason)

    def learn(self, message: Message) -> None:
        """Take over what the process reports of itself. Raises ProtocolError for anything but finite numbers."""
        self.steps = int(number(message, "steps"))
        self.tokens = int(number(message, "tokens"))
        self.peak_memory_mb = number(message, "peak_memory_mb")

    def add_loss(self, seconds: float, loss: float) -> None:
        self.losses.append(LossPoint(round(seconds, 3), self.tokens, round(loss, 6)))
        if len(self.losses) > 2 * MOST_LOSSES:
            self.losses = self.losses[::2]


def train(
    task: TaskConfig,
    text: Handover,
    bos: int,
    seed: int,
    folder: Path,
    device: Device,
    sandbox: Sandbox,
    observe: Observer,
) -> Training:
    """Run the `train.py` that lies in `folder`; on success its weights lie beside it.

    `text`: the tokens' and the offsets' file of the training split. `seed`: the training seed.
    """
    training = Training()
    with ExitStack() as stack:
        # Opened outside of what follows: that the token files cannot be read is not the candidate's fault.
        tokens = text.open()
        for file in tokens:
            stack.callback(os.close, file)
        limits = Limits(task.memory_gb, task.disk_gb, task.most_processes)
        process = stack.enter_context(CandidateProcess("search.task.launch", folder, device, sandbox, limits))
        try:
            _start(task, bos, seed, process, training, observe)
            if training.failure is None:
                _run(task, tokens, process, training, observe)
        except Ended as end:
            killed = end.returncode == -signal.SIGKILL  # by the kernel, which does that when memory runs out
            training.fail(Status.OUT_OF_MEMORY if killed else Status.CRASHED, f"training {end}")
        except LimitExceeded as excess:
            training.fail(excess.status, str(excess))
        except (ProtocolError, ConnectionError) as error:
            training.fail(Status.CRASHED, f"training broke the protocol: {error}")
    training.log = process.log()
    if training.raised:
        training.reason = _last_line(training.log) or training.reason
    return training


def number(message: Message, key: str) -> float:
    """A finite number from untrusted code. Raises ProtocolError."""
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST_NUMBER:
        raise ProtocolError(f"{one_line(message['event'])}.{key} is {one_line(repr(value))}, not a number")
    return value


def _start(task: TaskConfig, bos: int, seed: int, process: CandidateProcess, training: Training, observe: Observer) -> None:
    """From the spawn to the first moment of the budget: interpreter, imports, building, compiling."""
    deadline = process.spawned + task.startup_seconds
    began = process.spawned
    for phase, event in (("start", "launched"), ("import", "joined"), ("build", "ready")):
        observe(Progress(phase))
        message = _next(process, event, deadline, training)
        if message is None:
            if training.failure is None:
                training.fail(Status.TIMED_OUT, f"start-up took more than task.startup_seconds={task.startup_seconds:g}")
            return
        now = time.monotonic()
        training.seconds[phase] = now - began
        began = now
        if event == "joined":
            process.channel.send(
                {
                    "event": "settings",
                    "device": device_of(task),
                    "threads": task.threads,
                    "seed": seed,
                    "vocab_size": task.vocab_size,
                    "sequence_length": task.sequence_length,
                    "packing": task.packing,
                    "bos": bos,
                    "budget_seconds": task.budget.seconds,
                    "budget_tokens": task.budget.tokens,
                    "overrun_seconds": overrun_seconds(task),
                }
            )


def device_of(task: TaskConfig) -> str:
    """Torch's name of the device (ROCm's is CUDA's): the lease leaves a process exactly one to see."""
    return "cuda" if task.device == "rocm" else task.device


def _run(task: TaskConfig, tokens: list[int], process: CandidateProcess, training: Training, observe: Observer) -> None:
    """From handing over the tokens to the weights. The clock is this process's; nothing the other one says moves it."""
    limit, patience = _limits(task)
    began = time.monotonic()
    try:
        process.channel.send({"event": "go"}, tokens)
        if not _follow(task, process, training, observe, began, began + patience) and training.failure is None:
            training.fail(Status.TIMED_OUT, f"no weights {patience:.1f} s after the start, with a budget of {limit}")
    finally:
        training.train_seconds = time.monotonic() - began  # however it ended, that is what it cost


def _follow(
    task: TaskConfig, process: CandidateProcess, training: Training, observe: Observer, began: float, deadline: float
) -> bool:
    """Take reports until the weights are there; False where they will not come. Raises Ended, ProtocolError."""
    phase_began = 0.0
    while (message := _next(process, None, deadline, training)) is not None:
        elapsed = time.monotonic() - began
        event = message["event"]
        if event == "data" and "data" not in training.seconds:
            training.seconds["data"] = phase_began = elapsed
        elif event == "progress":
            training.learn(message)
            training.seconds["train"] = elapsed - phase_began
            if not _take_loss(message, elapsed, task, training, observe):
                return False
        elif event == "submitted":
            training.learn(message)
            training.dropped_share = number(message, "dropped_share")
            training.seconds["save"] = elapsed - phase_began - training.seconds.get("train", 0.0)
            return True
        else:
            raise ProtocolError(f"unexpected event {one_line(event)}")
    return False


def _take_loss(message: Message, elapsed: float, task: TaskConfig, training: Training, observe: Observer) -> bool:
    """Note a reported loss; False where it is no number, which ends the training."""
    loss = message.get("loss")
    if loss is None:
        return True
    if not isinstance(loss, float) or not math.isfinite(loss):
        training.fail(Status.DIVERGED, f"the training loss became {one_line(str(loss))}")
        return False
    training.add_loss(elapsed, loss)
    share = elapsed / task.budget.seconds if task.budget.seconds else training.tokens / (task.budget.tokens or 1)
    observe(Progress("train", min(1.0, share), loss, training.tokens, elapsed))
    return True


def overrun_seconds(task: TaskConfig) -> float:
    """How late a training may hand in its weights. Saving them counts."""
    return max(OVERRUN_SHARE * (task.budget.seconds or 0.0), OVERRUN_SECONDS)


def _limits(task: TaskConfig) -> tuple[str, float]:
    """The budget in words, and the seconds after which the process is killed."""
    if task.budget.seconds is not None:
        return f"{task.budget.seconds:g} s", task.budget.seconds + overrun_seconds(task)
    assert task.budget.cap_seconds is not None
    return f"{task.budget.tokens:,} tokens within {task.budget.cap_seconds:g} s", task.budget.cap_seconds


def _next(process: CandidateProcess, event: str | None, deadline: float, training: Training) -> Message | None:
    """The next message; None at the deadline or where the process says that it failed.

    Raises ProtocolError where another event than the expected one arrives.
    """
    message = process.next_event(deadline)
    if message is None:
        return None
    if message["event"] == "failed":
        out_of_memory = message.get("kind") == Status.OUT_OF_MEMORY
        training.fail(Status.OUT_OF_MEMORY if out_of_memory else Status.CRASHED, "training raised an error")
        training.raised = True
        process.linger()
        return None
    if event is not None and message["event"] != event:
        raise ProtocolError(f"expected {event}, got {one_line(message['event'])}")
    return message


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""
