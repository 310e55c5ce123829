"""One candidate to one outcome: train, score, audit."""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.config import TaskConfig
from search.files import write_whole
from search.runner import audit
from search.runner.compile_cache import CompileCache
from search.runner.device import Device, lease
from search.runner.frozen import frozen_files
from search.runner.handover import Handover
from search.runner.sandbox import Sandbox
from search.runner.scoring import SOURCE, WEIGHTS, ScoringFailed, Submission, ask_scorer
from search.runner.training import Observer, Progress, Training, train
from search.task.loader import PACKINGS, scoring_rows
from search.task.tokens import Prepared
from search.trial import Outcome, Status

LOG_TAIL = 4_000  # characters of the training's output that an outcome carries


@dataclass(frozen=True)
class TrialRequest:
    """What is to be run. `beat`: the score that would make it its study's best (None: any would).

    `is_stock`: its claims become the reference that later challenges are drawn by. `audit_anyway`: challenge it even
    where it cannot win. `logs`: where its output goes, without a suffix.
    """

    source: str
    training_seed: int
    logs: Path
    beat: float | None = None
    is_stock: bool = False
    audit_anyway: bool = False


@dataclass
class Score:
    """What scoring says of a trained candidate."""

    status: Status = Status.COMPLETED
    val_bpb: float | None = None
    val_nats: float | None = None
    confirmation_bpb: float | None = None
    audited: bool = False
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def fail(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
        self.val_bpb = self.val_nats = self.confirmation_bpb = None


class TrialRunner:
    """Runs trials of one task, one after the other.

    `confirming`: score the confirmation split beside validation. `work`: a folder of its own, emptied before each trial, for
    the processes' files. `reference`: the file that keeps the stock's nats between processes.
    """

    def __init__(
        self, task: TaskConfig, prepared: Prepared, work: Path, reference: Path, sandbox: Sandbox, confirming: bool
    ) -> None:
        splits = ("validation", "confirmation") if confirming else ("validation",)
        self.task = replace(task, scoring_seconds=task.scoring_seconds * len(splits))
        self.sandbox = sandbox
        self.prepared = prepared
        self.work = work
        self.reference = reference
        self.text = Handover(prepared.files("train"), sandbox)
        self.frozen = frozen_files(prepared)
        self.cache = CompileCache(reference.with_name("compile_cache"))
        tokenizer = prepared.tokenizer()
        self.bos = tokenizer.bos
        self.byte_lengths = tokenizer.byte_lengths()
        packer = PACKINGS[task.packing](task.sequence_length, self.bos)
        rows = [scoring_rows(prepared.documents(split), packer, task.scoring_rows) for split in splits]
        self.rows = np.concatenate(rows)
        self.parts = {split: slice(at * task.scoring_rows, (at + 1) * task.scoring_rows) for at, split in enumerate(splits)}

    def run(self, request: TrialRequest, observe: Observer) -> Outcome:
        """Train and score a candidate. Raises UserError where the device is not there or a frozen file is not what it was,
        OSError where the disk fails."""
        too_long = len(request.source.encode()) > self.task.source_kb * 1024
        if too_long:
            reason = f"the program is longer than task.source_kb={self.task.source_kb:g} kB"
            return Outcome(Status.DISQUALIFIED, reason=reason)
        with lease(self.task.device, self.task.threads, lambda: observe(Progress("waiting"))) as device:
            self.frozen.check()
            outcome = self._run_on(device, request, observe)
            self.frozen.check()
        return outcome

    def close(self) -> None:
        """Let go of the open token files."""
        self.text.close()

    def _run_on(self, device: Device, request: TrialRequest, observe: Observer) -> Outcome:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="trial-", dir=self.work, ignore_cleanup_errors=True) as work:
            return self._run_in(Path(work), device, request, observe)

    def _run_in(self, work: Path, device: Device, request: TrialRequest, observe: Observer) -> Outcome:
        folder = work / "train"
        folder.mkdir()
        (folder / SOURCE).write_text(request.source, encoding="utf-8")
        self.cache.copy_to(folder)
        training = train(self.task, self.text, self.bos, request.training_seed, folder, device, self.sandbox, observe)
        request.logs.parent.mkdir(parents=True, exist_ok=True)
        request.logs.with_suffix(".train.txt").write_text(training.log, encoding="utf-8")
        if request.is_stock and training.failure is None:
            self.cache.keep(folder)
        if training.failure is not None:
            score = Score(training.failure, reason=training.reason)
        else:
            score = self._score(work, device, request, folder / WEIGHTS, observe)
        return self._outcome(training, score, device)

    def _outcome(self, training: Training, score: Score, device: Device) -> Outcome:
        return Outcome(
            status=score.status,
            val_bpb=score.val_bpb,
            val_nats=score.val_nats,
            confirmation_bpb=score.confirmation_bpb,
            audited=score.audited,
            reason=score.reason,
            seconds={phase: round(seconds, 3) for phase, seconds in {**training.seconds, **score.seconds}.items()},
            train_seconds=round(training.train_seconds, 3),
            tokens=training.tokens,
            steps=training.steps,
            peak_memory_mb=round(training.peak_memory_mb, 1),
            dropped_share=training.dropped_share,
            losses=tuple(training.losses),
            log_tail=training.log[-LOG_TAIL:],
            device=device.name,
        )

    def _score(self, work: Path, device: Device, request: TrialRequest, weights: Path, observe: Observer) -> Score:
        score = Score()
        limit = self.task.weights_gb * 2**30
        if weights.is_symlink() or not weights.is_file() or weights.stat().st_size > limit:
            score.fail(Status.DISQUALIFIED, f"no weights file of at most task.weights_gb={self.task.weights_gb:g} GB")
            return score
        held = work / "held"
        held.mkdir()
        weights.rename(held / WEIGHTS)
        shutil.rmtree(work / "train")  # whatever else training left is nobody's business
        submission = Submission(request.source, held / WEIGHTS)
        try:
            self._claim_and_challenge(score, submission, work, device, request, observe)
        except ScoringFailed as failure:
            score.fail(failure.status, failure.reason)
            request.logs.with_suffix(".scoring.txt").write_text(failure.log, encoding="utf-8")
        return score

    def _claim_and_challenge(
        self,
        score: Score,
        submission: Submission,
        work: Path,
        device: Device,
        request: TrialRequest,
        observe: Observer,
    ) -> None:
        observe(Progress("score"))
        targets = self.rows[:, 1:]
        with _timed(score, "score"):
            rows_file = _write(work / "rows.bin", self.rows)
            claimed = ask_scorer(
                self.task, submission, "claim", [rows_file], targets.shape, work / "claim", device, self.sandbox
            )
            rows_file.unlink()  # the challenged process must find nothing that this one saw or left
            shutil.rmtree(work / "claim")
        wrong = audit.malformed(claimed)
        if wrong is not None:
            score.fail(Status.DIVERGED if "finite" in wrong else Status.DISQUALIFIED, f"the model's nats are {wrong}")
            return
        self._sum(score, claimed)
        wins = request.beat is None or (score.val_bpb is not None and score.val_bpb < request.beat)
        if wins or request.is_stock or request.audit_anyway:
            observe(Progress("audit"))
            with _timed(score, "audit"):
                reason = self._challenge(claimed, self._reference(request), submission, work, device)
            if reason is not None:
                score.fail(Status.DISQUALIFIED, reason)
                return
            score.audited = True
        if request.is_stock:
            data = io.BytesIO()
            np.save(data, claimed)
            write_whole(self.reference, data.getvalue())

    def _sum(self, score: Score, claimed: audit.Nats) -> None:
        """The claim's bits per byte, of each split."""
        targets = self.rows[:, 1:]
        bits = {
            split: audit.bits_per_byte(claimed[part], targets[part], self.byte_lengths) for split, part in self.parts.items()
        }
        score.val_bpb, score.confirmation_bpb = bits["validation"], bits.get("confirmation")
        validation = self.parts["validation"]
        text = self.byte_lengths[targets[validation]] > 0
        score.val_nats = float(claimed[validation][text].mean(dtype=np.float64))

    def _reference(self, request: TrialRequest) -> audit.Nats | float:
        """The nats that a claim is compared with: the stock's, and for the stock itself a uniform guess."""
        return float(np.log(self.task.vocab_size)) if request.is_stock else np.load(self.reference)

    def _challenge(
        self, claimed: audit.Nats, reference: audit.Nats | float, submission: Submission, work: Path, device: Device
    ) -> str | None:
        """Ask a second process what it knows; return why the claim is not believed, or None. Raises ScoringFailed."""
        task = self.task
        secret = np.random.default_rng()  # from the system's entropy: a candidate must not foresee the positions
        scored = self.byte_lengths[self.rows[:, 1:]] > 0
        challenge = audit.draw_challenge(
            claimed,
            reference,
            scored,
            task.audit_gain_positions * len(self.parts),
            task.audit_uniform_positions * len(self.parts),
            secret,
        )
        order = secret.permutation(len(challenge.rows))
        filler = -len(order) % task.scoring_batch  # every batch has the one fixed shape
        order = np.concatenate([order, np.zeros(filler, np.int64)])
        inputs = audit.challenge_rows(self.rows, challenge, self.bos, secret)[order]
        files = [
            _write(work / "challenge_rows.bin", inputs),
            _write(work / "challenge_positions.bin", challenge.positions[order]),
        ]
        shape = (len(order), task.vocab_size)
        shuffled = ask_scorer(task, submission, "challenge", files, shape, work / "challenge", device, self.sandbox)
        logits = np.empty((len(challenge.rows), task.vocab_size), dtype=np.float32)
        logits[order] = shuffled
        tolerance = audit.Tolerance(task.audit_token_tolerance, task.audit_mean_tolerance)
        return audit.verify(claimed, self.rows, challenge, logits, tolerance)


def _write(path: Path, array: npt.NDArray[Any]) -> Path:
    array.tofile(path)
    return path


@contextmanager
def _timed(score: Score, phase: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        score.seconds[phase] = time.monotonic() - began
