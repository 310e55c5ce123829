"""Drives one training process: caps its start-up, hands over tokens as the clock starts, and ends it at the
deadline."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Container, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from search.config.schema import TaskConfig
from search.runner.device.leases import Device
from search.runner.device.telemetry import Telemetry
from search.runner.meter import Meter
from search.runner.process.candidate_process import CandidateProcess, Ended
from search.runner.process.sandbox import Sandbox
from search.runner.process.token_files import TokenFiles
from search.runner.process.watchdog import LimitExceeded, Limits
from search.runner.training_record import Training, number
from search.study.prune import Rule
from search.study.request import Observer, Progress
from search.study.trial import Status, one_line
from search.task.protocol import Message, ProtocolError

OVERRUN_SHARE = 0.02  # a training run that is not handed in by then, or
OVERRUN_SECONDS = 1.0  # by then, whichever is later, is timed out
MOST_CHARGED = 0.5  # of the budget; a start-up that would cost more ends the trial
# The phases before the clock starts: the event that ends each, and the phase that follows. Building is told from compiling
# only by a program that says when it has built.
START_UP: dict[str, dict[str, str | None]] = {
    "start": {"launched": "import"},
    "import": {"joined": "build"},
    "build": {"built": "compile", "ready": None},
    "compile": {"ready": None},
}
RUNNING = ("data", "progress", "submitted")  # the events after the clock has started


def train(
    task: TaskConfig,
    text: TokenFiles,
    bos: int,
    seed: int,
    folder: Path,
    device: Device,
    sandbox: Sandbox,
    observe: Observer,
    stock: Mapping[str, float] | None = None,
    prune: Rule | None = None,
) -> Training:
    """Run the `train.py` that lies in `folder`; on success its weights lie beside it.

    `text`: the tokens' and the offsets' file of the training split. `seed`: the training seed. `stock`, `prune`: see
    TrialRequest.
    """
    training = Training(Telemetry(device.cores), prune)
    with ExitStack() as stack:
        # Opened outside of what follows: that the token files cannot be read is not the candidate's fault.
        tokens = text.open()
        for file in tokens:
            stack.callback(os.close, file)
        limits = Limits(task.memory_gb, task.disk_gb, task.most_processes, task.vram_gb)
        process = stack.enter_context(CandidateProcess("search.task.launch", folder, device, sandbox, limits))
        try:
            _start(task, bos, seed, process, training, observe)
            if training.failure is None:
                training.spent["startup"] = Meter(process, device).read()
                task = _charged(task, device, training, task.allowances.startup.most((stock or {}).get("startup")))
            if training.failure is None:
                _run(task, tokens, process, training, observe)
        except Ended as end:
            if end.returncode == -signal.SIGKILL:  # by the kernel, which does that when memory runs out
                training.fail_for_memory(process.peak_memory_mb, f"training {end}")
            else:
                training.fail(Status.CRASHED, f"training {end}")
        except LimitExceeded as excess:
            if excess.status is Status.OUT_OF_MEMORY:
                training.fail_for_memory(excess.peak_mb, str(excess))
            else:
                training.fail(excess.status, str(excess))
        except (ProtocolError, ConnectionError) as error:
            training.fail(Status.CRASHED, f"training broke the protocol: {error}")
    training.conclude(process.log())
    return training


def _start(task: TaskConfig, bos: int, seed: int, process: CandidateProcess, training: Training, observe: Observer) -> None:
    """From the spawn to the first moment of the budget: interpreter, imports, building, compiling."""
    deadline = process.spawned + task.startup_seconds
    began = process.spawned
    phase: str | None = "start"
    while phase is not None:
        observe(Progress(phase))
        message = _next(process, START_UP[phase], deadline, training)
        if message is None:
            if training.failure is None:
                training.fail(Status.TIMED_OUT, f"start-up took more than task.startup_seconds={task.startup_seconds:g}")
            return
        now = time.monotonic()
        training.seconds[phase] = now - began
        began = now
        if message["event"] == "joined":
            process.channel.send(_settings(task, bos, seed))
        phase = START_UP[phase][message["event"]]


def _charged(task: TaskConfig, device: Device, training: Training, most: float | None) -> TaskConfig:
    """The task with what is left of its budget: start-up beyond the allowance is taken off, or a program could use it
    to learn. If that would take most of the budget, or if tokens are counted, the trial ends."""
    beyond = 0.0 if most is None else max(0.0, training.spent["startup"] - most) / max(1, len(device.cores))
    training.spent["startup_beyond"] = beyond
    if beyond == 0.0:
        return task
    if task.budget.seconds is None or beyond > MOST_CHARGED * task.budget.seconds:
        spent, kind = training.spent["startup"], "processor time" if device.cores else "time"
        training.fail(
            Status.TIMED_OUT, f"start-up took {spent:.1f} s of {kind}, but only {most:.1f} s were allowed for the task"
        )
        return task
    return replace(task, budget=replace(task.budget, seconds=task.budget.seconds - beyond))


def _settings(task: TaskConfig, bos: int, seed: int) -> Message:
    return {
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
        "vram_gb": task.vram_gb,
    }


def device_of(task: TaskConfig) -> str:
    """Torch's name of the device (ROCm's is CUDA's): the lease leaves a process exactly one to see."""
    return "cuda" if task.device == "rocm" else task.device


