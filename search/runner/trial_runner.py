"""One candidate to one outcome: train, score, audit."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from search.config.files import remove_tree
from search.config.messages import UserError
from search.config.schema import TaskConfig
from search.data.tokens import Prepared
from search.runner.auditor import Auditor, Score
from search.runner.device import nvml
from search.runner.device.gpus import VARIABLES
from search.runner.device.leases import Device, available, device_of_units, lease, missing_compiler
from search.runner.device.probe import Probes
from search.runner.process.compile_cache import CompileCache
from search.runner.process.frozen import frozen_files
from search.runner.process.sandbox import Sandbox
from search.runner.process.token_files import TokenFiles
from search.runner.rehearsal import rehearse
from search.runner.scoring import Submission
from search.runner.training import train
from search.runner.training_record import Training
from search.study.request import Observer, Progress, TrialRequest
from search.study.trial import Outcome, Status
from search.task.loader import PACKINGS
from search.task.protocol import SOURCE, WEIGHTS


@contextmanager
def metered(device: Device, vram_gb: float | None) -> Iterator[Device]:
    """The device with what can be read of it from now on. Raises UserError if a cap on its memory could not be
    watched."""
    if device.kind != "cuda":
        yield device
        return
    with nvml.card(device.environment["CUDA_VISIBLE_DEVICES"]) as card:
        if vram_gb is not None and (card is None or not card.tells_memory):
            raise UserError(
                f"task.vram_gb={vram_gb:g}: NVML does not report how much memory of {device.name} is in use, so "
                "this limit cannot be enforced; fix the driver (nvidia-smi), or set task.vram_gb=null"
            )
        yield replace(device, card=card)


def check_task(task: TaskConfig) -> None:
    """Raise UserError if the task asks for what no runner knows, where its devices are not there, where the stock could
    not be compiled for them, or where a cap on their memory could not be watched."""
    if task.packing not in PACKINGS:
        raise UserError(f"task.packing={task.packing}: choose {' or '.join(PACKINGS)}")
    units = available(task.device, task.threads)
    if task.device in VARIABLES and (missing := missing_compiler()) is not None:
        raise UserError(
            f"task.device={task.device}: PyTorch compiles code for GPUs, and this machine lacks {missing}; install it "
            "(Debian, Ubuntu: apt install gcc python3-dev)"
        )
    if task.vram_gb is not None:
        for unit, model in units.items():
            with metered(device_of_units(task.device, model, [unit]), task.vram_gb):
                pass


def devices(task: TaskConfig) -> int:
    """How many trials of the task this machine can run at once. Raises UserError as `available` does."""
    units = len(available(task.device, task.threads))
    return units // task.threads if task.device == "cpu" else units


class TrialRunner:
    """Runs trials of one task, each on a device that is leased for it; several at once, from as many threads.

    `confirming`: score the confirmation split besides validation. `work`: a folder of its own for the processes' files.
    `reference`: the file that keeps the stock's nats between processes.
    """

    def __init__(
        self, task: TaskConfig, prepared: Prepared, work: Path, reference: Path, sandbox: Sandbox, confirming: bool
    ) -> None:
        """Raises ValueError if the text is too short to be scored, OSError where a file cannot be read."""
        self.task = task
        self.sandbox = sandbox
        self.work = work
        self.auditor = Auditor(task, prepared, reference, sandbox, confirming)
        self.text = TokenFiles(prepared.files("train"), sandbox)
        self.frozen = frozen_files(prepared)
        self.cache = CompileCache(reference.with_name("compile_cache"))
        self._revoked = threading.Event()

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        """Train and score a candidate. Raises UserError if the device is missing, a frozen file has changed or the
        stock's nats are lost, OSError where the disk fails, Revoked where it is stopped."""
        too_long = len(request.source.encode()) > self.task.source_kb * 1024
        if too_long:
            reason = f"the program is longer than task.source_kb={self.task.source_kb:g} kB"
            return Outcome(Status.DISQUALIFIED, reason=reason)
        if not request.is_stock:
            self.auditor.stock_nats()  # before anything is paid for
        asked = time.monotonic()
        leased = lease(
            self.task.device, self.task.threads, lambda holders: observe(Progress("waiting", holders=holders)), self._revoked
        )
        with leased as bare, metered(bare, self.task.vram_gb) as device:
            waited = round(time.monotonic() - asked, 3)
            self.frozen.check()
            outcome = self._run_on(device, request, observe)
            self.frozen.check()
        return replace(outcome, wait_seconds=waited)

    def stop(self) -> None:
        """End all trials at once, those too that are still to come."""
        self._revoked.set()

    def close(self) -> None:
        """Let go of the open token files."""
        self.text.close()

    def _run_on(self, device: Device, request: TrialRequest, observe: Observer) -> Outcome:
        self.work.mkdir(parents=True, exist_ok=True)
        for left in self.work.glob(f"{request.logs.name}-*"):  # by the same trial, which was cut off
            remove_tree(left)
        work = Path(tempfile.mkdtemp(prefix=f"{request.logs.name}-", dir=self.work))
        try:
            return self._run_in(work, device, request, observe)
        finally:
            remove_tree(work)

    def _run_in(self, work: Path, device: Device, request: TrialRequest, observe: Observer) -> Outcome:
        if request.is_stock and device.kind in VARIABLES:
            rehearse(self.task, work / "rehearsal", device, self.sandbox, request.logs.with_suffix(".rehearsal.txt"))
        folder = work / "train"
        folder.mkdir()
        (folder / SOURCE).write_text(request.source, encoding="utf-8")
        self.cache.copy_to(folder)
        # Where a training run may spend so many tokens, no score depends on the machine's speed.
        probes = Probes(device.cores if self.task.budget.seconds is not None else ())
        probes.take("probe_before")
        training = train(
            self.task,
            self.text,
            self.auditor.bos,
            request.training_seed,
            folder,
            device,
            self.sandbox,
            observe,
            request.stock,
            request.prune,
        )
        probes.take("probe_after")
        self._write_logs(request, training, probes)
        if request.is_stock and training.failure is None:
            self.cache.keep(folder)
        if training.failure is not None:
            score = Score(training.failure, reason=training.reason)
        else:
            submission = Submission(request.source, folder / WEIGHTS)
            score = self.auditor.audit(work, device, request, submission, observe)
        phases = {**probes.seconds, **training.seconds, **score.seconds}
        accounts = {
            "seconds": {phase: round(spent, 3) for phase, spent in phases.items()},
            "spent": {name: round(spent, 3) for name, spent in {**training.spent, **score.spent}.items()},
        }
        return Outcome(**{**training.facts(), **vars(score), **probes.rates, **accounts, "device": device.name})

    def _write_logs(self, request: TrialRequest, training: Training, probes: Probes) -> None:
        request.logs.parent.mkdir(parents=True, exist_ok=True)
        request.logs.with_suffix(".train.txt").write_text(training.log, encoding="utf-8")
        if probes.failures:
            request.logs.with_suffix(".probe.txt").write_text("\n".join(probes.failures) + "\n", encoding="utf-8")