def _run(task: TaskConfig, tokens: list[int], process: CandidateProcess, training: Training, observe: Observer) -> None:
    """From handing over the tokens to the weights. This process keeps the time; nothing the other one says changes
    that."""
    limit, patience = _limits(task)
    training.telemetry.mark(process.look())
    process.telemetry = training.telemetry
    began = time.monotonic()
    try:
        process.channel.send({"event": "go", "budget_seconds": task.budget.seconds}, tokens)
        if not _follow(task, process, training, observe, began, began + patience) and training.failure is None:
            training.fail(Status.TIMED_OUT, f"no weights {patience:.1f} s after the start, with a budget of {limit}")
    finally:
        training.train_seconds = time.monotonic() - began  # however it ended, that is what it cost
        process.telemetry = None
    if training.failure is None:
        training.telemetry.mark(process.look())


def _follow(
    task: TaskConfig, process: CandidateProcess, training: Training, observe: Observer, began: float, deadline: float
) -> bool:
    """Take reports until the weights are there; False if they will not come. Raises Ended, ProtocolError."""
    phase_began = 0.0
    while (message := _next(process, RUNNING, deadline, training)) is not None:
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
            training.take_submission(message)
            training.seconds["save"] = elapsed - phase_began - training.seconds.get("train", 0.0)
            return True
        else:
            raise ProtocolError(f"unexpected event {one_line(event)}")
    return False


def _take_loss(message: Message, elapsed: float, task: TaskConfig, training: Training, observe: Observer) -> bool:
    """Record a reported loss; False if it ends the training run, because it is not a number or hopeless."""
    loss = message.get("loss")
    if loss is None:
        return True
    if not isinstance(loss, float) or not math.isfinite(loss):
        training.fail(Status.DIVERGED, f"the training loss became {one_line(str(loss))}")
        return False
    training.add_loss(elapsed, loss)
    if training.failure is not None:
        return False
    share = elapsed / task.budget.seconds if task.budget.seconds else training.tokens / (task.budget.tokens or 1)
    observe(Progress("train", min(1.0, share), loss, training.tokens, elapsed))
    return True


def overrun_seconds(task: TaskConfig) -> float:
    """How late a training run may hand in its weights. Saving them counts."""
    return max(OVERRUN_SHARE * (task.budget.seconds or 0.0), OVERRUN_SECONDS)


def _limits(task: TaskConfig) -> tuple[str, float]:
    """The budget in words, and the seconds after which the process is killed."""
    if task.budget.seconds is not None:
        return f"{task.budget.seconds:g} s", task.budget.seconds + overrun_seconds(task)
    assert task.budget.cap_seconds is not None
    return f"{task.budget.tokens:,} tokens within {task.budget.cap_seconds:g} s", task.budget.cap_seconds


def _next(process: CandidateProcess, events: Container[str], deadline: float, training: Training) -> Message | None:
    """The next message that is one of these; None at the deadline or where the process says that it failed. What it says
    of itself in between is noted. Raises ProtocolError if anything else arrives."""
    while (message := process.next_event(deadline)) is not None:
        event = message["event"]
        if event == "failed":
            _take_failure(message, training)
            process.linger()
            return None
        if event in events:
            return message
        if event != "described" or "import" not in training.seconds:  # it may speak once it has joined
            raise ProtocolError(f"unexpected event {one_line(event)}")
        training.take_description(message)
    return None


def _take_failure(message: Message, training: Training) -> None:
    """The process says that its program raised an error, which its log will show."""
    peak, why = number(message, "peak_memory_mb"), "training raised an error"
    if message.get("kind") == Status.OUT_OF_MEMORY:
        training.fail_for_memory(peak, why)
    else:
        training.fail(Status.CRASHED, why)
    training.raised = True
